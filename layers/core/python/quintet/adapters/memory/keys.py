"""API keys in memory."""

from dataclasses import replace
from datetime import datetime, timedelta
from threading import RLock

from quintet.adapters.cursors import from_cursor, to_cursor
from quintet.adapters.memory.projects import MemoryProjects
from quintet.adapters.records import key_from_text, key_to_text
from quintet.domain.errors import Conflict, NotFound
from quintet.services.ports.keys import Key, KeyPage

NOTED_EVERY = timedelta(minutes=1)


class MemoryKeys:
    """Port Keys in dictionaries."""

    def __init__(self, projects: MemoryProjects | None = None) -> None:
        self._projects = projects or MemoryProjects()
        self._records: dict[str, str] = {}
        self._digests: dict[str, dict[str, str]] = {}
        self._lock = RLock()

    def put(self, digest: str, key: Key) -> None:
        """Writes a key, new or not, under the SHA-256 (hex) of its secret; a secret that it had before stops working."""
        with self._lock:
            digests = self._digests.setdefault(key.project, {})
            self._records.pop(digests.get(key.id, digest), None)
            digests[key.id] = digest
            self._records[digest] = key_to_text(key)

    def add(self, digest: str, key: Key, *, recorded: bool) -> None:
        """Writes a new key; when its project is `recorded`, only while that record is there. Raises NotFound."""
        with self._lock:
            if recorded:
                self._projects.touch(key.project)
            self.put(digest, key)

    def find(self, digest: str) -> Key | None:
        """The key of that digest, also when revoked or expired."""
        text = self._records.get(digest)
        return None if text is None else key_from_text(text)

    def get(self, project: str, key_id: str) -> Key:
        """A project's key. Raises NotFound."""
        with self._lock:
            return key_from_text(self._records[self._digest(project, key_id)])

    def _digest(self, project: str, key_id: str) -> str:
        digest = self._digests.get(project, {}).get(key_id)
        if digest is None:
            raise NotFound(f"no key {key_id}")
        return digest

    def project_of(self, key_id: str) -> str:
        """The project that a key is bound to. Raises NotFound."""
        with self._lock:
            for project, digests in self._digests.items():
                if key_id in digests:
                    return project
        raise NotFound(f"no key {key_id}")

    def page(self, project: str, limit: int, cursor: str | None = None) -> KeyPage:
        """A project's keys, newest first. Raises Invalid for a bad cursor."""
        before = from_cursor("keys", cursor)
        with self._lock:
            names = sorted(self._digests.get(project, {}), reverse=True)
            left = [name for name in names if before is None or name < before]
            keys = [self.get(project, name) for name in left[:limit]]
        return KeyPage(keys, to_cursor("keys", keys[-1].id) if keys and len(left) > limit else None)

    def revoke(self, project: str, key_id: str, at: datetime) -> Key:
        """The key, revoked from then on; one that was revoked before keeps its moment. Raises NotFound."""
        with self._lock:
            digest = self._digest(project, key_id)
            key = key_from_text(self._records[digest])
            if key.revoked_at is None:
                self._records[digest] = key_to_text(replace(key, revoked_at=at))
            return key_from_text(self._records[digest])

    def rotate(self, project: str, key_id: str, digest: str, prefix: str) -> Key:
        """Gives a key another secret in place of its own. Raises NotFound, Conflict for a revoked key."""
        with self._lock:
            key = self.get(project, key_id)
            if key.revoked_at is not None:
                raise Conflict(f"key {key_id} is revoked")
            key = replace(key, prefix=prefix)
            self.put(digest, key)
            return key

    def used(self, digest: str, at: datetime) -> None:
        """Notes when a key was last used, unless that was noted less than a minute before."""
        with self._lock:
            text = self._records.get(digest)
            key = key_from_text(text) if text is not None else None
            if key is not None and (key.last_used_at is None or key.last_used_at <= at - NOTED_EVERY):
                self._records[digest] = key_to_text(replace(key, last_used_at=at))
