"""Reads the paths of requests as they come through gateways: with the published base or without it, decoded or not.

An HTTP API decodes a path before a function sees it: on AWS twice, and it cuts what was a `?` then; in the local cloud once, but for
`%25`. A Function URL or load balancer decodes nothing. So a page's URL inside a path is read by what it looks like.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

_BASE = "/api"
"""The published base URL ends in it, so that every path answers below it, too."""
_BELOW = ("/webrobot/", "/api/strapi-tables/")
_PAGES = "/webrobot/api/html/"
_MOST_LAYERS = 3


def path_of(event: Mapping[str, Any]) -> str:
    """The path of a request without the base; that of a page with its URL as one part, percent-encoded once."""
    path = str(event.get("rawPath") or "/")
    inner = path.removeprefix(_BASE)
    if inner != path and f"{inner}/".startswith(_BELOW):
        path = inner
    if not path.startswith(_PAGES):
        return path
    url, _, protocol = path.removeprefix(_PAGES).rpartition("/")
    return f"{_PAGES}{quote(page_url_in(url), safe='')}/{quote(protocol, safe='')}" if url else path


def page_url_in(text: str) -> str:
    """The URL that a part of a path stands for."""
    layers = 0
    while "%" in text and not {"/", "?"} & set(text) and layers < _MOST_LAYERS:
        text = unquote(text)
        layers += 1
    # Decoded on the way, but for the percent signs: a URL's own are all escaped then.
    if layers == 0 and text.count("%") == text.count("%25"):
        text = text.replace("%25", "%")
    return text
