"""Reads and writes through links (presigned URLs), which are all that the runner can reach; the code's process never sees one.

Imported when first needed: http.client costs 20 ms, which code without rows that ends within a second does not pay.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import IO
from urllib.parse import urlsplit

_PART = 256 * 1024
_OK = range(200, 300)
_TRIES = 3
_SILENCE = 30.0
"""Seconds without a byte after which a transfer is given up."""

Stopped = Callable[[], bool]


class LinkFault(Exception):
    """A link came to nothing: `type` is Unreachable, TooLarge, Timeout or Stopped. The message holds nothing of the link."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(message)
        self.type = type_


class Link:
    """One link over a connection that stays open between requests."""

    def __init__(self, link: str, seconds: float = _SILENCE) -> None:
        parts = urlsplit(link)
        made = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = made(parts.hostname or "", parts.port, timeout=seconds, blocksize=_PART)
        self._path = f"{parts.path}?{parts.query}" if parts.query else parts.path

    def there(self) -> bool:
        """True when the link finds something. (What is missing may be 404, or 403 to those who must not know.) Raises LinkFault."""
        answer = self._ask("GET")
        self._read(answer)
        return answer.status in _OK

    def fetch(self, into: IO[bytes], most: int, deadline: float, stopped: Stopped) -> int:
        """Writes what the link finds into a file; how many bytes. `deadline` is of time.monotonic. Raises LinkFault."""
        answer = self._ask("GET")
        if answer.status not in _OK:
            raise LinkFault("Unreachable", f"the store answered {answer.status}")
        if (answer.length or 0) > most:
            raise LinkFault("TooLarge", f"{answer.length} bytes; at most {most} are allowed")
        size = 0
        while part := self._read(answer):
            _go_on(deadline, stopped)
            size += len(part)
            if size > most:
                raise LinkFault("TooLarge", f"more than {most} bytes, which is the most that is allowed")
            into.write(part)
        if answer.length:
            raise LinkFault("Unreachable", "the connection ended early")
        into.flush()
        return size

    def send(self, body: IO[bytes], deadline: float, stopped: Stopped) -> None:
        """Writes a file to where the link leads; tried three times. Raises LinkFault."""
        size = os.fstat(body.fileno()).st_size
        for tried in range(1, _TRIES + 1):
            body.seek(0)
            _go_on(deadline, stopped)
            try:
                answer = self._ask("PUT", body, {"Content-Length": str(size)})
                self._read(answer)
            except LinkFault as fault:
                said = str(fault)
            else:
                if answer.status in _OK:
                    return
                said = f"the store answered {answer.status}"
                self.close()  # it may not have read all
                if answer.status < 500:
                    break
            if tried < _TRIES:
                time.sleep(0.2 * tried)
        raise LinkFault("Unreachable", said)

    def close(self) -> None:
        """Closes the connection."""
        with suppress(OSError):
            self._connection.close()

    def _ask(self, method: str, body: IO[bytes] | None = None, headers: dict[str, str] | None = None) -> HTTPResponse:
        try:
            self._connection.request(method, self._path, body, headers or {})
            return self._connection.getresponse()
        except (OSError, HTTPException) as error:
            raise self._lost(error) from None

    def _read(self, answer: HTTPResponse) -> bytes:
        try:
            return answer.read(_PART)
        except (OSError, HTTPException) as error:
            raise self._lost(error) from None

    def _lost(self, error: Exception) -> LinkFault:
        self.close()
        return LinkFault("Unreachable", f"the store can't be reached ({type(error).__name__})")


def _go_on(deadline: float, stopped: Stopped) -> None:
    if stopped():
        raise LinkFault("Stopped", "nobody waits for it any more")
    if time.monotonic() >= deadline:
        raise LinkFault("Timeout", "the time is over")
