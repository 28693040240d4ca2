"""Where API keys are kept: hashed, never in clear."""

from collections.abc import Sequence
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

    def works(self, now: datetime) -> bool:
        """True while the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True)
class KeyPage:
    """A part of a list of keys, newest first; with a `cursor` there are more."""

    keys: Sequence[Key]
    cursor: str | None = None


class Keys(Protocol):
    """API keys by the hash of their secret, and by project. A key has one secret at a time."""

    def put(self, digest: str, key: Key) -> None:
        """Writes a key, new or not, under the SHA-256 (hex) of its secret; a secret that it had before stops working."""
        ...

    def add(self, digest: str, key: Key, *, recorded: bool) -> None:
        """Writes a new key; when its project is `recorded`, only while that record is there. Raises NotFound for a project that is gone."""
        ...

    def find(self, digest: str) -> Key | None:
        """The key of that digest, also when revoked or expired: the caller judges."""
        ...

    def get(self, project: str, key_id: str) -> Key:
        """A project's key. Raises NotFound."""
        ...

    def project_of(self, key_id: str) -> str:
        """The project that a key is bound to. Raises NotFound."""
        ...

    def page(self, project: str, limit: int, cursor: str | None = None) -> KeyPage:
        """A project's keys. Raises Invalid for a bad cursor."""
        ...

    def revoke(self, project: str, key_id: str, at: datetime) -> Key:
        """The key, revoked from then on; one that was revoked before keeps its moment. Raises NotFound."""
        ...

    def rotate(self, project: str, key_id: str, digest: str, prefix: str) -> Key:
        """Gives a key another secret in place of its own. Raises NotFound, Conflict for a revoked key."""
        ...

    def used(self, digest: str, at: datetime) -> None:
        """Notes when a key was last used, unless that was noted less than a minute before."""
        ...
