"""Puts the product together: which adapter serves which port. Every part is made at its first use and can be replaced in tests."""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

from quintet.domain.errors import Conflict
from quintet.domain.job import Job
from quintet.domain.run import Run
from quintet.services.again import RetryRun
from quintet.services.answer import AnswerStep
from quintet.services.attempts import Attempts
from quintet.services.burst import Advance
from quintet.services.carry import Carry
from quintet.services.checks import Checks
from quintet.services.children import StartChild
from quintet.services.endings import Endings
from quintet.services.engine import Engine
from quintet.services.fanout import AdvanceItem
from quintet.services.gather import Gather
from quintet.services.jobs import DefineJob
from quintet.services.journal import Journal
from quintet.services.payloads import Payloads
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.keys import Keys
from quintet.services.ports.runs import Runs
from quintet.services.ports.secrets import Vault
from quintet.services.ports.steps import Expressions, StepCall, StepKinds
from quintet.services.ports.world import Blobs, Bursts, Carriers, Clock, Fanouts, Ids, Logs, Pool, Timers
from quintet.services.reading import Reading
from quintet.services.settling import Settling
from quintet.services.trigger import TriggerRun
from quintet.services.upkeep import Sweep, Tick
from quintet.settings import Settings


class Services:
    """All use cases and ports of one process. `Services(clock=..., runs=...)` replaces what is named."""

    def __init__(self, **replaced: Any) -> None:
        for name, part in replaced.items():
            if not hasattr(type(self), name):
                raise TypeError(f"no part is called {name}")
            setattr(self, name, part)

    # --- ports ---------------------------------------------------------------------------------------------------------------

    @cached_property
    def settings(self) -> Settings:
        """The deployment's names."""
        return Settings()

    @cached_property
    def clock(self) -> Clock:
        """Time."""
        from quintet.adapters.clock import SystemClock

        return SystemClock()

    @cached_property
    def ids(self) -> Ids:
        """Names and chance."""
        from quintet.adapters.ids import SystemIds

        return SystemIds()

    @cached_property
    def runs(self) -> Runs:
        """Runs and journals."""
        from quintet.adapters.dynamodb.runs import DynamoRuns

        return DynamoRuns(self.settings.runs_table)

    @cached_property
    def jobs(self) -> Jobs:
        """Jobs and versions."""
        from quintet.adapters.dynamodb.jobs import DynamoJobs

        return DynamoJobs(self.settings.jobs_table)

    @cached_property
    def keys(self) -> Keys:
        """API keys."""
        from quintet.adapters.dynamodb.keys import DynamoKeys

        return DynamoKeys(self.settings.jobs_table)

    @cached_property
    def logs(self) -> Logs:
        """Step logs."""
        from quintet.adapters.dynamodb.logs import DynamoLogs

        return DynamoLogs(self.settings.logs_table)

    @cached_property
    def blobs(self) -> Blobs:
        """Large payloads and datasets."""
        from quintet.adapters.s3 import S3Blobs

        return S3Blobs(self.settings.blobs_bucket)

    @cached_property
    def vault(self) -> Vault:
        """Secrets."""
        from quintet.adapters.kms import KmsVault

        return KmsVault(self.settings.vault_key_id)

    @cached_property
    def bursts(self) -> Bursts:
        """Starts bursts."""
        from quintet.adapters.stepfunctions import StepFunctionsBursts

        return StepFunctionsBursts(self.settings.burst_machine_arn)

    @cached_property
    def timers(self) -> Timers:
        """Wakes parked runs."""
        from quintet.adapters.stepfunctions import StepFunctionsTimers

        return StepFunctionsTimers(self.settings.park_machine_arn)

    @cached_property
    def carriers(self) -> Carriers:
        """Carries long steps."""
        from quintet.adapters.functions import LambdaCarriers

        return LambdaCarriers(self.settings.carry_function)

    @cached_property
    def fanouts(self) -> Fanouts:
        """Enacts the items of large maps."""
        from quintet.adapters.stepfunctions import StepFunctionsFanouts

        return StepFunctionsFanouts(self.settings.fanout_machine_arn, self.settings.blobs_bucket)

    @cached_property
    def expressions(self) -> Expressions:
        """JSONata."""
        from quintet.adapters.jsonata import JsonataExpressions

        return JsonataExpressions()

    @cached_property
    def kinds(self) -> StepKinds:
        """The step kinds with their tools."""
        from quintet.adapters.functions import LambdaFunctions
        from quintet.adapters.http import GuardedHttpClient
        from quintet.steps.registry import step_kinds
        from quintet.steps.tools import Tools

        return step_kinds(
            Tools(
                expressions=self.expressions,
                http=GuardedHttpClient(),
                functions=LambdaFunctions(),
                blobs=self.blobs,
                start_child=self._start_child,
                runner_function=self.settings.runner_function,
                sql_function=self.settings.sql_function,
            )
        )

    def _start_child(self, call: StepCall, job_id: str, given: Any) -> str:
        # Looked up at the call: children are triggered by what is made of the kinds.
        return self.start_child(call, job_id, given)

    @cached_property
    def pool(self) -> Callable[[], Pool]:
        """Makes the pool of a slice."""
        from quintet.adapters.threads import ThreadPool

        return ThreadPool

    @cached_property
    def next_moment(self) -> Callable[[Job, datetime], datetime | None]:
        """The next moment of a job's schedule."""
        from quintet.adapters.cron import next_moment

        return next_moment

    # --- use cases -----------------------------------------------------------------------------------------------------------

    @cached_property
    def payloads(self) -> Payloads:
        """Payloads inside and outside journals."""
        return Payloads(self.blobs)

    @cached_property
    def journal(self) -> Journal:
        """Runs as folded states."""
        return Journal(self.runs, self.jobs, self.clock)

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
            self.bursts,
            self.fanouts,
            self.clock,
        )

    @cached_property
    def trigger_run(self) -> TriggerRun:
        """Starts runs."""
        return TriggerRun(
            self.runs, self.journal, self.payloads, self.endings, self.bursts, self.timers, self.clock, self.ids
        )

    @cached_property
    def start_child(self) -> StartChild:
        """Starts runs for steps."""
        return StartChild(self.runs, self.jobs, self.trigger_run, self.endings.cancel)

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
        return Carry(self.journal, self.ids, self.attempts, self.settling, self.endings)

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
        return RetryRun(self.journal, self.trigger_run, self.payloads, self.clock)

    @cached_property
    def checks(self) -> Checks:
        """Checks plans."""
        return Checks(self.kinds, self.expressions)

    @cached_property
    def define(self) -> DefineJob:
        """Defines and revises jobs."""
        return DefineJob(self.jobs, self.checks, self.clock, self.ids)

    @cached_property
    def reading(self) -> Reading:
        """Reads runs."""
        return Reading(self.runs, self.journal, self.payloads, self.clock)

    @cached_property
    def tick(self) -> Tick:
        """Fires schedules."""
        return Tick(self.jobs, self.trigger_run, self.clock, self.next_moment)

    @cached_property
    def sweep(self) -> Sweep:
        """Takes up lost runs."""
        return Sweep(self.runs, self.journal, self.endings, self.bursts, self.clock)

    def wake_run(self, run_id: str) -> None:
        """Has a run looked at: a delayed or queued one is let in, a resting one gets a burst."""
        self.endings.knock(run_id)

    def cancel_run(self, project: str, run_id: str, by: str, reason: str | None = None) -> Run:
        """Cancels a project's run. Raises NotFound, Conflict when it has ended."""
        self.reading.run(project, run_id)
        return self.endings.cancel(run_id, by, reason)

    def delete_job(self, project: str, job_id: str) -> None:
        """Deletes a project's job; its runs stay. Raises NotFound, Conflict."""
        self.jobs.delete(self.jobs.get(project, job_id))


@lru_cache(maxsize=1)
def services() -> Services:
    """The process's services, on AWS adapters."""
    return Services()


def seed_local_key(secret: str) -> None:
    """Makes the local cloud's admin key of project and namespace `default` known; only the local cloud calls this."""
    import hashlib

    from quintet.services.ports.keys import Key

    made = services()
    if not made.settings.local:
        raise Conflict("only the local cloud has a default key")
    digest = hashlib.sha256(secret.encode()).hexdigest()
    key = Key(
        "local", "default", "default", "local-dev", secret[:6], frozenset({"admin"}), made.clock.now(), "local-dev"
    )
    made.keys.put(digest, key)
