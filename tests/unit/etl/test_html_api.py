"""Pages of the web, fetched behind the guard."""

import random
from urllib.parse import quote

import pytest
from etl_desk import ADMIN, Desk

from quintet.dialects.etl.routes.html import ANSWER_BYTES
from quintet.services.pages import MAX_URL, PAGE_BYTES, PAGE_SECONDS
from quintet.services.ports.http import HttpFault

URL = "https://example.com/a?q=1"
GZIP = {"Accept-Encoding": "br, gzip;q=0.8"}
LAMBDA_BYTES = 6 * 1024 * 1024


def path(url: str, protocol: str = "https") -> str:
    """Of a page, as the local cloud's gateway hands it on; the desk would take a question mark for the query's."""
    return f"/html/{quote(url, safe='')}/{protocol}"


def test_a_page_is_answered_as_it_is(desk: Desk) -> None:
    """Its markup untouched, in UTF-8, and fenced off: no script of it runs as ours, nothing is kept."""
    page = "<html><script>alert('ü')</script></html>"
    desk.web.page(URL, page.encode("cp1252"), "text/html; charset=iso-8859-1", set_cookie="a=b", x_powered_by="x")
    answer = desk.get(path(URL))
    assert (answer.status, answer.text) == (200, page)
    assert answer.headers == {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "sandbox",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "vary": "Accept-Encoding",
        "x-request-id": "request-1",
    }


def test_nothing_of_the_caller_goes_along(desk: Desk) -> None:
    """Neither headers nor cookies nor the request's own query; within the bounds."""
    desk.web.page(URL, b"x")
    sent = {
        "Cookie": "vai_token=x",
        "Authorization": f"Bearer {ADMIN}",
        "User-Agent": "me",
        "X-Forwarded-For": "1.2.3.4",
    }
    assert desk.get(path(URL), headers=sent, query={"secret": "s"}).status == 200
    [call] = desk.web.calls
    assert (call.method, call.url, call.body) == ("GET", URL, None)
    assert set(call.headers) == {"Accept"}
    assert (call.timeout, call.max_bytes, call.follows) == (PAGE_SECONDS, PAGE_BYTES, True)


@pytest.mark.parametrize(
    ("url", "protocol", "asked"),
    [
        ("example.com", "http", "http://example.com"),
        ("example.com/a", "https", "https://example.com/a"),
        ("//example.com/a", "https", "https://example.com/a"),
        ("http://example.com/a", "https", "https://example.com/a"),
        ("HTTPS://example.com/a", "http", "http://example.com/a"),
        ("https:/example.com/a", "https", "https://example.com/a"),
        ("example.com:8080/a?b=c/d&e=%2F", "http", "http://example.com:8080/a?b=c/d&e=%2F"),
        ("example.com/a#part", "https", "https://example.com/a"),
        ("https://[2606:4700::1111]/", "https", "https://[2606:4700::1111]/"),
        ("https://bücher.example/ä", "https", "https://bücher.example/ä"),
    ],
)
def test_the_protocol_is_the_one_of_the_path(desk: Desk, url: str, protocol: str, asked: str) -> None:
    """Whether the URL names its scheme or not, and whichever; its query is its own, its fragment goes nowhere."""
    assert desk.get(path(url, protocol)).status == 200
    assert desk.web.calls[0].url == asked


@pytest.mark.parametrize(
    ("url", "protocol", "said"),
    [
        ("example.com", "ftp", "protocol: must be http or https"),
        ("example.com/a", "page.html", "percent-encoded twice"),
        ("example.com", "HTTP", "protocol: must be http or https"),
        ("ftp://example.com", "https", "url: only http and https are allowed"),
        ("file:///etc/passwd", "https", "url: only http and https are allowed"),
        ("https://", "https", "url: needs a host"),
        ("https://me:secret@example.com/", "https", "url: needs a host, and must not hold a user name or password"),
        ("https://me@example.com/", "https", "url: needs a host"),
        ("https://example.com:99999/", "https", "url: must be a URL"),
        ("https://example.com:x/", "https", "url: must be a URL"),
        ("https://[::1/", "https", "url: must be a URL"),
        ("https://exa mple.com/", "https", "url: needs a host"),
        ("https://example.com\\@example.org/", "https", "url: needs a host"),
        (f"https://{'a' * 64}.com/", "https", "url: must be a URL"),
        ("example.com/" + "a" * MAX_URL, "https", "url: must have at most"),
    ],
)
def test_what_is_no_url_is_refused(desk: Desk, url: str, protocol: str, said: str) -> None:
    """400 names the place, and nothing is asked for."""
    answer = desk.get(path(url, protocol))
    assert answer.status == 400
    assert said in answer.error
    assert desk.web.calls == []


@pytest.mark.parametrize(
    ("type_", "status"),
    [
        ("Refused", 403),
        ("InvalidUrl", 502),  # of a redirect: the caller's own was looked at before
        ("Connection", 502),
        ("Tls", 502),
        ("Timeout", 502),
        ("TooLarge", 502),
        ("TooManyRedirects", 502),
        ("Protocol", 502),
    ],
)
def test_what_can_not_be_had_is_said(desk: Desk, type_: str, status: int) -> None:
    """403 for what the guard refuses, 502 for what failed on the way, each with its reason."""
    desk.web.pages[URL] = HttpFault(type_, "the reason", retryable=False)
    answer = desk.get(path(URL))
    assert (answer.status, answer.error) == (status, "The reason")


@pytest.mark.parametrize("status", [204, 301, 304, 401, 404, 500, 503])
def test_only_a_page_is_a_page(desk: Desk, status: int) -> None:
    """An upstream's own errors are no pages."""
    desk.web.page(URL, b"text", status=status)
    answer = desk.get(path(URL))
    assert (answer.status, "text" in answer.text) == (502 if status != 204 else 200, status == 204)


def test_large_pages_are_compressed_for_who_takes_that(desk: Desk) -> None:
    """So that one of 5 MiB, three times that as UTF-8, still fits into a function's answer."""
    desk.web.page(URL, "€".encode("cp1252") * PAGE_BYTES, "text/html; charset=windows-1252")
    answer = desk.get(path(URL), headers=GZIP)
    assert (answer.status, answer.headers["content-encoding"]) == (200, "gzip")
    assert answer.text == "€" * PAGE_BYTES
    plain = desk.get(path(URL))
    assert (plain.status, plain.headers["content-type"]) == (502, "application/json")
    assert plain.error == "The page is larger than can be handed on; send `Accept-Encoding: gzip` to have it compressed"


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "gzip; q=0.0", "identity"])
def test_who_takes_no_gzip_gets_none(desk: Desk, accepted: str) -> None:
    """Up to what fits into an answer, to the byte."""
    desk.web.page(URL, b"x" * ANSWER_BYTES)
    answer = desk.get(path(URL), headers={"Accept-Encoding": accepted})
    assert (answer.status, len(answer.body)) == (200, ANSWER_BYTES)
    assert "content-encoding" not in answer.headers
    desk.web.page(URL, b"x" * (ANSWER_BYTES + 1))
    assert desk.get(path(URL), headers={"Accept-Encoding": accepted}).status == 502


def test_what_does_not_compress_is_refused_with_a_reason(desk: Desk) -> None:
    """Instead of an answer that the function could not give."""
    desk.web.page(URL, random.Random(1).randbytes(PAGE_BYTES), "text/html; charset=iso-8859-2")
    answer = desk.get(path(URL), headers=GZIP)
    assert (answer.status, answer.error) == (502, "The page is larger than can be handed on")


def test_an_answer_of_the_largest_size_fits(desk: Desk) -> None:
    """As a function returns it: base64 in JSON."""
    assert ANSWER_BYTES * 4 / 3 + 4096 < LAMBDA_BYTES
