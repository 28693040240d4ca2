"""input: waits for a person's answer."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid5

from quintet.domain.definition import StepDef
from quintet.domain.errors import Problem
from quintet.domain.outcome import Outcome, Waits
from quintet.services.ports.steps import StepCall
from quintet.steps.fields import Field, Fields, list_of, number, refuse, text
from quintet.steps.forms import as_schema, schema_problems, value_problems
from quintet.steps.kind import YEAR, Kind

DECISIONS = UUID("6f1d1d3c-58a5-4f0e-9d37-0d5c1a0b8f11")
MAX_FORM = 64 * 1024
"""Bytes of JSON: a wait's details lie in the journal, whose events are of bounded size."""


def _form(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return "must be an object"
    if (size := len(json.dumps(value))) > MAX_FORM:
        return f"is {size} bytes of JSON; at most {MAX_FORM} are allowed"
    for name, field in value.items():
        if name not in ("type", "properties") and not isinstance(field, (str, Mapping, list, bool)):
            return f"entry {name!r} must be an object with a type"
    faults = schema_problems(as_schema(value)) if all(isinstance(f, (str, Mapping)) for f in value.values()) else []
    return f"entry {'.'.join(map(str, faults[0].place))!r} {faults[0].message}" if faults else None


class InputKind(Kind):
    """`message`, `approvers`, `fields`, `timeout_seconds`; the result is the answer: {approved, by, at, comment, fields}.

    `fields` is {name: {type, required, enum, minimum, ...}} or a JSON Schema of an object. Nobody answering in time fails the step.
    """

    name = "input"
    pure = True
    default_timeout = YEAR
    max_timeout = YEAR
    fields: ClassVar[Fields] = {
        "message": Field(text(10_000, empty=True)),
        "approvers": Field(list_of(text(256), 100)),
        "fields": Field(_form),
        "timeout_seconds": Field(number(1, YEAR)),
    }

    def perform(self, call: StepCall) -> Outcome:
        """The wait; `decision` names it, the same however often it is decided anew."""
        config = call.config
        schema = as_schema(config.get("fields") or {})
        if faults := schema_problems(schema):
            return refuse(f"fields: {faults[0].message}")
        seconds = config.get("timeout_seconds") or call.step.define.timeout
        return Waits(
            "input",
            deadline=None if seconds is None else call.now + timedelta(seconds=float(seconds)),
            details={
                "decision": str(uuid5(DECISIONS, f"{call.idempotency_key}:{call.token}")),
                "message": config.get("message"),
                "approvers": list(config.get("approvers") or ()),
                "fields": schema,
            },
        )

    def more_problems(self, step: StepDef) -> list[Problem]:
        """One time-out, not two."""
        if step.timeout is not None and step.config.get("timeout_seconds") is not None:
            return [Problem(("timeout_seconds",), "the step has a timeout already", "bad_value")]
        return []

    @staticmethod
    def answer_problems(details: Mapping[str, Any], answer: Mapping[str, Any]) -> list[Problem]:
        """What is wrong with an answer's fields, under the `details` of the wait."""
        return value_problems(details.get("fields") or {}, dict(answer), ("fields",))
