"""The engine's parts, put together."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from quintet.bootstrap.ports import Ports
from quintet.domain.run import Run
from quintet.domain.status import RunStatus
from quintet.services.admission import Admission, Upstreams
from quintet.services.again import RetryRun
from quintet.services.answer import AnswerStep
from quintet.services.attempts import Attempts
from quintet.services.burst import Advance
from quintet.services.carry import Carry
from quintet.services.children import StartChild
from quintet.services.dataset_files import DatasetFiles
from quintet.services.datasets import Datasets
from quintet.services.endings import Endings, Follower
from quintet.services.engine import Engine
from quintet.services.fanout import AdvanceItem
from quintet.services.gather import Gather
from quintet.services.heartbeats import Heartbeats
from quintet.services.holding import HoldRuns
from quintet.services.journal import Journal
from quintet.services.merging import Merging
from quintet.services.parked import SettleParked, UntoldEnds
from quintet.services.payloads import Payloads
from quintet.services.ports.steps import StepCall, StepKinds
from quintet.services.programs import Programs
from quintet.services.queueing import Queueing
from quintet.services.reading import Reading
from quintet.services.settling import Settling
from quintet.services.stops import Stops
from quintet.services.submit import Submit
from quintet.services.tokens import RunTokens
from quintet.services.trigger import TriggerRun
from quintet.services.upkeep import Sweep, Tick
from quintet.services.zombies import Zombies

if TYPE_CHECKING:
    from quintet.steps.tools import TaskTools


class EngineParts(Ports):
    """What drives runs, from their trigger to what follows their end."""

    @cached_property
    def kinds(self) -> StepKinds:
        """The step kinds with their tools."""
        from quintet.services.hooks import JobSecrets
        from quintet.steps.registry import step_kinds
        from quintet.steps.tools import Tools

        return step_kinds(
            Tools(
                expressions=self.expressions,
                http=self.http,
                functions=self.functions,
                blobs=self.blobs,
                start_child=self._start_child,
                vault=self.vault,
                run_tokens=self.run_tokens,
                signatures=self.signatures,
                signing_secrets=JobSecrets(self.jobs, self.clock),
                schemas=self.schemas,
                clock=self.clock,
                runner_function=self.settings.runner_function,
                sql_function=self.settings.sql_function,
                subscriptions=self.subscriptions,
                tasks=self._task_tools(),
            )
        )

    def _task_tools(self) -> "TaskTools":
        from quintet.steps.tools import TaskTools

        return TaskTools(
            jobs=self.jobs,
            programs=self.programs,
            datasets=self.datasets,
            files=self.files,
            parking=self.parking,
            zombie_hours=self.settings.zombie_hours,
        )

    def _start_child(self, call: StepCall, job_id: str, given: Any) -> str:
        # Looked up at the call: children are triggered by what is made of the kinds.
        return self.start_child(call, job_id, given)

    @cached_property
    def payloads(self) -> Payloads:
        """Payloads inside and outside journals."""
        return Payloads(self.blobs)

    @cached_property
    def journal(self) -> Journal:
        """Runs as folded states."""
        return Journal(self.runs, self.jobs, self.clock)

    @cached_property
    def datasets(self) -> Datasets:
        """Tables whose rows are files."""
        files = DatasetFiles(self.blobs, self.files, self.clock, self.ids)
        return Datasets(self.collections, files, self.blobs, self.jobs, self.runs, self.reading, self.clock)

    @cached_property
    def programs(self) -> Programs:
        """What tasks run."""
        return Programs(self.collections, self.blobs, self.vault, self.guard_url, self.clock)

    @cached_property
    def run_tokens(self) -> RunTokens:
        """Tokens of runs."""
        return RunTokens(self.signing_secrets, self.vault, self.token_codec)

    @cached_property
    def settling(self) -> Settling:
        """Books outcomes."""
        return Settling(self.payloads, self.ids)

    @cached_property
    def attempts(self) -> Attempts:
        """One step at a time."""
        return Attempts(self.kinds, self.expressions, self.payloads, self.settling, self.logs, self.clock, self.ids)

    @cached_property
    def endings(self) -> Endings:
        """What follows a run's end."""
        return Endings(
            self.runs,
            self.journal,
            self.settling,
            self.payloads,
            Gather(self.runs, self.payloads),
            Admission(
                self.runs,
                self.journal,
                self.jobs,
                self.payloads,
                lambda: self.upstreams,
                self.schedules,
                self.bursts,
                self.clock,
            ),
            self.bursts,
            self.fanouts,
            Stops(self.blobs, self.parking),
            self.clock,
            lambda: self.followers,
        )

    @cached_property
    def followers(self) -> tuple[Follower, ...]:
        """Who hears of the end of runs that are followed."""
        return ()

    @cached_property
    def hold(self) -> HoldRuns:
        """Pauses, resumes, reschedules and releases runs."""
        return HoldRuns(self.runs, self.journal, self.endings, self.timers)

    @cached_property
    def upstreams(self) -> Upstreams:
        """What runs wait for before they start."""
        raise NotImplementedError

    @cached_property
    def submit(self) -> Submit:
        """Takes triggers through their jobs' terms."""
        merging = Merging(
            self.runs, self.journal, self.trigger_run, self.endings, self.payloads, self.timers, self.clock
        )
        return Submit(self.runs, self.trigger_run, merging, self.schemas, self.upstreams, self.schedules, self.clock)

    @cached_property
    def trigger_run(self) -> TriggerRun:
        """Starts runs."""
        return TriggerRun(
            self.runs,
            self.journal,
            self.payloads,
            self.endings,
            self.queueing,
            self.bursts,
            self.timers,
            self.clock,
            self.ids,
        )

    @cached_property
    def queueing(self) -> Queueing:
        """Has runs wait."""
        return Queueing(self.runs, self.journal, self.endings, self.clock)

    @cached_property
    def start_child(self) -> StartChild:
        """Starts runs for steps."""
        return StartChild(self.runs, self.jobs, self.submit, self.endings.cancel)

    @cached_property
    def advance(self) -> Advance:
        """Drives runs."""
        engine = Engine(
            self.runs,
            self.journal,
            self.attempts,
            self.settling,
            self.endings,
            self.bursts,
            self.timers,
            self.carriers,
            self.zombies,
            self.clock,
        )
        return Advance(engine, self.pool)

    @cached_property
    def advance_item(self) -> AdvanceItem:
        """Drives the items of large maps."""
        return AdvanceItem(self.runs, self.journal, self.advance, self.clock)

    @cached_property
    def carry(self) -> Carry:
        """Carries one step."""
        return Carry(
            self.runs,
            self.journal,
            self.clock,
            self.ids,
            self.attempts,
            self.settling,
            self.endings,
            self.advance,
            self.bursts,
        )

    @cached_property
    def settle_parked(self) -> SettleParked:
        """Settles steps whose parked work has ended."""
        return SettleParked(
            self.runs, self.journal, self.attempts, self.settling, self.endings, self.logs, self.clock, self.ids
        )

    @cached_property
    def answer_step(self) -> AnswerStep:
        """Takes people's answers."""
        from quintet.steps.input import InputKind

        return AnswerStep(
            self.runs, self.journal, self.settling, self.endings, self.payloads, InputKind.answer_problems
        )

    @cached_property
    def retry_run(self) -> RetryRun:
        """Retries ended runs."""
        return RetryRun(self.journal, self.jobs, self.trigger_run, self.payloads, self.clock)

    @cached_property
    def reading(self) -> Reading:
        """Reads runs."""
        return Reading(self.runs, self.journal, self.payloads, self.clock)

    @cached_property
    def tick(self) -> Tick:
        """Fires schedules."""
        return Tick(self.jobs, self.submit, self.clock, self.next_moment)

    @cached_property
    def sweep(self) -> Sweep:
        """Takes up lost runs."""
        return Sweep(
            self.runs,
            self.journal,
            self.endings,
            Heartbeats(self.runs, self.journal),
            UntoldEnds(self.journal, self.parking),
            self.zombies,
            self.bursts,
            self.clock,
            self._hold_back,
        )

    @cached_property
    def zombies(self) -> Zombies:
        """Gives up runs that are at work for too long."""
        after = timedelta(hours=self.settings.zombie_hours)
        return Zombies(self.runs, self.journal, self.endings, self.clock, after)

    def _hold_back(self, run: Run) -> None:
        self.upstreams.wait_for(self.jobs.get(run.tenant, run.job_id), run.id)

    def wake_run(self, run_id: str) -> None:
        """Has a run looked at: a delayed or queued one is let in, one that waits to start too, a resting one gets a burst."""
        run = self.endings.knock(run_id)
        if run.status is RunStatus.WAITING and run.started_at is None:
            self._hold_back(run)

    def cancel_run(self, project: str, run_id: str, by: str, reason: str | None = None) -> Run:
        """Cancels a project's run. Raises NotFound, Conflict when it has ended."""
        self.reading.run(project, run_id)
        return self.endings.cancel(run_id, by, reason)
