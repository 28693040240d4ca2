"""Cursors of lists: opaque, url-safe text that names a kind of list and the place of the last entry that was given."""

import base64
import re

from quintet.domain.errors import Invalid, Problem

_LONGEST = 200
_PLACE = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)


def to_cursor(kind: str, place: str) -> str:
    """The cursor of what follows that place."""
    return base64.urlsafe_b64encode(f"{kind}:{place}".encode()).decode().rstrip("=")


def from_cursor(kind: str, cursor: str | None) -> str | None:
    """The place that `to_cursor` was given, None without a cursor. Raises Invalid at `cursor` for any other text."""
    if cursor is None:
        return None
    place = _read(kind, cursor)
    # Written again it must be the same: base64 reads more than it writes.
    if _PLACE.fullmatch(place) is None or to_cursor(kind, place) != cursor:
        raise Invalid([Problem(("cursor",), "not a cursor of this list")])
    return place


def from_numbered(kind: str, cursor: str | None) -> int | None:
    """The same for a list whose places are numbers."""
    place = from_cursor(kind, cursor)
    if place is not None and not (place.isdigit() and place.isascii()):
        raise Invalid([Problem(("cursor",), "not a cursor of this list")])
    return None if place is None else int(place)


def _read(kind: str, cursor: str) -> str:
    if len(cursor) > _LONGEST:
        return ""
    try:
        read = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        return ""
    named, _, place = read.partition(":")
    return place if named == kind else ""
