"""Where a URL leads: read once, the same way when a URL is saved and when it is called."""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from quintet.services.ports.http import HttpFault

_PATH_SAFE = "/%:@!$&'()*+,;=~-._[]?"


@dataclass(frozen=True, slots=True)
class Target:
    """The host (ASCII) and port to connect to, what to ask there, and the `Host` header."""

    host: str
    port: int
    tls: bool
    path: str
    authority: str


def target_of(url: str) -> Target:
    """The target of an http or https URL. Raises HttpFault: InvalidUrl, Refused."""
    try:
        parts = urlsplit(url)
        port = parts.port
        named = parts.hostname or ""
        host = named if ":" in named else named.encode("idna").decode()
    except (ValueError, UnicodeError):
        raise HttpFault("InvalidUrl", "the URL is not valid", retryable=False) from None
    if parts.scheme not in ("http", "https"):
        raise HttpFault("Refused", "only http and https are allowed", retryable=False)
    if not host or parts.username is not None or parts.password is not None:
        raise HttpFault("InvalidUrl", "a URL needs a host, and must not hold a user name or password", retryable=False)
    tls = parts.scheme == "https"
    path = quote(parts.path or "/", safe=_PATH_SAFE)
    if parts.query:
        path += "?" + quote(parts.query, safe=_PATH_SAFE)
    bracketed = f"[{host}]" if ":" in host else host
    return Target(host, port or (443 if tls else 80), tls, path, bracketed if port is None else f"{bracketed}:{port}")
