"""Projects in DynamoDB, in the jobs' table.

PROJECT#<id>               #META          the project (`view`); `rev` counts its writes and the keys added to it
PROJECTS#<owner>           <project id>   the owner's list
PROJECTSLUG#<owner>#<slug> #SLUG          the project that has the slug
"""

from collections.abc import Callable

from quintet.adapters.cursors import from_cursor, to_cursor
from quintet.adapters.dynamodb.table import Item, Operation, Refused, Table, key, number, text
from quintet.adapters.project_records import project_from_text, project_to_text
from quintet.domain.errors import Conflict, NotFound
from quintet.services.ports.projects import Project, ProjectPage

META, SLUG = "#META", "#SLUG"
_NEW = "attribute_not_exists(pk)"
_AS_READ = "rev = :rev"


class DynamoProjects:
    """Port ProjectStore on the jobs' table."""

    def __init__(self, table: str) -> None:
        self._table = Table(table)

    def create(self, project: Project) -> None:
        """Writes a new project. Raises Conflict for a taken slug."""
        new = {"Item": _item(project, 1), "ConditionExpression": _NEW}
        changes: list[Operation] = [("project", "Put", new), _claim(project)]
        changes.append(("listed", "Put", {"Item": key(f"PROJECTS#{project.owner}", project.id)}))
        try:
            self._write(changes)
        except Refused as refused:
            raise _taken(project, refused) from None

    def update(self, project: Project, was: Project) -> None:
        """Writes a project anew. Raises NotFound, Conflict."""
        while True:
            stored, rev = self._stored(project.id)
            if stored != was:
                raise Conflict(f"project {project.id} was changed meanwhile")
            values = {":rev": number(rev)}
            put = {
                "Item": _item(project, rev + 1),
                "ConditionExpression": _AS_READ,
                "ExpressionAttributeValues": values,
            }
            changes: list[Operation] = [("project", "Put", put)]
            if project.slug != stored.slug:
                changes += [_claim(project), ("freed", "Delete", {"Key": _slug_key(stored)})]
            try:
                self._write(changes)
            except Refused as refused:
                if "slug" in refused.labels:
                    raise _taken(project, refused) from None
                continue  # a key was added since it was read
            return

    def delete(self, project_id: str, check: Callable[[], None]) -> None:
        """Removes a project after `check`, asked anew when a key was added meanwhile. Raises NotFound, and what `check` raises."""
        while True:
            stored, rev = self._stored(project_id)
            check()
            condition = {"ConditionExpression": _AS_READ, "ExpressionAttributeValues": {":rev": number(rev)}}
            changes: list[Operation] = [
                ("project", "Delete", {"Key": key(f"PROJECT#{project_id}", META), **condition}),
                ("listed", "Delete", {"Key": key(f"PROJECTS#{stored.owner}", project_id)}),
                ("freed", "Delete", {"Key": _slug_key(stored)}),
            ]
            try:
                self._write(changes)
            except Refused:
                continue
            return

    def _write(self, changes: list[Operation]) -> None:
        self._table.transact(lambda _: changes)

    def get(self, project_id: str) -> Project:
        """Raises NotFound."""
        return self._stored(project_id)[0]

    def _stored(self, project_id: str) -> tuple[Project, int]:
        item = self._table.get(f"PROJECT#{project_id}", META)
        if item is None:
            raise NotFound(f"no project {project_id}")
        return project_from_text(item["view"]["S"]), int(item["rev"]["N"])

    def page(self, owner: str, limit: int, cursor: str | None = None, last: Project | None = None) -> ProjectPage:
        """The projects of an owner, newest first, and `last` behind them. Raises Invalid for a bad cursor."""
        values = {":pk": text(f"PROJECTS#{owner}")}
        condition = "pk = :pk"
        if (before := from_cursor("projects", cursor)) is not None:
            values[":before"] = text(before)
            condition += " AND sk < :before"
        entries = self._table.slice(
            0,
            limit + 1,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        names = [entry["sk"]["S"] for entry in entries]
        found = self._table.get_many((f"PROJECT#{name}", META) for name in names[:limit])
        items = [found[f"PROJECT#{name}", META] for name in names[:limit] if (f"PROJECT#{name}", META) in found]
        projects = [project_from_text(item["view"]["S"]) for item in items]
        if last is not None and len(names) < limit:
            projects.append(last)
        more = limit <= len(names) if last is not None else limit < len(names)
        return ProjectPage(projects, to_cursor("projects", names[limit - 1]) if more and limit > 0 else None)


def added(project_id: str) -> Operation:
    """Notes that a key is added to a project; refused when the project is gone."""
    update = {
        "Key": key(f"PROJECT#{project_id}", META),
        "UpdateExpression": "ADD rev :one",
        "ConditionExpression": "attribute_exists(pk)",
        "ExpressionAttributeValues": {":one": number(1)},
    }
    return "project", "Update", update


def _item(project: Project, rev: int) -> Item:
    return key(f"PROJECT#{project.id}", META) | {"view": text(project_to_text(project)), "rev": number(rev)}


def _slug_key(project: Project) -> Item:
    return key(f"PROJECTSLUG#{project.owner}#{project.slug}", SLUG)


def _claim(project: Project) -> Operation:
    return "slug", "Put", {"Item": _slug_key(project) | {"project": text(project.id)}, "ConditionExpression": _NEW}


def _taken(project: Project, refused: Refused) -> Conflict:
    if "slug" in refused.labels:
        return Conflict(f"slug {project.slug!r} is taken")
    return Conflict(f"project {project.id} exists")
