"""Network addresses: who is really asking behind our proxies, and what counts as one visitor."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

# A household or a server gets a network of this size, with more addresses than could be counted.
IPV6_NETWORK_BITS: Final = 64


def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """The address, or None if it is none. IPv4 in IPv6's clothes is IPv4: a socket of both families
    shows it like that."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def visitor_address(peer: str, forwarded_for: str | None, is_trusted: Callable[[str], bool]) -> str:
    """Whose request it is: the peer's, unless the peer is a proxy of ours, who tells for whom.

    Each proxy appends whom it was asked by, so the list is read from its end, for as long as those
    who say so are ours. What a visitor wrote at its beginning is never reached.
    """
    address = peer
    for told in reversed((forwarded_for or "").split(",")):
        if not is_trusted(address) or parsed(told) is None:
            break
        address = told.strip()
    return str(parsed(address) or address)


def address_key(address: str) -> str:
    """What limits by address count as one: an IPv4 address, an IPv6 network."""
    known = parsed(address)
    if isinstance(known, IPv6Address):
        rest = 128 - IPV6_NETWORK_BITS
        return f"{IPv6Address(int(known) >> rest << rest)}/{IPV6_NETWORK_BITS}"
    return str(known or address)
