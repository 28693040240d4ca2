"""What the kinds that call over HTTP share: URLs, headers, and what becomes of answers and faults."""

import base64
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isinf
from typing import Any
from urllib.parse import urlsplit

from quintet.domain.outcome import StepError
from quintet.domain.urls import MAX_URL, address_fault
from quintet.services.ports.http import HttpAnswer, HttpFault
from quintet.steps.fields import text

MAX_ANSWER = 1024 * 1024
MAX_RETRY_AFTER = 24 * 3600.0
EXCERPT = 1024
RETRYABLE_4XX = frozenset({408, 425, 429})
UNTOLD = frozenset({"set-cookie", "set-cookie2", "authorization", "proxy-authenticate"})
"""Headers of an answer that are secrets, and so no part of a result."""


def url_fault(value: Any) -> str | None:
    """What is wrong with a URL as written; one with a template inside is judged when it is rendered."""
    if fault := text(MAX_URL)(value):
        return fault
    return None if "{%" in value else address_fault(value)


def header_text(value: Any) -> str:
    """A header's value as text. Raises ValueError for one that would end the header."""
    written = value if isinstance(value, str) else json.dumps(value)
    if any(ord(letter) < 32 and letter != "\t" for letter in written):
        raise ValueError("a header must not hold control characters")
    return written


def bare(url: str) -> str:
    """A URL without what may be secret."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def content(answer: HttpAnswer, *, untyped_json: bool = False) -> tuple[Any, bool]:
    """An answer's body as JSON data, and whether it is base64 of bytes that are no text; an empty one is null.

    What calls itself JSON is parsed (with `untyped_json` also what says nothing of itself), if it is JSON; other text stays text.
    """
    if not answer.body:
        return None, False
    try:
        written = answer.body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(answer.body).decode(), True
    type_ = answer.headers.get("content-type", "").split(";")[0].strip().lower()
    if type_ == "application/json" or type_.endswith("+json") or (untyped_json and not type_):
        try:
            return json.loads(written, parse_constant=_no_constant, parse_float=_finite), False
        except (ValueError, RecursionError):
            pass  # an answer that calls itself JSON and is not stays text
    return written, False


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(written: str) -> float:
    value = float(written)
    if isinf(value):
        raise ValueError("a number that no float holds can't be stored")
    return value


def phases_text(answer: HttpAnswer) -> str:
    """An answer in a few words, for the log."""
    phases = ", ".join(f"{name} {value:.1f}" for name, value in answer.phases.items())
    return f"{answer.status} ({len(answer.body)} bytes; {phases})"


def fault_error(where: str, fault: HttpFault) -> StepError:
    """Why an attempt without an answer failed."""
    return StepError(f"Http{fault.type}", f"{where}: {fault}", retryable=fault.retryable)


def status_error(where: str, answer: HttpAnswer, now: datetime, retried: frozenset[int] = RETRYABLE_4XX) -> StepError:
    """Why an attempt with an unwelcome answer failed: 5xx and what is `retried` for now, anything else for good."""
    status = answer.status
    details = {"status": status, "body": answer.body[:EXCERPT].decode(errors="replace")}
    return StepError(
        "HttpStatus",
        f"{where} answered {status}",
        retryable=status >= 500 or status in retried,
        retry_after=retry_after(answer.headers.get("retry-after"), now),
        details=details,
    )


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header (seconds, or a date) asks for, a day at most; None when it says nothing usable."""
    if not header:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return min(float(header), MAX_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return min(max((at - now).total_seconds(), 0.0), MAX_RETRY_AFTER)
