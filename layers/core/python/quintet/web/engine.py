"""What a dialect needs of the engine; quintet.bootstrap builds the real one."""

from typing import Protocol

from quintet.domain.run import Run
from quintet.services.again import RetryRun
from quintet.services.answer import AnswerStep
from quintet.services.checks import Checks
from quintet.services.dataset_queries import DatasetQueries
from quintet.services.datasets import Datasets
from quintet.services.dependencies import Dependencies
from quintet.services.events import PublishEvent
from quintet.services.groups import JobGroups
from quintet.services.holding import HoldRuns
from quintet.services.jobs import DefineJob
from quintet.services.keys import ManageKeys
from quintet.services.operate import OperateStep
from quintet.services.pages import Pages
from quintet.services.payloads import Payloads
from quintet.services.ports.collections import Collections
from quintet.services.ports.http import UrlGuard
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.keys import Keys
from quintet.services.ports.records import Records
from quintet.services.ports.runs import Runs
from quintet.services.ports.schedules import Schedules
from quintet.services.ports.schemas import Schemas
from quintet.services.ports.secrets import Vault
from quintet.services.ports.steps import Expressions
from quintet.services.ports.world import Blobs, Clock, Ids, Logs
from quintet.services.programs import Programs
from quintet.services.projects import Projects
from quintet.services.reading import Reading
from quintet.services.report import Report
from quintet.services.rows import Rows
from quintet.services.submit import Submit
from quintet.services.switch import SwitchJobs
from quintet.services.task_reports import TaskReports
from quintet.services.tokens import RunTokens
from quintet.services.trigger import TriggerRun
from quintet.services.upkeep import Tick
from quintet.services.webhooks import CompletionWebhooks
from quintet.services.zombies import Zombies


class Engine(Protocol):
    """The ports and use cases that the HTTP APIs call."""

    @property
    def runs(self) -> Runs:
        """Runs and journals."""
        ...

    @property
    def jobs(self) -> Jobs:
        """Jobs and versions."""
        ...

    @property
    def logs(self) -> Logs:
        """Step logs."""
        ...

    @property
    def blobs(self) -> Blobs:
        """Large payloads."""
        ...

    @property
    def keys(self) -> Keys:
        """API keys."""
        ...

    @property
    def vault(self) -> Vault:
        """Secrets."""
        ...

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    @property
    def ids(self) -> Ids:
        """Names and chance."""
        ...

    @property
    def payloads(self) -> Payloads:
        """Payloads inside and outside journals."""
        ...

    @property
    def define(self) -> DefineJob:
        """Defines and revises jobs."""
        ...

    @property
    def switch_jobs(self) -> SwitchJobs:
        """Enables and disables many jobs."""
        ...

    @property
    def groups(self) -> JobGroups:
        """Job groups."""
        ...

    @property
    def trigger_run(self) -> TriggerRun:
        """Starts runs."""
        ...

    @property
    def submit(self) -> Submit:
        """Takes triggers through their jobs' terms."""
        ...

    @property
    def hold(self) -> HoldRuns:
        """Pauses, resumes, reschedules and releases runs."""
        ...

    @property
    def schedules(self) -> Schedules:
        """Cron."""
        ...

    @property
    def schemas(self) -> Schemas:
        """JSON Schema."""
        ...

    @property
    def records(self) -> Records:
        """Checkpoints and outputs of runs."""
        ...

    @property
    def run_tokens(self) -> RunTokens:
        """Tokens of runs."""
        ...

    @property
    def report(self) -> Report:
        """What programs say of the runs they work on."""
        ...

    @property
    def guard_url(self) -> UrlGuard:
        """Judges the URLs that users save."""
        ...

    @property
    def retry_run(self) -> RetryRun:
        """Retries ended runs."""
        ...

    @property
    def operate_step(self) -> OperateStep:
        """Settles steps by hand."""
        ...

    @property
    def publish_event(self) -> PublishEvent:
        """Hands events to the steps that wait for them."""
        ...

    @property
    def checks(self) -> Checks:
        """Checks plans."""
        ...

    @property
    def expressions(self) -> Expressions:
        """JSONata."""
        ...

    @property
    def answer_step(self) -> AnswerStep:
        """Takes people's answers."""
        ...

    @property
    def reading(self) -> Reading:
        """Reads runs."""
        ...

    @property
    def webhooks(self) -> CompletionWebhooks:
        """Tells endpoints of ended runs."""
        ...

    @property
    def manage_keys(self) -> ManageKeys:
        """Issues and revokes API keys."""
        ...

    @property
    def pages(self) -> Pages:
        """Fetches pages of the web."""
        ...

    @property
    def projects(self) -> Projects:
        """Makes and shows projects."""
        ...

    @property
    def task_reports(self) -> TaskReports:
        """What agents report of their end."""
        ...

    @property
    def programs(self) -> Programs:
        """What tasks run."""
        ...

    @property
    def tick(self) -> Tick:
        """Fires schedules."""
        ...

    @property
    def collections(self) -> Collections:
        """Numbered records."""
        ...

    @property
    def zombies(self) -> Zombies:
        """Gives up runs that are at work for too long."""
        ...

    @property
    def dependencies(self) -> Dependencies:
        """Has jobs follow other jobs."""
        ...

    @property
    def rows(self) -> Rows:
        """Tables of free JSON rows."""
        ...

    @property
    def datasets(self) -> Datasets:
        """Tables whose rows are files."""
        ...

    @property
    def queries(self) -> DatasetQueries:
        """SQL over datasets."""
        ...

    def cancel_run(self, project: str, run_id: str, by: str, reason: str | None = None) -> Run:
        """Cancels a project's run. Raises NotFound, Conflict when it has ended."""
        ...

    def delete_job(self, project: str, job_id: str) -> None:
        """Deletes a project's job; its runs stay. Raises NotFound, Conflict."""
        ...
