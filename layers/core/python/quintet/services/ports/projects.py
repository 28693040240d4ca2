"""Where projects are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Project:
    """A project: what jobs, runs and keys belong to. One that was never recorded (the local cloud's `default`) has no times."""

    id: str
    name: str
    slug: str
    description: str | None = None
    owner: str | None = None
    """The project whose keys made it."""
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def recorded(self) -> bool:
        """True for a project that has a record."""
        return self.created_at is not None


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """A part of a list of projects, newest first; with a `cursor` there are more."""

    projects: Sequence[Project]
    cursor: str | None = None


class ProjectStore(Protocol):
    """Projects with slugs that are unique below their owner."""

    def create(self, project: Project) -> None:
        """Writes a new project. Raises Conflict for a taken slug."""
        ...

    def get(self, project_id: str) -> Project:
        """Raises NotFound."""
        ...

    def update(self, project: Project, was: Project) -> None:
        """Writes a project anew. Raises NotFound, Conflict for a taken slug or when it is no longer what it `was`."""
        ...

    def delete(self, project_id: str, check: Callable[[], None]) -> None:
        """Removes a project after `check`, which raises when something stands against it, and is asked anew when a key was added
        meanwhile. Raises NotFound, and what `check` raises."""
        ...

    def page(self, owner: str, limit: int, cursor: str | None = None, last: Project | None = None) -> ProjectPage:
        """The projects of an owner, newest first, and `last` behind them. Raises Invalid for a bad cursor."""
        ...
