"""Webhook deliveries over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from jobs_desk import Desk

from quintet.domain.delivery import Delivery, DeliveryAttempt, DeliveryState, begun

HOOK = "https://example.org/done"


class Queue:
    """Port DeliveryQueue: notes what was put."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, int, float]] = []

    def put(self, *message: Any) -> None:
        """Keeps the message."""
        self.messages.append(message)


@pytest.fixture
def queue(desk: Desk) -> Queue:
    """The queue of the desk's deliveries."""
    made = Queue()
    desk.services.delivery_queue = made
    return made


def deliver(desk: Desk, number: int, project: str = "default", job: str = "job-1", **changes: Any) -> Delivery:
    """A delivery made that many seconds after the desk's beginning."""
    at = desk.now() + timedelta(seconds=number)
    made = begun(f"msg_run-{number}", project, job, f"run-{number}", HOOK, at)
    desk.services.deliveries.create(made, {})
    stored = desk.services.deliveries.find(made.id)
    assert stored is not None
    for name, value in changes.items():
        object.__setattr__(stored, name, value)
    changed = desk.services.deliveries.change(stored)
    assert changed is not None
    return changed


def ids(answer: Any) -> list[str]:
    """The runs of a listed page."""
    assert answer.status == 200, answer.text
    return [one["run_id"] for one in answer.json]


def test_a_delivery_is_shown_with_its_attempts(desk: Desk) -> None:
    """Unset fields are left out: no error beside a status, no status beside an error, no next attempt of what has ended."""
    at = desk.now() + timedelta(seconds=5)
    attempts = (DeliveryAttempt(at, 120, 500), DeliveryAttempt(at, 15_000, error="Timeout: no answer"))
    deliver(desk, 1, attempts=attempts, next_at=at, updated_at=at)
    deliver(desk, 2, state=DeliveryState.DEAD, next_at=None, due_at=None)
    shown = desk.get("/webhook-deliveries/msg_run-1")
    assert (shown.status, shown.json) == (
        200,
        {
            "id": "msg_run-1", "project_id": "default", "job_id": "job-1", "run_id": "run-1", "url": HOOK, "state": "pending",
            "attempts": [
                {"at": "2026-01-01T00:00:05.000Z", "status_code": 500, "duration_ms": 120},
                {"at": "2026-01-01T00:00:05.000Z", "error": "Timeout: no answer", "duration_ms": 15_000},
            ],
            "next_attempt_at": "2026-01-01T00:00:05.000Z",
            "created_at": "2026-01-01T00:00:01.000Z", "updated_at": "2026-01-01T00:00:05.000Z",
        },
    )  # fmt: skip
    assert "next_attempt_at" not in desk.get("/webhook-deliveries/msg_run-2").json


def test_lists_are_by_cursor_and_by_what_is_asked(desk: Desk) -> None:
    """Newest first; a bare array with the next cursor in its headers, or the envelope; by job, run and state."""
    for number in range(1, 6):
        deliver(desk, number, job=f"job-{number % 2}")
    deliver(desk, 9, project="other")
    deliver(desk, 6, state=DeliveryState.DELIVERED, next_at=None, due_at=None)
    first = desk.get("/webhook-deliveries", query={"limit": 4})
    assert ids(first) == ["run-6", "run-5", "run-4", "run-3"]
    cursor = first.headers["x-next-cursor"]
    assert f"cursor={cursor}" in first.headers["link"]
    rest = desk.get("/webhook-deliveries", query={"limit": 4, "cursor": cursor, "envelope": "true"}).json
    assert ([one["run_id"] for one in rest["data"]], rest["has_more"]) == (["run-2", "run-1"], False)
    for query, found in (
        ({"job_id": "job-0"}, ["run-4", "run-2"]),
        ({"run_id": "run-3"}, ["run-3"]),
        ({"run_id": "run-3", "job_id": "job-0"}, []),
        ({"run_id": "run-9"}, []),
        ({"state": "delivered"}, ["run-6"]),
        ({"state": "dead", "project_id": "default"}, []),
    ):
        assert ids(desk.get("/webhook-deliveries", query=query)) == found, query


@pytest.mark.parametrize(
    ("query", "field"),
    [({"state": "lost"}, "state"), ({"cursor": "x"}, "cursor"), ({"limit": 101}, "limit"), ({"run_id": "x" * 65}, "run_id")],
)  # fmt: skip
def test_bad_parameters_are_named(desk: Desk, query: dict[str, Any], field: str) -> None:
    """400 with the field."""
    answer = desk.get("/webhook-deliveries", query=query)
    assert (answer.status, answer.fields) == (400, {field})


def test_a_replay_is_accepted_and_queued(desk: Desk, queue: Queue) -> None:
    """202 with the delivery, pending again; its attempt is called for at once."""
    deliver(desk, 1, state=DeliveryState.DEAD, next_at=None, due_at=None, turn=12)
    answer = desk.post("/webhook-deliveries/msg_run-1/replay")
    assert (answer.status, answer.json["state"]) == (202, "pending")
    assert answer.json["next_attempt_at"] == "2026-01-01T00:00:00.000Z"
    assert queue.messages == [("msg_run-1", 13, 0)]


def test_what_another_project_owns_is_not_there(desk: Desk, queue: Queue) -> None:
    """404 to read and to replay, an own empty list, and 403 without the scope."""
    deliver(desk, 1)
    desk.add_key("foreign", "admin", project="other")
    desk.add_key("reader", "runs:read")
    path = "/webhook-deliveries/msg_run-1"
    assert desk.get(path, key="foreign").status == desk.post(f"{path}/replay", key="foreign").status == 404
    assert desk.get("/webhook-deliveries", key="foreign").json == []
    assert desk.get("/webhook-deliveries", key="foreign", query={"project_id": "default"}).status == 404
    assert (desk.get(path, key="reader").status, desk.post(f"{path}/replay", key="reader").status) == (200, 403)
    assert (desk.get(path, key=None).status, desk.get("/webhook-deliveries/msg_no").status) == (401, 404)
    assert queue.messages == []
