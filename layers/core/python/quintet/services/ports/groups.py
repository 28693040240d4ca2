"""Where job groups are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class JobGroup:
    """A named group of a project's jobs; a job belongs to it by its label `group:<id>`."""

    id: str
    project: str
    name: str
    slug: str
    created_at: datetime
    updated_at: datetime
    description: str | None = None


@dataclass(frozen=True, slots=True)
class GroupPage:
    """A part of a project's groups, newest first; with a `cursor` there are more."""

    groups: Sequence[JobGroup]
    cursor: str | None = None


class Groups(Protocol):
    """Job groups; a slug is unique in its project."""

    def create(self, group: JobGroup) -> None:
        """Writes a new group. Raises Taken for its slug, Conflict."""
        ...

    def get(self, project: str, group_id: str) -> JobGroup:
        """Raises NotFound, also for another project's."""
        ...

    def update(self, group: JobGroup, was: JobGroup) -> None:
        """Replaces what it `was`. Raises Taken for its slug, Conflict when it is no longer that, NotFound."""
        ...

    def delete(self, group: JobGroup) -> None:
        """Removes the group and frees its slug. Raises NotFound."""
        ...

    def page(self, project: str, limit: int, cursor: str | None = None) -> GroupPage:
        """A project's groups, newest first, from a cursor on. Raises Invalid for a bad cursor."""
        ...
