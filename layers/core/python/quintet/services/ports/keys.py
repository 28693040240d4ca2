"""Where API keys are kept: hashed, never in clear."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Key:
    """An API key's record. `scopes` may hold `admin` or `*`; `prefix` is what a list may show of it."""

    id: str
    project: str
    namespace: str
    name: str
    prefix: str
    scopes: frozenset[str]
    created_at: datetime
    owner: str | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


class Keys(Protocol):
    """API keys by the hash of their secret."""

    def put(self, digest: str, key: Key) -> None:
        """Writes a key under the SHA-256 (hex) of its secret; the same digest again replaces the record."""
        ...

    def find(self, digest: str) -> Key | None:
        """The key of that digest, also when revoked or expired: the caller judges."""
        ...
