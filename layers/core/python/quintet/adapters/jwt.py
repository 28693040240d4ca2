"""Tokens as JSON Web Tokens, signed with HMAC-SHA256 (RFC 7519), by PyJWT."""

from collections.abc import Mapping
from typing import Any

from quintet.domain.errors import Unauthenticated

ALGORITHM = "HS256"


class Jwt:
    """Port TokenCodec."""

    def encode(self, claims: Mapping[str, Any], key: bytes) -> str:
        """The signed text; the same claims and key give the same text."""
        import jwt

        return jwt.encode(dict(claims), key, algorithm=ALGORITHM)

    def decode(self, text: str, key: bytes) -> dict[str, Any]:
        """The claims. Raises Unauthenticated for a text that this key has not signed, with this algorithm and no other."""
        import jwt

        try:
            claims: dict[str, Any] = jwt.decode(text, key, algorithms=[ALGORITHM])
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise Unauthenticated("Invalid run token") from None
        return claims
