"""What an address must be that somebody has us call."""

from urllib.parse import urlsplit

MAX_URL = 8192
"""Characters."""


def address_fault(url: str) -> str | None:
    """What is wrong with an http(s) address as written, None when nothing is; whether it may be called, the guard says."""
    if len(url) > MAX_URL:
        return f"has {len(url)} characters; at most {MAX_URL} are allowed"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return f"is not a URL: {error}"
    if parts.scheme.lower() not in ("http", "https"):
        return "must begin with http:// or https://"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user name or password; send an Authorization header"
    return None if parts.hostname else "has no host"
