"""Signs calls by the public package of Standard Webhooks."""

import base64
import binascii
from datetime import datetime

from quintet.domain.errors import Invalid, Problem

PREFIX = "whsec_"


class StandardSignatures:
    """Port Signatures."""

    def sign(self, secret: str, message_id: str, at: datetime, body: str) -> str:
        """One signature with its version, `v1,...`. Raises Invalid for a secret that is none."""
        from standardwebhooks import Webhook

        key = key_of(secret)
        if not key:
            raise Invalid([Problem((), "an empty secret signs nothing")])
        signature: str = Webhook(key).sign(message_id, at, body)
        return signature


def key_of(secret: str) -> bytes:
    """The key that a secret stands for: what it encodes as base64 (`whsec_` before it or not), else its UTF-8 bytes."""
    encoded = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()
    return key or secret.encode()
