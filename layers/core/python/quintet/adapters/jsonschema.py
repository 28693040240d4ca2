"""JSON Schema by jsonschema-rs."""

import json
from typing import Any

from quintet.domain.errors import Problem
from quintet.domain.jsontext import compact

MAX_PROBLEMS = 50
_KEPT = 64
_MESSAGE_CHARACTERS = 300
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class JsonSchemas:
    """Port Schemas; compiled schemas are kept, since a job's is used for every trigger."""

    def __init__(self) -> None:
        self._compiled: dict[str, Any] = {}

    def fault(self, schema: Any) -> str | None:
        """What is wrong with a schema, None when it is one."""
        if not isinstance(schema, (dict, bool)):
            return "a JSON Schema is an object or a boolean"
        if isinstance(schema, dict) and schema.get("$schema", _DRAFT).rstrip("#") != _DRAFT:
            return f"only JSON Schema 2020-12 is supported ($schema {_DRAFT})"
        try:
            self._compile(schema)
        except ValueError as error:
            return str(error).splitlines()[0][:_MESSAGE_CHARACTERS]
        return None

    def problems(self, schema: Any, value: Any) -> list[Problem]:
        """Where and how a value breaks a schema, up to MAX_PROBLEMS."""
        found: list[Problem] = []
        for error in self._compile(schema).iter_errors(value):
            place = tuple(part if isinstance(part, (str, int)) else str(part) for part in error.instance_path)
            found.append(Problem(place, error.message[:_MESSAGE_CHARACTERS], "schema"))
            if len(found) == MAX_PROBLEMS:
                break
        return found

    def _compile(self, schema: Any) -> Any:
        """The validator. Raises ValueError for what is no schema."""
        import jsonschema_rs

        name = compact(schema)
        if name not in self._compiled:
            try:
                made = jsonschema_rs.Draft202012Validator(
                    json.loads(name),
                    validate_formats=True,
                    retriever=_refuse,
                    # Linear in time: the pattern and the text both come from callers.
                    pattern_options=jsonschema_rs.RegexOptions(),
                )
            except jsonschema_rs.ValidationError as error:
                raise ValueError(error.message) from error
            except jsonschema_rs.ReferencingError as error:
                raise ValueError(f"only references within the schema are allowed: {error}") from error
            if len(self._compiled) >= _KEPT:
                self._compiled.pop(next(iter(self._compiled)))
            self._compiled[name] = made
        return self._compiled[name]


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is another document")
