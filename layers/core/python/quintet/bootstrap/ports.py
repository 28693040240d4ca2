"""Which adapter serves which port; each is made at its first use."""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any

from quintet.domain.job import Job
from quintet.services.ports.collections import Collections
from quintet.services.ports.dependencies import DependencyStore
from quintet.services.ports.events import Subscriptions
from quintet.services.ports.functions import Functions
from quintet.services.ports.groups import Groups
from quintet.services.ports.http import HttpClient, UrlGuard
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.keys import Keys
from quintet.services.ports.projects import ProjectStore
from quintet.services.ports.queries import BigQueries, Files, Queries
from quintet.services.ports.records import Records
from quintet.services.ports.runs import Runs
from quintet.services.ports.schedules import Schedules
from quintet.services.ports.schemas import Schemas
from quintet.services.ports.secrets import Vault
from quintet.services.ports.signing import SigningSecrets, TokenCodec
from quintet.services.ports.steps import Expressions
from quintet.services.ports.webhooks import Deliveries, DeliveryQueue, Signatures
from quintet.services.ports.world import Blobs, Bursts, Carriers, Clock, Fanouts, Ids, Logs, Parking, Pool, Timers
from quintet.settings import Settings


class Ports:
    """All ports of one process. `Services(clock=..., runs=...)` replaces what is named."""

    def __init__(self, **replaced: Any) -> None:
        for name, part in replaced.items():
            if not hasattr(type(self), name):
                raise TypeError(f"no part is called {name}")
            setattr(self, name, part)

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
    def files(self) -> Files:
        """Makes files of rows, and looks into them."""
        from quintet.adapters.sql_function import SqlFunction

        return SqlFunction(self.functions, self.settings.sql_function)

    @cached_property
    def duckdb(self) -> Queries:
        """Queries of what fits one machine."""
        from quintet.adapters.sql_function import SqlFunction

        return SqlFunction(self.functions, self.settings.sql_function)

    @cached_property
    def athena(self) -> BigQueries:
        """Queries of what does not."""
        from quintet.adapters.athena import Athena
        from quintet.adapters.sql_function import SqlFunction

        checker = SqlFunction(self.functions, self.settings.sql_function)
        names = self.settings
        return Athena(checker, self.clock, names.blobs_bucket, names.glue_database, names.athena_workgroup)

    @cached_property
    def collections(self) -> Collections:
        """Numbered records."""
        from quintet.adapters.dynamodb.collections import DynamoCollections

        return DynamoCollections(self.settings.data_table)

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
    def http(self) -> HttpClient:
        """Calls what users name."""
        from quintet.adapters.http import GuardedHttpClient

        return GuardedHttpClient()

    @cached_property
    def functions(self) -> Functions:
        """Calls the runner and the SQL function."""
        from quintet.adapters.functions import LambdaFunctions

        return LambdaFunctions()

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
    def parking(self) -> Parking:
        """Work on other services."""
        from quintet.adapters.stepfunctions import StepFunctionsParking

        return StepFunctionsParking(self.settings.park_machine_arn)

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
    def pool(self) -> Callable[[], Pool]:
        """Makes the pool of a slice."""
        from quintet.adapters.threads import ThreadPool

        return ThreadPool

    @cached_property
    def next_moment(self) -> Callable[[Job, datetime], datetime | None]:
        """The next moment of a job's schedule."""
        from quintet.adapters.cron import next_moment

        return next_moment

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
