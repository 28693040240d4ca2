"""Secrets under a KMS key."""

import base64

from quintet.adapters.aws import client
from quintet.domain.errors import Invalid, Problem, TooLarge

SECRET_LIMIT = 4096  # bytes: what KMS encrypts without a data key


class KmsVault:
    """Port Vault on one KMS key; the context is authenticated, not stored."""

    def __init__(self, key_id: str) -> None:
        self._key_id = key_id

    def seal(self, secret: str, context: str) -> str:
        """Ciphertext bound to `context`. Raises TooLarge above 4 KiB."""
        body = secret.encode()
        if len(body) > SECRET_LIMIT:
            raise TooLarge("a secret may have at most 4 KiB")
        answer = client("kms").encrypt(KeyId=self._key_id, Plaintext=body, EncryptionContext={"quintet": context})
        return base64.b64encode(answer["CiphertextBlob"]).decode()

    def open(self, sealed: str, context: str) -> str:
        """The secret. Raises Invalid when it was sealed for another context or is damaged."""
        kms = client("kms")
        try:
            blob = base64.b64decode(sealed, validate=True)
            answer = kms.decrypt(KeyId=self._key_id, CiphertextBlob=blob, EncryptionContext={"quintet": context})
            return answer["Plaintext"].decode()
        except (ValueError, kms.exceptions.InvalidCiphertextException, kms.exceptions.IncorrectKeyException):
            raise Invalid([Problem((), "the secret does not open here")]) from None
