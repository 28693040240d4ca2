"""A job: a named, versioned definition of a DAG; each API's own word for it is a view of this."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quintet.domain.definition import Plan
from quintet.domain.terms import NO_TERMS, Terms


@dataclass(frozen=True, slots=True)
class Job:
    """The current face of a job. `settings` holds what only its own API knows (JSON); `version` counts from 1."""

    id: str
    project: str
    dialect: str
    name: str
    version: int
    version_id: str
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    status: str = "active"
    trigger_type: str = "manual"
    settings: Mapping[str, Any] = field(default_factory=dict)
    slug: str | None = None
    """A name unique among the project's jobs of its API."""
    labels: frozenset[str] = frozenset()
    """What lists of jobs find it by: `tag:<key>`, `tag:<key>=<value>`, `group:<id>`."""
    terms: Terms = NO_TERMS


@dataclass(frozen=True, slots=True)
class JobVersion:
    """One immutable version: the plan that runs, and the definition as its author wrote it (`source`, JSON)."""

    id: str
    job_id: str
    version: int
    plan: Plan
    source: Mapping[str, Any]
    created_at: datetime


def with_default_input(default: Any, given: Any) -> Any:
    """A run's input over the job's default: objects merge by their top keys, the run's own win; null takes the default, anything
    else replaces it."""
    if given is None:
        return default
    if isinstance(default, Mapping) and isinstance(given, Mapping):
        return {**default, **given}
    return given
