"""Encrypts what must be kept but never read by people."""

from typing import Protocol


class Vault(Protocol):
    """Secrets under a key that the platform keeps (KMS)."""

    def seal(self, secret: str, context: str) -> str:
        """Ciphertext (text) bound to `context`: it opens nowhere else. At most 4 KiB."""
        ...

    def open(self, sealed: str, context: str) -> str:
        """The secret. Raises Invalid when it was sealed for another context or is damaged."""
        ...
