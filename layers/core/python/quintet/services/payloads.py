"""Keeps journals small: a payload over 32 KiB lives in the blob store under the hash of its content, and the journal refers to it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from quintet.domain.jsontext import compact
from quintet.services.ports.world import Blobs

INLINE_BYTES = 32 * 1024
MARK = "$quintet"
LINK_SECONDS = 3600
CACHE_BYTES = 16_000_000
CACHED_BYTES = 2_000_000
"""How much text the cached values may stand for in all, and each; in memory they are several times larger."""


class Payloads:
    """Stores JSON values; what `put` returns goes into events, `get` gives the value back."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._cache: dict[str, tuple[int, Any]] = {}
        self._cached = 0

    def put(self, value: Any, *, apart: bool = False) -> Any:
        """The value itself when small, else (or when it is to lie `apart`) a reference to it.

        A small value that could be taken for a reference is stored as one too.
        """
        body = compact(value).encode()
        if not apart and len(body) <= INLINE_BYTES and not (isinstance(value, dict) and MARK in value):
            return value
        name = f"payloads/{hashlib.sha256(body).hexdigest()}.json"
        self._blobs.put(name, body)
        return {MARK: name, "size": len(body)}

    def get(self, stored: Any) -> Any:
        """The value that `put` was given."""
        name = self._name(stored)
        if name is None:
            return stored
        if name not in self._cache:
            body = self._blobs.get(name)
            if len(body) > CACHED_BYTES:
                return json.loads(body)
            while self._cache and self._cached + len(body) > CACHE_BYTES:
                self._cached -= self._cache.pop(next(iter(self._cache)))[0]
            self._cache[name] = (len(body), json.loads(body))
            self._cached += len(body)
        return self._cache[name][1]

    def size(self, stored: Any) -> int:
        """The value's size as JSON, in bytes."""
        if self._name(stored) is not None:
            return int(stored["size"])
        return len(compact(stored).encode())

    def link(self, stored: Any) -> str | None:
        """A URL that reads a value kept outside the journal for an hour, None for one kept inside."""
        name = self._name(stored)
        return None if name is None else self._blobs.link(name, LINK_SECONDS)

    def name(self, stored: Any) -> str:
        """The blob that holds a value kept apart."""
        return str(stored[MARK])

    @staticmethod
    def _name(stored: Any) -> str | None:
        return stored[MARK] if isinstance(stored, Mapping) and MARK in stored else None
