"""EMR Serverless: the part of it that the template and the park machine use.

Fault: MiniStack knows neither `AWS::EMRServerless::Application` nor `emr-serverless:startJobRun.sync`.

Repair: the resource is an id and an ARN. The task runs the job by `quintet_cli.cloud.spark`, to its end; StopExecution and the
machine's time-out end the job with its processes. A job that fails, or never began, fails the task as on AWS: `States.TaskFailed` with the
job as its cause, or the service's error.

Asserted: that MiniStack still knows neither.
"""

import hashlib
import importlib
import json
import os
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions

from quintet_cli.cloud.spark import JobFault, SparkService

from .source import RepairError
from .states_scope import current

TYPE = "AWS::EMRServerless::Application"
RESOURCE = "arn:aws:states:::emr-serverless:startJobRun"
_service: SparkService | None = None


def run_job(resource: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Run a job in the thread of the task that waits for it."""
    if not resource.endswith(".sync") or _service is None:
        raise stepfunctions._ExecutionError("States.Runtime", f"{resource} is not known here, only {RESOURCE}.sync")
    try:
        ended = _service.run(asked, current.get().wait)
    except JobFault as fault:
        raise stepfunctions._ExecutionError(fault.name, str(fault)) from None
    except Exception as fault:
        # A full disk, a bucket that is gone: the step fails with the reason, as by any other fault of a service.
        raise stepfunctions._ExecutionError("SparkNotRun", f"{type(fault).__name__}: {fault}") from fault
    if ended["State"] != "SUCCESS":
        raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(ended))
    return ended


def close() -> None:
    """End every job; for the end of the process."""
    if _service is not None:
        _service.close()


def _create(logical_id: str, _properties: Mapping[str, Any], stack: str) -> tuple[str, dict[str, str]]:
    id_ = "00" + hashlib.sha256(f"{stack}/{logical_id}".encode()).hexdigest()[:14]
    return id_, _attributes(id_)


def _update(id_: str, *_: Any) -> tuple[str, dict[str, str]]:
    return id_, _attributes(id_)


def _attributes(id_: str) -> dict[str, str]:
    arn = f"arn:aws:emr-serverless:{get_region()}:{get_account_id()}:/applications/{id_}"
    return {"ApplicationId": id_, "Arn": arn}


def register_type() -> None:
    """Let CloudFormation know the type; before a deployment, since MiniStack's CloudFormation takes two seconds to import.

    Raises:
        RepairError: MiniStack knows it by itself.
    """
    handlers = importlib.import_module("ministack.services.cloudformation.provisioners")._RESOURCE_HANDLERS
    if handlers.get(TYPE, _HANDLERS) is not _HANDLERS:
        raise RepairError(f"{TYPE}: known to MiniStack")
    handlers[TYPE] = _HANDLERS


def repair() -> None:
    """Run Spark jobs; end those that a launcher of this data folder left."""
    global _service  # noqa: PLW0603 - one emulator a process
    if _service is not None:
        return
    if known := [name for name in stepfunctions._SERVICE_DISPATCH if "emr-serverless" in name]:
        raise RepairError(f"{known[0]}: known to MiniStack")
    most = int(os.environ.get("QUINTET_SPARK_JOBS") or 1)
    endpoint = f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT', '4566')}"
    _service = SparkService(os.environ.get("STATE_DIR", ""), most, endpoint)
    _service.clear_up()
    stepfunctions._SERVICE_DISPATCH[RESOURCE] = run_job


_HANDLERS = {"create": _create, "update": _update, "delete": lambda *_: None}
