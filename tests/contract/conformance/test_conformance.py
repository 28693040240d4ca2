"""Requests that schemathesis makes of the documents, against a running cloud: each answer is one that the document promises."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks
from tests.contract.conformance import etl_things
from tests.contract.conformance.mending import mended, mended_headers, mended_query
from tests.contract.conformance.world import World

DOCUMENTS = Path(__file__).parents[3] / "docs" / "openapi"
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
    checks.unsupported_method,
    checks.allow_header_conformance,
]
WHOLE, EVERY = 16, 12
"""Of the cases that cover a document's bounds, the short campaign tries the first so many of an operation, then one of so many."""

MENDED = 4
"""So many of the cases are mended, and one in between is sent as it was generated."""

PARTLY = ("POST /v1/jobs/batch", "POST /v1/jobs/{job_id}/trigger/bulk")
"""Of many, those that can be are made: a faulty one is no fault of the request, and is told in the answer."""

UNDER = ("POST /webrobot/api/datasets/query",)
"""Of other methods, what is matched is the path of a dataset, which has no such id: 404, not 405."""

TOO_LARGE = 413

STREAMS = ("/v1/runs/{run_id}/stream", "/api/v1/automation-runs/{run_id}/events")
"""Server-sent events: the answer comes when there is news, or after 25 seconds; tests/unit tries them."""


def document(name: str) -> Any:
    """An API's committed document, without what can't be tried.

    Unknown query parameters are no faults of a request (nobody forbids them), and keys are tried by tests of their own.
    """
    found = schemathesis.openapi.from_path(DOCUMENTS / f"{name}.json").exclude(path=list(STREAMS))
    found.config.generation.update(allow_extra_parameters=False, with_security_parameters=False)
    return found


schemathesis.serializer.alias(list(etl_things.BYTES), "application/octet-stream")
jobs, automations, etl = document("jobs"), document("automations"), document("etl")
_tried: Counter[tuple[str, str]] = Counter()
once = settings(
    max_examples=5,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
often = settings(once, max_examples=100)


def number(what: str, case: Case) -> int:
    """How many cases of an operation there were, this one included."""
    _tried[what, case.operation.label] += 1
    return _tried[what, case.operation.label]


def chosen(case: Case) -> bool:
    """True for the cases that the short campaign tries."""
    tried = number("short", case)
    return tried <= WHOLE or tried % EVERY == 0


def prepare(world: World, case: Case) -> None:
    """Puts things that are there into what is meant to be good of a case."""
    label = case.operation.label
    world.start(label)
    good = {where: not case.meta.is_negative_at(where) for where in ParameterLocation} if case.meta else {}
    mending = number("asked", case) % (MENDED + 1) != 0
    if case.path_parameters and good.get(ParameterLocation.PATH):
        case.path_parameters = world.parameters(label, case.path_parameters)
    if case.query and good.get(ParameterLocation.QUERY):
        query = world.settle(dict(case.query))
        case.query = mended_query(query) if mending else query
    if isinstance(case.body, dict | list) and good.get(ParameterLocation.BODY):
        body = world.settle(case.body)
        case.body = mended(world, label, body) if mending else body
    elif label in etl_things.RAW and mending:
        case.body = etl_things.raw(world, case.media_type or "", case.body)
    if case.headers and good.get(ParameterLocation.HEADER) and mending:
        case.headers = mended_headers(dict(case.headers), case.body)


def ask(world: World, case: Case) -> None:
    """Sends a case and judges the answer."""
    prepare(world, case)
    key = world.token() if case.path.startswith("/sdk/") else world.key
    answer = case.call(base_url=world.url, headers={"authorization": f"Bearer {key}"})
    lenient = case.operation.label in (*PARTLY, *etl_things.RAW) or has_empty(str(answer.request.url))
    lenient = lenient or answer.status_code == TOO_LARGE  # refused, for what schemathesis does not expect
    passed = [checks.negative_data_rejection] if lenient else []
    passed += [checks.unsupported_method] if case.operation.label in UNDER else []
    judged = [one for one in CHECKS if one not in passed]
    case.validate_response(answer, checks=judged)


def has_empty(url: str) -> bool:
    """True for a query with an empty value, which counts as not given; of a repeated parameter the last value counts."""
    return "" in dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)).values()


@jobs.parametrize()
@once
def test_the_jobs_api_answers_as_documented(case: Case, world: World) -> None:
    """No 5xx; documented statuses, types, headers and shapes; what the document forbids is refused."""
    if chosen(case):
        ask(world, case)


@automations.parametrize()
@once
def test_the_automations_api_answers_as_documented(case: Case, world: World) -> None:
    """The same of the other API."""
    if chosen(case):
        ask(world, case)


@etl.parametrize()
@once
def test_the_etl_api_answers_as_documented(case: Case, world: World) -> None:
    """The same of the third."""
    if chosen(case):
        ask(world, case)


@pytest.mark.long
@jobs.parametrize()
@often
def test_the_jobs_api_at_length(case: Case, world: World) -> None:
    """Every bound of the document, and a hundred requests more of each operation."""
    ask(world, case)


@pytest.mark.long
@automations.parametrize()
@often
def test_the_automations_api_at_length(case: Case, world: World) -> None:
    """The same of the other API."""
    ask(world, case)


@pytest.mark.long
@etl.parametrize()
@often
def test_the_etl_api_at_length(case: Case, world: World) -> None:
    """The same of the third."""
    ask(world, case)


@pytest.mark.parametrize("name", ["jobs", "automations", "etl"])
def test_every_operation_wants_a_key(name: str, world: World) -> None:
    """Through the whole deployment, by each path and method of the document: 401 without one and with a wrong one."""
    asked = 0
    documented = json.loads((DOCUMENTS / f"{name}.json").read_text())["paths"]
    with httpx.Client(base_url=world.url, trust_env=False, timeout=60) as stranger:
        for path, method in ((path, method) for path, operations in documented.items() for method in operations):
            label, names = f"{method.upper()} {path}", re.findall(r"{(\w+)}", path)
            found = path.format(**world.parameters(label, dict.fromkeys(names))) if names else path
            for headers in ({}, {"authorization": "Bearer qk_wrong"}):
                answer = stranger.request(method, found, headers=headers)
                assert answer.status_code == 401, (label, answer.text)
                assert answer.headers["www-authenticate"] == "Bearer"
                asked += 1
    assert asked > 30


@pytest.mark.parametrize(
    "path", ["/v1/jobs/a%0Ab", "/v1/workflow-runs/a/steps/b%0A/approve", "/api/v1/automations/%0A"]
)
def test_no_path_is_answered_by_anything_but_the_api(path: str, world: World) -> None:
    """A line break in it included: the refusal is the API's own."""
    method = "POST" if path.endswith("approve") else "GET"
    answer = httpx.request(method, world.url + path, headers={"authorization": f"Bearer {world.key}"}, trust_env=False)
    assert answer.status_code in (400, 404, 422)
    assert {"error", "detail"} & answer.json().keys()
