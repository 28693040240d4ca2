"""sql: queries datasets and rows with DuckDB, and makes a dataset of the answer."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID, uuid5

from quintet.domain.definition import StepDef
from quintet.domain.errors import NotFound, Problem
from quintet.domain.outcome import Completed, Failed, Outcome, StepError
from quintet.services.ports.functions import FunctionFault, Functions
from quintet.services.ports.steps import Expressions, StepCall
from quintet.services.ports.world import Blobs
from quintet.services.stops import CODE, leash
from quintet.steps.fields import Field, Fields, mapping_of, one_of, refuse, templated, text
from quintet.steps.kind import Kind

DATASETS = UUID("2c9f4a5e-0d3b-5f6e-8a52-7b1f1f7c9d20")
TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
DATASET_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
INLINE_ROWS = 128 * 1024
"""Rows larger than this (bytes of JSON) travel as a blob: a function's payload is bounded."""
ANSWER_SECONDS = 10.0
PERMANENT = frozenset({"SqlError", "BadSql", "BadInput", "TooLarge"})


def _source(value: Any) -> str | None:
    """A dataset id, a dataset step's whole result, or rows."""
    if isinstance(value, Mapping):
        return None if "datasetId" in value else "must be a dataset id, a sql step's result, or a list of rows"
    if isinstance(value, str):
        return None if DATASET_ID.fullmatch(value) else "is not a dataset id"
    if not isinstance(value, list):
        return "must be a dataset id, a sql step's result, or a list of rows"
    return None if all(isinstance(row, Mapping) for row in value) else "must hold rows that are objects"


class _Refused(Exception):
    """An input that can't be used."""


class SqlKind(Kind):
    """`sql` (one SELECT), `inputs` {table: dataset id or rows}, `format`; the result is {datasetId, rowCount, columns, preview}.

    The file is the blob `datasets/<project>/<id>.<format>`; the blob `datasets/<project>/<id>.json` records {id, format, columns, rowCount,
    sizeBytes}. Its id is made from the attempt, so that an attempt that is delivered twice writes one dataset.
    """

    name = "sql"
    fields: ClassVar[Fields] = {
        "sql": Field(text(100_000), required=True),
        "inputs": Field(mapping_of(_source, 50)),
        "format": Field(one_of("parquet", "csv", "jsonl")),
    }

    def __init__(self, expressions: Expressions, functions: Functions, blobs: Blobs, sql_function: str) -> None:
        super().__init__(expressions)
        self._functions = functions
        self._blobs = blobs
        self._function = sql_function

    def more_problems(self, step: StepDef) -> list[Problem]:
        """Table names that SQL could not name plainly."""
        inputs = step.config.get("inputs")
        if not isinstance(inputs, Mapping) or templated(inputs):
            return []
        message = "a table's name is a letter or _ and up to 62 letters, digits and _"
        return [Problem(("inputs", name), message, "bad_key") for name in inputs if not TABLE.fullmatch(str(name))]

    def leaves(self, step: StepDef) -> str:
        """A query, which goes on unless it is stopped."""
        return CODE

    def perform(self, call: StepCall) -> Outcome:
        """Runs the query in the SQL function and records the dataset."""
        id_ = str(uuid5(DATASETS, f"{call.idempotency_key}:{call.token}"))
        format_ = call.config.get("format") or "parquet"
        try:
            inputs = {name: self._input(call.run.tenant, name, value) for name, value in self._named(call)}
        except _Refused as refused:
            return refuse(str(refused))
        payload = {
            "sql": call.config["sql"],
            "inputs": inputs,
            "output": {"blob": f"datasets/{call.run.tenant}/{id_}.{format_}", "format": format_},
            "timeout": call.timeout,
            "leash": leash(call.run.id, call.token),
        }
        try:
            answer = self._functions.call(self._function, payload, call.timeout + ANSWER_SECONDS)
        except FunctionFault as fault:
            return Failed(StepError(f"Sql{fault.type}", f"the SQL function did not answer: {fault}"), cut=True)
        if not answer.get("ok"):
            error = answer.get("error") or {}
            type_ = str(error.get("type", "SqlError"))
            return Failed(StepError(type_, str(error.get("message", "")), retryable=type_ not in PERMANENT))
        return self._completed(call, id_, format_, answer)

    def _completed(self, call: StepCall, id_: str, format_: str, answer: Mapping[str, Any]) -> Outcome:
        kept = {name: answer[name] for name in ("columns", "rowCount", "sizeBytes")}
        record = {"id": id_, "format": format_, **kept, "runId": call.run.id, "step": call.step.path}
        self._blobs.put(f"datasets/{call.run.tenant}/{id_}.json", json.dumps(record).encode())
        call.log("info", f"dataset {id_}: {kept['rowCount']} rows, {kept['sizeBytes']} bytes")
        result = {"datasetId": id_, "rowCount": kept["rowCount"], "columns": kept["columns"]}
        return Completed({**result, "preview": answer["preview"]})

    @staticmethod
    def _named(call: StepCall) -> list[tuple[str, Any]]:
        inputs = call.config.get("inputs") or {}
        for name in inputs:
            if not TABLE.fullmatch(name):
                raise _Refused(f"inputs: {name!r} can't be a table's name")
        return list(inputs.items())

    def _input(self, project: str, name: str, value: Any) -> dict[str, Any]:
        if isinstance(value, list):
            return self._rows(project, value)
        id_ = value["datasetId"] if isinstance(value, Mapping) else value
        if not isinstance(id_, str) or not DATASET_ID.fullmatch(id_):
            raise _Refused(f"inputs: {name}: not a dataset id")
        try:
            record = json.loads(self._blobs.get(f"datasets/{project}/{id_}.json"))
        except NotFound:
            raise _Refused(f"inputs: {name}: no dataset {id_}") from None
        if parts := record.get("parts"):
            return {"dataset": {"parts": parts, "format": record["format"]}}
        return {"dataset": {"blob": f"datasets/{project}/{id_}.{record['format']}", "format": record["format"]}}

    def _rows(self, project: str, rows: list[Any]) -> dict[str, Any]:
        if len(json.dumps(rows)) <= INLINE_ROWS:
            return {"rows": rows}
        body = b"\n".join(json.dumps(row, separators=(",", ":")).encode() for row in rows)
        blob = f"datasets/{project}/inputs/{hashlib.sha256(body).hexdigest()}.jsonl"
        self._blobs.put(blob, body, "application/x-ndjson")
        return {"dataset": {"blob": blob, "format": "jsonl"}}
