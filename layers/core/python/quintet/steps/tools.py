"""What step kinds use from outside; the composition root fills it in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from quintet.domain.run import Run
from quintet.services.datasets import Datasets
from quintet.services.ports.events import Subscriptions
from quintet.services.ports.functions import Functions
from quintet.services.ports.http import HttpClient
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.queries import Files
from quintet.services.ports.schemas import Schemas
from quintet.services.ports.secrets import Vault
from quintet.services.ports.steps import Expressions, StepCall
from quintet.services.ports.webhooks import Signatures
from quintet.services.ports.world import Blobs, Clock, Parking
from quintet.services.programs import Programs
from quintet.services.tokens import RunTokens

StartChild = Callable[[StepCall, str, Any], str]
"""Starts a run of a job (id) of the call's own project with an input, once per attempt; its id. Raises NotFound."""

JobSecrets = Callable[[Run], Sequence[str]]
"""The secrets of a run's job that sign its calls now, sealed, newest first."""


@dataclass(frozen=True, slots=True)
class TaskTools:
    """What the works of tasks use besides."""

    jobs: Jobs
    programs: Programs
    datasets: Datasets
    files: Files
    parking: Parking
    zombie_hours: float = 24.0
    """How long their runs may be at work."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of the step kinds; the two function names are of the runner and of the SQL function."""

    expressions: Expressions
    http: HttpClient
    functions: Functions
    blobs: Blobs
    start_child: StartChild
    vault: Vault
    run_tokens: RunTokens
    signatures: Signatures
    signing_secrets: JobSecrets
    schemas: Schemas
    clock: Clock
    runner_function: str = ""
    sql_function: str = ""
    subscriptions: Subscriptions | None = None
    """Without them no step can wait for an event."""
    tasks: TaskTools | None = None
    """Without them no step can do a task."""
