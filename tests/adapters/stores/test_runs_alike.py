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
from quintet.services.ports.runs import AlreadyThere, Change, Runs, SlotTaken

from .conftest import Stores
from .samples import a_run, after, created, progress

SLOTS = [(), (Slot("a", 1),), (Slot("a", 1), Slot("b", 2)), (Slot("b", 2),)]
STATUSES = [RunStatus.EXECUTING, RunStatus.QUEUED, RunStatus.DELAYED]
NEXT = [RunStatus.EXECUTING, RunStatus.WAITING, RunStatus.COMPLETED, RunStatus.CANCELED]
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

    @rule(
        status=st.sampled_from(STATUSES),
        slots=st.sampled_from(SLOTS),
        due=st.none() | moments,
        leased=st.booleans(),
        guard=st.booleans(),
    )
    def create(self, status: RunStatus, slots: tuple[Slot, ...], due: Any, leased: bool, guard: bool) -> None:
        run = a_run(status, slots=slots, priority=self.events % 3)
        lease = after(60) if leased else None
        named = {"guard": "g", "guard_until": after(5)} if guard else {}
        answer = self.both(lambda runs: runs.create(run, created(), lease_until=lease, due_at=due, **named))
        if answer == ("gave", None):
            self.known.append(run.id)

    @precondition(lambda self: self.known)
    @rule(choice=choices, stale=st.booleans())
    def append(self, choice: int, stale: bool) -> None:
        run_id, event = self.pick(choice), self.next_event()
        base = 2 if stale else len(self.memory.tail(run_id, 0))
        self.both(lambda runs: runs.append(run_id, base, [event]))

    @precondition(lambda self: self.known)
    @rule(choice=choices, status=st.sampled_from(NEXT))
    def change(self, choice: int, status: RunStatus) -> None:
        was = self.memory.get(self.pick(choice))
        now = replace(was, status=status, updated_at=after(self.events))
        base, event = len(self.memory.tail(was.id, 0)), self.next_event()
        self.both(lambda runs: runs.append(was.id, base, [event], Change(now, was.status)))

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
        admitted: Run = replace(run, status=RunStatus.EXECUTING)
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
        for slot in "ab":
            self.both(lambda runs, slot=slot: runs.next_queued(slot))
        self.both(lambda runs: sorted(runs.due(after(300), 100), key=lambda lapse: (lapse.due_at, lapse.run_id)))


def _answer(act: Callable[[Runs], Any], runs: Runs) -> tuple[str, Any]:
    try:
        return "gave", act(runs)
    except AlreadyThere as known:
        return "AlreadyThere", known.run_id
    except (AppendConflict, NotFound, SlotTaken) as refusal:
        return type(refusal).__name__, None


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
