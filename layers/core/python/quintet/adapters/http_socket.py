"""Sockets that keep a deadline and connect only where the guard lets them."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

from quintet.adapters.http_guard import AddressGuard
from quintet.services.ports.http import HttpFault

CONNECT_SECONDS = 10.0
STOP_SECONDS = 1.0
"""How often somebody who waits for an answer asks whether it is still wanted."""
_LEAST = 0.001


class Deadline:
    """A moment by which a whole exchange must be over (monotonic seconds), or sooner: as soon as it is `stopped`."""

    def __init__(self, seconds: float, stopped: Callable[[], bool] | None = None) -> None:
        self.at = time.monotonic() + seconds
        self.seconds = seconds
        self._stopped = stopped
        self._asked = time.monotonic()

    def waits(self) -> Iterator[float]:
        """Seconds to wait at most, again and again. Raises TimeoutError when none remain, HttpFault when the answer isn't wanted."""
        while True:
            if self._stopped is not None and time.monotonic() - self._asked >= STOP_SECONDS:
                self._asked = time.monotonic()
                if self._stopped():
                    raise HttpFault("Canceled", "nobody waits for the answer any more", retryable=False)
            yield self.left() if self._stopped is None else min(self.left(), STOP_SECONDS)

    def left(self) -> float:
        """Seconds that remain. Raises TimeoutError when there are none."""
        left = self.at - time.monotonic()
        if left < _LEAST:
            raise TimeoutError
        return left


class DeadlineSocket(socket.socket):
    """Every wait gets only what is left of the exchange, so that a server that drips bytes is cut off."""

    deadline: Deadline | None = None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Reads, within the deadline."""
        for seconds in self.deadline.waits() if self.deadline else ():
            self.settimeout(seconds)
            with suppress(TimeoutError):
                return super().recv_into(*args, **kwargs)
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        """Writes, within the deadline."""
        if self.deadline:
            self.settimeout(self.deadline.left())
        super().sendall(*args, **kwargs)


class DeadlineTlsSocket(ssl.SSLSocket):
    """The same over TLS."""

    deadline: Deadline | None = None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Reads, within the deadline."""
        for seconds in self.deadline.waits() if self.deadline else ():
            self.settimeout(seconds)
            with suppress(TimeoutError):
                return super().recv_into(*args, **kwargs)
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        """Writes, within the deadline; `sendall` is made of this."""
        if self.deadline:
            self.settimeout(self.deadline.left())
        return super().send(*args, **kwargs)


@cache
def tls_context() -> ssl.SSLContext:
    """The process's context: the system's certificate authorities, host names checked."""
    context = ssl.create_default_context()
    context.sslsocket_class = DeadlineTlsSocket
    return context


def connect(host: str, port: int, tls: bool, guard: AddressGuard, deadline: Deadline) -> socket.socket:
    """A connection to a host, at an address that was resolved once and passed the guard. Raises HttpFault, OSError."""
    addresses = resolve(host, port, deadline)
    for _, address in addresses:
        _check(host, address[0], port, guard)
    raw = _open(addresses, deadline)
    try:
        # What counts is where the connection really ended.
        _check(host, str(raw.getpeername()[0]), port, guard)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _secure(raw, host, deadline) if tls else raw
    except BaseException:
        raw.close()
        raise


def _check(host: str, address: str, port: int, guard: AddressGuard) -> None:
    if reason := guard.refusal(address, port):
        raise HttpFault("Refused", f"{host} is not allowed: {reason}", retryable=False)


def _secure(raw: DeadlineSocket, host: str, deadline: Deadline) -> DeadlineTlsSocket:
    raw.settimeout(deadline.left())
    secure = tls_context().wrap_socket(raw, server_hostname=host)
    if not isinstance(secure, DeadlineTlsSocket):
        raise TypeError("the context makes sockets without a deadline")
    secure.deadline = deadline
    return secure


def _open(addresses: list[tuple[int, tuple[Any, ...]]], deadline: Deadline) -> DeadlineSocket:
    failure: OSError = OSError("no address")
    for family, address in addresses:
        opened = DeadlineSocket(family, socket.SOCK_STREAM)
        try:
            opened.settimeout(min(CONNECT_SECONDS, deadline.left()))
            opened.connect(address)
        except OSError as error:
            opened.close()
            failure = error
        else:
            opened.deadline = deadline
            return opened
    raise failure


def resolve(host: str, port: int, deadline: Deadline) -> list[tuple[int, tuple[Any, ...]]]:
    """The host's address families and addresses; in a thread of its own, since the resolver takes no time-out.

    Raises HttpFault, TimeoutError.
    """
    found: list[tuple[int, tuple[Any, ...]]] = []
    failed: list[Exception] = []

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend((int(family), address) for family, _, _, _, address in answers)
        except (OSError, UnicodeError) as error:
            failed.append(error)

    thread = threading.Thread(target=look_up, name="resolve", daemon=True)
    thread.start()
    thread.join(deadline.left())
    if failed:
        raise HttpFault("Connection", f"{host} can't be resolved", retryable=isinstance(failed[0], OSError))
    if not found:
        raise TimeoutError
    return found
