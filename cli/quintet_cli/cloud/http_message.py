"""HTTP/1.1 on the wire: a request's head, its body's framing, and a response's head (RFC 9112)."""

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import unquote

MAX_HEAD = 64 * 1024
_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_DIGITS = re.compile(rb"[0-9]{1,15}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,12})(?:[ \t]*;[^\r\n]*)?")
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}

Headers = list[tuple[bytes, bytes]]


class BadMessage(Exception):
    """The client sent something that is not HTTP/1.1, or more of it than we take."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass
class Head:
    """A request's line and headers; header names are lower case."""

    method: str
    target: bytes
    version: bytes
    headers: Headers = field(default_factory=list)
    length: int | None = 0
    keep_alive: bool = True
    expects_continue: bool = False

    @property
    def chunked(self) -> bool:
        """Tell whether the body comes in chunks."""
        return self.length is None

    def scope(self, client: tuple[str, int] | None, server: tuple[str, int] | None) -> dict[str, object]:
        """Return the ASGI scope of this request."""
        raw_path, _, query = self.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": self.version.decode(),
            "method": self.method,
            "scheme": "http",
            "path": unquote(raw_path.decode("latin-1")),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": self.headers,
            "client": client,
            "server": server,
        }


def parse_head(text: bytes) -> Head:
    """Parse everything before the empty line; raise BadMessage."""
    line, *fields = text.split(b"\r\n")
    parts = line.split(b" ")
    if len(parts) != 3 or not _METHOD.fullmatch(parts[0]) or not parts[1]:
        raise BadMessage(400, "malformed request line")
    if parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise BadMessage(505, "unsupported HTTP version")
    target = parts[1]
    if not target.startswith(b"/"):
        # A client that takes us for a proxy names the whole address.
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    head = Head(parts[0].decode(), target, parts[2][5:])
    head.keep_alive = head.version == b"1.1"
    for item in fields:
        _add_field(head, item)
    return head


def _add_field(head: Head, item: bytes) -> None:
    name, colon, value = item.partition(b":")
    if not colon or not _NAME.fullmatch(name):
        raise BadMessage(400, "malformed header")
    name, value = name.lower(), value.strip(b" \t")
    if name == b"content-length":
        _set_length(head, value)
    elif name == b"transfer-encoding":
        if value.lower() != b"chunked" or any(known == b"content-length" for known, _ in head.headers):
            raise BadMessage(400, "unsupported transfer encoding")
        head.length = None
    elif name == b"connection":
        options = {option.strip().lower() for option in value.split(b",")}
        head.keep_alive = b"close" not in options and (head.keep_alive or b"keep-alive" in options)
    elif name == b"expect" and value.lower() == b"100-continue":
        head.expects_continue = True
    head.headers.append((name, value))


def _set_length(head: Head, value: bytes) -> None:
    # Two lengths, or a length beside chunks, is how requests are smuggled past a server.
    known = any(name == b"content-length" for name, _ in head.headers)
    if not _DIGITS.fullmatch(value) or head.chunked or (known and head.length != int(value)):
        raise BadMessage(400, "malformed content length")
    head.length = int(value)


class Body:
    """Takes a request's body out of the bytes as they arrive."""

    def __init__(self, head: Head) -> None:
        self._left = head.length or 0
        self._chunked = head.chunked
        self._in_trailer = False
        self.complete = not self._chunked and self._left == 0

    def take(self, buffer: bytearray) -> bytes:
        """Remove and return what of the body the buffer holds; raise BadMessage."""
        if not self._chunked:
            part = self._take_plain(buffer)
            self.complete = self._left == 0
            return part
        parts = []
        while not self.complete:
            before = len(buffer)
            if self._left > 2:
                parts.append(self._take_chunk(buffer))
            elif not self._take_line(buffer):
                break
            if len(buffer) == before:
                break
        return b"".join(parts)

    def _take_plain(self, buffer: bytearray) -> bytes:
        part = bytes(buffer[: self._left])
        del buffer[: len(part)]
        self._left -= len(part)
        return part

    def _take_chunk(self, buffer: bytearray) -> bytes:
        # Two of what is left are the line end behind the data.
        part = bytes(buffer[: self._left - 2])
        del buffer[: len(part)]
        self._left -= len(part)
        return part

    def _take_line(self, buffer: bytearray) -> bool:
        if self._left:
            if len(buffer) < 2:
                return False
            if buffer[:2] != b"\r\n":
                raise BadMessage(400, "malformed chunk")
            del buffer[:2]
            self._left = 0
        end = buffer.find(b"\r\n")
        if end < 0:
            if len(buffer) > MAX_HEAD:
                raise BadMessage(400, "malformed chunk")
            return False
        line = bytes(buffer[:end])
        del buffer[: end + 2]
        if self._in_trailer:
            self.complete = not line
            return True
        found = _CHUNK.fullmatch(line)
        if not found:
            raise BadMessage(400, "malformed chunk size")
        size = int(found[1], 16)
        self._in_trailer = size == 0
        self._left = size + 2 if size else 0
        return True


def response_head(status: int, headers: Headers) -> bytes:
    """Return a response's status line and headers as bytes."""
    lines = [b"HTTP/1.1 %d %s\r\n" % (status, _REASONS.get(status, b""))]
    for name, value in headers:
        if b"\r" in value or b"\n" in value:
            # A function that passes user input on in a header must not be able to end it.
            value = value.replace(b"\r", b" ").replace(b"\n", b" ")  # noqa: PLW2901 - the clean value is the value
        lines.append(b"%s: %s\r\n" % (name, value))
    lines.append(b"\r\n")
    return b"".join(lines)
