"""Ports Keys and ProjectStore, which share a table: a key is added only to a project that is there."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from quintet.adapters.dynamodb.keys import DynamoKeys
from quintet.adapters.dynamodb.projects import DynamoProjects
from quintet.adapters.memory import MemoryKeys, MemoryProjects
from quintet.domain.errors import Conflict, Invalid, NotFound
from quintet.services.ports.keys import Key, Keys
from quintet.services.ports.projects import Project, ProjectStore

from .conftest import make_table
from .samples import NOW, after


@dataclass(frozen=True)
class Desk:
    """Both stores of one place."""

    keys: Keys
    projects: ProjectStore


@pytest.fixture(params=["memory", "aws"])
def desk(request: pytest.FixtureRequest) -> Desk:
    """Empty stores of one implementation."""
    if request.param == "memory":
        projects = MemoryProjects()
        return Desk(MemoryKeys(projects), projects)
    request.getfixturevalue("aws")
    table = make_table("JobsTable")
    return Desk(DynamoKeys(table), DynamoProjects(table))


@pytest.fixture
def keys(desk: Desk) -> Keys:
    """Keys of no recorded project."""
    return desk.keys


def digest(number: int) -> str:
    """A digest of its own."""
    return f"{number:064x}"


KEY = Key("key-1", "acme", "acme", "ci", "qk_12345", frozenset({"admin", "runs:read"}), NOW)


def a_key(number: int, **changes: Any) -> Key:
    """A key with an id in the order of its number."""
    return replace(KEY, id=f"key-{number:03d}", **changes)


def test_a_key_is_found_by_its_digest(keys: Keys) -> None:
    """Whole, and only by its own digest."""
    full = a_key(2, owner="me", expires_at=after(1), revoked_at=after(2), last_used_at=after(3))
    keys.put(digest(1), KEY)
    keys.put(digest(2), full)
    assert keys.find(digest(1)) == keys.get("acme", "key-1") == KEY
    assert keys.find(digest(2)) == keys.get("acme", "key-002") == full
    assert keys.find(digest(3)) is None
    assert keys.project_of("key-002") == "acme"


def test_a_key_written_again_is_replaced(keys: Keys) -> None:
    """Under the same secret with what is new of it; under another one, the secret before stops working."""
    keys.put(digest(1), KEY)
    renamed = replace(KEY, name="renamed")
    keys.put(digest(1), renamed)
    assert keys.find(digest(1)) == renamed
    keys.put(digest(2), renamed)
    assert keys.find(digest(1)) is None
    assert keys.find(digest(2)) == renamed
    assert [key.id for key in keys.page("acme", 9).keys] == ["key-1"]


def test_another_projects_key_is_not_found(keys: Keys) -> None:
    """An unknown key, and one of another project, are NotFound alike."""
    keys.put(digest(1), KEY)
    for project, key_id in (("other", "key-1"), ("acme", "key-9")):
        for act in (
            lambda project=project, key_id=key_id: keys.get(project, key_id),
            lambda project=project, key_id=key_id: keys.revoke(project, key_id, NOW),
            lambda project=project, key_id=key_id: keys.rotate(project, key_id, digest(7), "qk_"),
        ):
            with pytest.raises(NotFound):
                act()
    with pytest.raises(NotFound):
        keys.project_of("key-9")
    assert keys.find(digest(1)) == KEY


def test_keys_are_paged_newest_first(keys: Keys) -> None:
    """Every key of the project comes once, whatever the size of the pages; the last page has no cursor."""
    made = [a_key(number) for number in range(7)]
    for number, key in enumerate(made):
        keys.put(digest(number), key)
    keys.put(digest(100), a_key(100, project="other"))
    for limit in (1, 2, 3, 7, 50):
        found: list[Key] = []
        cursor: str | None = None
        while True:
            page = keys.page("acme", limit, cursor)
            found += page.keys
            cursor = page.cursor
            if cursor is None:
                break
            assert len(page.keys) == limit
        assert found == made[::-1]
    assert keys.page("nobody", 5).keys == []
    assert keys.page("nobody", 5).cursor is None


@pytest.mark.parametrize("cursor", ["", "?", "a2V5cw", "cHJvamVjdHM6YQ", "ü", "x" * 5000])
def test_a_cursor_of_nothing_is_refused(desk: Desk, cursor: str) -> None:
    """A damaged cursor, or another list's, is the caller's fault."""
    with pytest.raises(Invalid) as keys_fault:
        desk.keys.page("acme", 5, cursor)
    assert keys_fault.value.problems[0].place == ("cursor",)
    if cursor != "cHJvamVjdHM6YQ":  # "projects:a"
        with pytest.raises(Invalid):
            desk.projects.page("acme", 5, cursor)


def test_a_revoked_key_keeps_its_first_moment(keys: Keys) -> None:
    """Revoking is idempotent, and seen by whoever finds or lists the key."""
    keys.put(digest(1), KEY)
    gone = replace(KEY, revoked_at=after(5))
    assert keys.revoke("acme", "key-1", after(5)) == gone
    assert keys.revoke("acme", "key-1", after(9)) == gone
    assert keys.find(digest(1)) == gone
    assert keys.page("acme", 5).keys == [gone]


def test_a_rotated_key_has_one_secret(keys: Keys) -> None:
    """The new secret finds the same key with its new prefix; the old one finds nothing."""
    keys.put(digest(1), KEY)
    turned = keys.rotate("acme", "key-1", digest(2), "qk_new12")
    assert turned == replace(KEY, prefix="qk_new12") == keys.find(digest(2)) == keys.get("acme", "key-1")
    assert keys.find(digest(1)) is None
    assert keys.page("acme", 5).keys == [turned]


def test_a_revoked_key_is_not_rotated(keys: Keys) -> None:
    """It would come back to life: Conflict, and the new secret finds nothing."""
    keys.put(digest(1), KEY)
    keys.revoke("acme", "key-1", after(1))
    with pytest.raises(Conflict):
        keys.rotate("acme", "key-1", digest(2), "qk_new12")
    assert keys.find(digest(2)) is None


def test_racing_rotations_leave_one_secret(keys: Keys) -> None:
    """However many rotate at once, one secret works afterwards, and it is the one that the list shows."""
    keys.put(digest(1), KEY)
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda number: keys.rotate("acme", "key-1", digest(number), f"qk_{number}"), range(2, 10)))
    working = [key for number in range(1, 10) if (key := keys.find(digest(number))) is not None]
    assert working == [keys.get("acme", "key-1")]


def test_a_revocation_is_never_lost_to_a_rotation(keys: Keys) -> None:
    """Whichever of the two comes first, no secret of the key works in the end."""
    for number in range(6):
        key = a_key(number)
        keys.put(digest(number * 10), key)

        def turn(key: Key = key, number: int = number) -> None:
            with suppress(Conflict):
                keys.rotate("acme", key.id, digest(number * 10 + 1), "qk_")

        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(turn), pool.submit(keys.revoke, "acme", key.id, after(1))]
            assert [one.exception() for one in both] == [None, None]
        found = [keys.find(digest(number * 10 + step)) for step in (0, 1)]
        assert [one.revoked_at for one in found if one is not None] == [after(1)]


def test_the_last_use_is_noted_once_a_minute(keys: Keys) -> None:
    """A use within a minute of the noted one changes nothing; neither does that of an unknown secret."""
    keys.put(digest(1), KEY)
    for seconds, noted in ((0, 0), (59, 0), (60, 60), (30, 60), (119, 60), (121, 121)):
        keys.used(digest(1), after(seconds))
        found = keys.find(digest(1))
        assert found is not None
        assert found.last_used_at == after(noted)
    keys.used(digest(9), NOW)
    assert keys.find(digest(9)) is None


def test_use_does_not_hide_a_revocation(keys: Keys) -> None:
    """Both are kept of a key, and a rotation keeps its last use."""
    keys.put(digest(1), KEY)
    keys.used(digest(1), after(1))
    keys.rotate("acme", "key-1", digest(2), "qk_")
    keys.revoke("acme", "key-1", after(2))
    keys.used(digest(2), after(200))
    found = keys.find(digest(2))
    assert found is not None
    assert (found.revoked_at, found.last_used_at) == (after(2), after(200))


# --- keys and their project ----------------------------------------------------------------------------------------------------

PROJECT = Project("p-1", "One", "one", "the first", "acme", NOW, NOW)


def test_a_key_is_added_to_a_project_that_is_there(desk: Desk) -> None:
    """With a record that is gone, no key is written; without one to begin with, it is."""
    desk.projects.create(PROJECT)
    desk.keys.add(digest(1), a_key(1, project="p-1"), recorded=True)
    desk.keys.add(digest(2), a_key(2, project="default"), recorded=False)
    with pytest.raises(NotFound):
        desk.keys.add(digest(3), a_key(3, project="p-2"), recorded=True)
    assert [desk.keys.find(digest(number)) is not None for number in (1, 2, 3)] == [True, True, False]
    with pytest.raises(NotFound):
        desk.projects.get("p-2")


def test_a_project_is_not_deleted_past_a_new_key(desk: Desk) -> None:
    """A key that is added between the check and the deletion has the check asked again."""
    desk.projects.create(PROJECT)
    asked: list[int] = []

    def check() -> None:
        asked.append(len(desk.keys.page("p-1", 9).keys))
        if asked[-1]:
            raise Conflict("there are keys")
        desk.keys.add(digest(1), a_key(1, project="p-1"), recorded=True)

    with pytest.raises(Conflict):
        desk.projects.delete("p-1", check)
    assert asked == [0, 1]
    assert desk.projects.get("p-1") == PROJECT


def test_keys_and_deletions_race_to_one_outcome(desk: Desk) -> None:
    """In the end there is either no project and no key of it, or both."""
    for number in range(6):
        project = replace(PROJECT, id=f"p-{number}", slug=f"s-{number}")
        desk.projects.create(project)

        def check(project: Project = project) -> None:
            if desk.keys.page(project.id, 1).keys:
                raise Conflict("there are keys")

        def attempt(act: Any, *args: Any, **kwargs: Any) -> bool:
            try:
                act(*args, **kwargs)
            except (Conflict, NotFound):
                return False
            return True

        key = a_key(number, project=project.id)
        with ThreadPoolExecutor(2) as pool:
            added = pool.submit(attempt, desk.keys.add, digest(number), key, recorded=True)
            deleted = pool.submit(attempt, desk.projects.delete, project.id, check)
            assert added.result() is not deleted.result()
        assert (desk.keys.find(digest(number)) is not None) is added.result()
