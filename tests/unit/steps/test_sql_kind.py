"""sql steps: inputs, the dataset that is made, and failures."""

import json
from typing import Any

import pytest

from quintet.domain.errors import NotFound
from quintet.domain.outcome import Completed
from quintet.services.ports.functions import FunctionFault

ID = "0b6f1d1e-58a5-5f0e-9d37-0d5c1a0b8f11"
ANSWER = {
    "ok": True,
    "rowCount": 2,
    "columns": [{"name": "a", "type": "BIGINT"}],
    "preview": [{"a": 1}],
    "sizeBytes": 9,
}


@pytest.fixture(autouse=True)
def _answered(desk: Any) -> None:
    desk.reply = ANSWER
    desk.blobs.put(f"datasets/p1/{ID}.json", json.dumps({"id": ID, "format": "csv"}).encode())


def test_a_query_makes_a_dataset(desk: Any) -> None:
    """The file has the project's name in it, the record beside it says what it holds, and the result names it."""
    outcome = desk.enact("sql", {"sql": "SELECT 1", "format": "jsonl"})

    function, payload, _ = desk.called[0]
    id_ = outcome.result["datasetId"]
    assert function == "sql"
    assert payload["output"] == {"blob": f"datasets/p1/{id_}.jsonl", "format": "jsonl"}
    assert outcome == Completed({"datasetId": id_, "rowCount": 2, "columns": ANSWER["columns"], "preview": [{"a": 1}]})
    record = json.loads(desk.blobs.get(f"datasets/p1/{id_}.json"))
    assert record.items() >= {"id": id_, "format": "jsonl", "rowCount": 2, "sizeBytes": 9, "runId": "run-1"}.items()


def test_an_attempt_delivered_twice_makes_one_dataset(desk: Any) -> None:
    """The id is the attempt's own."""
    first = desk.enact("sql", {"sql": "SELECT 1"})

    assert desk.enact("sql", {"sql": "SELECT 1"}).result["datasetId"] == first.result["datasetId"]


def test_inputs(desk: Any) -> None:
    """Rows travel as they are; datasets by id, or as the result of the step that made them."""
    config = {"sql": "SELECT 1", "inputs": {"r": [{"a": 1}], "d": ID, "s": {"datasetId": ID, "rowCount": 1}}}

    desk.enact("sql", config)

    stored = {"dataset": {"blob": f"datasets/p1/{ID}.csv", "format": "csv"}}
    assert desk.called[0][1]["inputs"] == {"r": {"rows": [{"a": 1}]}, "d": stored, "s": stored}


def test_the_items_of_a_map_share_their_tenants_datasets(desk: Any) -> None:
    """An item that is a run of its own reads what steps before its map made, and later steps find what it makes."""
    outcome = desk.enact("sql", {"sql": "SELECT 1", "inputs": {"d": ID}}, project="p1/run-0/7")

    id_ = outcome.result["datasetId"]
    assert desk.called[0][1]["output"]["blob"] == f"datasets/p1/{id_}.parquet"
    assert json.loads(desk.blobs.get(f"datasets/p1/{id_}.json"))["id"] == id_


def test_many_rows_travel_as_a_blob(desk: Any) -> None:
    """A function's payload is bounded, the rows are not."""
    rows = [{"n": n, "text": "x" * 100} for n in range(2000)]

    desk.enact("sql", {"sql": "SELECT 1", "inputs": {"r": rows}})

    source = desk.called[0][1]["inputs"]["r"]["dataset"]
    assert source["format"] == "jsonl"
    assert [json.loads(line) for line in desk.blobs.get(source["blob"]).splitlines()] == rows


@pytest.mark.parametrize(
    "inputs",
    [
        {"t": "0b6f1d1e-58a5-5f0e-9d37-0d5c1a0b8f99"},
        {"t": "../p2/" + ID},
        {"t": {"datasetId": "../../secret"}},
        {"t": {"datasetId": 5}},
        {"t": {"a": 1}},
        {"t": 5},
        {"a b": []},
    ],
)
def test_inputs_that_are_not_there_fail_for_good(desk: Any, inputs: dict[str, Any]) -> None:
    """Unknown datasets, another project's, and what is neither id nor rows."""
    outcome = desk.enact("sql", {"sql": "SELECT 1", "inputs": inputs})

    assert (outcome.error.type, outcome.error.retryable) == ("InvalidConfig", False)
    assert desk.called == []


@pytest.mark.parametrize(
    ("reply", "type_", "retryable"),
    [
        ({"ok": False, "error": {"type": "SqlError", "message": "no such column"}}, "SqlError", False),
        ({"ok": False, "error": {"type": "Timeout", "message": "too long"}}, "Timeout", True),
        (FunctionFault("Unavailable", "away"), "SqlUnavailable", True),
    ],
)
def test_failures(desk: Any, reply: Any, type_: str, retryable: bool) -> None:
    """A wrong query stays wrong; the rest may be tried again; nothing is recorded."""
    desk.reply = reply

    outcome = desk.enact("sql", {"sql": "SELECT 1"})

    assert (outcome.error.type, outcome.error.retryable) == (type_, retryable)
    file = desk.called[0][1]["output"]["blob"]
    with pytest.raises(NotFound):
        desk.blobs.get(file.replace(".parquet", ".json"))


def test_a_dataset_of_several_files_is_handed_on_with_all_of_them(desk: Any) -> None:
    """As a Spark step leaves it."""
    id_ = "0b6f0a0e-3a53-5d2e-9a43-000000000001"
    record = {"format": "parquet", "parts": [f"datasets/p1/{id_}/a.parquet", f"datasets/p1/{id_}/b.parquet"]}
    desk.blobs.put(f"datasets/p1/{id_}.json", json.dumps(record).encode())
    desk.enact("sql", {"sql": "SELECT 1", "inputs": {"made": {"datasetId": id_, "metrics": {}}}})

    [(_, payload, _)] = desk.called
    assert payload["inputs"] == {"made": {"dataset": record}}
