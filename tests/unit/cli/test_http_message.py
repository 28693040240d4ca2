"""HTTP/1.1 as it comes over the wire, in any pieces, and what is refused."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet_cli.cloud.http_message import BadMessage, Body, parse_head, response_head


def test_a_request_head_is_taken_apart() -> None:
    """Method, path, query and headers arrive as ASGI wants them."""
    head = parse_head(b"GET /a%20b/c?x=%31&y HTTP/1.1\r\nHost: h\r\nX-Two:  spaced \r\nx-two: again")
    scope = head.scope(("127.0.0.1", 1), ("127.0.0.1", 2))
    assert (scope["method"], scope["path"], scope["raw_path"]) == ("GET", "/a b/c", b"/a%20b/c")
    assert scope["query_string"] == b"x=%31&y"
    assert scope["headers"] == [(b"host", b"h"), (b"x-two", b"spaced"), (b"x-two", b"again")]


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (b"GET / HTTP/1.1", True),
        (b"GET / HTTP/1.0", False),
        (b"GET / HTTP/1.1\r\nConnection: Close", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive", True),
    ],
)
def test_the_connection_is_kept_as_the_client_wishes(line: bytes, kept: bool) -> None:
    """HTTP/1.1 keeps it unless told otherwise, HTTP/1.0 the other way round."""
    assert parse_head(line).keep_alive is kept


def test_an_absolute_target_is_taken_by_its_path() -> None:
    """A client that takes us for a proxy reaches the same path."""
    assert parse_head(b"GET http://h:1/a?b HTTP/1.1").target == b"/a?b"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GET /", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"G(T / HTTP/1.1", 400),
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/1.1\r\nno colon", 400),
        (b"GET / HTTP/1.1\r\nbad name: x", 400),
        (b"GET / HTTP/1.1\r\n folded: x", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1_0", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked", 400),
    ],
)
def test_what_is_not_http_is_refused(text: bytes, status: int) -> None:
    """Malformed and ambiguous requests never reach the application."""
    with pytest.raises(BadMessage) as refused:
        parse_head(text)
    assert refused.value.status == status


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[low:high] for low, high in itertools.pairwise(edges)]


def _fed(head_text: bytes, wire: bytes, cuts: list[int]) -> tuple[bytes, bool, bytes]:
    body, buffer, taken = Body(parse_head(head_text)), bytearray(), b""
    for part in _cut(wire, cuts):
        buffer += part
        if not body.complete:
            taken += body.take(buffer)
    return taken, body.complete, bytes(buffer)


@given(st.binary(max_size=200), st.binary(max_size=20), st.lists(st.integers(0, 500), max_size=8))
def test_a_body_of_known_length_ends_where_it_ends(content: bytes, following: bytes, cuts: list[int]) -> None:
    """However the bytes are cut, the body is exactly its length and the rest stays for the next request."""
    head = b"POST / HTTP/1.1\r\nContent-Length: %d" % len(content)
    assert _fed(head, content + following, cuts) == (content, True, following)


@given(
    st.lists(st.binary(min_size=1, max_size=60), max_size=5),
    st.binary(max_size=20),
    st.booleans(),
    st.lists(st.integers(0, 500), max_size=8),
)
def test_a_chunked_body_is_put_together(parts: list[bytes], following: bytes, trailer: bool, cuts: list[int]) -> None:
    """However the bytes are cut, chunks are joined, trailers dropped, and the rest stays for the next request."""
    wire = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts)
    wire += b"0\r\n" + (b"X-Sum: 1\r\n" if trailer else b"") + b"\r\n"
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked"
    assert _fed(head, wire + following, cuts) == (b"".join(parts), True, following)


@pytest.mark.parametrize("wire", [b"zz\r\n", b"3\r\nabcXX", b"\r\n", b"-1\r\n"])
def test_broken_chunks_are_refused(wire: bytes) -> None:
    """A size that is none, or data that does not end where it should, ends the request."""
    with pytest.raises(BadMessage):
        _fed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked", wire, [])


def test_a_header_cannot_end_the_head() -> None:
    """A line end in a header's value is not written as one."""
    assert response_head(200, [(b"x", b"a\r\nb: c")]) == b"HTTP/1.1 200 OK\r\nx: a  b: c\r\n\r\n"
