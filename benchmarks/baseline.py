"""The least that any design on these services pays: one Express execution of one function that makes eight DynamoDB calls.

Six conditional puts, a transaction and a query, about what a small run writes; nothing of Quintet is in it. Figures
are told as ratios to it too, since it feels the machine's mood as they do.
"""

import io
import json
import zipfile
from itertools import count
from typing import Any

from benchmarks.cloud import Cloud

MARK = "ended"
_TABLE = "bench-baseline"
_MACHINE = "bench-baseline"
_ROLE = "arn:aws:iam::000000000000:role/bench"
_SOURCE = """
import os
from botocore.config import Config
from botocore.session import Session

client = Session().create_client("dynamodb", region_name="us-east-1", config=Config(parameter_validation=False))
TABLE = "bench-baseline"


def handler(event, context):
    pk = {"S": event["name"]}
    for place in range(5):
        item = {"pk": pk, "sk": {"S": f"J#{place}"}, "events": {"S": "x" * 300}}
        client.put_item(TableName=TABLE, Item=item, ConditionExpression="attribute_not_exists(pk)")
    client.query(TableName=TABLE, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": pk}, ConsistentRead=True)
    client.transact_write_items(TransactItems=[
        {"Put": {"TableName": TABLE, "Item": {"pk": pk, "sk": {"S": "A"}}}},
        {"Put": {"TableName": TABLE, "Item": {"pk": pk, "sk": {"S": "B"}}}},
    ])
    item = {"pk": pk, "sk": {"S": "END"}, "ended": {"N": "1"}}
    client.put_item(TableName=TABLE, Item=item, ConditionExpression="attribute_not_exists(pk)")
    return {}
"""
_DEFINITION = {
    "QueryLanguage": "JSONata",
    "StartAt": "Work",
    "States": {
        "Work": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": "bench-baseline", "Payload": "{% $states.input %}"},
            "End": True,
        }
    },
}


class Baseline:
    """The bare execution, deployed into a cloud beside Quintet."""

    table = _TABLE

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._numbers = count()
        self._machine = _deploy(cloud)

    def starter(self) -> "Starter":
        """A connection that starts executions; one a thread."""
        return Starter(self._cloud, self._machine, self._numbers)


class Starter:
    """Starts bare executions."""

    def __init__(self, cloud: Cloud, machine: str, numbers: "count[int]") -> None:
        self._states = cloud.aws("states")
        self._machine, self._numbers = machine, numbers

    def start(self) -> tuple[str, str]:
        """Starts one; where its last item will be."""
        name = f"base-{next(self._numbers)}"
        self._states.call("StartExecution", stateMachineArn=self._machine, input=json.dumps({"name": name}))
        return name, "END"


def _deploy(cloud: Cloud) -> str:
    import boto3  # noqa: PLC0415 - a second to import, and only this needs it
    from botocore.config import Config  # noqa: PLC0415

    def client(service: Any) -> Any:
        return boto3.client(
            service, endpoint_url=f"http://127.0.0.1:{cloud.aws_port}", region_name="us-east-1", aws_access_key_id="local",
            aws_secret_access_key="local", config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip

    client("dynamodb").create_table(
        TableName=_TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("handler.py", _SOURCE)
    client("lambda").create_function(
        FunctionName="bench-baseline", Runtime="python3.11", Role=_ROLE, Handler="handler.handler", Timeout=30, MemorySize=1024,
        Code={"ZipFile": package.getvalue()},
    )  # fmt: skip
    made = client("stepfunctions").create_state_machine(
        name=_MACHINE, definition=json.dumps(_DEFINITION), roleArn=_ROLE, type="EXPRESS"
    )
    arn: str = made["stateMachineArn"]
    return arn
