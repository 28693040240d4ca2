"""Port ProjectStore."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from quintet.adapters.dynamodb.projects import DynamoProjects
from quintet.adapters.memory import MemoryProjects
from quintet.domain.errors import Conflict, NotFound
from quintet.services.ports.projects import Project, ProjectStore

from .conftest import make_table
from .samples import NOW, after

PROJECT = Project("p-1", "One", "one", "the first", "acme", NOW, NOW)


@pytest.fixture(params=["memory", "aws"])
def projects(request: pytest.FixtureRequest) -> ProjectStore:
    """An empty store of one implementation."""
    if request.param == "memory":
        return MemoryProjects()
    request.getfixturevalue("aws")
    return DynamoProjects(make_table("JobsTable"))


def test_a_project_is_read_back_whole(projects: ProjectStore) -> None:
    """Every field survives storing; unknown ones are NotFound."""
    bare = Project("p-2", "Two", "two", None, "acme", NOW, after(1))
    for project in (PROJECT, bare):
        projects.create(project)
        assert projects.get(project.id) == project
    for act in (
        lambda: projects.get("p-3"),
        lambda: projects.update(replace(PROJECT, id="p-3"), PROJECT),
        lambda: projects.delete("p-3", lambda: None),
    ):
        with pytest.raises(NotFound):
            act()


def test_a_slug_is_unique_below_its_owner(projects: ProjectStore) -> None:
    """A taken slug refuses creation and change whole; a slug given up, by change or deletion, is free again."""
    projects.create(PROJECT)
    with pytest.raises(Conflict, match="slug"):
        projects.create(replace(PROJECT, id="p-2"))
    elsewhere = replace(PROJECT, id="p-2", owner="other")
    projects.create(elsewhere)
    second = replace(PROJECT, id="p-3", slug="three")
    projects.create(second)
    with pytest.raises(Conflict, match="slug"):
        projects.update(replace(second, slug="one"), second)
    assert projects.get("p-3") == second
    moved = replace(PROJECT, slug="uno", name="Uno")
    projects.update(moved, PROJECT)
    projects.update(replace(second, slug="one"), second)
    projects.delete("p-1", lambda: None)
    projects.create(replace(PROJECT, id="p-4", slug="uno"))
    assert [project.id for project in projects.page("acme", 9).projects] == ["p-4", "p-3"]


def test_of_two_changes_of_one_project_the_second_is_told(projects: ProjectStore) -> None:
    """A change of what is no longer there as it was is a Conflict."""
    projects.create(PROJECT)
    projects.update(replace(PROJECT, name="A"), PROJECT)
    with pytest.raises(Conflict):
        projects.update(replace(PROJECT, name="B"), PROJECT)
    assert projects.get("p-1").name == "A"


def test_racing_creations_take_a_slug_once(projects: ProjectStore) -> None:
    """Of many projects with one slug one is made."""

    def create(number: int) -> bool:
        try:
            projects.create(replace(PROJECT, id=f"p-{number}"))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(create, range(10))) == 1
    assert len(projects.page("acme", 50).projects) == 1


def test_projects_are_paged_newest_first_and_the_last_one_comes_last(projects: ProjectStore) -> None:
    """Whatever the size of the pages, each project comes once and the given one behind all."""
    made = [replace(PROJECT, id=f"p-{number}", slug=f"s-{number}") for number in range(5)]
    for project in made:
        projects.create(project)
    projects.create(replace(PROJECT, id="p-9", owner="other"))
    own = Project("acme", "acme", "acme")
    for last, wanted in ((None, made[::-1]), (own, [*made[::-1], own])):
        for limit in (1, 2, 3, 5, 6, 50):
            found: list[Project] = []
            cursor: str | None = None
            while True:
                page = projects.page("acme", limit, cursor, last)
                found += page.projects
                cursor = page.cursor
                if cursor is None:
                    break
                assert len(page.projects) == limit
            assert found == wanted
