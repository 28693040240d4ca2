"""Lists by page: a bare array, with the whole list's length in its headers."""

from collections.abc import Sequence
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from quintet.dialects.etl.shapes import Shown
from quintet.web.api import json_response

SIZE = 50
MAX_SIZE = 1000
MAX_PAGE = 1_000_000

Page = Annotated[int, Query(ge=0, le=MAX_PAGE, description="Which page, from 0.")]
PageSize = Annotated[int, Query(alias="pageSize", ge=1, le=MAX_SIZE, description="How many items a page has at most.")]


def listing(items: Sequence[Shown | dict[str, Any]], total: int) -> Response[str]:
    """A page of a list of `total` items."""
    data = [item.shown() if isinstance(item, Shown) else item for item in items]
    return json_response(200, data, {"X-Total-Count": str(total)})
