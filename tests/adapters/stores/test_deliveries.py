"""Port Deliveries."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from quintet.adapters.dynamodb.webhooks import DynamoDeliveries
from quintet.adapters.memory.webhooks import MemoryDeliveries
from quintet.domain.delivery import Delivery, DeliveryAttempt, DeliveryState, begun
from quintet.domain.errors import Invalid, NotFound
from quintet.services.ports.webhooks import Deliveries

from .conftest import make_table
from .samples import NOW, after

BODY = {"run_id": "r", "result": {"grüße": [1, 2.5, None]}}


@pytest.fixture(params=["memory", "aws"])
def deliveries(request: pytest.FixtureRequest) -> Deliveries:
    """An empty store of one implementation."""
    if request.param == "memory":
        return MemoryDeliveries()
    request.getfixturevalue("aws")
    return DynamoDeliveries(make_table("LogsTable"))


def sample(number: int, project: str = "acme", job: str = "job-1") -> Delivery:
    """The delivery of run `number`, made that many seconds after the others' beginning."""
    return begun(f"msg_{number:04d}", project, job, f"{number:04d}", "https://hooks.example/in", after(number))


def made(deliveries: Deliveries, delivery: Delivery) -> Delivery:
    """Creates it; as stored."""
    assert deliveries.create(delivery, BODY)
    found = deliveries.find(delivery.id)
    assert found is not None
    return found


def ids(found: Sequence[Delivery]) -> list[str]:
    """The runs' numbers."""
    return [one.run_id for one in found]


def every_page(deliveries: Deliveries, limit: int, *asked: object) -> list[list[str]]:
    """All pages of a list."""
    pages, cursor = [], None
    while True:
        page = deliveries.page(*asked, limit, cursor)  # type: ignore[arg-type]  # project, job, state
        pages.append(ids(page.deliveries))
        cursor = page.cursor
        if cursor is None:
            return pages


def test_a_delivery_is_made_once(deliveries: Deliveries) -> None:
    """The second of one id changes nothing of the first, which is kept whole with its body."""
    first = made(deliveries, sample(1))
    assert deliveries.create(replace(sample(1), url="https://other.example"), BODY) is False
    assert deliveries.find(first.id) == first
    assert replace(first, rev=0) == sample(1)
    assert deliveries.body(first.id) == BODY


def test_what_is_not_there_is_not_found(deliveries: Deliveries) -> None:
    """Neither the record nor the body of a delivery that nobody made, which can't be changed either."""
    assert deliveries.find("msg_9") is None
    assert deliveries.change(sample(9)) is None
    with pytest.raises(NotFound):
        deliveries.body("msg_9")


def test_a_change_is_made_to_what_was_read_or_not_at_all(deliveries: Deliveries) -> None:
    """Of two that read the same, one writes; every field comes back as written."""
    first = made(deliveries, sample(1))
    attempts = (DeliveryAttempt(after(2), 120, 500), DeliveryAttempt(after(3), 15_000, error="Timeout: no answer"))
    wanted = replace(
        first, state=DeliveryState.DEAD, turn=3, round=1, failed=2, next_at=None, due_at=None, attempts=attempts
    )
    stored = deliveries.change(wanted)
    assert stored is not None
    assert deliveries.change(replace(first, turn=2)) is None
    assert deliveries.find(first.id) == stored
    assert replace(stored, rev=first.rev) == wanted
    assert deliveries.change(replace(stored, turn=4)) is not None


def test_lists_are_newest_first_and_by_cursor(deliveries: Deliveries) -> None:
    """A project's, one job's, one state's, and both at once; pages follow each other without gap or repetition."""
    for number in range(1, 10):
        one = made(deliveries, sample(number, job=f"job-{number % 2}"))
        if number % 3 == 0:
            deliveries.change(replace(one, state=DeliveryState.DELIVERED, next_at=None, due_at=None))
    made(deliveries, sample(77, project="other"))
    all_nine = [f"{number:04d}" for number in range(9, 0, -1)]
    assert every_page(deliveries, 4, "acme", None, None) == [all_nine[:4], all_nine[4:8], all_nine[8:]]
    assert every_page(deliveries, 3, "acme", None, None) == [all_nine[:3], all_nine[3:6], all_nine[6:]]
    assert every_page(deliveries, 50, "acme", "job-1", None) == [["0009", "0007", "0005", "0003", "0001"]]
    assert every_page(deliveries, 50, "acme", None, DeliveryState.DELIVERED) == [["0009", "0006", "0003"]]
    assert every_page(deliveries, 1, "acme", "job-0", DeliveryState.PENDING) == [["0008"], ["0004"], ["0002"]]
    assert every_page(deliveries, 50, "other", "job-1", None) == [["0077"]]
    assert every_page(deliveries, 50, "nobody", None, None) == [[]]


def test_a_delivery_that_changes_its_state_keeps_its_place(deliveries: Deliveries) -> None:
    """A page that was asked for before the change is followed by the same deliveries after it."""
    stored = [made(deliveries, sample(number)) for number in range(4)]
    page = deliveries.page("acme", None, None, 2, None)
    for one in stored:
        deliveries.change(replace(one, state=DeliveryState.DEAD, next_at=None, due_at=None))
    assert ids(page.deliveries) == ["0003", "0002"]
    assert ids(deliveries.page("acme", None, None, 2, page.cursor).deliveries) == ["0001", "0000"]


@pytest.mark.parametrize("cursor", ["", "x", "ZGVsaXZlcmllczo", "a" * 500, "é"])
def test_a_cursor_that_is_none_is_refused(deliveries: Deliveries, cursor: str) -> None:
    """Never a first page instead, never a fault of ours."""
    with pytest.raises(Invalid):
        deliveries.page("acme", None, None, 2, cursor)


def test_due_are_the_earliest_that_should_long_be_over(deliveries: Deliveries) -> None:
    """By their due time, up to the limit; what was moved on or has ended is none of them."""
    stored = [made(deliveries, sample(number)) for number in range(6)]
    deliveries.change(replace(stored[1], due_at=after(5000)))
    deliveries.change(replace(stored[2], state=DeliveryState.DELIVERED, next_at=None, due_at=None))
    horizon = stored[4].due_at
    assert horizon is not None
    assert ids(deliveries.due(NOW, 10)) == []
    assert ids(deliveries.due(horizon, 10)) == ["0000", "0003", "0004"]
    assert ids(deliveries.due(horizon, 2)) == ["0000", "0003"]
