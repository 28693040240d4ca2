"""What a step's config may hold: checked when a job is defined, and again on the rendered values before an attempt.

A value that is one whole `{% expression %}` can turn out as anything, so its type is checked only once it is rendered.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quintet.domain.definition import StepDef
from quintet.domain.errors import Problem
from quintet.domain.outcome import Failed, StepError
from quintet.services.ports.steps import Expressions

Check = Callable[[Any], str | None]
"""Says what is wrong with a value, or None."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a config."""

    check: Check
    required: bool = False


Fields = Mapping[str, Field]


def templated(value: Any) -> bool:
    """True for a string that an expression will replace as a whole."""
    return isinstance(value, str) and value.startswith("{%") and value.endswith("%}")


def config_problems(step: StepDef, fields: Fields, expressions: Expressions, raw: frozenset[str]) -> list[Problem]:
    """Every fault of a config as written: unknown and missing fields, wrong types, bad templates."""
    found = [
        Problem((name,), f"unknown field; {step.kind} has: {', '.join(fields) or 'none'}", "unknown_field")
        for name in step.config
        if name not in fields
    ]
    found += _missing(step.config, fields)
    for name, field in fields.items():
        value = step.config.get(name)
        if value is None or (templated(value) and name not in raw):
            continue
        if fault := field.check(value):
            found.append(Problem((name,), fault, "bad_value"))
    rendered = {name: value for name, value in step.config.items() if name not in raw}
    return found + expressions.template_faults(rendered)


def rendered_fault(config: Mapping[str, Any], fields: Fields) -> Failed | None:
    """A final failure when the rendered config is not what the kind needs."""
    faults = _missing(config, fields)
    for name, field in fields.items():
        value = config.get(name)
        if value is not None and (fault := field.check(value)):
            faults.append(Problem((name,), fault))
    if not faults:
        return None
    return refuse("; ".join(f"{'.'.join(map(str, fault.place))}: {fault.message}" for fault in faults))


def refuse(message: str) -> Failed:
    """A failure that trying again can't mend: the config, as rendered, is wrong."""
    return Failed(StepError("InvalidConfig", message, retryable=False))


def _missing(config: Mapping[str, Any], fields: Fields) -> list[Problem]:
    return [
        Problem((name,), "required", "missing")
        for name, field in fields.items()
        if field.required and config.get(name) is None
    ]


def text(maximum: int = 100_000, *, empty: bool = False) -> Check:
    """A string of at most that many characters."""

    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return "must be a string"
        if not value.strip() and not empty:
            return "must not be empty"
        return f"has {len(value)} characters; at most {maximum} are allowed" if len(value) > maximum else None

    return check


def number(low: float, high: float, *, whole: bool = False) -> Check:
    """A number from `low` to `high`."""

    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return "must be a number"
        if whole and not float(value).is_integer():
            return "must be a whole number"
        return None if low <= value <= high else f"must be from {low:g} to {high:g}"

    return check


def one_of(*names: str) -> Check:
    """One of some strings."""
    return lambda value: None if value in names else f"must be one of {', '.join(names)}"


def boolean(value: Any) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "must be true or false"


def anything(_value: Any) -> str | None:
    """Any JSON."""
    return None


def list_of(check: Check, maximum: int = 1000) -> Check:
    """A list whose members pass a check; members may be templates."""

    def check_list(value: Any) -> str | None:
        if not isinstance(value, (list, tuple)):
            return "must be a list"
        if len(value) > maximum:
            return f"has {len(value)} members; at most {maximum} are allowed"
        for index, member in enumerate(value):
            if not templated(member) and (fault := check(member)):
                return f"member {index} {fault}"
        return None

    return check_list


def mapping_of(check: Check, maximum: int = 1000) -> Check:
    """An object whose values pass a check; values may be templates."""

    def check_mapping(value: Any) -> str | None:
        if not isinstance(value, Mapping):
            return "must be an object"
        if len(value) > maximum:
            return f"has {len(value)} entries; at most {maximum} are allowed"
        for name, inner in value.items():
            if not templated(inner) and (fault := check(inner)):
                return f"entry {name!r} {fault}"
        return None

    return check_mapping


def scalar(value: Any) -> str | None:
    """A string, number, boolean or null."""
    return None if value is None or isinstance(value, (str, int, float)) else "must be a string, number or boolean"
