"""Judges URLs when they are saved: the port UrlGuard.

A name may lead elsewhere tomorrow, so this only tells its author early; what holds is the judgement of each connection's own address
(http_socket.py), by the same guard.
"""

import re
import socket
from ipaddress import IPv4Address, ip_address

from quintet.adapters.http_guard import AddressGuard, guard_of
from quintet.adapters.http_socket import Deadline, resolve
from quintet.adapters.http_target import target_of
from quintet.services.ports.http import HttpFault

RESOLVE_SECONDS = 2.0
_HOST = re.compile(r"[a-z0-9._:-]+", re.IGNORECASE)


class GuardedUrls:
    """Port UrlGuard."""

    def __init__(self, guard: AddressGuard | None = None) -> None:
        self._guard = guard or guard_of()

    def refusal(self, url: str) -> str | None:
        """Why a URL must not be called, or None. A name that can't be resolved within two seconds passes."""
        try:
            target = target_of(url)
        except HttpFault as fault:
            return str(fault)
        if not _HOST.fullmatch(target.host):
            return "the host has characters that no host has"
        host = target.host.rstrip(".").lower()
        if host == "localhost" or host.endswith(".localhost"):
            return self._judged(target.host, ["127.0.0.1", "::1"], target.port)
        address = _written_out(host)
        return self._judged(target.host, [address] if address else _resolved(host, target.port), target.port)

    def _judged(self, host: str, addresses: list[str], port: int) -> str | None:
        reasons = (self._guard.refusal(address, port) for address in addresses)
        return next((f"{host} is not allowed: {reason}" for reason in reasons if reason), None)


def _written_out(host: str) -> str | None:
    """The address that a host is written as, in any of the spellings that resolvers take for one (`0x7f.1`, `2130706433`)."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return str(IPv4Address(socket.inet_aton(host)))
    except OSError:
        return None


def _resolved(host: str, port: int) -> list[str]:
    try:
        return [str(address[0]) for _, address in resolve(host, port, Deadline(RESOLVE_SECONDS))]
    except (HttpFault, TimeoutError):
        return []
