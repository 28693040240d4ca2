"""Histories in which people also skip, complete and retry steps by hand, under the same faults."""

import logging
from collections import Counter

import pytest
from simulation.checks import SETTLING, check_counts
from simulation.history import PROJECT, History
from simulation.tidiness import check_left
from simulation.world import PortFailed, ProcessDied

from quintet.domain import snapshot
from quintet.domain.definition import Graph, Plan
from quintet.domain.errors import QuintetError
from quintet.domain.events import Event, EventType
from quintet.domain.fold import fold
from quintet.domain.state import RunState
from quintet.domain.status import RunStatus, StepStatus
from quintet.services import attempts

CHUNK = 25
VERBS = ("skip", "skip", "complete", "retry")


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small histories meet snapshots and fanned-out maps too."""
    monkeypatch.setattr(snapshot, "FIRST_AT", 12)
    monkeypatch.setattr(attempts, "FANOUT_ABOVE", 2)
    logging.getLogger("quintet").setLevel(logging.CRITICAL)  # a storm's sweeps have much to complain of


class OperatedHistory(History):
    """People answer, and others do something else to steps that have not settled."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.taken: Counter[str] = Counter()
        self.unsure: Counter[str] = Counter()

    def _ask_for_a_job(self) -> None:
        super()._ask_for_a_job()
        for _ in range(8):
            self.world.later(self.world.random.uniform(0, 600), self._meddle)

    def _meddle(self) -> None:
        chance = self.world.random
        live = sorted(run_id for run_id in self.accepted if not self.honest.runs.get(run_id).status.terminal)
        if not live:
            return
        run_id = chance.choice(live)
        state = self.honest.journal.open(run_id).state
        left = sorted(path for path, step in state.steps.items() if not step.status.settled)
        if left:
            self._operate(run_id, chance.choice(left), chance.choice(VERBS))

    def _operate(self, run_id: str, path: str, verb: str) -> None:
        operate = self.process().operate_step
        try:
            if verb == "skip":
                operate.skip(PROJECT, run_id, path, by="somebody")
            elif verb == "complete":
                operate.complete(PROJECT, run_id, path, {"by": "hand"}, by="somebody")
            else:
                made = operate.retry(PROJECT, run_id, path, by="somebody").id
                if made != run_id:  # the run ended meanwhile, and was retried as a whole
                    self.accepted.add(made)
                    return
        except QuintetError:
            return
        except (ProcessDied, PortFailed):
            self.unsure[run_id] += 1
            raise
        self.taken[run_id] += 1

    def check(self) -> None:
        """Every promise, on every accepted run."""
        children = {run.id for run in self.honest.runs.page(PROJECT, None, 1000, 0) if run.parent}
        for run_id in sorted(self.accepted | children):
            run = self.honest.runs.get(run_id)
            plan = self.honest.journal.plan(run.job_id, run.version)
            events = self.honest.runs.tail(run_id, 0)
            state = fold(run_id, plan, events)
            assert run.status.terminal, f"{run_id} was accepted and never ended: {run.status}"
            assert state.status is run.status
            check_order(plan, events)
            check_end(state)
            known = sum("by" in event.data and event.path is not None for event in events)
            assert self.taken[run_id] <= known <= self.taken[run_id] + self.unsure[run_id]
        check_counts(self.honest, PROJECT)
        check_left(self)


def check_order(plan: Plan, events: list[Event]) -> None:
    """Nothing starts before its dependencies have settled or settles before them unless by hand; nothing settles twice."""
    graphs: dict[str, Graph] = {"": plan.graph}
    settled: set[str] = set()
    for event in events:
        path = event.path
        if path is None or event.type is EventType.LATE_REFUSED:
            continue
        prefix, _, key = path.rpartition(".")
        prefix = prefix + "." if prefix else ""
        assert path not in settled, f"{event} of a settled step"
        if event.type is EventType.FRAME_OPENED:
            inner = f"{path}[{event.data['index']}]."
            graphs[inner] = graphs[prefix].bodies[key]
            settled = {known for known in settled if not known.startswith(inner)}
            continue
        if event.type is not EventType.STEP_CANCELED and "by" not in event.data:
            assert all(prefix + needed in settled for needed in graphs[prefix].by_key[key].depends_on), event
        if event.type in SETTLING or (event.type is EventType.STEP_FAILED and "retry_at" not in event.data):
            settled.add(path)


def check_end(state: RunState) -> None:
    """The run ended as its steps demand, and every step that was skipped or ran had a reason to."""
    steps = [state.steps[path] for path in state.root.paths]
    assert all(step.status.settled for step in state.steps.values())
    fatal = any(step.status is StepStatus.FAILED and step.define.on_failure.fatal for step in steps)
    if state.status is RunStatus.FAILED:
        assert fatal
    if state.status is not RunStatus.COMPLETED:
        return
    assert not fatal
    for step in steps:
        needed = [state.steps[key] for key in step.define.depends_on]
        ends = {one.status for one in needed}
        assert step.status is not StepStatus.CANCELED
        if step.status is StepStatus.SKIPPED and step.skip_reason == "upstream_skipped":
            assert ends == {StepStatus.SKIPPED}, step
        if step.status is StepStatus.SKIPPED and step.skip_reason == "condition":
            assert step.define.when == "false", step
        if step.skip_reason is None and step.started_at is not None and step.result != {"by": "hand"}:
            assert not needed or ends != {StepStatus.SKIPPED}, step


@pytest.mark.parametrize("first", range(0, 75, CHUNK))
def test_histories_with_interventions_keep_every_promise(first: int) -> None:
    """Whatever people do to steps, however often they race, and wherever their process dies."""
    taken = 0
    for seed in range(first, first + CHUNK):
        history = OperatedHistory(seed)
        try:
            history.run()
        except AssertionError as broken:
            raise AssertionError(f"seed {seed}: {broken}") from broken
        taken += history.taken.total()
    assert taken > CHUNK  # the histories are not empty of what they are about


@pytest.mark.long
@pytest.mark.parametrize("first", range(75, 3000, 75))
def test_long_campaign_with_interventions(first: int) -> None:
    """Thousands of the same, for `make test-long`."""
    for seed in range(first, first + 75):
        try:
            OperatedHistory(seed).run()
        except AssertionError as broken:
            raise AssertionError(f"seed {seed}: {broken}") from broken
