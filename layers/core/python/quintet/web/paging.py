"""Paging by limit and offset."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

Limit = Annotated[int, Query(ge=1, le=1000, description="How many items to answer at most.")]
Offset = Annotated[int, Query(ge=0, description="How many items to skip.")]
