"""How paths come through gateways, and what they stand for."""

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.dialects.etl.paths import page_url_in, path_of


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/webrobot/api/projects", "/webrobot/api/projects"),
        ("/api/webrobot/api/projects", "/webrobot/api/projects"),
        ("/api/strapi-tables/a", "/api/strapi-tables/a"),
        ("/api/api/strapi-tables/a", "/api/strapi-tables/a"),
        ("/api/strapi-tables", "/api/strapi-tables"),
        ("/api/api/strapi-tables", "/api/strapi-tables"),
        ("/api/api/webrobot/api/projects", "/api/api/webrobot/api/projects"),
        ("/api/webrobot", "/webrobot"),
        ("/api/webrobots/api", "/api/webrobots/api"),
        ("/api/v1/x", "/api/v1/x"),
        ("/apiwebrobot/api/x", "/apiwebrobot/api/x"),
        ("/", "/"),
        ("", "/"),
    ],
)
def test_one_base_is_taken_off(given: str, path: str) -> None:
    """Only in front of this API's own paths, and only once."""
    assert path_of({"rawPath": given}) == path


def local(path: str) -> str:
    """A path as the local cloud's gateway hands it on: decoded but for percent signs."""
    return unquote(path.replace("%25", "%2525"))


def aws(path: str) -> str | None:
    """A path as an HTTP API on AWS hands it on: decoded twice, cut at a `?` in between, None where it is refused.

    As captured from real ones: `%253F` arrives as `?`, `%3F` ends the path, `%25d` is a bad request.
    """
    once = unquote(path).partition("?")[0]
    if any(len(part) < 2 or not set(part[:2]) <= set("0123456789abcdefABCDEF") for part in once.split("%")[1:]):
        return None
    return unquote(once)


PAGES = [
    "example.com",
    "example.com/",
    "https://example.com/a/b",
    "http://example.com:8080/a?q=1&r=a%2Fb",
    "example.com?q=1",
    "https://example.com/a%20b",
    "https://example.com/%D0%BF?x=%26&y=100%25",
    "https://example.com/go?to=https%3A%2F%2Fexample.org%2F%3Fa%3D1",
    "https://example.com/ä?ö=ü",
]


@pytest.mark.parametrize("url", PAGES)
def test_a_url_in_a_path_is_read_as_it_was_meant(url: str) -> None:
    """Encoded once where nothing decodes it, and in the local cloud; twice also on AWS."""
    once, twice = quote(url, safe=""), quote(quote(url, safe=""), safe="")
    for arrived in (once, local(once), twice, local(twice)):
        assert page_url_in(arrived) == url, arrived
    assert page_url_in(aws(twice) or "") == url


@pytest.mark.parametrize("url", ["https://example.com/a/b", "example.com/", "http://example.com/ä"])
def test_on_aws_a_url_without_a_query_may_be_encoded_once(url: str) -> None:
    """Since only a `?` cuts it."""
    assert page_url_in(aws(quote(url, safe="")) or "") == url


@given(st.text(max_size=60))
def test_whatever_is_in_a_path_comes_to_a_route_as_one_part(text: str) -> None:
    """So that no character of a page's URL leads to another route."""
    path = path_of({"rawPath": f"/webrobot/api/html/x{text}/https"})
    start, part, protocol = path.rsplit("/", 2)
    assert (start, protocol) == ("/webrobot/api/html", "https")
    assert unquote(part) == page_url_in(f"x{text}")


def test_the_last_part_is_the_protocol() -> None:
    """Whatever it is; a page without one has no path here."""
    assert path_of({"rawPath": "/api/webrobot/api/html/https://a.b/c?d/http"}).endswith(
        "/https%3A%2F%2Fa.b%2Fc%3Fd/http"
    )
    assert path_of({"rawPath": "/webrobot/api/html/a.b/c d"}) == "/webrobot/api/html/a.b/c%20d"
    assert path_of({"rawPath": "/webrobot/api/html/https"}) == "/webrobot/api/html/https"
