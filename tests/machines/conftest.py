"""The template and the state machines, read once."""

import json
from pathlib import Path
from typing import Any

import pytest

from quintet_cli.cloud.template import load

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """template.yaml, with CloudFormation's short tags in their long form."""
    return load(ROOT / "template.yaml")


@pytest.fixture(scope="session")
def resources(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The template's resources by logical id."""
    found: dict[str, dict[str, Any]] = template["Resources"]
    return found


@pytest.fixture(scope="session")
def functions(resources: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The properties of the template's functions by logical id."""
    return {name: item["Properties"] for name, item in resources.items() if item["Type"] == "AWS::Serverless::Function"}


@pytest.fixture(params=sorted(path.name for path in (ROOT / "statemachines").iterdir()))
def machine_file(request: pytest.FixtureRequest) -> Path:
    """Each file of statemachines/."""
    return ROOT / "statemachines" / str(request.param)


@pytest.fixture
def machine(machine_file: Path) -> dict[str, Any]:
    """Each state machine's definition, before substitution."""
    found: dict[str, Any] = json.loads(machine_file.read_text())
    return found
