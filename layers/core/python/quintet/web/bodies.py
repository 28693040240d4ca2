"""Reads request bodies strictly: what is accepted here can be stored, folded and shown again without surprises."""

import base64
import binascii
import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_EXPONENT = 6144
"""Of exact numbers, above and below: that of decimal128, twenty times a double's, so that nothing that reckons with them runs away."""

_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|([\[{])|([\]}])', re.DOTALL)


class BadBody(Exception):
    """The body is no JSON that Quintet takes; `position` is the character at fault, when known."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class BodyTooLarge(Exception):
    """The body is above what its route takes."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        super().__init__(f"the body is larger than {most} bytes")


def raw_body(body: str | None, is_base64: bool, most: int = MAX_BYTES) -> bytes:
    """The body's bytes as they came over the wire. Raises BadBody, BodyTooLarge."""
    try:
        raw = base64.b64decode(body or "") if is_base64 else (body or "").encode()
    except (binascii.Error, ValueError) as error:
        raise BadBody("the body is not valid UTF-8") from error
    if len(raw) > most:
        raise BodyTooLarge(most)
    return raw


def parse(raw: bytes, most: int = MAX_BYTES, *, exact: bool = False) -> Any:
    """The JSON value of a body; None when there is no body at all. Raises BadBody, BodyTooLarge.

    Refused beyond what JSON itself refuses: NaN and infinities, numbers no float holds, duplicate keys, lone surrogates, nesting
    deeper than MAX_DEPTH. `exact`: numbers that aren't whole are Decimals, digit by digit, of exponents up to MAX_EXPONENT.
    """
    if len(raw) > most:
        raise BodyTooLarge(most)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadBody("the body is not valid UTF-8", error.start) from error
    if not text.strip():
        return None
    _check_depth(text)
    try:
        number = _decimal if exact else _number
        value = json.loads(text, object_pairs_hook=_object, parse_float=number, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise BadBody(error.msg, error.pos) from error
    except ValueError as error:  # Python's bound on the digits of one integer
        raise BadBody("a number has too many digits") from error
    if "\\ud" in text or "\\uD" in text:
        _check_surrogates(value)
    return value


def _check_depth(text: str) -> None:
    """Counted on the text, so that no recursion depends on what a caller sends."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _TOKENS.finditer(text):
        if token.lastindex == 1:
            depth += 1
            if depth > MAX_DEPTH:
                raise BadBody(f"nested deeper than {MAX_DEPTH} levels", token.start())
        elif token.lastindex == 2:
            depth -= 1


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise BadBody("a string holds half of a surrogate pair") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise BadBody(f"duplicate key {key!r}")
            seen.add(key)
    return found


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise BadBody(f"{text[:40]} is no number that can be kept")
    return value


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent that even Decimal has no room for
        value = Decimal("NaN")
    if not value.is_finite() or abs(value.adjusted()) > MAX_EXPONENT:
        raise BadBody(f"{text[:40]} is no number that can be kept")
    return value


def _constant(text: str) -> float:
    raise BadBody(f"{text} is no JSON")
