"""Deploys the template into the emulator through the emulator's own CloudFormation."""

import asyncio
import importlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quintet_cli.cloud import control_plane, packaging, template
from quintet_cli.cloud.control_plane import Deployment
from quintet_cli.errors import DeployError
from quintet_cli.settings import REGION, STACK, Settings

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

_BUCKET = "quintet-local-artifacts"
_TEMPLATE = "template.json"
_POLL_S = 0.02
_WAIT_S = 120.0
_IDLE_S = 3.0
_SWITCH_S = 0.0005
_HEAVY_MODULES = ("boto3", "samtranslator.translator.transform", "ministack.services.cloudformation")


class Deployer:
    """Brings the emulator's stack to what the checkout says; blocking, so it runs in a thread of its own."""

    def __init__(self, settings: Settings, endpoint: str, record: Path) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._record = record
        self._stack_restored = False
        self.current: Deployment | None = None

    def recall(self) -> None:
        """Put the control plane of the last deployment back into the emulator, before anything is served."""
        self.current = control_plane.load(self._record)
        if self.current is not None:
            control_plane.restore(self.current)

    def is_current(self) -> bool:
        """Tell whether the template and machines are the deployed ones."""
        return self.current is not None and self.current.fingerprint == self._fingerprint()

    def deploy(self) -> Deployment:
        """Create or update the stack; raise DeployError, with the old stack still serving, when it cannot be."""
        fingerprint = self._fingerprint()
        local = template.localise(template.load(self._settings.template), self._settings.root, _BUCKET)
        if self.current is not None and not self._stack_restored:
            control_plane.restore_stack(self.current)
        self._stack_restored = True
        _teach()
        self._upload(local.files, local.body)
        stack = self._apply(local)
        outputs = {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}
        folders = {logical_id: str(folder) for logical_id, folder in local.functions.items()}
        self.current = Deployment(fingerprint, outputs, self._resources(), folders)
        return self.current

    def functions_of(self, paths: set[Path]) -> dict[str, str]:
        """Return the functions whose own code, or whose layer, holds one of these files: logical id to name."""
        if self.current is None:
            return {}
        layer = any(path.is_relative_to(self._settings.root / "layers") for path in paths)
        return {
            logical_id: self.current.physical_id(logical_id)
            for logical_id, folder in self.current.folders.items()
            if layer or any(path.is_relative_to(folder) for path in paths)
        }

    async def warm_up(self) -> None:
        """Load what a deployment needs while nobody waits for it, so that the first change is live within a second."""
        await asyncio.sleep(_IDLE_S)
        interval = sys.getswitchinterval()
        # An import holds the interpreter's lock; requests that come meanwhile should get it soon.
        sys.setswitchinterval(_SWITCH_S)
        try:
            await asyncio.to_thread(_load_modules)
        finally:
            sys.setswitchinterval(interval)

    def remember(self) -> None:
        """Write the record of the current deployment; call it where no request runs, since it reads live state."""
        if self.current is not None:
            self.current.states = control_plane.capture()
            control_plane.save(self._record, self.current)

    def _fingerprint(self) -> str:
        if not self._settings.template.is_file():
            raise DeployError(f"There is no template at {self._settings.template}.")
        return packaging.shape_digest(self._settings.root, template.PARAMETERS)

    def _client(self, service: Any) -> Any:
        # Imported here: a second start deploys nothing and needs no SDK.
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        # The emulator is in this process: what fails once fails again, and a stop must not wait for it.
        once = Config(retries={"total_max_attempts": 1})
        return boto3.client(service, endpoint_url=self._endpoint, region_name=REGION, config=once)

    def _upload(self, files: dict[str, bytes], body: dict[str, Any]) -> None:
        s3 = self._client("s3")
        s3.create_bucket(Bucket=_BUCKET)
        held = {item["Key"] for item in s3.list_objects_v2(Bucket=_BUCKET).get("Contents", [])}
        for key, content in files.items():
            if key not in held:
                s3.put_object(Bucket=_BUCKET, Key=key, Body=content)
        # By reference, as `sam deploy` does: a request holds 51,200 bytes of a template.
        s3.put_object(Bucket=_BUCKET, Key=_TEMPLATE, Body=json.dumps(body, default=str).encode())

    def _apply(self, local: template.LocalTemplate) -> "StackTypeDef":
        from botocore.exceptions import ClientError  # noqa: PLC0415

        client: CloudFormationClient = self._client("cloudformation")
        request: dict[str, Any] = {
            "StackName": STACK,
            "TemplateURL": f"{self._endpoint}/{_BUCKET}/{_TEMPLATE}",
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in local.parameters.items()],
        }
        try:
            if self.current is None:
                client.create_stack(**request)
            else:
                client.update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise DeployError(_sentence("was refused", error.response["Error"]["Message"])) from error
        return self._wait(client)

    def _wait(self, client: "CloudFormationClient") -> "StackTypeDef":
        end = time.monotonic() + _WAIT_S
        while time.monotonic() < end:
            stack = client.describe_stacks(StackName=STACK)["Stacks"][0]
            status = stack["StackStatus"]
            if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
                return stack
            if not status.endswith("IN_PROGRESS"):
                raise DeployError(_sentence("could not be deployed", self._first_failure(client)))
            time.sleep(_POLL_S)
        raise DeployError(f"template.yaml was not deployed within {_WAIT_S:.0f} s.")

    def _first_failure(self, client: "CloudFormationClient") -> str:
        events = client.describe_stack_events(StackName=STACK)["StackEvents"]
        for event in events:  # newest first
            if event["ResourceStatus"].endswith("_FAILED"):
                return f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        return "no reason given"

    def _resources(self) -> dict[str, tuple[str, str]]:
        client: CloudFormationClient = self._client("cloudformation")
        found = {}
        for page in client.get_paginator("list_stack_resources").paginate(StackName=STACK):
            for item in page["StackResourceSummaries"]:
                found[item["LogicalResourceId"]] = (item["ResourceType"], item.get("PhysicalResourceId", ""))
        return found


def _sentence(what: str, reason: str) -> str:
    return f"template.yaml {what}: {' '.join(reason.split()).rstrip('.')}."


def _load_modules() -> None:
    for name in _HEAVY_MODULES:
        importlib.import_module(name)


def _teach() -> None:
    """Let the emulator's CloudFormation know the one type of the template that it lacks."""
    # Imported here, like the repairs in emulator.py.
    importlib.import_module("quintet_cli.cloud.repairs.emr_serverless").register_type()
