"""Puts the product together: which adapter serves which port. Every part is made at its first use and can be replaced in tests."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

from quintet.domain.errors import Conflict, Invalid
from quintet.domain.job import Job
from quintet.domain.run import Run, Trigger
from quintet.domain.status import TERMINAL, RunStatus
from quintet.services.admission import Admission
from quintet.services.again import RetryRun
from quintet.services.answer import AnswerStep
from quintet.services.attempts import Attempts
from quintet.services.burst import Advance
from quintet.services.carry import Carry
from quintet.services.checks import Checks
from quintet.services.children import StartChild
from quintet.services.dependencies import Dependencies
from quintet.services.endings import Endings, Follower
from quintet.services.engine import Engine
from quintet.services.events import PublishEvent
from quintet.services.fanout import AdvanceItem
from quintet.services.gather import Gather
from quintet.services.groups import JobGroups
from quintet.services.heartbeats import Heartbeats
from quintet.services.holding import HoldRuns
from quintet.services.jobs import DefineJob
from quintet.services.journal import Journal
from quintet.services.keys import ManageKeys
from quintet.services.merging import Merging
from quintet.services.operate import OperateStep
from quintet.services.payloads import Payloads
from quintet.services.ports.dependencies import DependencyStore
from quintet.services.ports.events import Subscriptions
from quintet.services.ports.groups import Groups
from quintet.services.ports.http import UrlGuard
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.keys import Keys
from quintet.services.ports.projects import ProjectStore
from quintet.services.ports.records import Records
from quintet.services.ports.runs import Guard, RunList, Runs
from quintet.services.ports.schedules import Schedules
from quintet.services.ports.schemas import Schemas
from quintet.services.ports.secrets import Vault
from quintet.services.ports.signing import SigningSecrets, TokenCodec
from quintet.services.ports.steps import Expressions, StepCall, StepKinds
from quintet.services.ports.webhooks import Deliveries, DeliveryQueue, Signatures
from quintet.services.ports.world import Blobs, Bursts, Carriers, Clock, Fanouts, Ids, Logs, Pool, Timers
from quintet.services.projects import Projects
from quintet.services.reading import Reading
from quintet.services.report import Report
from quintet.services.settling import Settling
from quintet.services.submit import Ask, Submit, Upstreams
from quintet.services.switch import SwitchJobs
from quintet.services.tokens import RunTokens
from quintet.services.trigger import TriggerRun
from quintet.services.upkeep import Sweep, Tick
from quintet.services.webhooks import CompletionWebhooks
from quintet.settings import Settings

DIALECTS = ("automations", "etl", "jobs", "pipelines", "workflows")
"""The APIs that define jobs: all that a project's jobs are counted under."""


log = logging.getLogger(__name__)


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
    def group_store(self) -> Groups:
        """Job groups, as stored."""
        from quintet.adapters.dynamodb.groups import DynamoGroups

        return DynamoGroups(self.settings.jobs_table)

    @cached_property
    def keys(self) -> Keys:
        """API keys."""
        from quintet.adapters.dynamodb.keys import DynamoKeys

        return DynamoKeys(self.settings.jobs_table)

    @cached_property
    def project_store(self) -> ProjectStore:
        """Projects."""
        from quintet.adapters.dynamodb.projects import DynamoProjects

        return DynamoProjects(self.settings.jobs_table)

    @cached_property
    def dependency_store(self) -> DependencyStore:
        """Edges between jobs."""
        from quintet.adapters.dynamodb.dependencies import DynamoDependencies

        return DynamoDependencies(self.settings.jobs_table)

    @cached_property
    def subscriptions(self) -> Subscriptions:
        """Who waits for which event."""
        from quintet.adapters.dynamodb.events import DynamoSubscriptions

        return DynamoSubscriptions(self.settings.runs_table)

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
        from quintet.adapters.sqs import SqsTimers
        from quintet.adapters.stepfunctions import StepFunctionsTimers

        farther = StepFunctionsTimers(self.settings.park_machine_arn)
        return SqsTimers(self.settings.wakes_queue_url, farther, self.clock)

    @cached_property
    def deliveries(self) -> Deliveries:
        """Deliveries of completion webhooks."""
        from quintet.adapters.dynamodb.webhooks import DynamoDeliveries

        return DynamoDeliveries(self.settings.logs_table)

    @cached_property
    def delivery_queue(self) -> DeliveryQueue:
        """Calls for their attempts."""
        from quintet.adapters.sqs import SqsDeliveries

        return SqsDeliveries(self.settings.deliveries_queue_url)

    @cached_property
    def records(self) -> Records:
        """Checkpoints and outputs of runs."""
        from quintet.adapters.dynamodb.records import DynamoRecords

        return DynamoRecords(self.settings.runs_table)

    @cached_property
    def signing_secrets(self) -> SigningSecrets:
        """What run tokens are signed with."""
        from quintet.adapters.dynamodb.signing import DynamoSigningSecrets

        return DynamoSigningSecrets(self.settings.jobs_table)

    @cached_property
    def token_codec(self) -> TokenCodec:
        """Signed claims as text."""
        from quintet.adapters.jwt import Jwt

        return Jwt()

    @cached_property
    def guard_url(self) -> UrlGuard:
        """Judges the URLs that users save."""
        from quintet.adapters.http_urls import GuardedUrls

        return GuardedUrls()

    @cached_property
    def signatures(self) -> Signatures:
        """Signs what is delivered."""
        from quintet.adapters.signatures import StandardSignatures

        return StandardSignatures()

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
                vault=self.vault,
                run_tokens=self.run_tokens,
                signatures=self.signatures,
                schemas=self.schemas,
                clock=self.clock,
                runner_function=self.settings.runner_function,
                sql_function=self.settings.sql_function,
                subscriptions=self.subscriptions,
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
    def run_tokens(self) -> RunTokens:
        """Tokens of runs."""
        return RunTokens(self.signing_secrets, self.vault, self.token_codec)

    @cached_property
    def report(self) -> Report:
        """What programs say of the runs they work on."""
        endpoint: Any = self.kinds["endpoint"]
        return Report(
            self.runs,
            self.jobs,
            self.journal,
            self.settling,
            self.endings,
            self.payloads,
            self.records,
            self.logs,
            self.submit,
            endpoint.judge,
            self.clock,
            self.ids,
        )

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
            Admission(self.runs, self.journal, self.jobs, self.payloads, self.bursts, self.clock),
            self.bursts,
            self.fanouts,
            self.clock,
            lambda: self.followers,
        )

    @cached_property
    def followers(self) -> tuple[Follower, ...]:
        """Who hears of the end of runs that are followed."""
        return self.webhooks.send, lambda run, _state, result: self.dependencies.heard(run, result)

    @cached_property
    def hold(self) -> HoldRuns:
        """Pauses, resumes, reschedules and releases runs."""
        return HoldRuns(self.runs, self.journal, self.endings, self.timers)

    @cached_property
    def schemas(self) -> Schemas:
        """JSON Schema."""
        from quintet.adapters.jsonschema import JsonSchemas

        return JsonSchemas()

    @cached_property
    def schedules(self) -> Schedules:
        """Cron."""
        from quintet.adapters.cron import CronSchedules

        return CronSchedules()

    @cached_property
    def upstreams(self) -> Upstreams:
        """What runs wait for before they start."""
        return self.dependencies

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
            self.runs, self.journal, self.payloads, self.endings, self.bursts, self.timers, self.clock, self.ids
        )

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
    def answer_step(self) -> AnswerStep:
        """Takes people's answers."""
        from quintet.steps.input import InputKind

        return AnswerStep(
            self.runs, self.journal, self.settling, self.endings, self.payloads, InputKind.answer_problems
        )

    @cached_property
    def publish_event(self) -> PublishEvent:
        """Hands events to the steps that wait for them."""
        return PublishEvent(
            self.subscriptions, self.runs, self.journal, self.settling, self.endings, self.payloads, self.pool
        )

    @cached_property
    def operate_step(self) -> OperateStep:
        """Settles steps by hand."""
        return OperateStep(self.runs, self.journal, self.endings, self.payloads, self.retry_run)

    @cached_property
    def retry_run(self) -> RetryRun:
        """Retries ended runs."""
        return RetryRun(self.journal, self.jobs, self.trigger_run, self.payloads, self.clock)

    @cached_property
    def checks(self) -> Checks:
        """Checks plans."""
        return Checks(self.kinds, self.expressions)

    @cached_property
    def define(self) -> DefineJob:
        """Defines and revises jobs."""
        return DefineJob(self.jobs, self.checks, self.clock, self.ids)

    @cached_property
    def switch_jobs(self) -> SwitchJobs:
        """Enables and disables many jobs."""
        return SwitchJobs(self.jobs, self.clock, self.next_moment)

    @cached_property
    def groups(self) -> JobGroups:
        """Job groups."""
        return JobGroups(self.group_store, self.jobs, self.clock, self.ids)

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
        heartbeats = Heartbeats(self.runs, self.journal)
        return Sweep(self.runs, self.journal, self.endings, heartbeats, self.bursts, self.clock, self._hold_back)

    @cached_property
    def webhooks(self) -> CompletionWebhooks:
        """Tells endpoints of ended runs."""
        from quintet.adapters.http import GuardedHttpClient

        return CompletionWebhooks(
            self.deliveries,
            self.delivery_queue,
            self.jobs,
            self.vault,
            self.signatures,
            GuardedHttpClient(),
            self.payloads,
            self.clock,
            self.ids,
        )

    @cached_property
    def projects(self) -> Projects:
        """Makes and shows projects."""
        return Projects(self.project_store, self.keys, self._count_jobs, self.clock, self.ids)

    def _count_jobs(self, project: str) -> int:
        return sum(self.jobs.count(project, dialect, None) for dialect in DIALECTS)

    @cached_property
    def manage_keys(self) -> ManageKeys:
        """Issues and revokes API keys."""
        return ManageKeys(self.keys, self.projects, self.clock, self.ids)

    @cached_property
    def dependencies(self) -> Dependencies:
        """Has jobs follow other jobs."""
        return Dependencies(
            self.dependency_store,
            self.jobs,
            self.payloads,
            self.clock,
            self.ids,
            trigger=self._trigger_behind,
            release=self._release,
            latest=self._latest_end,
        )

    # Looked up at the call: what takes triggers asks the dependencies, and these have jobs triggered.

    def _trigger_behind(self, job: Job, given: Any, trigger: Trigger, guards: tuple[str, ...]) -> None:
        try:
            self.submit(job, Ask(input=given, trigger=trigger, guards=tuple(Guard(name) for name in guards)))
        except (Conflict, Invalid) as refused:  # the job's own terms pass this over; a rate that is met is tried again
            log.warning("job %s was not triggered by run %s: %s", job.id, trigger.source_id, refused)

    def _hold_back(self, run: Run) -> None:
        self.upstreams.wait_for(self.jobs.get(run.tenant, run.job_id), run.id)

    def _release(self, run_id: str) -> bool:
        return self.hold.release(run_id)

    def _latest_end(self, project: str, job_id: str) -> Run | None:
        return next(iter(self.runs.browse(RunList(project, job_id, statuses=TERMINAL), 1).runs), None)

    def wake_run(self, run_id: str) -> None:
        """Has a run looked at: a delayed or queued one is let in, one that waits to start too, a resting one gets a burst."""
        run = self.endings.knock(run_id)
        if run.status is RunStatus.WAITING and run.started_at is None:
            self._hold_back(run)

    def cancel_run(self, project: str, run_id: str, by: str, reason: str | None = None) -> Run:
        """Cancels a project's run. Raises NotFound, Conflict when it has ended."""
        self.reading.run(project, run_id)
        return self.endings.cancel(run_id, by, reason)

    def delete_job(self, project: str, job_id: str) -> None:
        """Deletes a project's job; its runs stay. Raises NotFound, Conflict."""
        self.jobs.delete(self.jobs.get(project, job_id))
        self.dependencies.drop(project, job_id)


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
        "local", "default", "default", "local-dev", secret[:8], frozenset({"admin"}), made.clock.now(), "local-dev"
    )
    made.keys.put(digest, key)
