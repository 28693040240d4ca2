"""Calls endpoints that users name, on a network the caller must not trust."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What to send; `timeout` bounds the whole exchange, redirects included, in seconds; `max_bytes` the answer's body. `stopped` is asked
    now and then while the answer is awaited: once it is true, the connection is closed. Without `follows` a redirect is the answer."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeout: float = 30.0
    max_bytes: int = 1024 * 1024
    stopped: Callable[[], bool] | None = field(default=None, compare=False)
    follows: bool = True


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back. Header names are lower case, repeated ones joined by a comma; `phases` are milliseconds by name:
    connect_ms (TCP and TLS), ttfb_ms (request sent to headers read), transfer_ms (body), total_ms."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    phases: Mapping[str, float]


class HttpFault(Exception):
    """No answer: `type` is Refused (the guard), InvalidUrl, Connection, Tls, Timeout, TooLarge, TooManyRedirects, Canceled or
    Protocol.

    `phases` are those of the exchange that were over when it failed, as in HttpAnswer.
    """

    def __init__(self, type_: str, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.type = type_
        self.retryable = retryable
        self.phases: Mapping[str, float] = {}


class HttpClient(Protocol):
    """Sends one request at a time; safe to use from several threads."""

    def send(self, request: HttpRequest) -> HttpAnswer:
        """The final answer, whatever its status. Raises HttpFault."""
        ...


class UrlGuard(Protocol):
    """Judges the URLs that users save, before anything calls them."""

    def refusal(self, url: str) -> str | None:
        """Why a URL must not be called (a sentence for its author), or None when it may."""
        ...
