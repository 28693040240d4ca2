"""Every suite here runs against both implementations of its port: in memory, and on DynamoDB with the tables of template.yaml."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

import moto
import pytest
import yaml
from moto.core.botocore_stubber import BotocoreStubber
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from quintet.adapters.aws import client, forget_clients
from quintet.adapters.dynamodb.jobs import DynamoJobs
from quintet.adapters.dynamodb.keys import DynamoKeys
from quintet.adapters.dynamodb.logs import DynamoLogs
from quintet.adapters.dynamodb.records import DynamoRecords
from quintet.adapters.dynamodb.runs import DynamoRuns
from quintet.adapters.kms import KmsVault
from quintet.adapters.memory import (
    MemoryBlobs,
    MemoryJobs,
    MemoryKeys,
    MemoryLogs,
    MemoryRecords,
    MemoryRuns,
    MemoryVault,
)
from quintet.adapters.s3 import S3Blobs
from quintet.services.ports.jobs import Jobs
from quintet.services.ports.keys import Keys
from quintet.services.ports.records import Records
from quintet.services.ports.runs import Runs
from quintet.services.ports.secrets import Vault
from quintet.services.ports.world import Blobs, Logs

TEMPLATE = Path(__file__).parents[3] / "template.yaml"
_names = count()
_WORD = re.compile(r"(?<![#:\w.])[A-Za-z_]\w*(?!\w*\()")
_SYNTAX = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE"})
_RESERVED = frozenset(word.upper() for word in ReservedKeywords.get_reserved_keywords())


@dataclass(frozen=True)
class Stores:
    """Makes an empty store of each port."""

    runs: Callable[[], Runs]
    jobs: Callable[[], Jobs]
    keys: Callable[[], Keys]
    logs: Callable[[], Logs]
    blobs: Callable[[], Blobs]
    vault: Callable[[], Vault]
    records: Callable[[], Records]


class _Template(yaml.SafeLoader):
    """Reads CloudFormation's YAML; what its functions would give is not needed here."""


_Template.add_multi_constructor("!", lambda _loader, _tag, _node: None)


@cache
def _resources() -> dict[str, Any]:
    with TEMPLATE.open(encoding="utf-8") as text:
        resources: dict[str, Any] = yaml.load(text, _Template)["Resources"]
    return resources


def _reserved(asked: Any) -> set[str]:
    """The words in a request's expressions that DynamoDB reserves: moto takes them, DynamoDB does not."""
    found: set[str] = set()
    for name, value in asked.items() if isinstance(asked, dict) else ():
        if name.endswith("Expression") and isinstance(value, str):
            words = {word.upper() for word in _WORD.findall(value)} - _SYNTAX
            found |= words & _RESERVED
        found |= _reserved(value)
    for value in asked if isinstance(asked, list) else ():
        found |= _reserved(value)
    return found


def make_table(logical_name: str) -> str:
    """An empty table with the keys and indexes that template.yaml gives it; its name."""
    properties = _resources()[logical_name]["Properties"]
    wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    name = f"{logical_name}-{next(_names)}"
    client("dynamodb").create_table(TableName=name, **{key: properties[key] for key in wanted if key in properties})
    return name


def _bucket() -> str:
    name = f"blobs-{next(_names)}"
    client("s3").create_bucket(Bucket=name)
    return name


def _vault_key() -> str:
    return client("kms").create_key()["KeyMetadata"]["KeyId"]


MEMORY = Stores(MemoryRuns, MemoryJobs, MemoryKeys, MemoryLogs, MemoryBlobs, MemoryVault, MemoryRecords)
AWS = Stores(
    lambda: DynamoRuns(make_table("RunsTable")),
    lambda: DynamoJobs(make_table("JobsTable")),
    lambda: DynamoKeys(make_table("JobsTable")),
    lambda: DynamoLogs(make_table("LogsTable")),
    lambda: S3Blobs(_bucket()),
    lambda: KmsVault(_vault_key()),
    lambda: DynamoRecords(make_table("RunsTable")),
)


@pytest.fixture(scope="package")
def aws() -> Iterator[Stores]:
    """The AWS stores on moto, which does one request at a time, as DynamoDB does each item's."""
    one_at_a_time = Lock()
    serve = BotocoreStubber.__call__

    def serve_one(self: Any, event_name: str, request: Any, **rest: Any) -> Any:
        if b"DynamoDB" in request.headers.get("X-Amz-Target", b""):
            assert not (found := _reserved(json.loads(request.body))), f"words that DynamoDB reserves: {found}"
        with one_at_a_time:
            return serve(self, event_name, request, **rest)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "QUINTET_METER"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setattr(BotocoreStubber, "__call__", serve_one)
        forget_clients()
        with moto.mock_aws():
            yield AWS
        forget_clients()


@pytest.fixture(params=["memory", "aws"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """The stores of one implementation."""
    return MEMORY if request.param == "memory" else request.getfixturevalue("aws")


@pytest.fixture
def runs(stores: Stores) -> Runs:
    """An empty Runs."""
    return stores.runs()


@pytest.fixture
def jobs(stores: Stores) -> Jobs:
    """An empty Jobs."""
    return stores.jobs()


@pytest.fixture
def keys(stores: Stores) -> Keys:
    """An empty Keys."""
    return stores.keys()


@pytest.fixture
def logs(stores: Stores) -> Logs:
    """An empty Logs."""
    return stores.logs()


@pytest.fixture
def blobs(stores: Stores) -> Blobs:
    """An empty Blobs."""
    return stores.blobs()


@pytest.fixture
def vault(stores: Stores) -> Vault:
    """A Vault."""
    return stores.vault()
