"""Signing secrets in memory."""

from threading import Lock


class MemorySigningSecrets:
    """Port SigningSecrets in a dictionary."""

    def __init__(self) -> None:
        self._sealed: dict[str, str] = {}
        self._lock = Lock()

    def find(self, name: str) -> str | None:
        """The sealed secret of that name, None when none is kept."""
        return self._sealed.get(name)

    def keep(self, name: str, sealed: str) -> str:
        """Keeps a sealed secret unless one is kept already; the one that is kept."""
        with self._lock:
            return self._sealed.setdefault(name, sealed)
