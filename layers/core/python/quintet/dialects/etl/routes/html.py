"""Pages of the web, fetched behind the guard."""

import base64
import gzip
from typing import Annotated
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from quintet.dialects.etl import documented
from quintet.services.pages import PageFault
from quintet.web.api import Routes
from quintet.web.event import HttpEvent
from quintet.web.gate import needs

routes = Routes()

ANSWER_BYTES = 4_500_000
"""What a function can answer at most: 6 MB, of which base64 takes a quarter and the headers a little."""
PACKED_BYTES = 16 * 1024
"""Pages of more are compressed for who takes that."""
_TYPE = "text/html; charset=utf-8"
_HEADERS = {
    # What strangers wrote must not act as this origin: no scripts, no forms, no cookies.
    "Content-Security-Policy": "sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Vary": "Accept-Encoding",
}

Url = Annotated[
    str,
    Path(
        description="The page's URL, percent-encoded, with its query; with or without its scheme. A gateway that decodes paths by itself "
        "takes a URL with a query only when it is encoded twice."
    ),
]
Protocol = Annotated[str, Path(description="`http` or `https`: how the page is fetched, whatever scheme `url` names.")]


@routes.get(
    "/webrobot/api/html/<url>/<protocol>",
    **documented.of(
        "Fetch a page",
        "HTML",
        403,
        404,
        502,
        said="The page, in UTF-8",
        content={"text/html": {"schema": {"type": "string"}}},
    ),
)
@needs("jobs:read")
def get_html(url: Url, protocol: Protocol) -> Response[str]:
    """Fetches a page as a stranger would see it, and answers with its markup as it is, decoded by the charset that it declares.

    Nothing of the caller's request goes along, and none of the page's cookies come back. At most 5 MiB within 20 seconds, redirects
    included; addresses that are not public are refused, also as the target of a redirect.
    """
    page = routes.engine.pages.fetch(unquote(url), protocol)
    return _answer(page.text.encode(errors="replace"), packed=_takes_gzip(routes.event))


def _answer(body: bytes, *, packed: bool) -> Response[str]:
    headers = dict(_HEADERS)
    if packed and len(body) > PACKED_BYTES:
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, 5, mtime=0)
    if len(body) > ANSWER_BYTES:
        more = "" if packed else "; send `Accept-Encoding: gzip` to have it compressed"
        raise PageFault(f"the page is larger than can be handed on{more}")
    answer = Response(200, _TYPE, base64.b64encode(body).decode(), headers=headers)
    answer.base64_encoded = True
    return answer


def _takes_gzip(event: HttpEvent) -> bool:
    for coding in event.lower_headers.get("accept-encoding", "").lower().split(","):
        name, _, quality = coding.replace(" ", "").partition(";q=")
        if name in ("gzip", "x-gzip", "*"):
            return quality.strip("0.") != "" or not quality
    return False
