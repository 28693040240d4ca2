"""What a dialect needs of the engine; quintet.bootstrap builds the real one."""

from typing import Protocol

from quintet.domain.run import Run
from quintet.services.again import RetryRun
from quintet.services.answer import AnswerStep
from quintet.services.jobs import DefineJob
from quintet.services.payloads import Payloads
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.keys import Keys
from quintet.services.ports.runs import Runs
from quintet.services.ports.secrets import Vault
from quintet.services.ports.world import Clock, Ids, Logs
from quintet.services.reading import Reading
from quintet.services.trigger import TriggerRun


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
    def trigger_run(self) -> TriggerRun:
        """Starts runs."""
        ...

    @property
    def retry_run(self) -> RetryRun:
        """Retries ended runs."""
        ...

    @property
    def answer_step(self) -> AnswerStep:
        """Takes people's answers."""
        ...

    @property
    def reading(self) -> Reading:
        """Reads runs."""
        ...

    def cancel_run(self, project: str, run_id: str, by: str, reason: str | None = None) -> Run:
        """Cancels a project's run. Raises NotFound, Conflict when it has ended."""
        ...

    def delete_job(self, project: str, job_id: str) -> None:
        """Deletes a project's job; its runs stay. Raises NotFound, Conflict."""
        ...
