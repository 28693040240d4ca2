"""What the bytes of programs must be: Python that compiles, one SQL text, or JSON that says whom to call."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quintet.domain.errors import Invalid, Problem
from quintet.domain.program import JSON, PYTHON, SQL
from quintet.domain.urls import address_fault

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MAX_HEADERS = 100
MAX_HEADER_BYTES = 4000
"""Of all headers of a program together, as JSON: they are kept in the vault."""
HIDDEN = "***"
"""What is shown in place of a header's value."""
OURS = frozenset(
    {"content-type", "content-length", "transfer-encoding", "connection", "idempotency-key", "x-run-token"}
)
OUR_PREFIX = "x-quintet-"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whom a JSON program calls. Header values are credentials."""

    url: str
    method: str
    headers: Mapping[str, str]

    def shown(self) -> bytes:
        """The program as people may read it."""
        shown = {"url": self.url, "method": self.method, "headers": dict.fromkeys(self.headers, HIDDEN)}
        return json.dumps(shown, ensure_ascii=False, indent=2).encode()


def check(type_: str, body: bytes) -> Endpoint | None:
    """Looks into a program of a content type; what a JSON program says. Raises Invalid (place `body` and what is in it)."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _invalid((), f"is not UTF-8 text (byte {error.start})") from None
    if not text.strip():
        raise _invalid((), "is empty")
    if type_ == JSON:
        return endpoint_of(text)
    fault = {PYTHON: python_fault, SQL: sql_fault}[type_](text)
    if fault:
        raise _invalid((), fault)
    return None


def python_fault(code: str) -> str | None:
    """Why code does not compile, found without running it; None when it does."""
    try:
        compile(code, "<step>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        what = getattr(error, "msg", None) or str(error) or type(error).__name__
        return f"{what} (line {line})" if line else what
    return None


def sql_fault(text: str) -> str | None:
    """Why a text is no SQL that could be run; what only the engine knows, it says when it runs."""
    return "holds a character that no SQL holds (NUL)" if "\0" in text else None


def endpoint_of(text: str) -> Endpoint:
    """What a JSON program says. Raises Invalid."""
    try:
        given = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _invalid((), f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise _invalid((), f"is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise _invalid((), "must be an object with url, method and headers")
    problems = [
        Problem(("body", name), "unknown field; a program has url, method and headers", "unknown_field")
        for name in given
        if name not in ("url", "method", "headers")
    ]
    method = given.get("method")
    problems += [Problem(("body", "url"), fault)] if (fault := _url_fault(given.get("url"))) else []
    if method is not None and (not isinstance(method, str) or method.upper() not in METHODS):
        problems.append(Problem(("body", "method"), f"must be one of {', '.join(METHODS)}"))
    headers = given.get("headers")
    problems += _header_problems(headers)
    if problems:
        raise Invalid(problems)
    found = {name: _header_text(value) for name, value in (headers or {}).items() if value is not None}
    return Endpoint(given["url"], (method or "POST").upper(), found)


def _url_fault(url: Any) -> str | None:
    if not isinstance(url, str) or not url.strip():
        return "required: the address to call"
    return address_fault(url)


def _header_problems(headers: Any) -> list[Problem]:
    if headers is None:
        return []
    if not isinstance(headers, Mapping):
        return [Problem(("body", "headers"), "must be an object of names and values")]
    if len(headers) > MAX_HEADERS:
        return [Problem(("body", "headers"), f"has {len(headers)} entries; at most {MAX_HEADERS} are allowed")]
    found = [
        Problem(("body", "headers", name), fault)
        for name, value in headers.items()
        if (fault := _header_fault(name, value))
    ]
    size = 0 if found else len(json.dumps(headers).encode())
    if size > MAX_HEADER_BYTES:
        message = f"have {size} bytes together; at most {MAX_HEADER_BYTES} are allowed"
        found.append(Problem(("body", "headers"), message))
    return found


def _header_fault(name: str, value: Any) -> str | None:
    if not _HEADER.fullmatch(name):
        return "is no header's name"
    if name.lower() in OURS or name.lower().startswith(OUR_PREFIX):
        return "is set by every call"
    if value is not None and not isinstance(value, (str, int, float)):
        return "must be a string, number or boolean"
    if value == HIDDEN:
        return "is shown as *** because it is write-only: say its value"
    if any((ord(letter) < 32 and letter != "\t") or ord(letter) == 127 for letter in _header_text(value)):
        return "must not hold control characters"
    return None


def _header_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _invalid(place: tuple[str | int, ...], message: str) -> Invalid:
    return Invalid([Problem(("body", *place), message)])
