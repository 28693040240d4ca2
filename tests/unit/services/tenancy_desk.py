"""Keys and projects over stores in memory."""

import pytest

from quintet.adapters.memory import ManualClock, MemoryKeys, MemoryProjects, SeededIds
from quintet.domain.errors import Invalid
from quintet.services.keys import ManageKeys, digest_of
from quintet.services.ports.keys import Key
from quintet.services.ports.projects import Project
from quintet.services.projects import Projects


class Desk:
    """The services over stores in memory; `jobs` says how many jobs a project has."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ids = SeededIds(7, self.clock)
        store = MemoryProjects()
        self.keys = MemoryKeys(store)
        self.jobs: dict[str, int] = {}
        self.projects = Projects(store, self.keys, lambda project: self.jobs.get(project, 0), self.clock, self.ids)
        self.manage = ManageKeys(self.keys, self.projects, self.clock, self.ids)

    def key(self, *scopes: str, project: str = "default") -> Key:
        """A key with those scopes, as authentication finds it."""
        made = Key(self.ids.new(), project, project, "caller", "qk_calle", frozenset(scopes), self.clock.now())
        self.keys.put(digest_of(made.id), made)
        return made

    def child(self, by: Key, name: str = "child") -> Project:
        """A project made with a key."""
        return self.projects.create(by, name)


def places(fault: pytest.ExceptionInfo[Invalid]) -> list[tuple[str | int, ...]]:
    """Where the input is wrong."""
    return [problem.place for problem in fault.value.problems]
