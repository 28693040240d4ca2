"""What the code prints, kept within bounds."""

HEAD = 48 * 1024
TAIL = 16 * 1024
FLOOD = 32 * 1024 * 1024
"""Bytes of one stream after which the code is stopped."""


class Stream:
    """The beginning and the end of an output; what is between is dropped and counted."""

    def __init__(self) -> None:
        self.total = 0
        self._head = bytearray()
        self._tail = bytearray()

    def add(self, part: bytes) -> None:
        """Takes what came."""
        self.total += len(part)
        room = HEAD - len(self._head)
        if room > 0:
            self._head += part[:room]
            part = part[room:]
        if part:
            self._tail += part
            del self._tail[:-TAIL]

    @property
    def flooded(self) -> bool:
        """True when more came than any reader wants."""
        return self.total > FLOOD

    @property
    def text(self) -> str:
        """What is kept, with a note where something is missing."""
        dropped = self.total - len(self._head) - len(self._tail)
        middle = f"\n... {dropped} bytes left out ...\n" if dropped else ""
        return self._head.decode(errors="replace") + middle + self._tail.decode(errors="replace")
