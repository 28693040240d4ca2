"""docs/automations.md says what the API takes: every kind, every field, and examples that are accepted."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from automations_desk import Desk

from quintet.dialects.automations.kinds import KINDS
from quintet.dialects.automations.models import ConfigIn, RetryIn, StepIn

TEXT = (Path(__file__).resolve().parents[3] / "docs/automations.md").read_text()
BLOCK = re.compile(r"^```(json|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTIONS = {part.split("\n", 1)[0]: part for part in re.split(r"^### ", TEXT, flags=re.MULTILINE)[1:]}


def _blocks(language: str, text: str) -> list[str]:
    return [body for found, body in BLOCK.findall(text) if found == language]


def test_every_kind_has_its_section() -> None:
    """The sections are the kinds that the API takes, no more and no fewer."""
    assert set(SECTIONS) == set(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_is_described_with_every_field(kind: str) -> None:
    """Each field of its config is named as code or stands in its example."""
    words = set(re.findall(r"[`\"](\w+)[`\"]", SECTIONS[kind]))
    assert set(KINDS[kind].fields) - words == set()


@pytest.mark.parametrize("shape", [ConfigIn, StepIn, RetryIn], ids=lambda shape: shape.__name__)
def test_what_all_definitions_share_is_described(shape: type[Any]) -> None:
    """Each field of the definition, of a step and of its retry policy is named as code."""
    named = set(re.findall(r"`(\w+)`", TEXT))
    assert {field.alias for field in shape.model_fields.values()} - named == set()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_example_of_a_kind_is_accepted(desk: Desk, kind: str) -> None:
    """As the only step of an automation, it makes one."""
    (example,) = _blocks("json", SECTIONS[kind])
    step = json.loads(example)
    assert step["kind"] == kind
    answer = desk.post("/automations", {"name": kind, "config": {"steps": [step]}})
    assert answer.status == 201, answer.text


def test_the_whole_example_is_accepted(desk: Desk) -> None:
    """The first block is a body as it stands."""
    answer = desk.post("/automations", json.loads(_blocks("json", TEXT)[0]))
    assert answer.status == 201, answer.text


def test_a_delivery_signed_as_described_starts_a_run(desk: Desk) -> None:
    """The Python of the page signs a delivery that the API takes; with another body it doesn't."""
    scope: dict[str, Any] = {}
    exec(_blocks("python", TEXT)[0], scope)  # the page's own code is what is tested
    steps = [{"key": "a", "kind": "set", "config": {"values": {}}}]
    made = desk.post("/automations", {"name": "hook", "triggerType": "webhook", "config": {"steps": steps}}).json
    signed = scope["headers"](made["webhookSecret"], "delivery-1", b'{"a": 1}')
    path = f"/webhooks/{made['webhookPath']}"
    assert desk.post(path, raw='{"a": 2}', headers=signed, key=None).status == 401
    assert desk.post(path, raw='{"a": 1}', headers=signed, key=None).status == 202
