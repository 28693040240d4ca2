"""How projects are written down as JSON: one form for every store."""

import json
from typing import Any

from quintet.domain.events import from_millis, to_millis
from quintet.domain.jsontext import compact
from quintet.services.ports.projects import Project


def project_to_text(project: Project) -> str:
    """A project's record."""
    view: dict[str, Any] = {"id": project.id, "n": project.name, "s": project.slug}
    if project.description is not None:
        view["d"] = project.description
    if project.owner is not None:
        view["o"] = project.owner
    if project.created_at is not None:
        view["c"] = to_millis(project.created_at)
    if project.updated_at is not None:
        view["u"] = to_millis(project.updated_at)
    return compact(view)


def project_from_text(text: str) -> Project:
    """The project that `project_to_text` wrote."""
    view = json.loads(text)
    created, updated = view.get("c"), view.get("u")
    return Project(
        id=view["id"],
        name=view["n"],
        slug=view["s"],
        description=view.get("d"),
        owner=view.get("o"),
        created_at=None if created is None else from_millis(created),
        updated_at=None if updated is None else from_millis(updated),
    )
