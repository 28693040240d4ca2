"""What the wire shapes of the ETL API have in common: camelCase, null where unset, unknown fields tolerated."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

MAX_DIGITS = 15
"""Of an id: JSON readers keep whole numbers of so many digits exactly."""


class Shown(BaseModel):
    """A shape in answers: every field is there, null where unset."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, defer_build=True, frozen=True)

    def shown(self) -> dict[str, Any]:
        """The shape as JSON-ready data, in its wire names."""
        return self.model_dump(mode="json", by_alias=True)


class Asked(BaseModel):
    """A shape in requests: what it doesn't know it leaves aside, null is the same as nothing said. `model_fields_set` tells what was."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", defer_build=True, allow_inf_nan=False)


def _as_text(given: Any) -> Any:
    """Clients write ids as strings, as answers do, or as the numbers they are."""
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else given


_PATTERN = rf"^[1-9][0-9]{{0,{MAX_DIGITS - 1}}}$"
Id = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(pattern=_PATTERN),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _PATTERN},
                {"type": "integer", "minimum": 1, "maximum": 10**MAX_DIGITS - 1},
            ]
        },
        mode="validation",
    ),
]
"""A decimal id, in a body as text or as the number that it is."""
