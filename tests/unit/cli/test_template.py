"""What the local cloud changes in the template, and that it changes nothing else."""

import copy
from pathlib import Path
from typing import Any

import pytest

from quintet_cli.cloud import template
from quintet_cli.errors import DeployError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with one function, one layer of its own, one of third parties, and one machine."""
    for folder in ("functions/f", "layers/core/python", "layers/deps", "statemachines"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "statemachines/m.asl.json").write_text('{"StartAt": "A"}')
    return tmp_path


def _body() -> dict[str, Any]:
    return {
        "Parameters": {"Stage": {"Type": "String"}, "Other": {"Type": "String"}},
        "Globals": {"Function": {"Handler": "handler.handler", "Layers": [{"Ref": "Core"}, {"Ref": "Deps"}]}},
        "Resources": {
            "Core": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "layers/core/"}},
            "Deps": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "layers/deps/"}},
            "F": {
                "Type": "AWS::Serverless::Function",
                "Properties": {"CodeUri": "functions/f/", "MemorySize": 512, "AutoPublishAlias": "live"},
            },
            "M": {
                "Type": "AWS::Serverless::StateMachine",
                "Properties": {"DefinitionUri": "statemachines/m.asl.json", "Type": "EXPRESS"},
            },
            "T": {"Type": "AWS::DynamoDB::Table", "Properties": {"BillingMode": "PAY_PER_REQUEST"}},
            "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {}},
        },
    }


def test_only_what_has_no_meaning_here_is_changed(root: Path) -> None:
    """Files become objects of the artifact bucket; third-party layers, alarms and aliases are left out."""
    before = _body()
    local = template.localise(copy.deepcopy(before), root, "artifacts")
    resources = local.body["Resources"]
    assert set(before["Resources"]) - set(resources) == {"Deps", "Alarm"}
    assert local.body["Globals"]["Function"]["Layers"] == [{"Ref": "Core"}]
    assert resources["T"] == before["Resources"]["T"]
    function = resources["F"]["Properties"]
    assert (function["MemorySize"], "AutoPublishAlias" in function) == (512, False)
    keys = [function["CodeUri"]["Key"], resources["M"]["Properties"]["DefinitionUri"]["Key"]]
    assert all(key in local.files for key in keys)
    assert local.files[keys[1]] == b'{"StartAt": "A"}'


def test_a_function_imports_from_its_own_layers_alone(root: Path) -> None:
    """The archive names the folder of the layer that the function asks for."""
    local = template.localise(_body(), root, "artifacts")
    archive = next(content for key, content in local.files.items() if key.startswith("functions/"))
    assert str(root / "layers/core/python").encode() in archive
    alone = _body()
    alone["Globals"]["Function"]["Layers"] = []
    local = template.localise(alone, root, "artifacts")
    archive = next(content for key, content in local.files.items() if key.startswith("functions/"))
    assert str(root / "layers/core/python").encode() not in archive


def test_only_parameters_that_the_template_has_are_given(root: Path) -> None:
    """Stage is local where there is a Stage."""
    assert template.localise(_body(), root, "artifacts").parameters == {"Stage": "local"}
    without = _body()
    del without["Parameters"]
    assert template.localise(without, root, "artifacts").parameters == {}


def test_the_same_checkout_gives_the_same_template(root: Path) -> None:
    """An unchanged checkout has nothing to update."""
    first, second = (template.localise(_body(), root, "artifacts") for _ in range(2))
    assert (first.body, first.files) == (second.body, second.files)


@pytest.mark.parametrize(
    ("logical_id", "name", "value", "said"),
    [
        ("F", "CodeUri", "functions/none/", "The function F has its CodeUri at functions/none/"),
        ("M", "DefinitionUri", "statemachines/none.json", "The state machine M has its definition at"),
    ],
)
def test_a_file_that_is_not_there_is_named(root: Path, logical_id: str, name: str, value: str, said: str) -> None:
    """A template that points nowhere is refused with the resource and the path."""
    body = _body()
    body["Resources"][logical_id]["Properties"][name] = value
    with pytest.raises(DeployError, match=said):
        template.localise(body, root, "artifacts")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not valid YAML"),
        ("a: 1", "has no Resources"),
        ("", "no Resources"),
        ("Resources: {A: }", "A without a Type"),
        ("Resources: {A: {Type: T, Properties: []}}", "no mapping"),
    ],
)
def test_a_template_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """Broken YAML and a file without resources are told apart."""
    path = tmp_path / "template.yaml"
    path.write_text(text)
    with pytest.raises(DeployError, match=said):
        template.load(path)


def test_short_tags_are_read(tmp_path: Path) -> None:
    """!Ref, !Sub and !GetAtt mean what CloudFormation means."""
    path = tmp_path / "template.yaml"
    path.write_text("Resources: {A: {Type: T, P: [!Ref X, !Sub '${Y}', !GetAtt Z.Arn]}}")
    expected = [{"Ref": "X"}, {"Fn::Sub": "${Y}"}, {"Fn::GetAtt": ["Z", "Arn"]}]
    assert template.load(path)["Resources"]["A"]["P"] == expected
