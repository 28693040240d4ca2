"""The record of what is deployed: whole or refused."""

from pathlib import Path

import pytest

from quintet_cli.cloud import control_plane
from quintet_cli.cloud.control_plane import Deployment
from quintet_cli.errors import HomeError


def _deployment() -> Deployment:
    resources = {"Api": ("AWS::ApiGatewayV2::Api", "a1"), "F": ("AWS::Lambda::Function", "f-1")}
    return Deployment("digest", {"Url": "u"}, resources, {"F": "/code"}, {"iam": {"roles": {"r": b"\x00\xff"}}})


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Everything comes back, bytes included, and no piece of a file is left beside it."""
    path = tmp_path / "record.json"
    control_plane.save(path, _deployment())
    assert control_plane.load(path) == _deployment()
    assert [item.name for item in tmp_path.iterdir()] == ["record.json"]


def test_before_the_first_deployment_there_is_none(tmp_path: Path) -> None:
    """A new data folder has nothing deployed."""
    assert control_plane.load(tmp_path / "record.json") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"fingerprint": "x"}', "\x00" * 40])
def test_a_damaged_record_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    """A record that cannot be read is not taken for a missing one, which would make empty tables."""
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(HomeError, match=r"^The data folder .* is damaged: record\.json cannot be read"):
        control_plane.load(path)


def test_resources_are_found_by_logical_id_and_type() -> None:
    """The launcher finds the API by its type and the sweep by its logical id."""
    deployment = _deployment()
    assert deployment.first_of("AWS::ApiGatewayV2::Api") == "a1"
    assert deployment.first_of("AWS::SQS::Queue") == ""
    assert (deployment.physical_id("F"), deployment.physical_id("None")) == ("f-1", "")
