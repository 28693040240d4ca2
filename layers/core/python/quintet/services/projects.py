"""Makes, shows and removes projects, as far as a key may see them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from quintet.domain.errors import Conflict, Invalid, NotFound, Problem
from quintet.domain.scopes import allows
from quintet.domain.slug import SLUG, SLUG_LENGTH, slug_of
from quintet.services.ports.keys import Key, Keys
from quintet.services.ports.projects import Project, ProjectPage, ProjectStore
from quintet.services.ports.world import Clock, Ids

NAME_LENGTH = 255
DESCRIPTION_LENGTH = 4096
SLUG_TRIES = 20
WRITE_TRIES = 5
KEYS_AT_ONCE = 100
NO_SLUG = "project"


class Projects:
    """A key sees its own project and, if its scopes say so, the projects that were made with keys of its project."""

    def __init__(self, store: ProjectStore, keys: Keys, jobs_of: Callable[[str], int], clock: Clock, ids: Ids) -> None:
        self._store = store
        self._keys = keys
        self._jobs_of = jobs_of
        self._clock = clock
        self._ids = ids

    def create(self, by: Key, name: str, slug: str | None = None, description: str | None = None) -> Project:
        """A new project of the key's project. Raises Invalid, Conflict for a taken slug; one that is made of the name is made free."""
        _check({"name": name, "description": description} | ({} if slug is None else {"slug": slug}))
        now = self._clock.now()
        project = Project(self._ids.new(), name, slug or "", description, by.project, now, now)
        if slug is not None:
            self._store.create(project)
            return project
        stem = slug_of(name) or NO_SLUG
        for number in range(1, SLUG_TRIES):
            try:
                return self._create_as(project, stem if number == 1 else _with_end(stem, str(number)))
            except Conflict:
                continue
        return self._create_as(project, _with_end(stem, project.id[-12:]))

    def _create_as(self, project: Project, slug: str) -> Project:
        named = replace(project, slug=slug)
        self._store.create(named)
        return named

    def get(self, by: Key, project_id: str, scope: str = "projects:read") -> Project:
        """A project that the key sees. Raises NotFound for any other."""
        project = self._found(by, project_id)
        own = project_id == by.project
        if project is None or not (own or (project.owner == by.project and allows(by.scopes, scope))):
            raise NotFound(f"no project {project_id}")
        return project

    def _found(self, by: Key, project_id: str) -> Project | None:
        try:
            return self._store.get(project_id)
        except NotFound:
            # A project without a record is there as long as it has keys: the local cloud's, and the first of a deployment.
            return Project(project_id, project_id, project_id) if project_id == by.project else None

    def page(self, by: Key, limit: int, cursor: str | None = None) -> ProjectPage:
        """The projects that the key sees, newest first: its own one is older than those that were made from it, and comes last."""
        own = self.get(by, by.project)
        if not allows(by.scopes, "projects:read"):
            return ProjectPage([own])
        return self._store.page(by.project, limit, cursor, own)

    def update(self, by: Key, project_id: str, changes: Mapping[str, Any]) -> Project:
        """Changes name, slug or description. Raises NotFound, Invalid, Conflict for a taken slug and for a project without a record."""
        _check(changes)
        for _ in range(WRITE_TRIES):
            was = self._recorded(by, project_id)
            project = replace(was, **changes)
            if project == was:
                return was
            project = replace(project, updated_at=self._clock.now())
            try:
                self._store.update(project, was)
            except Conflict:
                if self._recorded(by, project_id) == was:
                    raise
            else:
                return project
        raise Conflict(f"project {project_id} is being changed by others")

    def delete(self, by: Key, project_id: str) -> None:
        """Removes a project. Raises NotFound, and Conflict while it has jobs or keys that work."""
        self._recorded(by, project_id)
        self._store.delete(project_id, lambda: self._refuse_used(project_id))

    def _recorded(self, by: Key, project_id: str) -> Project:
        project = self.get(by, project_id, "projects:write")
        if not project.recorded:
            raise Conflict(f"project {project_id} is built in")
        return project

    def _refuse_used(self, project_id: str) -> None:
        if jobs := self._jobs_of(project_id):
            raise Conflict(f"the project has {jobs} jobs")
        now = self._clock.now()
        cursor: str | None = None
        while True:
            page = self._keys.page(project_id, KEYS_AT_ONCE, cursor)
            if any(key.works(now) for key in page.keys):
                raise Conflict("the project has API keys that work: revoke them first")
            if (cursor := page.cursor) is None:
                return


def _with_end(stem: str, end: str) -> str:
    return f"{stem[: SLUG_LENGTH - len(end) - 1]}-{end}"


def _check(fields: Mapping[str, Any]) -> None:
    """Raises Invalid with every fault of what is given."""
    problems = [problem for name, value in fields.items() if (problem := _problem(name, value)) is not None]
    if problems:
        raise Invalid(problems)


def _problem(name: str, value: Any) -> Problem | None:
    match name:
        case "name":
            fits = isinstance(value, str) and bool(value.strip()) and len(value) <= NAME_LENGTH
            return None if fits else Problem((name,), f"a name has 1 to {NAME_LENGTH} characters")
        case "slug":
            fits = isinstance(value, str) and SLUG.fullmatch(value) is not None
            return None if fits else Problem((name,), f"a slug is 1 to {SLUG_LENGTH} of a-z, 0-9, - and _")
        case "description":
            fits = value is None or (isinstance(value, str) and len(value) <= DESCRIPTION_LENGTH)
            return None if fits else Problem((name,), f"a description has at most {DESCRIPTION_LENGTH} characters")
    return Problem((name,), "a project has no such field")
