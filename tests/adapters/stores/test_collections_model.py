"""Port Collections against a model of dictionaries: whatever is done in whatever order, both say the same."""

from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quintet.adapters.dynamodb.collections import DynamoCollections
from quintet.adapters.memory import MemoryCollections
from quintet.domain.errors import Conflict, NotFound, QuintetError
from quintet.services.ports.collections import Collections, Record
from quintet.services.ports.jobs import Taken

from .conftest import Stores, make_table
from .samples import NOW

Place = tuple[str, str]

_examples = count()
PLACES = st.sampled_from([*[("p", "rows/a")] * 6, ("p", "a"), ("p#rows/a", "a"), ("q", "rows/a")])
FRACTIONS = st.decimals(allow_nan=False, allow_infinity=False).filter(lambda n: n != n.to_integral_value())
BODIES = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=2),
    st.integers(-(10**40), 10**40) | FRACTIONS | st.none() | st.booleans(),
    max_size=2,
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "change", "stale", "remove", "get", "named", "page", "count"]),
        PLACES,
        st.sampled_from([1, 2, 3]),
        st.sampled_from([None, "x", "y"]),
        BODIES,
    ),
    min_size=3,
    max_size=20,
)


@dataclass
class Model:
    """Collections as one would first think of them."""

    records: dict[Place, dict[int, Record]] = field(default_factory=dict)

    def act(self, verb: str, place: Place, number: int, name: str | None, body: dict[str, Any]) -> Any:
        """What the step comes to."""
        held = self.records.setdefault(place, {})
        record = held.get(number)
        match verb:
            case "add":
                return self._write(held, record is None, Record(*place, number, body, NOW, NOW, name))
            case "change" | "stale":
                self._there(record)
                revision = record.revision + (verb == "change") if record else 0
                return self._write(held, verb == "change", Record(*place, number, body, NOW, NOW, name, revision))
            case "remove":
                return held.pop(self._there(record).number)
            case "get":
                return self._there(record)
            case "named":
                return self._there(next((one for one in held.values() if name and one.name == name), None))
            case "page":
                return [held[one] for one in sorted(held)][number - 1 : number + 1]
            case _:
                return len(held)

    def _there(self, record: Record | None) -> Record:
        if record is None:
            raise NotFound
        return record

    def _write(self, held: dict[int, Record], free: bool, record: Record) -> Record:
        if not free:
            raise Conflict
        if record.name and any(one.name == record.name for one in held.values() if one.number != record.number):
            raise Taken("name", record.name)
        held[record.number] = record
        return record


def _act(store: Collections, verb: str, place: Place, number: int, name: str | None, body: dict[str, Any]) -> Any:
    match verb:
        case "add":
            record = Record(*place, number, body, NOW, NOW, name)
            store.add(record)
            return record
        case "change" | "stale":
            was = store.get(*place, number)
            return store.change(replace(was, body=body, name=name, revision=was.revision - (verb == "stale")))
        case "remove" | "get":
            return getattr(store, verb)(*place, number)
        case "named":
            return store.named(*place, name or "")
        case "page":
            return store.page(*place, 2, number - 1)
        case _:
            return store.count(*place)


def _outcome(act: Any, *step: Any) -> Any:
    try:
        return act(*step)
    except QuintetError as refused:
        return type(refused)


@pytest.fixture(scope="module", params=["memory", "aws"])
def store(request: pytest.FixtureRequest) -> Collections:
    """A Collections; each example has projects of its own in it."""
    if request.param == "memory":
        return MemoryCollections()
    stores: Stores = request.getfixturevalue("aws")
    assert stores
    return DynamoCollections(make_table("DataTable"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_a_store_does_what_the_model_does(
    store: Collections, steps: list[tuple[str, Place, int, str | None, dict[str, Any]]]
) -> None:
    """Step by step the same answer, or the same refusal; in the end the same records, names, and counts."""
    model, example = Model(), next(_examples)
    for verb, (project, collection), number, name, body in steps:
        step = verb, (f"{example}{project}", collection), number, name, body
        # Their texts, since Decimals that are equal may have other digits.
        assert repr(_outcome(lambda *given: _act(store, *given), *step)) == repr(_outcome(model.act, *step)), step
    for place, held in model.records.items():
        found = store.page(*place, 99)
        assert [repr(one) for one in found] == [repr(held[one]) for one in sorted(held)]
        assert store.count(*place) == len(held)
        assert [store.named(*place, one.name) for one in found if one.name] == [one for one in found if one.name]
