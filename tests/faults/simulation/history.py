"""One history: a world is run through a storm and then a calm, and its promises are checked afterwards."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from simulation import plans
from simulation.checks import check_counts, check_run
from simulation.kinds import PlainExpressions, all_kinds
from simulation.tidiness import check_left, check_nothing_outlives_its_run
from simulation.world import PortFailed, ProcessDied, World

from quintet.bootstrap import Services
from quintet.domain.errors import QuintetError
from quintet.domain.job import Job
from quintet.domain.status import RunStatus, StepStatus

STORM_SECONDS = 600
CALM_SECONDS = 40_000
PROJECT = "p"


class History:
    """The people and rules around the engine."""

    def __init__(self, seed: int, *, fault_rate: float = 0.04) -> None:
        self.world = World(seed, fault_rate=fault_rate)
        self.kinds = self.world.kinds = all_kinds(self.world)
        self.expressions = PlainExpressions()
        self.honest = self.world.honest(self.kinds, self.expressions)
        self.world.settle = self._settle
        self.callee: str | None = None
        self.marked: list[list[str]] = []
        self.calm_since: datetime | None = None
        self.accepted: set[str] = set()

    def process(self) -> Services:
        """A fresh process of the product."""
        return self.world.process(self.kinds, self.expressions)

    def run(self) -> None:
        """The storm, the calm, and the checks."""
        for _ in range(self.world.random.randint(1, 5)):
            self._ask_for_a_job()
        for _ in range(self.world.random.randint(1, 3)):
            self.world.later(self.world.random.uniform(100, STORM_SECONDS), self._mark_zombies)
        self._every(60, lambda: self.process().sweep(), STORM_SECONDS + CALM_SECONDS)
        self._pass(STORM_SECONDS)
        self.world.calm = True
        self.calm_since = self.world.clock.now()
        self._every(120, self._answer_everything, CALM_SECONDS)
        self._pass(CALM_SECONDS)
        self.check()

    def _pass(self, seconds: float) -> None:
        end = self.world.clock.now() + timedelta(seconds=seconds)
        while self.world.run_next(until=end):
            self._watch()
        self.world.clock.advance_to(end)

    def _watch(self) -> None:
        """No write broke a promise, and somebody will look at every run that has not ended."""
        assert not self.world.witness.broken, self.world.witness.broken
        due = {lapse.run_id for lapse in self.honest.runs.due(self.world.clock.now() + timedelta(days=400), 10_000)}
        for run in self.world.witness.live():
            assert run.id in due, f"{run.id} is {run.status} and nobody will look at it"
        if self.calm_since is not None:
            check_nothing_outlives_its_run(self)

    def _every(self, seconds: float, act: Callable[[], object], until: float) -> None:
        def again(left: float) -> None:
            if left > 0:
                self.world.later(seconds, lambda: again(left - seconds))
            act()

        again_first = until
        self.world.later(seconds, lambda: again(again_first))

    def _settle(self, run_id: str, path: str, token: int, ended: Mapping[str, Any]) -> None:
        self.process().settle_parked(run_id, path, token, ended)

    # --- people ----------------------------------------------------------------------------------------------------------------

    def _ask_for_a_job(self) -> None:
        chance = self.world.random
        plan = plans.plan(chance, self.callee)
        job = self.honest.define.define(PROJECT, "automations", "job", plan, {"n": self.world.sequence})
        self.callee = job.id
        for _ in range(chance.randint(1, 3)):
            self.world.later(chance.uniform(0, 200), lambda: self._trigger(job))

    def _trigger(self, job: Job) -> None:
        chance = self.world.random
        key = chance.choice((None, "a", "b"))
        run_id = self.world.ids.new()
        services = self.process()
        try:
            services.trigger_run(job, input={"n": 1}, concurrency_key=key, run_id=run_id)
        except (ProcessDied, PortFailed):
            if not self._exists(run_id):
                return
        self.accepted.add(run_id)
        if chance.random() < 0.2:
            self.world.later(chance.uniform(0, 300), lambda: self._cancel(run_id))
        for _ in range(chance.randint(0, 4)):
            self.world.later(chance.uniform(0, 500), lambda: self._answer(run_id))

    def _mark_zombies(self) -> None:
        """Somebody has no patience; whoever dies over it has no answer."""
        older = timedelta(seconds=self.world.random.choice((60, 200, 400)))
        self.marked.append([run.id for run in self.process().zombies.mark(PROJECT, older)])

    def _answer_everything(self) -> None:
        """In the calm people get round to what they were asked."""
        for run in self.honest.runs.page(PROJECT, [RunStatus.WAITING, RunStatus.EXECUTING], 1000, 0):
            self._answer(run.id)

    def _exists(self, run_id: str) -> bool:
        try:
            self.honest.runs.get(run_id)
        except QuintetError:
            return False
        return True

    def _cancel(self, run_id: str) -> None:
        try:
            self.process().cancel_run(PROJECT, run_id, "somebody")
        except QuintetError:
            return

    def _answer(self, run_id: str) -> None:
        state = self.honest.journal.open(run_id).state
        asking = [path for path in state.waiting if state.steps[path].wait.get("for") == "input"]
        if not asking:
            return
        path = self.world.random.choice(asking)
        assert state.steps[path].status is StepStatus.WAITING
        try:
            self.process().answer_step(PROJECT, run_id, path, approved=self.world.random.random() < 0.7, by="somebody")
        except QuintetError:
            return

    # --- promises --------------------------------------------------------------------------------------------------------------

    def excused(self) -> set[str]:
        """The runs that are right not to have ended."""
        return set()

    def check(self) -> None:
        """Every promise, on every accepted run."""
        known = {run.id for run in self.honest.runs.page(PROJECT, None, 1000, 0)}
        assert self.accepted <= known
        for run_id in sorted(known - self.excused()):
            check_run(self.honest, run_id)
        check_counts(self.honest, PROJECT)
        check_left(self)
