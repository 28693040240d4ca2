"""What is deployed, as a file: the emulator's control plane survives a restart and a kill.

The write-ahead log holds data; this record holds what the deployer made of the template (stack, functions, API, state
machines, rules, and the definitions of tables, queues, buckets and keys), written whole after each deployment.
"""

import importlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quintet_cli.errors import HomeError

# CloudFormation's own module takes two seconds to import: its state is loaded when a deployment needs it.
STACK_SERVICE = "cloudformation"
SERVICES = (
    "iam", "kms", "s3", "sqs", "sns", "dynamodb", "lambda_svc", "stepfunctions", "eventbridge", "apigateway",
    "cloudwatch_logs",
)  # fmt: skip

_TABLE_FIELDS = frozenset(
    {
        "TableName", "TableArn", "TableId", "TableStatus", "CreationDateTime", "KeySchema", "AttributeDefinitions",
        "ProvisionedThroughput", "BillingModeSummary", "pk_name", "sk_name", "GlobalSecondaryIndexes",
        "LocalSecondaryIndexes", "StreamSpecification", "LatestStreamArn", "LatestStreamLabel",
        "DeletionProtectionEnabled", "SSEDescription", "Tags",
    }
)  # fmt: skip


@dataclass
class Deployment:
    """One deployment as the record holds it: what was deployed, its outputs, its resources (logical id to type and
    physical id), each function's folder, and the emulator's state after it.
    """

    fingerprint: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    resources: dict[str, tuple[str, str]] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    states: dict[str, Any] = field(default_factory=dict)

    def physical_id(self, logical_id: str) -> str:
        """Return the name or id that a resource of the template has got, or nothing when there is none."""
        return self.resources.get(logical_id, ("", ""))[1]

    def first_of(self, kind: str) -> str:
        """Return the physical id of the first resource of a type, or nothing."""
        return next((physical for found, physical in self.resources.values() if found == kind), "")


def load(path: Path) -> Deployment | None:
    """Read the record; None when nothing was deployed yet; HomeError when it is damaged."""
    if not path.exists():
        return None
    hook = importlib.import_module("ministack.core.persistence")._json_object_hook
    try:
        found = json.loads(path.read_text(), object_hook=hook)
        resources = {name: (kind, physical) for name, (kind, physical) in found["resources"].items()}
        return Deployment(found["fingerprint"], found["outputs"], resources, found["folders"], found["states"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise HomeError(f"The data folder {path.parent} is damaged: {path.name} cannot be read ({error}).") from error


def restore(deployment: Deployment) -> None:
    """Put the recorded control plane into the emulator, all but the stack's own state."""
    for service in SERVICES:
        _restore_service(service, deployment)


def renew_tables(deployment: Deployment) -> None:
    """Give the tables that the log brought back their recorded definitions.

    The log notes a deployment's change of a table within a second; a kill before that would leave the table behind
    what the stack says of it.
    """
    dynamodb = _module("dynamodb")
    for scope, recorded in deployment.states["dynamodb"]["tables"].all_items():
        table = dynamodb._tables.get_scoped(*scope)
        definition = {name: value for name, value in recorded.items() if name in _TABLE_FIELDS}
        if any(table.get(name) != value for name, value in definition.items()):
            table.update(definition)
            # Indexes are made anew from the items.
            dynamodb._items_replaced(table)


def restore_stack(deployment: Deployment) -> None:
    """Put the recorded stack into the emulator, so that the next deployment updates it."""
    _restore_service(STACK_SERVICE, deployment)


def holds_items() -> bool:
    """Tell whether any table in the emulator holds an item."""
    return any(table["items"] for table in _module("dynamodb")._tables.all_values())


def capture() -> dict[str, Any]:
    """Read the control plane out of the emulator, without the data that the log holds."""
    definitions = {
        "dynamodb": _table_definitions,
        "sqs": _queue_definitions,
        "stepfunctions": _machine_definitions,
        "cloudwatch_logs": _log_groups,
    }
    services = (*SERVICES, STACK_SERVICE)
    return {service: definitions.get(service, lambda name=service: _module(name).get_state())() for service in services}


def save(path: Path, deployment: Deployment) -> None:
    """Write the record so that a crash leaves the old one or the new one, never a piece."""
    default = importlib.import_module("ministack.core.persistence")._json_default
    text = json.dumps(
        {
            "fingerprint": deployment.fingerprint,
            "outputs": deployment.outputs,
            "resources": deployment.resources,
            "folders": deployment.folders,
            "states": deployment.states,
        },
        default=default,
    )
    part = path.with_suffix(".part")
    with part.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _module(service: str) -> Any:
    return importlib.import_module("ministack.app")._get_module(service)


def _restore_service(service: str, deployment: Deployment) -> None:
    state = deployment.states.get(service)
    if state:
        _module(service).load_persisted_state(state)


# The modules' own get_state copies every item, message, execution and log line; definitions are all that is wanted.


def _table_definitions() -> dict[str, Any]:
    dynamodb = _module("dynamodb")
    empty = {"items": {}, "ItemCount": 0, "TableSizeBytes": 0}
    tables = _mapped(dynamodb._tables, lambda table: {**{k: table[k] for k in table if k in _TABLE_FIELDS}, **empty})
    return {"tables": tables, "tags": dynamodb._tags, "ttl_settings": dynamodb._ttl_settings}


def _queue_definitions() -> dict[str, Any]:
    sqs = _module("sqs")
    queues = _mapped(sqs._queues, lambda queue: {**queue, "messages": []})
    return {"queues": queues, "queue_name_to_url": sqs._queue_name_to_url}


def _machine_definitions() -> dict[str, Any]:
    states = _module("stepfunctions")
    return {
        "state_machines": states._state_machines,
        "tags": states._tags,
        "state_machine_versions": states._state_machine_versions,
        "state_machine_aliases": states._state_machine_aliases,
    }


def _log_groups() -> dict[str, Any]:
    return {"log_groups": _mapped(_module("cloudwatch_logs")._log_groups, lambda group: {**group, "streams": {}})}


def _mapped(store: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    found = type(store)()
    for scope, value in store.all_items():
        found.set_scoped(*scope, change(value))
    return found
