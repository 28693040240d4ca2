"""API keys in memory."""

from quintet.adapters.records import key_from_text, key_to_text
from quintet.services.ports.keys import Key


class MemoryKeys:
    """Port Keys in a dictionary."""

    def __init__(self) -> None:
        self._records: dict[str, str] = {}

    def put(self, digest: str, key: Key) -> None:
        """Writes a key under the SHA-256 (hex) of its secret; the same digest again replaces the record."""
        self._records[digest] = key_to_text(key)

    def find(self, digest: str) -> Key | None:
        """The key of that digest, also when revoked or expired."""
        text = self._records.get(digest)
        return None if text is None else key_from_text(text)
