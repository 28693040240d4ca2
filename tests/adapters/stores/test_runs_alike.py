"""Whatever is done to them, the Runs in memory and the Runs on DynamoDB answer alike."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from quintet.adapters.memory import MemoryRuns
from quintet.domain.errors import AppendConflict, NotFound
from quintet.domain.run import Run, Slot
from quintet.domain.status import RunStatus
from quintet.services.ports.runs import (
    AlreadyThere,
    Change,
    Claims,
    Creation,
    Guard,
    Rate,
    RateExceeded,
    Replacement,
    RunList,
    Runs,
    SlotTaken,
)

from .conftest import Stores
from .samples import a_run, after, created, progress

SLOTS = [(), (Slot("a", 1),), (Slot("a", 1), Slot("b", 2)), (Slot("b", 2),), (Slot("c", 2, refuses=True), Slot("b", 2))]
WAITS = [(), (Slot("w", 1),), (Slot("w", 2),), (Slot("p", 1), Slot("w", 2))]
STATUSES = [RunStatus.EXECUTING, RunStatus.QUEUED, RunStatus.DELAYED, RunStatus.WAITING]
NEXT = [*STATUSES, RunStatus.PAUSED, RunStatus.COMPLETED, RunStatus.CANCELED]
CLAIMS = [
    Claims(),
    Claims((Guard("g", after(5), "m"),), (), ("tag:a",)),
    Claims((Guard("h"),), (Rate("r", 3, 60),)),
    Claims((), (Rate("r", 2, 60), Rate("s", 5, 1)), ("tag:a", "tag:b")),
]
moments = st.integers(0, 500).map(after)
choices = st.integers(0, 99)


class Alike(RuleBasedStateMachine):
    """Does the same to both and compares answers, refusals and what is stored."""

    make: Callable[[], Runs]

    @initialize()
    def begin(self) -> None:
        self.memory: Runs = MemoryRuns()
        self.dynamo = type(self).make()
        self.known: list[str] = []
        self.events = 0

    def both(self, act: Callable[[Runs], Any]) -> Any:
        answers = [_answer(act, runs) for runs in (self.memory, self.dynamo)]
        assert answers[0] == answers[1]
        return answers[0]

    def pick(self, choice: int) -> str:
        return self.known[choice % len(self.known)]

    def next_event(self) -> Any:
        self.events += 1
        return progress(self.events)

    def a_creation(
        self,
        status: RunStatus,
        slots: tuple[Slot, ...],
        due: Any,
        leased: bool,
        claims: Claims,
        waits: tuple[Slot, ...] = (),
    ) -> Creation:
        self.events += 1
        run = a_run(
            status,
            slots=slots,
            waits=() if status is RunStatus.EXECUTING else waits,
            priority=self.events % 3,
            created_at=after(self.events),
            started_at=after(self.events) if status is RunStatus.EXECUTING else None,
            group=[None, "g"][self.events % 2],
            follows=bool(self.events % 3),
        )
        return Creation(run, created(), after(60) if leased else None, due, claims)

    @rule(
        statuses=st.lists(st.sampled_from(STATUSES), min_size=1, max_size=6),
        slots=st.sampled_from(SLOTS),
        due=st.none() | moments,
        leased=st.booleans(),
        claims=st.sampled_from(CLAIMS),
        waits=st.sampled_from(WAITS),
    )
    def create(
        self,
        statuses: list[RunStatus],
        slots: tuple[Slot, ...],
        due: Any,
        leased: bool,
        claims: Claims,
        waits: tuple[Slot, ...],
    ) -> None:
        many = [self.a_creation(status, slots, due, leased, claims, waits) for status in statuses]
        if len(many) == 1:
            answers = [self.both(lambda runs: runs.create(many[0]))]
        else:
            answers = self.both(lambda runs: [_told(answer) for answer in runs.create_many(many)])[1]
        self.known += [one.run.id for one, answer in zip(many, answers, strict=True) if answer == ("gave", None)]

    @precondition(lambda self: self.known)
    @rule(choice=choices, stale=st.booleans(), waits=st.sampled_from(WAITS), claims=st.sampled_from(CLAIMS))
    def replace(self, choice: int, stale: bool, waits: tuple[Slot, ...], claims: Claims) -> None:
        waiting = [run_id for run_id in self.known if self.memory.get(run_id).waits]
        was = self.memory.get(waiting[choice % len(waiting)] if waiting else self.pick(choice))
        base = 2 if stale else len(self.memory.tail(was.id, 0))
        ended = replace(was, status=RunStatus.CANCELED, updated_at=after(self.events), ended_at=after(self.events))
        made = self.a_creation(RunStatus.QUEUED, (), None, False, claims, waits)
        instead = Replacement(base, [self.next_event()], Change(ended, was.status))
        if self.both(lambda runs: runs.create(replace(made, replaces=instead))) == ("gave", None):
            self.known.append(made.run.id)

    @precondition(lambda self: self.known)
    @rule(choice=choices, claims=st.sampled_from(CLAIMS), over=st.booleans())
    def claim(self, choice: int, claims: Claims, over: bool) -> None:
        run_id = self.pick(choice)
        guards = tuple(replace(guard, over=run_id if over else None) for guard in claims.guards)
        self.both(lambda runs: runs.claim(run_id, replace(claims, guards=guards), after(self.events)))

    @precondition(lambda self: self.known)
    @rule(choice=choices, stale=st.booleans())
    def append(self, choice: int, stale: bool) -> None:
        run_id, event = self.pick(choice), self.next_event()
        base = 2 if stale else len(self.memory.tail(run_id, 0))
        self.both(lambda runs: runs.append(run_id, base, [event]))

    @precondition(lambda self: self.known)
    @rule(choice=choices, status=st.sampled_from(NEXT), due=st.none() | moments)
    def change(self, choice: int, status: RunStatus, due: Any) -> None:
        was = self.memory.get(self.pick(choice))
        started = was.started_at or (after(self.events) if status is RunStatus.EXECUTING else None)
        ended = after(self.events) if status.terminal else None
        now = replace(was, status=status, updated_at=after(self.events), started_at=started, ended_at=ended)
        base, event = len(self.memory.tail(was.id, 0)), self.next_event()
        self.both(lambda runs: runs.append(was.id, base, [event], Change(now, was.status, due)))

    @precondition(lambda self: self.known)
    @rule(choice=choices, until=moments)
    def wake(self, choice: int, until: Any) -> None:
        self.both(lambda runs: runs.wake(self.pick(choice), until))

    @precondition(lambda self: self.known)
    @rule(choice=choices, epoch=st.integers(0, 3), until=moments, verb=st.sampled_from(["rest", "renew", "reclaim"]))
    def hold(self, choice: int, epoch: int, until: Any, verb: str) -> None:
        epoch = epoch or self.memory.load(self.pick(choice)).epoch
        self.both(lambda runs: getattr(runs, verb)(self.pick(choice), epoch, until))

    @precondition(lambda self: self.known)
    @rule(choice=choices, stale=st.booleans())
    def admit(self, choice: int, stale: bool) -> None:
        run, event = self.memory.get(self.pick(choice)), self.next_event()
        base = 2 if stale else len(self.memory.tail(run.id, 0))
        admitted: Run = replace(run, status=RunStatus.EXECUTING, started_at=after(self.events))
        self.both(lambda runs: runs.admit(admitted, base, [event], after(60)))

    @precondition(lambda self: self.known)
    @rule(choice=choices, until=moments)
    def postpone(self, choice: int, until: Any) -> None:
        self.both(lambda runs: runs.postpone(self.pick(choice), until))

    @precondition(lambda self: self.known)
    @rule(choice=choices)
    def snapshot(self, choice: int) -> None:
        number = len(self.memory.tail(self.pick(choice), 0))
        self.both(lambda runs: runs.keep_snapshot(self.pick(choice), number, {"upto": number}))

    def teardown(self) -> None:
        if not hasattr(self, "known"):
            return
        for run_id in self.known:
            self.both(lambda runs, run_id=run_id: runs.load(run_id))
        for statuses in (None, NEXT, [RunStatus.QUEUED]):
            self.both(lambda runs, statuses=statuses: (runs.page("acme", statuses, 3, 1), runs.count("acme", statuses)))
        for wanted in (
            RunList("acme"),
            RunList("acme", "job-1"),
            RunList("acme", label="tag:a", statuses=frozenset(NEXT)),
        ):
            self.both(lambda runs, wanted=wanted: runs.browse(wanted, 3))
        self.both(lambda runs: (runs.counts("acme"), runs.counts("acme", "g")))
        self.both(lambda runs: list(runs.ended("job-1", after(0), after(500))))
        self.both(lambda runs: runs.spent([Rate("r", 3, 60), Rate("s", 5, 1)], after(self.events)))
        self.both(lambda runs: runs.holders([*"abcwp"]))
        for slot in "abc":
            self.both(lambda runs, slot=slot: runs.next_queued(slot))
        self.both(lambda runs: sorted(runs.due(after(300), 100), key=lambda lapse: (lapse.due_at, lapse.run_id)))


def _answer(act: Callable[[Runs], Any], runs: Runs) -> tuple[str, Any]:
    try:
        return "gave", act(runs)
    except (AlreadyThere, AppendConflict, NotFound, RateExceeded, SlotTaken) as refusal:
        return _told(refusal)


def _told(answer: Exception | None) -> tuple[str, Any]:
    match answer:
        case None:
            return "gave", None
        case AlreadyThere():
            return "AlreadyThere", (answer.run_id, answer.guard, answer.mark)
        case RateExceeded():
            return "RateExceeded", (answer.name, answer.until)
        case SlotTaken():
            return "SlotTaken", str(answer)
        case _:
            return type(answer).__name__, None


def test_memory_and_dynamodb_answer_alike(aws: Stores) -> None:
    """Random histories of creations, appends, leases and admissions give the same answers in both."""
    machine = type("Machine", (Alike,), {"make": staticmethod(aws.runs)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=5,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
