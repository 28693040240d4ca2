"""How records of collections are written down, and how large they may be: one form for every store."""

from dataclasses import replace

from quintet.domain.errors import TooLarge
from quintet.domain.events import from_millis, to_millis
from quintet.domain.jsontext import compact, exact
from quintet.services.ports.collections import Record

BODY_BYTES = 380_000
"""Of a record's JSON text."""
PAGE_BYTES = 4_000_000
"""Of the JSON texts of one page: an answer holds 6 MB, in which quotes are escaped."""


def body_text(record: Record) -> str:
    """A record's body as JSON text. Raises TooLarge."""
    written = compact(record.body)
    if (length := len(written.encode())) > BODY_BYTES:
        raise TooLarge(f"a record of {length} bytes is above the {BODY_BYTES} that one may have")
    return written


def as_stored(record: Record, written: str) -> Record:
    """The record as it is read back: its body anew, times to the millisecond."""
    created, updated = (from_millis(to_millis(at)) for at in (record.created_at, record.updated_at))
    return replace(record, body=exact(written), created_at=created, updated_at=updated)


class PageBytes:
    """Counts what a page holds."""

    def __init__(self) -> None:
        self._held = 0

    def add(self, written: str) -> None:
        """Counts one body's text. Raises TooLarge."""
        self._held += len(written.encode())
        if self._held > PAGE_BYTES:
            raise TooLarge(f"the page holds more than {PAGE_BYTES} bytes: ask for fewer items a page")
