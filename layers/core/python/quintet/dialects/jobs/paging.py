"""Lists by cursor: a bare array with the next cursor in its headers, or an envelope for those who ask for one."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from quintet.dialects.jobs.shapes import Shown
from quintet.web.event import HttpEvent
from quintet.web.rendering import to_json

PAGE_TYPE = "application/vnd.quintet.page+json"
LIMIT = 50

Limit = Annotated[int, Query(ge=1, le=100, description="How many items to answer at most.")]
Cursor = Annotated[
    str | None, Query(max_length=2048, description="Where to go on: the `X-Next-Cursor` of the page before.")
]
Envelope = Annotated[
    bool,
    Query(
        description="`true`: answer `{data, has_more, next_cursor}` instead of a bare array; so does `Accept: "
        + PAGE_TYPE
        + "`."
    ),
]

T = TypeVar("T", bound=Shown)


class Page(Shown, Generic[T]):
    """The envelope of a list."""

    data: list[T]
    has_more: bool
    next_cursor: str | None = None


def listing(event: HttpEvent, items: Sequence[Shown], cursor: str | None, *, envelope: bool) -> Response[str]:
    """A page as the request asks for it; `cursor` is that of the next page, None after the last."""
    data = [item.model_dump(mode="json") for item in items]
    headers = {}
    if cursor is not None:
        query = urlencode({**event.query, "cursor": cursor}, quote_via=quote)
        headers = {"X-Next-Cursor": cursor, "Link": f'<{event.path}?{query}>; rel="next"'}
    if envelope or PAGE_TYPE in event.lower_headers.get("accept", ""):
        whole: dict[str, Any] = {"data": data, "has_more": cursor is not None}
        if cursor is not None:
            whole["next_cursor"] = cursor
        kind = "application/json" if envelope else PAGE_TYPE
        return Response(200, kind, to_json(whole), headers={**headers, "Vary": "Accept"})
    return Response(200, "application/json", to_json(data), headers={**headers, "Vary": "Accept"})
