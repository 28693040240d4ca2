"""How Quintet signs the tokens that it gives to programs."""

from collections.abc import Mapping
from typing import Any, Protocol


class SigningSecrets(Protocol):
    """The sealed secrets that Quintet signs its own tokens with, one under each name."""

    def find(self, name: str) -> str | None:
        """The sealed secret of that name, None when none is kept."""
        ...

    def keep(self, name: str, sealed: str) -> str:
        """Keeps a sealed secret unless one is kept already; the one that is kept. Of racing callers all get the same."""
        ...


class TokenCodec(Protocol):
    """Claims as text that can't be forged without the key."""

    def encode(self, claims: Mapping[str, Any], key: bytes) -> str:
        """The signed text; the same claims and key give the same text."""
        ...

    def decode(self, text: str, key: bytes) -> dict[str, Any]:
        """The claims. Raises Unauthenticated for a text that this key has not signed."""
        ...
