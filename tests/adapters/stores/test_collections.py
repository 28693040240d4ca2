"""Port Collections."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from itertools import count, product
from typing import Any

import pytest

from quintet.adapters.collection_records import BODY_BYTES, PAGE_BYTES
from quintet.adapters.dynamodb.collections import DynamoCollections
from quintet.adapters.memory import MemoryCollections
from quintet.domain.errors import Conflict, NotFound, TooLarge
from quintet.services.ports.collections import Collections, Record
from quintet.services.ports.jobs import Taken

from .conftest import make_table
from .samples import NOW, after


@pytest.fixture(params=["memory", "aws"])
def collections(request: pytest.FixtureRequest) -> Collections:
    """An empty Collections."""
    if request.param == "memory":
        return MemoryCollections()
    request.getfixturevalue("aws")
    return DynamoCollections(make_table("DataTable"))


def _add(collections: Collections, number: int, **changes: Any) -> Record:
    record = replace(Record("acme", "rows/a", number, {"n": number}, NOW, NOW), **changes)
    collections.add(record)
    return record


def _numbers(records: list[Record]) -> list[int]:
    return [record.number for record in records]


def _at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """What each answered or raised; all were begun together."""

    def attempt(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except (Conflict, NotFound) as refused:
            return refused

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(attempt, works))


def test_a_record_is_read_back_whole(collections: Collections) -> None:
    """By its own project and collection only; the body is the reader's own."""
    body = {"a": [1, {"ü": None}], "": "\u0000 \\ud800 \U0001f600", "true": True}
    record = _add(collections, 7, body=body, name="Näme", updated_at=after(1))
    found = collections.get("acme", "rows/a", 7)
    assert found == record
    assert collections.named("acme", "rows/a", "Näme") == record
    found.body["a"].append(2)
    assert collections.get("acme", "rows/a", 7) == record
    for place in (("other", "rows/a", 7), ("acme", "rows/b", 7), ("acme", "rows/a", 8), ("acme", "rows/a", 10**30)):
        with pytest.raises(NotFound):
            collections.get(*place)
    for place in (("other", "rows/a", "Näme"), ("acme", "rows/b", "Näme"), ("acme", "rows/a", "näme")):
        with pytest.raises(NotFound):
            collections.named(*place)


@pytest.mark.parametrize(
    "number",
    [
        *(0, -1, 2**63, 10**30 + 1, -(10**200)),
        *map(Decimal, ("0.1", "1.10", "-0.0", "1E+400", "1E-400", "123456789012345678901234567890.123456789")),
    ],
    ids=lambda number: str(number)[:24],
)
def test_numbers_are_exact(collections: Collections, number: int | Decimal) -> None:
    """Whole ones of any size, others digit by digit, trailing zeros included."""
    _add(collections, 1, body={"at": [number]})
    changed = collections.change(collections.get("acme", "rows/a", 1))
    for record in (changed, *collections.page("acme", "rows/a", 9), *collections.get_many("acme", [("rows/a", 1)])):
        (found,) = record.body["at"]
        assert (type(found), str(found)) == (type(number), str(number))


def test_numbers_are_given_once(collections: Collections) -> None:
    """1, 2, 3, ... for each kind of each project, whoever asks at the same time, and whatever was removed."""
    given = _at_once([lambda: collections.next("acme", "rows/a")] * 20)
    assert sorted(given) == list(range(1, 21))
    assert collections.next("acme", "rows/b") == collections.next("other", "rows/a") == 1
    _add(collections, 20)
    collections.remove("acme", "rows/a", 20)
    assert collections.next("acme", "rows/a") == 21


def test_a_number_is_written_once(collections: Collections) -> None:
    """Who adds it again is refused, and the record stays; of many at once one is the first."""
    record = _add(collections, 1, name="one")
    for again in (replace(record, body={}), replace(record, name=None), replace(record, name="two")):
        with pytest.raises(Conflict) as refusal:
            collections.add(again)
        assert not isinstance(refusal.value, Taken)
    assert collections.page("acme", "rows/a", 9) == [record]
    with pytest.raises(NotFound):
        collections.named("acme", "rows/a", "two")
    answers = _at_once([lambda n=n: _add(collections, 2, body={"by": n}) for n in range(8)])
    (winner,) = [one for one in answers if isinstance(one, Record)]
    assert collections.get("acme", "rows/a", 2) == winner
    assert collections.count("acme", "rows/a") == 2


def test_a_name_is_taken_once_in_a_collection(collections: Collections) -> None:
    """Additions and changes are refused whole; a name given up, or whose record is gone, is free again."""
    first, second = _add(collections, 1, name="one"), _add(collections, 2, name="two")
    _add(collections, 1, name="one", collection="rows/b")
    _add(collections, 1, name="one", project="other")
    with pytest.raises(Taken, match="name 'one' is taken"):
        _add(collections, 3, name="one")
    with pytest.raises(Taken):
        collections.change(replace(second, name="one", body={}))
    assert collections.page("acme", "rows/a", 9) == [first, second]
    assert collections.count("acme", "rows/a") == 2
    first = collections.change(replace(first, name="three"))
    second = collections.change(replace(second, name="one"))
    assert collections.named("acme", "rows/a", "one") == second
    collections.change(replace(first, name=None))
    with pytest.raises(NotFound):
        collections.named("acme", "rows/a", "three")
    assert collections.remove("acme", "rows/a", 2) == second
    fourth = _add(collections, 4, name="one")
    assert collections.named("acme", "rows/a", "one") == fourth
    assert collections.change(replace(collections.get("acme", "rows/a", 1), name="two")).name == "two"


@pytest.mark.parametrize("name", ["", "#", "a#b", "x" * 5000, "\u0000", "ü\U0001f600"], ids=repr)
def test_any_text_is_a_name(collections: Collections, name: str) -> None:
    """Whatever its length and characters."""
    record = _add(collections, 1, name=name[:20000])
    assert collections.named("acme", "rows/a", name) == record
    with pytest.raises(Taken):
        _add(collections, 2, name=name)


def test_of_racing_names_one_is_granted(collections: Collections) -> None:
    """To additions and renamings alike; what was refused left nothing."""
    for number in range(1, 5):
        _add(collections, number)
    renaming = [
        lambda n=n: collections.change(replace(collections.get("acme", "rows/a", n), name="x")) for n in range(1, 5)
    ]
    adding = [lambda n=n: _add(collections, n, name="x") for n in range(5, 9)]
    answers = _at_once([*renaming, *adding])
    (winner,) = [one for one in answers if isinstance(one, Record)]
    assert all(isinstance(one, Taken) for one in answers if one is not winner)
    assert collections.named("acme", "rows/a", "x") == winner
    assert collections.count("acme", "rows/a") == len(collections.page("acme", "rows/a", 20)) == 4 + (winner.number > 4)


def test_a_record_is_changed_as_it_was_read(collections: Collections) -> None:
    """Of two who change the same the second is told; one that is gone is not found."""
    record = _add(collections, 1, name="one")
    changed = collections.change(replace(record, body={"b": 2}, updated_at=after(5)))
    assert changed == replace(record, body={"b": 2}, updated_at=after(5), revision=2)
    assert collections.get("acme", "rows/a", 1) == changed
    for stale in (record, replace(record, name="two"), replace(record, name=None)):
        with pytest.raises(Conflict):
            collections.change(stale)
    assert collections.get("acme", "rows/a", 1) == changed
    collections.remove("acme", "rows/a", 1)
    for act in (lambda: collections.change(changed), lambda: collections.remove("acme", "rows/a", 1)):
        with pytest.raises(NotFound):
            act()
    assert collections.page("acme", "rows/a", 9) == []


def test_no_change_is_lost(collections: Collections) -> None:
    """Whoever counts up at the same time, and tries again when refused, is counted."""
    _add(collections, 1, body={"n": 0})

    def count_up() -> None:
        while True:
            record = collections.get("acme", "rows/a", 1)
            try:
                collections.change(replace(record, body={"n": record.body["n"] + 1}))
            except Conflict:
                continue
            return

    _at_once([count_up] * 6)
    found = collections.get("acme", "rows/a", 1)
    assert (found.body, found.revision) == ({"n": 6}, 7)


def test_counts_are_exact_under_races(collections: Collections) -> None:
    """Records that come, go, are refused, and go twice at the same time are counted as those that are there."""
    for number in range(1, 9):
        _add(collections, number, name=str(number))
    works: list[Callable[[], Any]] = []
    for n in range(1, 9):
        works += [lambda n=n: collections.remove("acme", "rows/a", n)] * 2
        works += [lambda n=n: _add(collections, 10 + n, name=str(n % 4))]
    answers = _at_once(works)
    removed = [number for number in range(1, 9) for one in answers if isinstance(one, Record) and one.number == number]
    assert removed == list(range(1, 9))
    left = collections.page("acme", "rows/a", 99)
    assert collections.count("acme", "rows/a") == len(left)
    assert sorted(one.number for one in answers if isinstance(one, Record) and one.number > 10) == _numbers(left)
    assert [collections.named("acme", "rows/a", one.name or "") for one in left] == left
    assert collections.count("other", "rows/a") == collections.count("acme", "rows/b") == 0


def test_removal_while_it_is_changed(collections: Collections) -> None:
    """Takes what is there last, and frees the name that it has then."""
    for number in range(1, 7):
        _add(collections, number, name=f"old-{number}")

    def rename(number: int) -> Record:
        return collections.change(replace(collections.get("acme", "rows/a", number), name=f"new-{number}"))

    works = [[lambda n=n: rename(n), lambda n=n: collections.remove("acme", "rows/a", n)] for n in range(1, 7)]
    _at_once([one for pair in works for one in pair])
    assert collections.count("acme", "rows/a") == 0
    for number in range(1, 7):
        _add(collections, 10 + number, name=f"old-{number}")
        _add(collections, 20 + number, name=f"new-{number}")


def test_many_are_read_in_the_order_asked_for(collections: Collections) -> None:
    """From several collections, more than a request holds, repeated ones again, unknown ones left out."""
    for number in range(1, 106):
        _add(collections, number)
    _add(collections, 3, collection="rows/b")
    _add(collections, 500, project="other")
    wanted = [("rows/a", number) for number in range(105, 0, -1)]
    found = collections.get_many("acme", [*wanted, ("rows/a", 500), ("rows/b", 3), ("rows/c", 1), ("rows/a", 7)])
    assert [(one.collection, one.number) for one in found] == [*wanted, ("rows/b", 3), ("rows/a", 7)]
    twice = collections.get_many("acme", [("rows/a", 7), ("rows/a", 8), ("rows/a", 7)])
    assert _numbers(twice) == [7, 8, 7]
    assert collections.get_many("acme", []) == []


def test_a_page_is_a_part_of_the_collection(collections: Collections) -> None:
    """Lowest number first, as numbers are ordered, not texts; of its own collection only."""
    numbers = [1, 2, 10, 99, 100, 12345678]
    for number in (100, 2, 99, 12345678, 10, 1):
        _add(collections, number)
    _add(collections, 5, project="other")
    _add(collections, 5, collection="rows/a2")
    for limit, offset in product((0, 1, 3, 100), (0, 1, 4, 5, 6, 10**9)):
        assert _numbers(collections.page("acme", "rows/a", limit, offset)) == numbers[offset : offset + limit]
    assert collections.page("acme", "rows/never", 9) == collections.page("acme", "rows/never", 9, 9) == []


def test_pages_hold_still_while_others_write(collections: Collections) -> None:
    """Who walks a collection sees each record that stays exactly once, and in order: new ones come behind it; a removed one ahead of
    the walk leaves the rest in place."""
    for number in range(1, 31):
        _add(collections, number)
    fresh, doomed = count(31), iter(range(30, 20, -2))
    seen: list[int] = []
    while page := collections.page("acme", "rows/a", 4, len(seen)):
        seen += _numbers(page)
        if len(seen) < 20:
            _add(collections, next(fresh))
            collections.remove("acme", "rows/a", next(doomed))
    assert seen == sorted(set(seen))
    assert seen == _numbers(collections.page("acme", "rows/a", 100))
    assert set(range(1, 22)) <= set(seen)


def test_a_record_is_bounded(collections: Collections) -> None:
    """In the bytes of its text, when it is added and when it is changed; one below the bound is whole."""
    room = BODY_BYTES - len('{"a":""}')
    record = _add(collections, 1, body={"a": "ü" * (room // 2)}, name="x" * 500)
    assert collections.get("acme", "rows/a", 1) == record
    for body in ({"a": "ü" * (room // 2) + "x"}, {"a": '"' * room}):
        with pytest.raises(TooLarge, match="380000"):
            _add(collections, 2, body=body)
        with pytest.raises(TooLarge):
            collections.change(replace(record, body=body))
    assert collections.page("acme", "rows/a", 9) == [record]
    assert collections.count("acme", "rows/a") == 1


def test_a_page_is_bounded(collections: Collections) -> None:
    """What no answer could hold is refused with what to do about it; up to there it is read whole, in several requests."""
    most = PAGE_BYTES // BODY_BYTES
    for number in range(1, most + 2):
        _add(collections, number, body={"a": "x" * (BODY_BYTES - len('{"a":""}'))})
    assert len(collections.page("acme", "rows/a", most, 1)) == most
    with pytest.raises(TooLarge, match="fewer"):
        collections.page("acme", "rows/a", most + 1)
