"""Port Groups."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from quintet.adapters.dynamodb.groups import DynamoGroups
from quintet.adapters.memory import MemoryGroups
from quintet.domain.errors import Conflict, Invalid, NotFound
from quintet.services.ports.groups import Groups, JobGroup
from quintet.services.ports.jobs import Taken

from .conftest import make_table
from .samples import IDS, NOW, after


@pytest.fixture(params=["memory", "aws"])
def groups(request: pytest.FixtureRequest) -> Groups:
    """An empty Groups."""
    if request.param == "memory":
        return MemoryGroups()
    request.getfixturevalue("aws")
    return DynamoGroups(make_table("JobsTable"))


def _create(groups: Groups, slug: str, **changes: Any) -> JobGroup:
    group = replace(JobGroup(IDS.new(), "acme", slug.title(), slug, NOW, NOW), **changes)
    groups.create(group)
    return group


def test_a_group_is_read_back_whole(groups: Groups) -> None:
    """By its own project only."""
    group = _create(groups, "nightly", description="ü", updated_at=after(1))
    assert groups.get("acme", group.id) == group
    for project, group_id in (("other", group.id), ("acme", "nobody")):
        with pytest.raises(NotFound):
            groups.get(project, group_id)


def test_a_slug_is_taken_once_in_a_project(groups: Groups) -> None:
    """Creation and change are refused whole; a slug given up is free again."""
    first, second = _create(groups, "one"), _create(groups, "two")
    _create(groups, "one", project="other")
    with pytest.raises(Taken, match="slug 'one' is taken"):
        _create(groups, "one")
    with pytest.raises(Taken):
        groups.update(replace(second, slug="one", name="x"), second)
    assert groups.get("acme", second.id) == second
    groups.update(replace(first, slug="three"), first)
    renamed = replace(second, slug="one")
    groups.update(renamed, second)
    assert groups.get("acme", second.id) == renamed
    groups.delete(renamed)
    _create(groups, "one")
    _create(groups, "two")


def test_a_group_is_changed_as_it_was_read(groups: Groups) -> None:
    """Of two who change the same the second is told; one that is gone is not found."""
    group = _create(groups, "one")
    renamed = replace(group, name="First")
    groups.update(renamed, group)
    with pytest.raises(Conflict):
        groups.update(replace(group, name="Second"), group)
    assert groups.get("acme", group.id) == renamed
    groups.delete(group)
    for act in (lambda: groups.update(group, renamed), lambda: groups.delete(group)):
        with pytest.raises(NotFound):
            act()


def test_of_racing_groups_one_gets_the_slug(groups: Groups) -> None:
    """However many ask for it at once."""

    def create(_: int) -> bool:
        try:
            _create(groups, "wanted")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(create, range(10))) == 1
    assert len(groups.page("acme", 10).groups) == 1


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
def test_groups_follow_each_other_by_cursor(groups: Groups, limit: int) -> None:
    """The project's, newest first, each once."""
    made = [_create(groups, f"g{place}") for place in range(5)]
    _create(groups, "g0", project="other")
    found, cursor = [], None
    while True:
        page = groups.page("acme", limit, cursor)
        found += page.groups
        cursor = page.cursor
        if cursor is None:
            break
    assert found == made[::-1]
    assert groups.page("acme", 0).groups == []


def test_a_bad_cursor_is_invalid(groups: Groups) -> None:
    """And its place is told."""
    with pytest.raises(Invalid) as refusal:
        groups.page("acme", 1, "nonsense")
    assert refusal.value.problems[0].place == ("cursor",)
