"""The use cases beside the engine: definitions, keys, what follows runs."""

import logging
from functools import cached_property
from typing import Any

from quintet.bootstrap.engine import EngineParts
from quintet.domain.errors import Conflict, Invalid
from quintet.domain.job import Job
from quintet.domain.run import Run, Trigger
from quintet.domain.status import TERMINAL
from quintet.services.admission import Upstreams
from quintet.services.asks import Ask
from quintet.services.checks import Checks
from quintet.services.dataset_queries import DatasetQueries
from quintet.services.dependencies import Dependencies
from quintet.services.endings import Follower
from quintet.services.events import PublishEvent
from quintet.services.groups import JobGroups
from quintet.services.jobs import DefineJob
from quintet.services.keys import ManageKeys
from quintet.services.operate import OperateStep
from quintet.services.pages import Pages
from quintet.services.ports.runs import Guard, RunList
from quintet.services.projects import Projects
from quintet.services.report import Report
from quintet.services.rows import Rows
from quintet.services.switch import SwitchJobs
from quintet.services.task_reports import TaskReports
from quintet.services.webhooks import CompletionWebhooks

DIALECTS = ("automations", "etl", "jobs", "pipelines", "workflows")
"""The APIs that define jobs: all that a project's jobs are counted under."""

log = logging.getLogger(__name__)


class Services(EngineParts):
    """All use cases and ports of one process. `Services(clock=..., runs=...)` replaces what is named."""

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
    def task_reports(self) -> TaskReports:
        """What agents report of their end."""
        return TaskReports(self.runs, self.jobs, self.journal, self.settling, self.endings, self.files, self.blobs)

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
    def webhooks(self) -> CompletionWebhooks:
        """Tells endpoints of ended runs."""
        return CompletionWebhooks(
            self.deliveries,
            self.delivery_queue,
            self.jobs,
            self.vault,
            self.signatures,
            self.http,
            self.payloads,
            self.clock,
            self.ids,
        )

    @cached_property
    def pages(self) -> Pages:
        """Fetches pages of the web."""
        return Pages(self.http)

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
    def rows(self) -> Rows:
        """Tables of free JSON rows."""
        return Rows(self.collections, self.clock)

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

    def _trigger_behind(self, job: Job, given: Any, trigger: Trigger, guards: tuple[str, ...]) -> None:
        try:
            self.submit(job, Ask(input=given, trigger=trigger, guards=tuple(Guard(name) for name in guards)))
        except (Conflict, Invalid) as refused:  # the job's own terms pass this over; a rate that is met is tried again
            log.warning("job %s was not triggered by run %s: %s", job.id, trigger.source_id, refused)

    def _release(self, run_id: str) -> bool:
        return self.hold.release(run_id)

    def _latest_end(self, project: str, job_id: str) -> Run | None:
        return next(iter(self.runs.browse(RunList(project, job_id, statuses=TERMINAL), 1).runs), None)

    def delete_job(self, project: str, job_id: str) -> None:
        """Deletes a project's job; its runs stay. Raises NotFound, Conflict."""
        self.jobs.delete(self.jobs.get(project, job_id))
        self.dependencies.drop(project, job_id)

    @cached_property
    def followers(self) -> tuple[Follower, ...]:
        """Who hears of the end of runs that are followed."""
        return (
            self.datasets.heard,  # first: who follows a run may read what it leaves
            self.webhooks.send,
            lambda run, _state, result: self.dependencies.heard(run, result),
        )

    @cached_property
    def queries(self) -> DatasetQueries:
        """SQL over datasets."""
        return DatasetQueries(self.datasets, self.duckdb, self.athena, self.settings.athena_threshold_bytes)

    @cached_property
    def upstreams(self) -> Upstreams:
        """What runs wait for before they start."""
        return self.dependencies
