"""Reads the ids in paths."""

import re
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Path
from pydantic import BeforeValidator, WithJsonSchema

from quintet.dialects.etl.shapes import MAX_DIGITS
from quintet.domain.errors import NotFound

PATTERN = rf"^[1-9][0-9]{{0,{MAX_DIGITS - 1}}}$"
_NUMBER = re.compile(PATTERN, re.ASCII)


def number(text: Any) -> int:
    """The number that an id is. Raises NotFound for what no id looks like: nothing has it."""
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise NotFound("not found")
    return int(text)


_Decimal = (BeforeValidator(number), WithJsonSchema({"type": "string", "pattern": PATTERN}))

ProjectNumber = Annotated[int, *_Decimal, Path(description="The project's id.")]
JobNumber = Annotated[int, *_Decimal, Path(description="The job's id.")]
TaskNumber = Annotated[int, *_Decimal, Path(description="The task's id.")]
DatasetNumber = Annotated[int, *_Decimal, Path(description="The dataset's id.")]
RowNumber = Annotated[int, *_Decimal, Path(description="The row's id.")]
