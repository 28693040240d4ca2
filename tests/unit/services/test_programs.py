"""Programs under races: whoever writes at the same moment, one program has a name."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from quintet.adapters.memory import ManualClock, MemoryBlobs, MemoryVault
from quintet.adapters.memory.collections import MemoryCollections
from quintet.domain.errors import Conflict, Invalid, NotFound
from quintet.domain.program import JSON, SQL
from quintet.services.ports.collections import Record
from quintet.services.programs import Programs


class Interrupted(MemoryCollections):
    """Collections in which something happens just before the next write."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Any] = []

    def _interrupt(self) -> None:
        if self.before:
            self.before.pop(0)()

    def add(self, record: Record) -> None:
        self._interrupt()
        super().add(record)

    def change(self, record: Record) -> Record:
        self._interrupt()
        return super().change(record)


@pytest.fixture
def collections() -> Interrupted:
    """Empty collections."""
    return Interrupted()


@pytest.fixture
def blobs() -> MemoryBlobs:
    """No blobs yet."""
    return MemoryBlobs()


@pytest.fixture
def programs(collections: Interrupted, blobs: MemoryBlobs) -> Programs:
    """Programs over them, where every address may be called."""
    guard = SimpleNamespace(refusal=lambda _url: None)
    return Programs(collections, blobs, MemoryVault(), guard, ManualClock())


def test_of_two_that_make_a_program_the_later_changes_it(collections: Interrupted, programs: Programs) -> None:
    """Both are answered; the name leads to one, with the bytes of the one that wrote last."""
    collections.before = [lambda: programs.put("p1", "q", SQL, b"SELECT 1")]

    made, created = programs.put("p1", "q", SQL, b"SELECT 2")

    assert not created
    assert programs.get("p1", "q") == made
    assert programs.source(made) == b"SELECT 2"
    assert programs.count("p1") == 1


def test_a_program_that_is_removed_while_it_is_changed_is_made_anew(
    collections: Interrupted, programs: Programs
) -> None:
    """The change was asked for after the removal was."""
    programs.put("p1", "q", SQL, b"SELECT 1")
    collections.before = [lambda: programs.remove("p1", "q")]

    made, created = programs.put("p1", "q", SQL, b"SELECT 2")

    assert created
    assert made.number > 1
    assert programs.source(programs.get("p1", "q")) == b"SELECT 2"


def test_a_program_that_others_change_all_the_time_is_refused(collections: Interrupted, programs: Programs) -> None:
    """Rather than tried for ever."""
    programs.put("p1", "q", SQL, b"SELECT 0")

    def write(number: int) -> None:
        record = collections.named("p1", "programs", "q")
        MemoryCollections.change(collections, replace(record, body={**record.body, "sizeBytes": number}))

    collections.before = [lambda number=number: write(number) for number in range(50)]

    with pytest.raises(Conflict, match="is being changed by others"):
        programs.put("p1", "q", SQL, b"SELECT 1")


def test_a_run_keeps_the_program_it_began_with(programs: Programs) -> None:
    """The bytes of a program that was replaced, or removed, are there."""
    first, _ = programs.put("p1", "q", SQL, b"SELECT 1")
    programs.put("p1", "q", SQL, b"SELECT 2")
    programs.remove("p1", "q")

    assert programs.source(first) == b"SELECT 1"
    with pytest.raises(NotFound):
        programs.find("p1", "q")


def test_headers_open_for_their_own_program_only(programs: Programs, blobs: MemoryBlobs) -> None:
    """A record that names another project's bytes gets none of what is sealed in them."""
    body = b'{"url": "http://a.example", "headers": {"Authorization": "s3cret"}}'
    theirs, _ = programs.put("p1", "call", JSON, body)
    mine = replace(theirs, project="p2")
    blobs.put(mine.blob, blobs.get(theirs.blob))

    with pytest.raises(Invalid):
        programs.endpoint(mine)
