"""Tables of free JSON rows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from quintet.adapters.memory import ManualClock, MemoryCollections
from quintet.domain.errors import NotFound, Throttled
from quintet.services.ports.collections import Record
from quintet.services.rows import TRIES, Rows


class Meddled(MemoryCollections):
    """Does something else between reading a row and writing it."""

    def __init__(self) -> None:
        super().__init__()
        self.meddle: Callable[[], Any] = lambda: None

    def change(self, record: Record) -> Record:
        """Lets the others go first."""
        meddle, self.meddle = self.meddle, lambda: None
        meddle()
        return super().change(record)


@pytest.fixture
def store() -> Meddled:
    """The store behind the rows."""
    return Meddled()


@pytest.fixture
def rows(store: Meddled) -> Rows:
    """No rows yet."""
    return Rows(store, ManualClock())


def test_fields_that_are_ours_are_not_kept(rows: Rows) -> None:
    """Neither of a new row nor of a change, at the top; further down they are anybody's."""
    row = rows.create("p", "t", {"id": "9", "createdAt": 1, "updatedAt": None, "a": {"id": 1}})
    assert (row.number, row.body) == (1, {"a": {"id": 1}})
    assert rows.merge("p", "t", 1, {"id": 5, "b": 2}).body == {"a": {"id": 1}, "b": 2}


def test_a_change_keeps_what_others_change(rows: Rows, store: Meddled) -> None:
    """Also what they write between its reading and its writing."""
    rows.create("p", "t", {"a": 1, "b": 1})
    store.meddle = lambda: rows.merge("p", "t", 1, {"b": 2, "c": 2})
    assert rows.merge("p", "t", 1, {"a": 3}).body == {"a": 3, "b": 2, "c": 2}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: rows.merge("p", "t", 1, {f"n{n}": n}), range(8)))
    assert rows.get("p", "t", 1).body == {"a": 3, "b": 2, "c": 2, **{f"n{n}": n for n in range(8)}}


def test_a_change_of_a_row_that_goes_meanwhile_finds_nothing(rows: Rows, store: Meddled) -> None:
    """It does not come back by being changed."""
    rows.create("p", "t", {"a": 1})
    store.meddle = lambda: rows.delete("p", "t", 1)
    with pytest.raises(NotFound, match="table t has no row 1"):
        rows.merge("p", "t", 1, {"a": 2})
    assert rows.count("p", "t") == 0


def test_who_is_always_overtaken_is_told_to_come_again(rows: Rows, store: Meddled) -> None:
    """After a bounded number of tries; of the others none is lost."""
    rows.create("p", "t", {"n": 0})
    overtaken = 0

    def overtake() -> None:
        nonlocal overtaken
        overtaken += 1
        rows.merge("p", "t", 1, {"n": overtaken})
        store.meddle = overtake

    store.meddle = overtake
    with pytest.raises(Throttled):
        rows.merge("p", "t", 1, {"mine": True})
    assert rows.get("p", "t", 1).body == {"n": TRIES}


def test_numbers_are_a_tables_own_and_never_given_again(rows: Rows) -> None:
    """Each table of each project counts from 1; what was deleted leaves a gap."""
    for number in (1, 2):
        assert rows.create("p", "t", {}).number == number
    assert rows.create("p", "u", {}).number == rows.create("q", "t", {}).number == 1
    rows.delete("p", "t", 2)
    assert rows.create("p", "t", {}).number == 3
    assert [row.number for row in rows.page("p", "t", 9)] == [1, 3]
