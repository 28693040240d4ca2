"""Completion webhooks: what is told, how it is signed, and that it arrives although anything may fail."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from quintet.adapters.memory import ManualClock, MemoryBlobs, MemoryJobs, MemoryVault, SeededIds
from quintet.adapters.memory.webhooks import MemoryDeliveries
from quintet.adapters.signatures import StandardSignatures
from quintet.domain.definition import Plan, StepDef
from quintet.domain.delivery import Delivery, DeliveryState
from quintet.domain.errors import Invalid, NotFound
from quintet.domain.job import Job, JobVersion
from quintet.domain.run import Run
from quintet.domain.state import RunState
from quintet.domain.status import RunStatus
from quintet.services.completion import RESULT_BYTES
from quintet.services.hooks import Hook, hook_of, hook_settings, rotated, secret_context, secrets_of
from quintet.services.payloads import Payloads
from quintet.services.ports.http import HttpAnswer, HttpFault, HttpRequest
from quintet.services.webhooks import CompletionWebhooks

URL = "https://hooks.example/in"
OLD = "whsec_" + base64.b64encode(b"the secret of before, 32 bytes..").decode()
NEW = "whsec_" + base64.b64encode(b"the secret of today, 32 bytes...").decode()


class Queue:
    """Port DeliveryQueue whose messages come when their time has come, 15 minutes at most."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.messages: list[tuple[datetime, str, int]] = []
        self.delays: list[float] = []
        self.broken = False

    def put(self, delivery_id: str, turn: int, seconds: float) -> None:
        """Keeps the message back."""
        if self.broken:
            raise ConnectionError("the queue is away")
        self.delays.append(seconds)
        self.messages.append((self._clock.now() + timedelta(seconds=min(seconds, 900)), delivery_id, turn))


class Desk:
    """A project's job with a webhook, its endpoint, and the service between them."""

    def __init__(self) -> None:
        # The package of Standard Webhooks knows no other clock; records hold milliseconds.
        self.clock = ManualClock(datetime.now(UTC).replace(microsecond=0))
        self.queue = Queue(self.clock)
        self.jobs = MemoryJobs()
        self.vault = MemoryVault()
        self.store = MemoryDeliveries()
        self.requests: list[HttpRequest] = []
        self.answer: Callable[[HttpRequest], Any] = lambda _: 200
        self.webhooks = CompletionWebhooks(
            self.store, self.queue, self.jobs, self.vault, StandardSignatures(), self, Payloads(MemoryBlobs()),
            self.clock, SeededIds(3, self.clock),
        )  # fmt: skip
        self.job = self._define()

    def _define(self) -> Job:
        now = self.clock.now()
        job = Job("job-1", "acme", "jobs", "report", 1, "ver_1", now, now, settings={"webhook_out": {"url": URL}})
        plan = Plan((StepDef("call", "set", config={"values": {}}),))
        self.jobs.create(job, JobVersion("ver_1", job.id, 1, plan, {}, now))
        return job

    def send(self, request: HttpRequest) -> HttpAnswer:
        """Port HttpClient."""
        self.requests.append(request)
        self.clock.advance(0.25)
        answer = self.answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, HttpAnswer) else HttpAnswer(answer, {}, b"", request.url, {})

    def use(self, hook: Hook | None) -> None:
        """Gives the job this webhook."""
        stored = self.jobs.get("acme", "job-1")
        settings = {} if hook is None else hook_settings(hook.url, hook.secrets)
        self.jobs.update(replace(stored, settings=settings), None, stored)

    def end(self, run_id: str = "run-1", result: Any = None, **fields: Any) -> str:
        """A run of the job ends; the id of its delivery."""
        now = self.clock.now()
        run = Run(run_id, "acme", "job-1", 1, "ver_1", RunStatus.COMPLETED, now, now, ended_at=now, follows=True)
        self.webhooks.send(replace(run, **fields), RunState(run_id, Plan(())), result)
        return f"msg_{run_id}"

    def play(self, hours: float = 30.0) -> None:
        """Messages come as their times do."""
        until = self.clock.now() + timedelta(hours=hours)
        while self.queue.messages and min(self.queue.messages)[0] <= until:
            first = min(self.queue.messages)
            self.queue.messages.remove(first)
            self.clock.advance_to(first[0])
            self.webhooks.deliver(*first[1:])
        self.clock.advance_to(until)

    def sweep(self, minutes: float) -> int:
        """Time passes, and the sweep comes by."""
        self.clock.advance(minutes * 60)
        return self.webhooks.sweep(self.clock.now())

    def found(self, delivery_id: str = "msg_run-1") -> Delivery:
        """The delivery."""
        return self.webhooks.get("acme", delivery_id)

    @property
    def bodies(self) -> list[Any]:
        """What arrived."""
        return [json.loads(request.body or b"") for request in self.requests]


@pytest.fixture
def desk() -> Desk:
    """A job with a webhook without secrets."""
    return Desk()


# --- what is told --------------------------------------------------------------------------------------------------------------


def test_an_ended_run_is_told_with_its_result(desk: Desk) -> None:
    """The contract's fields, those that are set; delivered at once, and listed as delivered."""
    at = desk.clock.now()
    desk.end(result={"rows": 3})
    desk.play(0)
    assert desk.bodies == [
        {
            "run_id": "run-1", "job_id": "job-1", "project_id": "acme", "status": "completed", "attempt": 1,
            "result": {"rows": 3}, "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
    ]  # fmt: skip
    (request,) = desk.requests
    assert (request.method, request.url, request.timeout) == ("POST", URL, 15.0)
    assert request.headers["Content-Type"] == "application/json"
    found = desk.found()
    assert (found.state, found.url, found.due_at) == (DeliveryState.DELIVERED, URL, None)
    assert [(one.status, one.error, one.duration_ms) for one in found.attempts] == [(200, None, 250)]
    assert desk.queue.messages == []


def test_a_failure_is_told_by_class_and_message(desk: Desk) -> None:
    """As the run itself shows it; without a result."""
    desk.end(status=RunStatus.TIMED_OUT, error={"type": "Timeout", "message": "no answer within 300 s"})
    desk.play(0)
    (told,) = desk.bodies
    assert (told["status"], told["error"]) == ("timed_out", "Timeout: no answer within 300 s")
    assert "result" not in told


@pytest.mark.parametrize(("size", "whole"), [(RESULT_BYTES - 2, True), (RESULT_BYTES - 1, False)])
def test_a_result_above_256_kib_is_left_out_and_said_to_be(desk: Desk, size: int, whole: bool) -> None:
    """At the bound it is whole: what the receiver gets is never cut in the middle."""
    desk.end(result="x" * size)
    desk.play(0)
    (told,) = desk.bodies
    assert told.get("result") == ("x" * size if whole else None)
    assert ("result_truncated" in told) is not whole


def test_a_run_is_told_once_however_often_its_end_is(desk: Desk) -> None:
    """The second call finds the record, and sends nothing."""
    desk.end()
    desk.play(0)
    desk.end()
    desk.play(0)
    assert len(desk.requests) == 1


def test_a_job_without_webhook_tells_nobody(desk: Desk) -> None:
    """No record, no message; a job that is gone neither."""
    desk.use(None)
    desk.end()
    desk.jobs.delete(desk.jobs.get("acme", "job-1"))
    desk.end("run-2")
    assert desk.queue.messages == []
    assert desk.webhooks.page("acme", None, 10, None).deliveries == []


# --- signatures ----------------------------------------------------------------------------------------------------------------


def test_without_a_secret_nothing_is_signed(desk: Desk) -> None:
    """The id and the time are there for whoever tells repeats by them."""
    desk.end()
    desk.play(0)
    headers = desk.requests[0].headers
    assert headers["webhook-id"] == "msg_run-1"
    assert abs(float(headers["webhook-timestamp"]) - desk.clock.now().timestamp()) < 5
    assert "webhook-signature" not in headers


def test_signatures_verify_with_the_public_package_under_the_old_and_the_new_secret(desk: Desk) -> None:
    """For a day after the rotation there are two, the newest first; then one. Other secrets and bodies do not verify."""
    sealed = [desk.vault.seal(secret, secret_context("job-1")) for secret in (OLD, NEW)]
    hook = Hook(URL, rotated(rotated((), sealed[0], desk.clock.now()), sealed[1], desk.clock.now()))
    desk.use(hook)
    desk.end(result="grüße")
    desk.play(0)
    (request,) = desk.requests
    body, headers = request.body or b"", dict(request.headers)
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert Webhook(OLD).verify(body, headers) == Webhook(NEW).verify(body, headers) == desk.bodies[0]
    for secret, text in ((base64.b64encode(b"another").decode(), body), (NEW, body + b" ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(text, headers)


def test_an_old_secret_signs_for_a_day(desk: Desk) -> None:
    """Just before its time is over it does, and then no more."""
    sealed = [desk.vault.seal(secret, secret_context("job-1")) for secret in (OLD, NEW)]
    hook = Hook(URL, rotated(rotated((), sealed[0], desk.clock.now()), sealed[1], desk.clock.now()))
    desk.use(hook)
    desk.clock.advance(24 * 3600 - 1)
    desk.end("run-1")
    desk.play(0)
    desk.clock.advance(1)
    desk.end("run-2")
    desk.play(0)
    assert [len(request.headers["webhook-signature"].split(" ")) for request in desk.requests] == [2, 1]


def test_each_rotation_gives_the_day_once(desk: Desk) -> None:
    """A secret that was replaced twice keeps its first end; the settings bring all of it back."""
    now = desk.clock.now()
    first = rotated((), "a", now)
    second = rotated(first, "b", now)
    third = rotated(second, "c", now + timedelta(hours=20))
    assert [(one.sealed, one.until) for one in third] == [
        ("c", None), ("b", now + timedelta(hours=44)), ("a", now + timedelta(hours=24))
    ]  # fmt: skip
    assert [one.sealed for one in rotated(third, "d", now + timedelta(hours=30))] == ["d", "c", "b"]
    assert hook_of(hook_settings(URL, third)) == Hook(URL, third)
    assert (hook_of(hook_settings(None, third)), secrets_of(hook_settings(None, third))) == (None, third)
    assert hook_of({}) is hook_of({"webhook_out": None}) is hook_of({"webhook_out": {"url": ""}}) is None


@pytest.mark.parametrize(
    "secret", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "c2VjcmV0"]
)
def test_a_secret_in_base64_signs_as_the_package_verifies(secret: str) -> None:
    """With its prefix and without."""
    Webhook(secret).verify("{}", _signed(secret))


@pytest.mark.parametrize("secret", ["plain words!", "ä", "abcde"])
def test_any_other_secret_signs_by_its_bytes(secret: str) -> None:
    """Which is how its owner can give it to the package."""
    Webhook(secret.encode()).verify("{}", _signed(secret))


def test_an_empty_secret_signs_nothing() -> None:
    """It is refused, not used."""
    with pytest.raises(Invalid):
        _signed("")


def _signed(secret: str) -> dict[str, str]:
    """The headers of the message `{}`."""
    at = datetime.now(UTC)
    headers = {"webhook-id": "m", "webhook-timestamp": str(int(at.timestamp()))}
    return headers | {"webhook-signature": StandardSignatures().sign(secret, "m", at, "{}")}


def test_what_should_be_signed_is_never_sent_unsigned(desk: Desk) -> None:
    """A secret that does not open, or is empty, is a failed attempt that names no secret; mended, the next attempt delivers."""
    foreign = desk.vault.seal(OLD, secret_context("job-2"))
    desk.use(Hook(URL, rotated((), foreign, desk.clock.now())))
    desk.end()
    desk.play(0)
    desk.use(Hook(URL, rotated((), desk.vault.seal("", secret_context("job-1")), desk.clock.now())))
    desk.play(0.005)
    assert desk.requests == []
    assert [one.error and one.error.partition(":")[0] for one in desk.found().attempts] == ["BadSecret", "BadSecret"]
    desk.use(Hook(URL, rotated((), desk.vault.seal(NEW, secret_context("job-1")), desk.clock.now())))
    desk.play(1)
    assert desk.found().state is DeliveryState.DELIVERED
    kept = repr(desk.store._records) + repr(desk.store._bodies)
    assert NEW not in kept
    assert foreign not in kept


# --- again -----------------------------------------------------------------------------------------------------------------------


def test_a_failing_endpoint_is_tried_for_a_day(desk: Desk) -> None:
    """5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, 4 h, 8 h and 8 h later, each within 10 %, a last time after 24 h; then it is dead."""
    desk.answer = lambda _: 503
    began = desk.clock.now()
    desk.end()
    desk.play()
    found = desk.found()
    assert (found.state, found.next_at, found.due_at) == (DeliveryState.DEAD, None, None)
    rests = [
        (later.at - sooner.at).total_seconds() - sooner.duration_ms / 1000
        for sooner, later in zip(found.attempts, found.attempts[1:], strict=False)
    ]
    wanted = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800]
    assert len(rests) in {len(wanted), len(wanted) + 1}
    for rest, want in zip(rests[:9], wanted[:9], strict=True):
        assert want * 0.9 <= rest <= want * 1.1 + 1
    assert found.attempts[-1].at - began <= timedelta(hours=24, seconds=1)
    assert found.attempts[-1].at - began >= timedelta(hours=24) - timedelta(seconds=1)
    assert {one.status for one in found.attempts} == {503}
    assert {request.headers["webhook-id"] for request in desk.requests} == {"msg_run-1"}
    assert len({request.body for request in desk.requests}) == 1
    assert max(desk.queue.delays) > 900  # so that the hops were played
    assert desk.sweep(10) == 0


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (404, 404, None),
        (301, 301, None),
        (HttpFault("Timeout", "no complete answer within 15 s", retryable=True), None, "Timeout: no complete answer"),
        (HttpFault("Refused", "a private address", retryable=False), None, "Refused: a private address"),
        (HttpAnswer(200, {}, b"", "https://elsewhere.example", {}), 200, "Redirected"),
    ],
)
def test_anything_but_2xx_of_that_address_is_a_failure(desk: Desk, answer: Any, status: int | None, error: str) -> None:
    """Why is kept with the attempt, and the next one succeeds."""
    replies = [answer, 204]
    desk.answer = lambda _: replies.pop(0)
    desk.end()
    desk.play(1)
    first, second = desk.found().attempts
    assert (first.status, (first.error or "")[: len(error or "")]) == (status, error or "")
    assert (second.status, desk.found().state) == (204, DeliveryState.DELIVERED)


def test_an_endpoint_that_is_gone_is_left_alone(desk: Desk) -> None:
    """410 is the receiver's word for: never again."""
    desk.answer = lambda _: 410
    desk.end()
    desk.play()
    assert (len(desk.requests), desk.found().state) == (1, DeliveryState.DEAD)


def test_a_webhook_that_is_taken_away_ends_its_deliveries(desk: Desk) -> None:
    """Those under way are dead, and say why."""
    desk.end()
    desk.use(None)
    desk.play()
    assert (desk.requests, desk.found().state) == ([], DeliveryState.DEAD)
    assert (desk.found().attempts[0].error or "").startswith("NoWebhook")


def test_a_mended_address_serves_deliveries_under_way(desk: Desk) -> None:
    """The next attempt goes where the job says then."""
    desk.answer = lambda request: 500 if request.url == URL else 200
    desk.end()
    desk.play(0)
    desk.use(Hook("https://mended.example"))
    desk.play(1)
    assert [request.url for request in desk.requests] == [URL, "https://mended.example"]
    assert (desk.found().url, desk.found().state) == ("https://mended.example", DeliveryState.DELIVERED)


def test_the_last_twenty_attempts_are_kept(desk: Desk) -> None:
    """Two days of attempts of a delivery that was replayed are more than that."""
    desk.answer = lambda _: 500
    desk.end()
    desk.play()
    desk.webhooks.replay("acme", "msg_run-1")
    desk.play()
    assert (len(desk.found().attempts), len(desk.requests) > 20) == (20, True)


# --- queues that repeat, lose and hurry ------------------------------------------------------------------------------------------


def test_a_message_that_comes_twice_makes_one_attempt(desk: Desk) -> None:
    """One after the other, and while the first one's attempt is still under way."""

    def meanwhile(_: HttpRequest) -> int:
        desk.webhooks.deliver("msg_run-1", 1)
        return 500

    desk.answer = meanwhile
    desk.end()
    desk.webhooks.deliver("msg_run-1", 1)
    desk.webhooks.deliver("msg_run-1", 1)
    assert len(desk.requests) == 1


def test_two_that_read_the_same_make_one_attempt(desk: Desk) -> None:
    """Who writes first makes it."""
    desk.end()
    stale = desk.found()
    desk.webhooks.deliver("msg_run-1", 1)
    find, desk.store.find = desk.store.find, lambda _: stale  # type: ignore[method-assign]  # the other one's read, before the first one's write
    desk.webhooks.deliver("msg_run-1", 1)
    desk.store.find = find  # type: ignore[method-assign]
    assert len(desk.requests) == 1


def test_a_message_before_its_time_is_sent_on(desk: Desk) -> None:
    """Without an attempt, for what is left of the rest; unknown and ended deliveries are let go."""
    replies = [500, 200]
    desk.answer = lambda _: replies.pop(0)
    desk.end()
    desk.webhooks.deliver("msg_run-1", 1)
    desk.clock.advance(1)
    desk.webhooks.deliver("msg_run-1", 2)
    assert (len(desk.requests), 2 < desk.queue.delays[-1] < 5) == (1, True)
    desk.play(1)
    desk.webhooks.deliver("msg_run-1", 2)
    desk.webhooks.deliver("msg_nobody", 1)
    assert len(desk.requests) == 2


def test_a_lost_message_is_sent_again_by_the_sweep(desk: Desk) -> None:
    """Whether its sender died before the queue had it, or the queue lost it; not before it is two minutes late."""
    desk.queue.broken = True
    with pytest.raises(ConnectionError):
        desk.end()
    desk.queue.broken = False
    desk.end()  # the run's end is told again: the record is there, and nothing is sent twice
    assert desk.sweep(1.9) == 0
    assert desk.sweep(0.2) == 1
    desk.queue.messages.clear()
    assert desk.sweep(1) == 0
    assert desk.sweep(3) == 1
    desk.play(0)
    assert desk.found().state is DeliveryState.DELIVERED
    assert desk.sweep(600) == 0


def test_a_lost_message_of_a_later_attempt_is_sent_again_when_that_was_due(desk: Desk) -> None:
    """Not earlier: the endpoint's rest is kept."""
    desk.answer = lambda _: 500
    desk.end()
    for _ in range(3):
        desk.play(0.01)
    desk.play(0.05)
    left, asked = desk.found().next_at, len(desk.requests)
    desk.queue.messages.clear()
    assert left is not None
    desk.clock.advance_to(left + timedelta(minutes=1.9))
    assert desk.sweep(0) == 0
    assert desk.sweep(0.2) == 1
    desk.play(0)
    assert len(desk.requests) == asked + 1


def test_a_queue_that_is_behind_gets_ever_fewer_messages(desk: Desk) -> None:
    """A day of sweeps, one a minute, over a delivery whose messages nobody takes."""
    desk.end()
    assert sum(desk.sweep(1) for _ in range(24 * 60)) <= 30


def test_an_attempt_whose_process_died_is_made_anew(desk: Desk) -> None:
    """The claim counted it; the sweep sends the next, and the message of the dead one means nothing."""

    def die(_: HttpRequest) -> int:
        raise KeyboardInterrupt

    desk.end()
    desk.queue.messages.clear()
    desk.answer = die
    with pytest.raises(KeyboardInterrupt):
        desk.webhooks.deliver("msg_run-1", 1)
    desk.answer = lambda _: 200
    desk.webhooks.deliver("msg_run-1", 1)
    assert len(desk.requests) == 1
    assert desk.sweep(3) == 1
    desk.play(0)
    assert (len(desk.requests), desk.found().state) == (2, DeliveryState.DELIVERED)


def test_a_failure_that_could_not_queue_the_next_attempt_is_swept(desk: Desk) -> None:
    """The attempt is booked, its message comes again and means nothing, and the sweep sends the next."""

    def queue_breaks(_: HttpRequest) -> int:
        desk.queue.broken = True
        return 500

    desk.end()
    desk.queue.messages.clear()
    desk.answer = queue_breaks
    with pytest.raises(ConnectionError):
        desk.webhooks.deliver("msg_run-1", 1)
    desk.queue.broken, desk.answer = False, lambda _: 200
    desk.webhooks.deliver("msg_run-1", 1)
    assert [one.status for one in desk.found().attempts] == [500]
    assert desk.sweep(3) == 1
    desk.play(0)
    assert [one.status for one in desk.found().attempts] == [500, 200]


def test_a_slow_attempt_that_is_swept_meanwhile_still_counts(desk: Desk) -> None:
    """The sweep's write comes between the claim and the outcome, which is booked on top of it."""

    def slow(_: HttpRequest) -> int:
        assert desk.sweep(5) == 1
        return 200

    desk.answer = slow
    desk.end()
    desk.queue.messages.clear()
    desk.webhooks.deliver("msg_run-1", 1)
    desk.play(1)
    assert (len(desk.requests), desk.found().state, len(desk.found().attempts)) == (1, DeliveryState.DELIVERED, 1)


def test_one_delivery_that_cannot_be_taken_up_does_not_keep_the_others(desk: Desk) -> None:
    """The queue refuses one message, and takes the rest."""
    for number in range(3):
        desk.end(f"run-{number}")
    put = desk.queue.put

    def picky(delivery_id: str, turn: int, seconds: float) -> None:
        if delivery_id == "msg_run-1":
            raise ConnectionError
        put(delivery_id, turn, seconds)

    desk.queue.put = picky  # type: ignore[method-assign]
    assert desk.sweep(3) == 2


# --- people ----------------------------------------------------------------------------------------------------------------------


def test_a_replay_is_a_new_attempt_at_once_with_a_day_of_its_own(desk: Desk) -> None:
    """Of a dead one and of a delivered one; the same message id, so that receivers tell it."""
    desk.answer = lambda _: 410
    desk.end()
    desk.play(1)
    desk.answer = lambda _: 200
    assert desk.webhooks.replay("acme", "msg_run-1").state is DeliveryState.PENDING
    desk.play(0)
    assert (len(desk.requests), desk.found().state) == (2, DeliveryState.DELIVERED)
    desk.webhooks.replay("acme", "msg_run-1")
    desk.answer = lambda _: 500
    desk.play(30)
    assert len(desk.requests) > 10
    assert desk.found().state is DeliveryState.DEAD
    assert {request.headers["webhook-id"] for request in desk.requests} == {"msg_run-1"}


def test_a_replay_between_attempts_takes_the_place_of_the_coming_one(desk: Desk) -> None:
    """The message of before the replay means nothing."""
    replies = [500, 200, 200]
    desk.answer = lambda _: replies.pop(0)
    desk.end()
    desk.play(0)
    desk.webhooks.replay("acme", "msg_run-1")
    desk.play(1)
    assert (len(desk.requests), desk.found().state) == (2, DeliveryState.DELIVERED)


def test_a_replay_during_an_attempt_is_an_attempt_of_its_own(desk: Desk) -> None:
    """The one under way is kept in the list, and does not settle what was asked for anew."""

    def meanwhile(_: HttpRequest) -> int:
        desk.answer = lambda _: 202
        desk.webhooks.replay("acme", "msg_run-1")
        return 200

    desk.answer = meanwhile
    desk.end()
    desk.play(0.01)
    assert [one.status for one in desk.found().attempts] == [200, 202]
    assert desk.found().state is DeliveryState.DELIVERED


def test_a_replayed_record_is_kept_until_its_day_is_over(desk: Desk) -> None:
    """30 days from its making, and two days from its last replay."""
    desk.end()
    made = desk.found()
    assert made.expires_at - made.created_at == timedelta(days=30)
    desk.clock.advance(29.5 * 86_400)
    replay = desk.webhooks.replay("acme", "msg_run-1")
    assert replay.expires_at - desk.clock.now() == timedelta(days=2)


def test_lists_find_by_job_run_and_state(desk: Desk) -> None:
    """Another project finds nothing, and can't replay."""
    desk.end("run-1")
    desk.clock.advance(1)
    desk.end("run-2")
    desk.play(0)
    desk.answer = lambda _: 500
    desk.end("run-3")
    desk.play(0)

    def listed(*asked: Any, **more: Any) -> list[str]:
        return [one.run_id for one in desk.webhooks.page(*asked, **more).deliveries]

    delivered, pending = DeliveryState.DELIVERED, DeliveryState.PENDING
    assert listed("acme", None, 10, None) == ["run-3", "run-2", "run-1"]
    assert listed("acme", "job-1", 10, None, state=delivered) == ["run-2", "run-1"]
    assert listed("acme", "job-2", 10, None) == []
    assert listed("acme", None, 10, None, run_id="run-2") == ["run-2"]
    assert listed("acme", "job-1", 10, None, run_id="run-2", state=delivered) == ["run-2"]
    assert listed("acme", None, 10, None, run_id="run-2", state=pending) == []
    assert listed("acme", "job-2", 10, None, run_id="run-2") == listed("other", None, 10, None, run_id="run-2") == []
    for project, delivery in (("other", "msg_run-1"), ("acme", "msg_run-9")):
        with pytest.raises(NotFound):
            desk.webhooks.get(project, delivery)
        with pytest.raises(NotFound):
            desk.webhooks.replay(project, delivery)
