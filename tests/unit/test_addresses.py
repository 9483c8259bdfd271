import pytest

from models.addresses import address_key, visitor_address
from models.settings import Settings, read_settings

BEHIND_PROXIES = read_settings({"trusted-proxies": "10.0.0.0/8,::1"}, {})


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "visitor"),
    [
        ("198.51.100.7", None, "198.51.100.7"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("::1", "2001:DB8::7", "2001:db8::7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9,198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.7, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_a_trusted_proxy_tells_who_is_asking(peer, forwarded_for, visitor):
    assert visitor_address(peer, forwarded_for, BEHIND_PROXIES.trusts) == visitor


def test_nobody_else_is_believed():
    spoofed = "203.0.113.9, 127.0.0.1"
    assert visitor_address("198.51.100.7", spoofed, BEHIND_PROXIES.trusts) == "198.51.100.7"
    assert visitor_address("127.0.0.1", spoofed, Settings().trusts) == "127.0.0.1"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "", True),
    ],
)
def test_an_ipv6_network_counts_as_one(one, other, same):
    assert (address_key(one) == address_key(other)) is same
