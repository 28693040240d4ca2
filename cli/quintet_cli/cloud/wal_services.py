"""The small services in the write-ahead log: S3's buckets, KMS keys, secrets, parameters, and what DynamoDB keeps aside.

Their whole state is appended when a request changed it. S3's objects are files of their own (`S3_PERSIST=1`) and
not in the log.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from ministack.core.persistence import _json_default, _json_object_hook
from ministack.services import dynamodb, kms, s3, secretsmanager, ssm

from . import wal_dynamodb
from .wal_log import Record

_STATES: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {
    "s3": (s3.get_state, s3.load_persisted_state),
    "kms": (kms.get_state, kms.load_persisted_state),
    "secretsmanager": (secretsmanager.get_state, secretsmanager.load_persisted_state),
    "ssm": (ssm.get_state, ssm.load_persisted_state),
    "dynamodb": (wal_dynamodb.side_state, dynamodb.load_persisted_state),
}
# Actions that change nothing, by their first word; a KMS key is used far more often than made.
_READS = ("Get", "List", "Describe", "Encrypt", "Decrypt", "Generate", "ReEncrypt", "Sign", "Verify", "Head")


class Services:
    """Compares each service's state with what was logged of it."""

    def __init__(self, append: Callable[[Record], None]) -> None:
        self._append = append
        self._digests: dict[str, str] = {}

    def end(self, service: str, action: str) -> bool:
        """A request to a service is over; answers whether its state was appended."""
        return not action.startswith(_READS) and self.state(service)

    def state(self, service: str) -> bool:
        """Append the service's state if it changed; answers whether it did."""
        text = json.dumps(_STATES[service][0](), default=_json_default)
        digest = hashlib.sha256(text.encode()).hexdigest()
        if self._digests.get(service) == digest:
            return False
        self._digests[service] = digest
        self._append(["s", service, json.loads(text)])
        return True

    def all(self) -> None:
        """Append every state that changed."""
        for service in _STATES:
            self.state(service)


def install(services: dict[str, Any]) -> None:
    """Put the recovered states into the emulator."""
    for service, state in services.items():
        _STATES[service][1](json.loads(json.dumps(state), object_hook=_json_object_hook))


def s3_action(method: str, path: str) -> str:
    """A name for an S3 request: only those on a bucket itself change what the log keeps."""
    return "PutBucket" if method in ("PUT", "DELETE", "POST") and "/" not in path.strip("/") else "GetObject"
