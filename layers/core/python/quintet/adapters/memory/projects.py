"""Projects in memory."""

from collections.abc import Callable
from threading import RLock

from quintet.adapters.cursors import from_cursor, to_cursor
from quintet.adapters.project_records import project_from_text, project_to_text
from quintet.domain.errors import Conflict, NotFound
from quintet.services.ports.projects import Project, ProjectPage


class MemoryProjects:
    """Port ProjectStore in dictionaries of JSON texts."""

    def __init__(self) -> None:
        self._records: dict[str, str] = {}
        self._slugs: dict[tuple[str | None, str], str] = {}
        self._keys_added: dict[str, int] = {}
        self._lock = RLock()

    def create(self, project: Project) -> None:
        """Writes a new project. Raises Conflict for a taken slug."""
        with self._lock:
            if project.id in self._records:
                raise Conflict(f"project {project.id} exists")
            self._claim(None, project)
            self._records[project.id] = project_to_text(project)

    def _claim(self, before: Project | None, project: Project) -> None:
        claim = (project.owner, project.slug)
        if self._slugs.get(claim, project.id) != project.id:
            raise Conflict(f"slug {project.slug!r} is taken")
        if before is not None:
            del self._slugs[before.owner, before.slug]
        self._slugs[claim] = project.id

    def get(self, project_id: str) -> Project:
        """Raises NotFound."""
        with self._lock:
            text = self._records.get(project_id)
        if text is None:
            raise NotFound(f"no project {project_id}")
        return project_from_text(text)

    def touch(self, project_id: str) -> None:
        """Notes that a key is added to a project. Raises NotFound."""
        with self._lock:
            self.get(project_id)
            self._keys_added[project_id] = self._keys_added.get(project_id, 0) + 1

    def update(self, project: Project, was: Project) -> None:
        """Writes a project anew. Raises NotFound, Conflict."""
        with self._lock:
            stored = self.get(project.id)
            if stored != was:
                raise Conflict(f"project {project.id} was changed meanwhile")
            self._claim(stored, project)
            self._records[project.id] = project_to_text(project)

    def delete(self, project_id: str, check: Callable[[], None]) -> None:
        """Removes a project after `check`, asked anew when a key was added meanwhile. Raises NotFound, and what `check` raises."""
        while True:
            with self._lock:
                self.get(project_id)
                added = self._keys_added.get(project_id, 0)
            check()
            with self._lock:
                stored = self.get(project_id)
                if self._keys_added.get(project_id, 0) == added:
                    del self._records[project_id]
                    del self._slugs[stored.owner, stored.slug]
                    return

    def page(self, owner: str, limit: int, cursor: str | None = None, last: Project | None = None) -> ProjectPage:
        """The projects of an owner, newest first, and `last` behind them. Raises Invalid for a bad cursor."""
        before = from_cursor("projects", cursor)
        with self._lock:
            projects = [project_from_text(text) for text in self._records.values()]
        owned = sorted((one for one in projects if one.owner == owner), key=lambda one: one.id, reverse=True)
        left = [one for one in owned if before is None or one.id < before]
        if last is not None:
            left.append(last)
        more = 0 < limit < len(left)
        return ProjectPage(left[:limit], to_cursor("projects", left[limit - 1].id) if more else None)
