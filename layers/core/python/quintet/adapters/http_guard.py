"""Which addresses a user's URL may reach: the public internet, and nothing of ours.

Source of the lists: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its updates).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

_CLOSED_V4 = {
    IPv4Network("0.0.0.0/8"): "unspecified",
    IPv4Network("10.0.0.0/8"): "private",
    IPv4Network("100.64.0.0/10"): "shared by a carrier",
    IPv4Network("169.254.0.0/16"): "link-local, where metadata services are",
    IPv4Network("172.16.0.0/12"): "private",
    IPv4Network("192.0.0.0/24"): "reserved",
    IPv4Network("192.0.2.0/24"): "for documentation",
    IPv4Network("192.88.99.0/24"): "a 6to4 relay",
    IPv4Network("192.168.0.0/16"): "private",
    IPv4Network("198.18.0.0/15"): "for benchmarks",
    IPv4Network("198.51.100.0/24"): "for documentation",
    IPv4Network("203.0.113.0/24"): "for documentation",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "reserved",
}
_GLOBAL_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = {
    IPv6Network("2001::/23"): "reserved (Teredo and others)",
    IPv6Network("2001:db8::/32"): "for documentation",
    IPv6Network("2002::/16"): "6to4",
    IPv6Network("3fff::/20"): "for documentation",
}
_EMBEDDING = (IPv6Network("::ffff:0:0/96"), IPv6Network("::ffff:0:0:0/96"), IPv6Network("64:ff9b::/96"))
"""Networks whose last 32 bits are an IPv4 address that the packets end up at: mapped, translated, NAT64."""


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Judges resolved addresses. Loopback is open only on a developer's machine, and there not the `closed_ports`."""

    allow_loopback: bool = False
    closed_ports: frozenset[int] = frozenset()

    def refusal(self, address: str, port: int) -> str | None:
        """Why a connection to an address must not be made, or None when it may."""
        try:
            found = ip_address(address)
        except ValueError:
            return f"{address} is not an address"
        if isinstance(found, IPv6Address):
            return self._refuse_v6(found, port)
        return self._refuse_v4(found, port)

    def _refuse_v4(self, address: IPv4Address, port: int) -> str | None:
        if address.is_loopback:
            return self._refuse_loopback(address, port)
        return next((f"{address} is {what}" for network, what in _CLOSED_V4.items() if address in network), None)

    def _refuse_v6(self, address: IPv6Address, port: int) -> str | None:
        if address.scope_id is not None:
            return f"{address} has a zone"
        if any(address in network for network in _EMBEDDING):
            return self._refuse_v4(IPv4Address(int(address) & 0xFFFFFFFF), port)
        if address.is_loopback:
            return self._refuse_loopback(address, port)
        if address not in _GLOBAL_V6:
            return f"{address} is not a public address"
        return next((f"{address} is {what}" for network, what in _CLOSED_V6.items() if address in network), None)

    def _refuse_loopback(self, address: IPv4Address | IPv6Address, port: int) -> str | None:
        if not self.allow_loopback:
            return f"{address} is loopback"
        return f"port {port} of {address} is Quintet's own" if port in self.closed_ports else None


def guard_of(environment: Mapping[str, str] = os.environ) -> AddressGuard:
    """The guard for an environment: QUINTET_STAGE=local opens loopback, except to the emulator and the Lambda runtime."""
    closed = set()
    for name, value in environment.items():
        if name.startswith("AWS_ENDPOINT_URL") or name == "AWS_LAMBDA_RUNTIME_API":
            closed |= _port(value)
    return AddressGuard(environment.get("QUINTET_STAGE") == "local", frozenset(closed))


def _port(endpoint: str) -> set[int]:
    parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    try:
        return {parts.port or (443 if parts.scheme == "https" else 80)}
    except ValueError:
        return set()
