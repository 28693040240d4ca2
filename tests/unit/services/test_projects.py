"""Projects as the holders of keys may use them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tenancy_desk import Desk, places

from quintet.domain.errors import Conflict, Invalid, NotFound
from quintet.services.ports.projects import Project


@pytest.fixture
def desk() -> Desk:
    """Nothing but the project `default`."""
    return Desk()


def test_the_own_project_needs_no_record(desk: Desk) -> None:
    """`default` is there for its keys, named so, and can be neither changed nor deleted."""
    admin = desk.key("admin")
    assert desk.projects.get(admin, "default") == Project("default", "default", "default")
    for act in (
        lambda: desk.projects.update(admin, "default", {"name": "other"}),
        lambda: desk.projects.delete(admin, "default"),
    ):
        with pytest.raises(Conflict):
            act()


def test_a_new_project_belongs_to_the_callers(desk: Desk) -> None:
    """With an id, times and a slug made of its name."""
    project = desk.projects.create(desk.key("projects:write"), "My Project", description="for me")
    assert (project.name, project.slug, project.description, project.owner) == (
        "My Project",
        "my-project",
        "for me",
        "default",
    )
    assert project.created_at == project.updated_at == desk.clock.now()
    assert desk.projects.get(desk.key("admin"), project.id) == project


def test_a_slug_that_is_made_is_made_free(desk: Desk) -> None:
    """One that is asked for and taken is a Conflict; names without letters, and very long ones, get one too."""
    admin = desk.key("admin")
    assert [desk.child(admin, "A b").slug for _ in range(3)] == ["a-b", "a-b-2", "a-b-3"]
    with pytest.raises(Conflict):
        desk.projects.create(admin, "C", "a-b")
    assert desk.child(admin, "日本").slug == "project"
    long = [desk.child(admin, "x" * 200).slug for _ in range(25)]
    assert len(set(long)) == 25
    assert {len(slug) for slug in long} == {128}


def test_every_fault_of_a_project_has_its_place(desk: Desk) -> None:
    """At creation and at change alike; a field that a project doesn't have is one."""
    admin = desk.key("admin")
    with pytest.raises(Invalid) as fault:
        desk.projects.create(admin, "", "No Slug", "d" * 5000)
    assert sorted(places(fault)) == [("description",), ("name",), ("slug",)]
    child = desk.child(admin)
    for changes in ({"name": None}, {"slug": ""}, {"slug": None}, {"owner": "me"}, {"description": 5}):
        with pytest.raises(Invalid) as fault:
            desk.projects.update(admin, child.id, changes)
        assert places(fault) == [(next(iter(changes)),)]
    assert desk.projects.get(admin, child.id) == child


def test_a_change_names_fields(desk: Desk) -> None:
    """The others stay; a change of nothing changes no time; a taken slug is a Conflict."""
    admin = desk.key("admin")
    child = desk.projects.create(admin, "One", description="first")
    desk.child(admin, "Two")
    desk.clock.advance(5)
    changed = desk.projects.update(admin, child.id, {"slug": "uno", "description": None})
    assert changed == replace(child, slug="uno", description=None, updated_at=desk.clock.now())
    desk.clock.advance(5)
    assert desk.projects.update(admin, child.id, {"slug": "uno"}) == changed == desk.projects.get(admin, child.id)
    with pytest.raises(Conflict, match="two"):
        desk.projects.update(admin, child.id, {"slug": "two"})


@pytest.mark.parametrize(
    ("scopes", "sees", "changes"),
    [
        (["admin"], True, True),
        (["*"], True, True),
        (["projects:*"], True, True),
        (["projects:read"], True, False),
        (["projects:write"], False, True),
        (["jobs:*", "runs:*", "api-keys:manage"], False, False),
    ],
)
def test_which_scopes_reach_the_projects_a_project_made(
    desk: Desk, scopes: list[str], sees: bool, changes: bool
) -> None:
    """Reading and changing each need their scope; without it the project is not there. The own one always is."""
    child = desk.child(desk.key("admin"))
    caller = desk.key(*scopes)

    def found(act: Any) -> bool:
        try:
            act()
        except NotFound:
            return False
        return True

    assert found(lambda: desk.projects.get(caller, child.id)) is sees
    assert (child in desk.projects.page(caller, 5).projects) is sees
    assert found(lambda: desk.projects.update(caller, child.id, {"name": "n"})) is changes
    assert found(lambda: desk.projects.delete(caller, child.id)) is changes
    assert [project.id for project in desk.projects.page(caller, 5).projects][-1] == "default"


def test_the_list_ends_with_the_own_project(desk: Desk) -> None:
    """Page by page each project once, newest first, and nobody else's."""
    admin = desk.key("admin")
    made = [desk.child(admin) for _ in range(4)]
    desk.child(desk.key("admin", project="elsewhere"))
    for limit in (1, 2, 4, 5, 9):
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = desk.projects.page(admin, limit, cursor)
            found += [project.id for project in page.projects]
            cursor = page.cursor
            if cursor is None:
                break
        assert found == [*(project.id for project in made[::-1]), "default"]


def test_a_project_with_jobs_or_working_keys_is_not_deleted(desk: Desk) -> None:
    """Revoked and expired keys, however many, don't stand in the way."""
    admin = desk.key("admin")
    child = desk.child(admin)
    desk.jobs[child.id] = 1
    with pytest.raises(Conflict, match="1 job"):
        desk.projects.delete(admin, child.id)
    desk.jobs[child.id] = 0
    oldest, _ = desk.manage.issue(admin, child.id, "a")
    for _ in range(120):
        desk.manage.revoke(admin, desk.manage.issue(admin, child.id, "b")[0].id)
    desk.manage.issue(admin, child.id, "c", None, desk.clock.now() + timedelta(seconds=5))
    desk.clock.advance(5)
    with pytest.raises(Conflict, match="keys"):
        desk.projects.delete(admin, child.id)
    desk.manage.revoke(admin, oldest.id)
    desk.projects.delete(admin, child.id)
    with pytest.raises(NotFound):
        desk.projects.get(admin, child.id)
    with pytest.raises(NotFound):
        desk.manage.issue(admin, child.id, "d")
    assert desk.child(admin).slug == child.slug
