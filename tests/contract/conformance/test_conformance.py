"""Requests that schemathesis makes of the documents, against a running cloud: each answer is one that the document promises."""

from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks
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
WHOLE, EVERY = 25, 8
"""Of the cases that cover a document's bounds, the first so many of an operation are tried, and then every so manieth."""

STREAMS = ("/v1/runs/{run_id}/stream", "/api/v1/automation-runs/{run_id}/events")
"""Server-sent events: the answer comes when there is news, or after 25 seconds; tests/unit tries them."""


def document(name: str) -> Any:
    """An API's committed document, without what can't be tried.

    Unknown query parameters are no faults of a request (nobody forbids them), and keys are tried by tests of their own.
    """
    found = schemathesis.openapi.from_path(DOCUMENTS / f"{name}.json").exclude(path=list(STREAMS))
    found.config.generation.update(allow_extra_parameters=False, with_security_parameters=False)
    return found


jobs, automations = document("jobs"), document("automations")
_tried: Counter[tuple[str, str]] = Counter()
short = settings(
    max_examples=6,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def chosen(case: Case) -> bool:
    """True for the cases that the short campaign tries."""
    label = case.operation.label
    _tried["short", label] += 1
    number = _tried["short", label]
    return number <= WHOLE or number % EVERY == 0


def ask(world: World, case: Case) -> None:
    """Sends a case, with things that are there in what is meant to be good of it, and judges the answer."""
    label = case.operation.label
    world.start(label)
    good = {where: not case.meta.is_negative_at(where) for where in ParameterLocation} if case.meta else {}
    if case.path_parameters and good.get(ParameterLocation.PATH):
        case.path_parameters = world.parameters(label, case.path_parameters)
    if case.query and good.get(ParameterLocation.QUERY):
        case.query = world.settle(dict(case.query))
    if isinstance(case.body, dict | list) and good.get(ParameterLocation.BODY):
        case.body = world.settle(case.body)
    key = world.token() if case.path.startswith("/sdk/") else world.key
    case.call_and_validate(base_url=world.url, headers={"authorization": f"Bearer {key}"}, checks=CHECKS)


@jobs.parametrize()
@short
def test_the_jobs_api_answers_as_documented(case: Case, world: World) -> None:
    """No 5xx; documented statuses, types, headers and shapes; what the document forbids is refused."""
    if chosen(case):
        ask(world, case)


@automations.parametrize()
@short
def test_the_automations_api_answers_as_documented(case: Case, world: World) -> None:
    """The same of the other API."""
    if chosen(case):
        ask(world, case)
