"""The template as the local cloud deploys it: the very one that AWS gets, with its local files made reachable.

Only these things are changed, each because it has no meaning here:

===============================  ==================================================================================
What the template holds          What the local cloud deploys
===============================  ==================================================================================
parameter `Stage`                `local`
CodeUri of a folder              an archive that loads the module from the checkout
layer with a `python/` folder    an empty archive; functions import the folder from the checkout
layer without one (third party)  nothing: the workers run in the environment that has those packages
DefinitionUri of a file          the same file, from the emulator's S3
AWS::CloudWatch::Alarm,          nothing: nobody is paged by a laptop, and evaluating them costs time
CompositeAlarm, Dashboard
AutoPublishAlias,                nothing: a change of code is live at once
DeploymentPreference
===============================  ==================================================================================
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quintet_cli.cloud import packaging
from quintet_cli.errors import DeployError

DROPPED_TYPES = frozenset({"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm", "AWS::CloudWatch::Dashboard"})
PARAMETERS = {"Stage": "local"}
_FUNCTION = "AWS::Serverless::Function"
_LAYER = "AWS::Serverless::LayerVersion"
_MACHINE = "AWS::Serverless::StateMachine"
_NOT_LOCAL = ("AutoPublishAlias", "AutoPublishCodeSha256", "DeploymentPreference", "ProvisionedConcurrencyConfig")


@dataclass
class LocalTemplate:
    """The rewritten template and the files it refers to by key; code folders by the logical id of what they are of."""

    body: dict[str, Any]
    parameters: dict[str, str]
    files: dict[str, bytes] = field(default_factory=dict)
    functions: dict[str, Path] = field(default_factory=dict)
    layers: dict[str, Path] = field(default_factory=dict)


def load(path: Path) -> dict[str, Any]:
    """Read a template with CloudFormation's short tags; raise DeployError when it is not one."""
    # Imported here: a second start deploys nothing and needs no YAML.
    from samtranslator.yaml_helper import yaml_parse  # noqa: PLC0415

    try:
        body = yaml_parse(path.read_text())
    except OSError as error:
        raise DeployError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # the parser's own errors have no public base class
        raise DeployError(f"{path.name} is not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(body, dict) or not isinstance(body.get("Resources"), dict):
        raise DeployError(f"{path.name} has no Resources.")
    for logical_id, resource in body["Resources"].items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise DeployError(f"{path.name} has a resource {logical_id} without a Type.")
        if not isinstance(resource.setdefault("Properties", {}), dict):
            raise DeployError(f"{path.name} has a resource {logical_id} whose Properties are no mapping.")
    return body


def localise(body: dict[str, Any], root: Path, bucket: str) -> LocalTemplate:
    """Rewrite a template for the emulator; `bucket` is where the caller puts the returned files."""
    known = body.get("Parameters") or {}
    local = LocalTemplate(body, {name: value for name, value in PARAMETERS.items() if name in known})
    return _Rewriting(local, root, bucket).run()


class _Rewriting:
    """One pass over one template."""

    def __init__(self, local: LocalTemplate, root: Path, bucket: str) -> None:
        self._local = local
        self._root = root
        self._bucket = bucket
        self._absent: set[str] = set()
        self._defaults: dict[str, Any] = (local.body.get("Globals") or {}).get("Function") or {}

    def run(self) -> LocalTemplate:
        """Rewrite layers first, since functions refer to them."""
        resources = self._local.body["Resources"]
        for logical_id, resource in list(resources.items()):
            kind = resource.get("Type")
            if kind in DROPPED_TYPES or (kind == _LAYER and not self._layer(logical_id, resource)):
                del resources[logical_id]
        for logical_id, resource in resources.items():
            if resource.get("Type") == _FUNCTION:
                self._function(logical_id, resource.setdefault("Properties", {}))
            elif resource.get("Type") == _MACHINE:
                self._machine(logical_id, resource.get("Properties", {}))
        if self._defaults.get("Layers"):
            self._defaults["Layers"] = self._present(self._defaults["Layers"])
        return self._local

    def _layer(self, logical_id: str, resource: dict[str, Any]) -> bool:
        content = resource.get("Properties", {}).get("ContentUri")
        if not isinstance(content, str):
            return True
        folder = self._root / content / "python"
        if not folder.is_dir():
            self._absent.add(logical_id)
            return False
        self._local.layers[logical_id] = folder
        key = self._keep(f"layers/{logical_id}", packaging.layer_archive(), ".zip")
        resource["Properties"]["ContentUri"] = {"Bucket": self._bucket, "Key": key}
        return True

    def _function(self, logical_id: str, properties: dict[str, Any]) -> None:
        for name in _NOT_LOCAL:
            properties.pop(name, None)
            self._defaults.pop(name, None)
        layers = [*self._defaults.get("Layers", []), *properties.get("Layers", [])]
        if properties.get("Layers"):
            properties["Layers"] = self._present(properties["Layers"])
        code = properties.get("CodeUri", self._defaults.get("CodeUri"))
        if not isinstance(code, str):
            return
        folder = (self._root / code).resolve()
        if not folder.is_dir():
            raise DeployError(f"The function {logical_id} has its CodeUri at {code}, which is not a folder.")
        self._local.functions[logical_id] = folder
        imported = [found for layer in layers if (found := self._local.layers.get(_reference(layer)))]
        handler = str(properties.get("Handler", self._defaults.get("Handler", "")))
        key = self._keep(f"functions/{logical_id}", packaging.function_archive(folder, handler, imported), ".zip")
        properties["CodeUri"] = {"Bucket": self._bucket, "Key": key}

    def _machine(self, logical_id: str, properties: dict[str, Any]) -> None:
        name = properties.get("DefinitionUri")
        if not isinstance(name, str):
            return
        path = self._root / name
        if not path.is_file():
            raise DeployError(f"The state machine {logical_id} has its definition at {name}, which does not exist.")
        key = self._keep(f"statemachines/{logical_id}", path.read_bytes(), ".json")
        properties["DefinitionUri"] = {"Bucket": self._bucket, "Key": key}

    def _present(self, layers: list[Any]) -> list[Any]:
        return [layer for layer in layers if _reference(layer) not in self._absent]

    def _keep(self, name: str, content: bytes, suffix: str) -> str:
        # The key changes with the content, which is how CloudFormation knows that there is something to update.
        key = f"{name}-{packaging.bytes_digest(content)[:16]}{suffix}"
        self._local.files[key] = content
        return key


def _reference(value: Any) -> str:
    found = value.get("Ref") if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
