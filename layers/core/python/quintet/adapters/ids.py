"""UUIDv7 ids: unique, and ordered by the time of their making; and the names of versions."""

import secrets
import string
import time
from collections.abc import Callable
from threading import Lock
from uuid import UUID

_SEQUENCE_BITS = 12
_RANDOM_BITS = 62
_VERSION_ALPHABET = string.digits + string.ascii_lowercase
_VERSION_LENGTH = 12


def uuid7(millis: int, sequence: int, chance: int) -> str:
    """A UUIDv7 (RFC 9562) of a time (milliseconds since 1970), a 12-bit sequence within it and 62 random bits."""
    value = (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | (sequence & 0xFFF) << 64
    return str(UUID(int=value | 0b10 << 62 | chance & (1 << _RANDOM_BITS) - 1))


def version_id(choice: Callable[[str], str]) -> str:
    """The name of a version, of characters that are chosen one by one: 62 bits of chance."""
    return "ver_" + "".join(choice(_VERSION_ALPHABET) for _ in range(_VERSION_LENGTH))


class Sequence:
    """Orders the ids made within one millisecond, and never lets time step back."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._millis = 0
        self._next = 0

    def take(self, millis: int) -> tuple[int, int]:
        """The (millisecond, sequence) of the next id; runs ahead of time when a millisecond is used up."""
        with self._lock:
            if millis > self._millis:
                self._millis, self._next = millis, 0
            elif self._next >> _SEQUENCE_BITS:
                self._millis, self._next = self._millis + 1, 0
            self._next += 1
            return self._millis, self._next - 1


class SystemIds:
    """Port Ids on the system's time and chance."""

    def __init__(self) -> None:
        self._sequence = Sequence()

    def new(self) -> str:
        """A UUIDv7, ordered by time of making within this process."""
        millis, sequence = self._sequence.take(time.time_ns() // 1_000_000)
        return uuid7(millis, sequence, secrets.randbits(_RANDOM_BITS))

    def version_id(self) -> str:
        """`ver_` and 12 of [0-9a-z]."""
        return version_id(secrets.choice)

    def chance(self) -> float:
        """A number in [0, 1)."""
        return secrets.randbits(53) / (1 << 53)
