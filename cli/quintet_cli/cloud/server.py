"""Sockets and serving: binds the addresses and answers HTTP on them until told to stop.

A server of our own because every step of a run is several AWS calls over HTTP: MiniStack's server (hypercorn) spends
0.4 ms of processor time on each, this one less than a quarter of that (see `docs/local-cloud.md`).
"""

import asyncio
import logging
import socket
import time

from quintet_cli.cloud.emulator import Application
from quintet_cli.cloud.http_connection import Connection
from quintet_cli.errors import PortError

_GRACE_S = 2.0
_IDLE_S = 75.0
_SWEEP_S = 15.0


class Server:
    """One ASGI application on some sockets."""

    def __init__(self, application: Application, sockets: list[socket.socket]) -> None:
        self.application = application
        self.connections: set[Connection] = set()
        self.stopping = False
        self._sockets = sockets

    async def serve(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; calls that run then get two seconds to finish."""
        loop = asyncio.get_running_loop()
        listeners = [await loop.create_server(lambda: Connection(self), sock=sock) for sock in self._sockets]
        sweeping = asyncio.create_task(self._sweep())
        try:
            await stop.wait()
        finally:
            self.stopping = True
            sweeping.cancel()
            for listener in listeners:
                listener.close()
            await self._drain()

    async def _drain(self) -> None:
        end = time.monotonic() + _GRACE_S
        for connection in [item for item in self.connections if not item.busy]:
            connection.close()
        while self.connections and time.monotonic() < end:
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.close()

    async def _sweep(self) -> None:
        """Close connections that have been idle for too long."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            oldest = time.monotonic() - _IDLE_S
            for connection in list(self.connections):
                if not connection.busy and connection.last_used < oldest:
                    connection.close()


def bind_free() -> socket.socket:
    """Bind a free port of 127.0.0.1."""
    return _bind(socket.AF_INET, "127.0.0.1", 0)


def bind_front(port: int) -> list[socket.socket]:
    """Bind the front door's port on both loopback addresses; raise PortError when it is taken."""
    try:
        sockets = [_bind(socket.AF_INET, "127.0.0.1", port)]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PortError(
            f"Port {port} of 127.0.0.1 cannot be used ({reason}); set QUINTET_PORT to another one."
        ) from error
    if socket.has_ipv6:
        # `localhost` may mean ::1; a machine without IPv6, or with the port taken there, still has 127.0.0.1.
        try:
            sockets.append(_bind(socket.AF_INET6, "::1", port))
        except OSError:
            logging.getLogger(__name__).debug("::1 is not available")
    return sockets


def _bind(family: int, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        # Held from here on: a second server fails at once, not after its start.
        sock.listen(512)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock
