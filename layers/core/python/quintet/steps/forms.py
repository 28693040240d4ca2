"""The fields a person fills in: a small part of JSON Schema, checked without the author's regular expressions."""

from collections.abc import Mapping
from typing import Any

from quintet.domain.errors import Problem

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}
MAX_DEPTH = 10

Place = tuple[str | int, ...]


def as_schema(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON Schema of the fields: given as one already, or as {name: {type, required: true|false, ...}}."""
    if fields.get("type") == "object" and isinstance(fields.get("properties"), Mapping):
        return dict(fields)
    properties = {
        name: {"type": field}
        if isinstance(field, str)
        else {key: inner for key, inner in field.items() if key != "required"}
        for name, field in fields.items()
    }
    needed = [name for name, field in fields.items() if isinstance(field, Mapping) and field.get("required") is True]
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}


def schema_problems(schema: Any, place: Place = (), depth: int = 0) -> list[Problem]:
    """What is wrong with a schema itself."""
    if depth > MAX_DEPTH:
        return [Problem(place, f"nests deeper than {MAX_DEPTH}", "too_deep")]
    if not isinstance(schema, Mapping):
        return [Problem(place, "must be an object with a type", "bad_value")]
    types = schema.get("type")
    found = [
        Problem((*place, "type"), f"must be one of {', '.join(TYPES)}", "bad_value")
        for name in (types if isinstance(types, list) else [types])
        if name is not None and (not isinstance(name, str) or name not in TYPES)
    ]
    if "enum" in schema and not isinstance(schema["enum"], list):
        found.append(Problem((*place, "enum"), "must be a list", "bad_value"))
    for name, inner in _properties(schema).items():
        found += schema_problems(inner, (*place, name), depth + 1)
    if isinstance(schema.get("items"), Mapping):
        found += schema_problems(schema["items"], (*place, "items"), depth + 1)
    return found


def value_problems(schema: Mapping[str, Any], value: Any, place: Place = (), depth: int = 0) -> list[Problem]:
    """What is wrong with a value under a schema."""
    types = schema.get("type")
    allowed = types if isinstance(types, list) else [types] if types else list(TYPES)
    if not any(_is(value, name) for name in allowed):
        return [Problem(place, f"must be {' or '.join(allowed)}", "bad_type")]
    found = []
    if isinstance(schema.get("enum"), list) and value not in schema["enum"]:
        found.append(Problem(place, f"must be one of {', '.join(map(str, schema['enum']))}", "bad_value"))
    if "const" in schema and value != schema["const"]:
        found.append(Problem(place, f"must be {schema['const']!r}", "bad_value"))
    found += _bound_problems(schema, value, place)
    if depth < MAX_DEPTH:
        found += _inner_problems(schema, value, place, depth)
    return found


def _inner_problems(schema: Mapping[str, Any], value: Any, place: Place, depth: int) -> list[Problem]:
    found: list[Problem] = []
    if isinstance(value, dict):
        properties = _properties(schema)
        found += [
            Problem((*place, name), "required", "missing") for name in schema.get("required", ()) if name not in value
        ]
        for name, inner in value.items():
            if name in properties:
                found += value_problems(properties[name], inner, (*place, name), depth + 1)
            elif schema.get("additionalProperties") is False:
                found.append(Problem((*place, name), "unknown field", "unknown_field"))
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for index, inner in enumerate(value):
            found += value_problems(schema["items"], inner, (*place, index), depth + 1)
    return found


def _bound_problems(schema: Mapping[str, Any], value: Any, place: Place) -> list[Problem]:
    size: Any = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    names = ("minimum", "maximum")
    if isinstance(value, str):
        size, names = len(value), ("minLength", "maxLength")
    elif isinstance(value, list):
        size, names = len(value), ("minItems", "maxItems")
    low, high = (schema.get(name) for name in names)
    if size is None:
        return []
    if isinstance(low, (int, float)) and size < low:
        return [Problem(place, f"{names[0]} is {low}", "bad_value")]
    if isinstance(high, (int, float)) and size > high:
        return [Problem(place, f"{names[1]} is {high}", "bad_value")]
    return []


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, TYPES[name])
