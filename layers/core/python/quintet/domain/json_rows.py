"""Rows out of JSON that others wrote: each as a line of its own, byte for byte, so that no number changes on the way."""

import json
from collections.abc import Iterator


class BadRows(Exception):
    """An array whose members are no rows."""


def rows_of(body: bytes) -> list[bytes] | None:
    """The rows of a JSON array, each as a line and with its numbers as they were written; None when it is no JSON array.

    Raises BadRows for an array that holds what is no object.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if not text.lstrip().startswith("["):
        return None
    try:
        return [_line(row) for row in _members(text)]
    except (ValueError, RecursionError) as error:
        raise BadRows(f"begins like a JSON array and is none: {error}") from None


def _members(text: str) -> Iterator[str]:
    """The texts of an array's members. One at a time: the whole, parsed, would take many times its length."""
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    at = _next(text, text.index("[") + 1)
    index = 0
    while text[at : at + 1] != "]":
        value, end = decoder.raw_decode(text, at)
        if not isinstance(value, dict):
            raise BadRows(f"row {index} is no JSON object")
        yield text[at:end]
        at, index = _next(text, end), index + 1
        if text[at : at + 1] == ",":
            at = _next(text, at + 1)
            if text[at : at + 1] == "]":
                raise ValueError("a comma before its end")
        elif text[at : at + 1] != "]":
            raise ValueError(f"no comma after row {index - 1}")
    if text[at + 1 :].strip():
        raise ValueError("something follows its end")


def _next(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\n", "\r"):
        at += 1
    return at


def _line(row: str) -> bytes:
    # Inside strings JSON has no bare line ends: those that are there stand between tokens.
    return row.replace("\r", " ").replace("\n", " ").encode()


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
