"""What the wire shapes of the Jobs API have in common: snake_case, unset fields left out, nothing unknown taken."""

from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Shown(BaseModel):
    """A shape in answers; a field that is None is left out, what lies inside JSON values is shown as it is."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    @model_serializer(mode="wrap")
    def _only_what_is_set(self, handler: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]  # an annotation would replace the fields in the document
        shown: dict[str, Any] = handler(self)
        return {name: value for name, value in shown.items() if value is not None}


class Asked(BaseModel):
    """A shape in requests: unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", defer_build=True, allow_inf_nan=False)
