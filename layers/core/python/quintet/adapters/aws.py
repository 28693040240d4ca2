"""AWS clients: made when first needed, one per service and process; and the meter that benchmarks read.

`AWS_ENDPOINT_URL` (set only by the local cloud) is read by botocore itself. With `QUINTET_METER` set, every request is metered: one JSON
line each to the file it names, or to stderr for `-`.
"""

import json
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, cast, overload

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

Service = Literal["dynamodb", "s3", "kms", "stepfunctions", "lambda", "sqs", "athena", "glue"]
_METERED_CAPACITY = frozenset(
    {"GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchGetItem", "BatchWriteItem", "TransactWriteItems"}
)
_making = Lock()


@overload
def client(service: Literal["dynamodb"]) -> "DynamoDBClient": ...
@overload
def client(service: Literal["s3"]) -> "S3Client": ...
@overload
def client(service: Literal["kms"]) -> "KMSClient": ...
@overload
def client(service: Literal["stepfunctions"]) -> "SFNClient": ...
@overload
def client(service: Literal["lambda"]) -> "LambdaClient": ...
@overload
def client(service: Literal["sqs"]) -> "SQSClient": ...
@overload
def client(service: Literal["athena"]) -> "AthenaClient": ...
@overload
def client(service: Literal["glue"]) -> "GlueClient": ...
def client(service: Service) -> Any:
    """The process's client of a service, with retries."""
    with _making:
        return _made(service, 10, 4)


def patient_client(read_timeout: int) -> "LambdaClient":
    """A Lambda client that waits up to `read_timeout` seconds for an answer and never asks twice."""
    with _making:
        return cast("LambdaClient", _made("lambda", read_timeout, 1))


def forget_clients() -> None:
    """Drops every client, so that the next one reads the environment anew."""
    with _making:
        _made.cache_clear()


@cache
def _made(service: Service, read_timeout: int, attempts: int) -> Any:
    from botocore.config import Config  # here: a cold start that needs no AWS does not pay
    from botocore.session import Session  # boto3 on top would cost another 30 ms

    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=2,
        read_timeout=read_timeout,
        tcp_keepalive=True,
        parameter_validation=False,
        signature_version="s3v4" if service == "s3" else None,  # botocore still presigns with version 2 in old regions
        max_pool_connections=32,
        s3={"addressing_style": "path" if os.environ.get("AWS_ENDPOINT_URL") else "auto"},
    )
    made = Session().create_client(service, region_name=os.environ.get("AWS_REGION"), config=config)
    if os.environ.get("QUINTET_METER"):
        made.meta.events.register("provide-client-params", _ask_capacity)
        made.meta.events.register("after-call", _meter)
    return made


# --- the meter -----------------------------------------------------------------------------------------------------------------


def _ask_capacity(params: dict[str, Any], model: Any, **_: Any) -> None:
    if model.service_model.service_name == "dynamodb" and model.name in _METERED_CAPACITY:
        params["ReturnConsumedCapacity"] = "INDEXES"


def _meter(parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
    line = {"service": model.service_model.service_name, "operation": model.name, "capacity": _capacity(parsed)}
    target = os.environ.get("QUINTET_METER", "-")
    text = json.dumps({"quintet_meter": line}) + "\n"
    if target == "-":
        sys.stderr.write(text)
        return
    with Path(target).open("a", encoding="utf-8") as meter:
        meter.write(text)


def _capacity(parsed: Mapping[str, Any]) -> dict[str, float]:
    """Units by table, and by table/index, of one request."""
    consumed = parsed.get("ConsumedCapacity") or []
    units: dict[str, float] = {}
    for table in [consumed] if isinstance(consumed, Mapping) else consumed:
        name = table["TableName"]
        indexes = table.get("GlobalSecondaryIndexes") or {}
        for index, used in indexes.items():
            units[f"{name}/{index}"] = units.get(f"{name}/{index}", 0) + used["CapacityUnits"]
        own = table.get("Table", {}).get("CapacityUnits", table.get("CapacityUnits", 0))
        units[name] = units.get(name, 0) + own
    return units
