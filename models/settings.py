"""What can be asked of the program: each setting with its default, its check and its help.

One frozen dataclass is the only list; the command line, the environment, ``--help`` and the test of
the README's table read it. How files are kept safe is in ``data_dir.py``, the commands are in
``commandline.py``.
"""

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from models import data_dir
from models.addresses import parsed
from models.options import (
    SettingsError,
    did_you_mean,
    name_of,
    on_or_off,
    one_of,
    option,
    read_options,
    some_text,
    whole_number,
)

VARIABLE_PREFIX: Final = "SHOPBELL_"
SECRET_CHARACTERS: Final = 32
SECRET_BYTES: Final = 32  # of those that we make: as many as the hash that signs with them has
SECRET_FILES: Final = ("secret", "identity-secret")  # in data-dir

DEMO_SELLER: Final = "demo-seller"

Network = IPv4Network | IPv6Network


def _listening_address(text: str) -> str:
    text = text.strip()
    try:
        return str(ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    looks_numeric = re.fullmatch(r"[0-9.]+", text)
    if looks_numeric or not re.fullmatch(r"(?!-)[A-Za-z0-9.-]{1,253}", text):
        raise ValueError("must be an IP address or a host name") from None
    return text


_HOST = re.compile(r"(?!-)[a-z0-9._-]{1,253}|\[[0-9a-f:.]+\]")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def _origin(text: str) -> str:
    """``scheme://host`` or ``scheme://host:port``, written as browsers write it."""
    text = text.strip()
    wrong = ValueError(f"takes origins like https://shop.example, without a path; {text!a} is none")
    try:
        parts = urlsplit(text)
        port = parts.port
        scheme, host = parts.scheme.lower(), parts.netloc.lower()
    except ValueError:
        raise wrong from None
    if port is not None:
        host = host.rpartition(":")[0]
    if scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(host):
        raise wrong
    # What a browser sends has no default port, and nothing but this may have been written.
    shown = f"{scheme}://{host}" + ("" if port is None else f":{port}")
    if text.lower() != shown:
        raise wrong
    return f"{scheme}://{host}" if port == _DEFAULT_PORTS[scheme] else shown


def _public_url(text: str) -> str:
    return _origin(text) if text.strip() else ""


def _origins(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_origin(part) for part in _listed(text)))


def _networks(text: str) -> tuple[Network, ...]:
    networks: list[Network] = []
    for part in _listed(text):
        try:
            networks.append(ip_network(part))
        except ValueError:
            raise ValueError(
                f"takes addresses and networks like 10.0.0.7 or 10.0.0.0/8; {part!a} is none"
            ) from None
    return tuple(networks)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _mongodb_uri(text: str) -> str | None:
    text = text.strip()
    if text and not re.match(r"mongodb(\+srv)?://[^\s]+\Z", text):
        raise ValueError("must begin with mongodb:// or mongodb+srv://")
    return text or None


def _database(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,63}", text) or text in ("admin", "local", "config"):
        raise ValueError(
            "must be 1 to 63 letters, digits, _ or -, and not one of MongoDB's own databases"
        )
    return text


def _directory(text: str) -> Path:
    path = Path(some_text(text)).expanduser()
    if "\0" in text:
        raise ValueError("is no directory")
    try:
        if path.exists() and not path.is_dir():
            raise ValueError("is no directory")
    except OSError as error:
        raise ValueError(f"cannot be looked at: {error.strerror}") from None
    return path


# Found in examples everywhere, so they are the first that anybody tries.
_EXAMPLE = re.compile(
    r"change(me|this|it)|example|placeholder|password|replace(me|this)|insecure|yoursecret"
)
_DISTINCT_CHARACTERS: Final = 6  # 32 random digits have fewer once in some ten million times


def _secret(text: str) -> str:
    """At least 32 characters, and not what is copied from examples. Never repeats the text."""
    if len(text) < SECRET_CHARACTERS:
        raise ValueError(f"must have at least {SECRET_CHARACTERS} characters")
    if not text.isprintable():
        raise ValueError("must consist of printable characters")
    plain = re.sub(r"[^a-z]", "", text.lower())
    if _EXAMPLE.search(plain) or len(set(text)) < _DISTINCT_CHARACTERS:
        raise ValueError("looks like an example; take a random one")
    return text


# --- The settings -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, checked. Secrets that were not given are empty until ``with_secrets``."""

    address: str = option("127.0.0.1", "where it listens", _listening_address)
    port: int = option(8080, "the port it listens on; 0 takes a free one", whole_number(0, 65535))
    public_url: str = option(
        "",
        "the origin that browsers use; https turns on Secure cookies and wss",
        _public_url,
        shown="http://ADDRESS:PORT",
    )
    mongodb_uri: str | None = option(
        None,
        "a MongoDB 6 or newer, replica set or Atlas (the variable MONGODB_URI serves too); with"
        " none, the embedded database is started with its files in data-dir",
        _mongodb_uri,
        repr=False,
    )
    database: str = option("shopbell", "the database's name", _database)
    data_dir: Path = option(  # noqa: RUF009 a field, as by dataclasses.field
        Path("data"),
        "the embedded database's files and the generated secrets",
        _directory,
        shown="./data",
    )
    secret: str = option(
        "",
        "signs Shopbell's own tokens; at least 32 characters",
        _secret,
        shown="made on first start and kept in data-dir",
        repr=False,
    )
    identity_secret: str = option(
        "",
        "signs what the shop's own site says of its logged-in buyers; never vouches for a seller",
        _secret,
        shown="made on first start and kept in data-dir",
        repr=False,
    )
    allowed_origins: tuple[str, ...] = option(
        (),
        "comma-separated origins that may embed the widget and connect from a page of theirs",
        _origins,
    )
    trusted_proxies: tuple[Network, ...] = option(
        (),
        "comma-separated addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are"
        " believed",
        _networks,
    )
    rate_limits: bool = option(
        True, "off for a load test: all limits but those on logins", on_or_off
    )
    retention_days: int = option(
        0,
        "messages older than so many days are removed; 0 keeps them for ever",
        whole_number(0, 36_500),
    )
    log_format: str = option("text", "text, or json: one object a line", one_of("text", "json"))
    demo: bool = option(
        False, "a demo shop: a seller, a buyer, a product page, a short conversation", on_or_off
    )

    @property
    def listening_url(self) -> str:
        """Where it listens, as a URL."""
        host = f"[{self.address}]" if ":" in self.address else self.address.lower()
        return f"http://{host}" + ("" if self.port == 80 else f":{self.port}")

    @property
    def origin(self) -> str:
        """The origin that browsers use: ``public-url``, or else where it listens."""
        return self.public_url or self.listening_url

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS: then cookies are Secure and sockets ``wss``."""
        return self.origin.startswith("https://")

    @property
    def instance(self) -> str:
        """Tells this shop's servers from others, and nothing of the secret that it is made of."""
        return hmac.digest(self.secret.encode(), b"instance", "sha256").hex()[:16]

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins whose pages may connect."""
        return (self.origin, *self.allowed_origins)

    def listening_on(self, port: int) -> "Settings":
        """The same with the port that was really taken, and ``public_url`` filled in."""
        settings = replace(self, port=port)
        return replace(settings, public_url=settings.origin)

    def with_secrets(self) -> "Settings":
        """The same with both secrets: those that were not given are read from ``data_dir``, or made
        there once and for all. Raises ``SettingsError``."""
        settings = replace(
            self,
            secret=self.secret or self._kept_secret(SECRET_FILES[0]),
            identity_secret=self.identity_secret or self._kept_secret(SECRET_FILES[1]),
        )
        _check_secrets_differ(settings)
        return settings

    def known_secret(self) -> str | None:
        """The secret that was given, or the one that lies in ``data_dir``; none is made."""
        if self.secret:
            return self.secret
        try:
            return data_dir.read(self.data_dir / SECRET_FILES[0]).strip()
        except OSError:
            return None

    def _kept_secret(self, name: str) -> str:
        path = self.data_dir / name
        try:
            text = data_dir.kept_once(path, lambda: secrets.token_urlsafe(SECRET_BYTES))
            return _secret(text.strip())
        except OSError as error:
            raise SettingsError(f"{path} cannot be read or written: {error.strerror}.") from None
        except ValueError as error:
            raise SettingsError(
                f"{path} {error}. Remove the file and a new one is made, which ends all sessions."
            ) from None

    def trusts(self, address: str) -> bool:
        """Whether this peer is a proxy of ours, whose forwarding headers are believed."""
        peer = parsed(address)
        return peer is not None and any(peer in network for network in self.trusted_proxies)


# --- Reading them -------------------------------------------------------------------------------

# Kubernetes and Docker describe a *service* called "shopbell" to its neighbours in such variables;
# they are no misspelt settings.
_SERVICE_LINK = re.compile(
    r"SHOPBELL_(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)=.*"
    r"|SHOPBELL_PORT=(tcp|udp|sctp)://.*",
    re.DOTALL,
)


def read_settings(flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Settings:
    """The settings of a start: a flag wins over its variable, the variable over the default.

    ``flags`` are the names on the command line with their texts, ``None`` for a bare ``--name``.
    Raises ``SettingsError``.
    """
    variables = {
        name: text
        for name, text in environment.items()
        if name.startswith(VARIABLE_PREFIX) and not _SERVICE_LINK.fullmatch(f"{name}={text}")
    }
    known = {variable_of(option): name_of(option) for option in fields(Settings)}
    for variable in variables:
        if variable not in known:
            raise SettingsError(f"{variable!a} is no setting.{did_you_mean(variable, known)}")
    asked: dict[str, tuple[str, str]] = {}
    if "MONGODB_URI" in environment:
        asked["mongodb-uri"] = ("MONGODB_URI", environment["MONGODB_URI"])
    asked |= {known[variable]: (variable, text) for variable, text in variables.items()}
    settings = read_options(Settings, flags, asked)
    _check_secrets_differ(settings)
    return settings


def _check_secrets_differ(settings: Settings) -> None:
    """One secret for both would let the shop's site sign sellers. Raises ``SettingsError``."""
    if settings.secret and settings.secret == settings.identity_secret:
        raise SettingsError("--secret and --identity-secret may not be the same.")


def variable_of(option: "Field[Any]") -> str:
    """As in the environment: ``SHOPBELL_DATA_DIR``."""
    return VARIABLE_PREFIX + option.name.upper()
