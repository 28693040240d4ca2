"""Fetches pages of the web for people: as a stranger would see them, and only where the address guard lets us."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from quintet.domain.charset import decoded
from quintet.domain.errors import Invalid, Problem
from quintet.services.ports.http import HttpAnswer, HttpClient, HttpFault, HttpRequest

PAGE_BYTES = 5 * 1024 * 1024
PAGE_SECONDS = 20.0
PROTOCOLS = ("http", "https")
MAX_URL = 8192

_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):/+", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9._:-]+", re.IGNORECASE)
_TWICE = " (where a gateway cuts paths at an encoded question mark, a url with a query is percent-encoded twice)"


class PageFault(Exception):
    """No page: the guard refuses its address (`refused`), or what was asked came to nothing."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Page:
    """A page's text, and the URL that it was found at after all redirects."""

    url: str
    text: str


class Pages:
    """Fetches pages."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def fetch(self, url: str, protocol: str) -> Page:
        """The page at a URL, which may be written without its scheme: `protocol` is the one that counts. Raises Invalid, PageFault.

        Nothing of the caller's goes along, neither headers nor cookies. At most PAGE_BYTES within PAGE_SECONDS, redirects included.
        """
        request = HttpRequest(
            "GET",
            page_url(url, protocol),
            {"Accept": _ACCEPT},
            timeout=PAGE_SECONDS,
            max_bytes=PAGE_BYTES,
        )
        answer = self._answer(request)
        return Page(answer.url, decoded(answer.body, answer.headers.get("content-type", "")))

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        try:
            answer = self._http.send(request)
        except HttpFault as fault:
            raise PageFault(str(fault), refused=fault.type == "Refused") from fault
        if answer.status not in range(200, 300):
            raise PageFault(f"the page answered with status {answer.status}")
        return answer


def page_url(url: str, protocol: str) -> str:
    """The whole URL. Raises Invalid for what cannot be one."""
    if protocol not in PROTOCOLS:
        raise _bad("protocol", f"must be http or https, as the path's last part{_TWICE}")
    if len(url) > MAX_URL:
        raise _bad("url", f"must have at most {MAX_URL} characters")
    scheme = _SCHEME.match(url)
    if scheme and scheme[1].lower() not in PROTOCOLS:
        raise _bad("url", "only http and https are allowed")
    rest = (url[scheme.end() :] if scheme else url).lstrip("/")
    try:
        parts = urlsplit(f"{protocol}://{rest}")
        named = parts.hostname or ""
        host = named if ":" in named else named.encode("idna").decode()
        _ = parts.port  # looked at for its error
    except (ValueError, UnicodeError):
        raise _bad("url", "must be a URL") from None
    if parts.username is not None or parts.password is not None or not _HOST.fullmatch(host):
        raise _bad("url", "needs a host, and must not hold a user name or password")
    return parts._replace(fragment="").geturl()


def _bad(place: str, message: str) -> Invalid:
    return Invalid([Problem((place,), message)])
