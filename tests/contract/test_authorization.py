"""Every route of every API, with no key, a wrong one, one without the scope, and those of other projects and runs.

The table of routes is read from the APIs themselves: a new route is in it, and fails here until it says what its path may name.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.authorization_stage import PARENT, STRANGER, Stage
from tests.contract.etl_things import OWN
from tests.contract.route_table import DIALECTS, MARK, ROUTES, AskedRoute, operation, schema_of
from tests.unit.jobs.jobs_desk import Answer

from quintet.domain.scopes import EVERYTHING, SCOPES
from quintet.web.gate import PUBLIC

FUNCTIONS = Path(__file__).parents[2] / "functions"
PUBLIC_ROUTES = {
    # Senders of webhooks have no API keys: each delivery is signed with the automation's own secret.
    "POST /api/v1/webhooks/<path>",
    # A program that works on a run has that run's token, which says nothing of any other.
    *(f"POST /sdk/v1/runs/<run_id>/{what}" for what in ("log", "progress", "heartbeat", "annotate", "checkpoint", "output",
                                                         "complete", "fail", "spawn")),
    "GET /sdk/v1/runs/<run_id>/payload",
}  # fmt: skip
GUARDED = [route for route in ROUTES if route.scope != PUBLIC]
RUN_SIDE = [route for route in ROUTES if route.run_side]
NAMING = [route for route in GUARDED if route.parameters and route.name not in OWN]
LISTS = [route for route in GUARDED if route.method == "GET" and not route.parameters]
OF_PARENTS = {"/v1/projects", "/v1/api-keys"}
"""What a key with `admin` may do to the projects that were made with keys of its own one."""

PLAIN = {
    "limit",
    "offset",
    "cursor",
    "envelope",
    "status",
    "state",
    "triggered_by",
    "page",
    "pageSize",
    "project_id",
    "table",
}
"""Queries of lists that name no thing; project_id and table have tests of their own."""


def named(route: AskedRoute) -> str:
    """A test's name."""
    return route.name


every_guarded = pytest.mark.parametrize("route", GUARDED, ids=named)


@pytest.fixture(scope="module")
def stage() -> Stage:
    """Whoever is refused changes nothing, so that one serves them all."""
    return Stage()


def said(answer: Answer) -> str:
    """What an error's answer says, whichever API's it is."""
    body = answer.json
    found = body["error"] if "error" in body else body["detail"]
    return str(found["message"] if isinstance(found, dict) else found)


# --- the table -----------------------------------------------------------------------------------------------------------------


def test_every_api_is_in_the_table() -> None:
    """Each dialect is served by one function, and each function that serves an API serves a dialect."""
    served = {path.parent.name.removesuffix("_api"): path.read_text() for path in FUNCTIONS.glob("*_api/handler.py")}
    assert sorted(served) == DIALECTS
    for dialect, text in served.items():
        assert f"from quintet.dialects.{dialect}.app import build" in text
        assert any(route.dialect == dialect for route in ROUTES)


def test_only_these_routes_need_no_key() -> None:
    """Each with the reason that is written beside it."""
    assert {route.name for route in ROUTES if route.scope == PUBLIC} == PUBLIC_ROUTES


def test_every_scope_is_one_that_a_key_can_have() -> None:
    """Else nobody but an administrator could ever pass."""
    assert {route.scope for route in GUARDED} <= set(SCOPES)


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_the_owner_passes(route: AskedRoute) -> None:
    """With these very requests: so whoever is refused below is refused for who asks. 409 says that a thing is not in the state for it."""
    if route.rule == "/api/v1/webhooks/<path>":
        return  # its callers sign; tests/unit/automations/test_webhooks_api.py does
    stage = Stage()
    key = stage.tokens["own"] if route.run_side else stage.owner
    answers = [stage.send(route, path, key) for path in stage.things.all_paths(route)]
    assert all(200 <= one.status < 300 or one.status == 409 for one in answers), [one.text for one in answers]
    assert any(one.status < 300 for one in answers), [one.text for one in answers]
    if operation(route).get("requestBody", {}).get("required"):
        assert stage.body(route), "the route needs a body"


# --- no key, wrong keys ----------------------------------------------------------------------------------------------------------


def bad_headers(stage: Stage) -> Iterator[tuple[str, dict[str, str]]]:
    """Requests without a valid key, by what is wrong with them."""
    owner = stage.owner
    kept = hashlib.sha256(owner.encode()).hexdigest()
    yield from {
        "no key": {},
        "an unknown key": {"authorization": "Bearer qk_unknown"},
        "what is kept of the key": {"authorization": f"Bearer {kept}"},
        "the key's beginning": {"authorization": f"Bearer {owner[:-1]}"},
        "the key's id": {"authorization": f"Bearer {stage.things['key']}"},
        "another scheme": {"authorization": f"Basic {owner}"},
        "an unknown key in its header": {"x-api-key": "qk_unknown"},
        "an unknown key in the cookie": {"cookie": "vai_token=qk_unknown"},
        "a very long key": {"authorization": f"Bearer {'k' * 100_000}"},
        "no text": {"authorization": "Bearer \udcff"},
    }.items()


@every_guarded
def test_without_a_valid_key_it_is_401(stage: Stage, route: AskedRoute) -> None:
    """Before anything else: the path names what is there, and what is not."""
    absent = route.rule.replace("<", "").replace(">", "")
    for wrong, headers in bad_headers(stage):
        for path in (stage.things.all_paths(route)[0], absent):
            answer = stage.send(route, path, None, headers=headers, query={"api_key": stage.owner})
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer"), wrong
            assert stage.hides(answer)


@every_guarded
def test_a_run_token_is_no_api_key(stage: Stage, route: AskedRoute) -> None:
    """Not even on its own run's routes, and in no header. Where an ETL task's token counts, no other run is there."""
    refused = (401, 404) if route.rule.endswith("/completion") else (401,)
    for token in stage.tokens.values():
        for headers in ({"authorization": f"Bearer {token}"}, {"x-api-key": token}, {"cookie": f"vai_token={token}"}):
            for path in stage.things.all_paths(route):
                assert stage.send(route, path, None, headers=headers).status in refused


@pytest.mark.parametrize("route", RUN_SIDE, ids=named)
def test_the_run_side_takes_that_runs_token_only(stage: Stage, route: AskedRoute) -> None:
    """401 for API keys, however mighty, for other runs' tokens, whether from a trigger or sent to the endpoint, and for none."""
    (path,) = stage.things.all_paths(route)
    keys = [
        None,
        stage.owner,
        PARENT,
        STRANGER,
        "qk_unknown",
        *(text for name, text in stage.tokens.items() if name != "own"),
    ]
    head, _, signature = stage.tokens["own"].rpartition(".")
    forged = [f"{head}.{signature[::-1]}", f"{head}.", stage.tokens["own"] + "x"]
    assert len(stage.tokens) == 3
    for key in [*keys, *forged]:
        answer = stage.send(route, path, key)
        assert answer.status == 401, (key, answer.text)
        assert MARK not in answer.text
    for header in (
        {"x-run-token": stage.tokens["own"]},
        {"x-api-key": stage.owner},
        {"cookie": f"vai_token={stage.owner}"},
    ):
        assert stage.send(route, path, None, headers=header).status == 401


def test_an_unsigned_delivery_is_401(stage: Stage) -> None:
    """An API key is no signature."""
    route = next(one for one in ROUTES if one.rule == "/api/v1/webhooks/<path>")
    for key in (None, stage.owner):
        assert stage.send(route, stage.things.all_paths(route)[0], key, body={}).status == 401


# --- scopes --------------------------------------------------------------------------------------------------------------------


@every_guarded
def test_without_its_scope_it_is_refused(stage: Stage, route: AskedRoute) -> None:
    """A key with every other scope, in the very project: 403, of the ETL API 401; the answer names the scope that is missing, and nothing
    else."""
    enough = {route.scope, f"{route.scope.partition(':')[0]}:*", *EVERYTHING}
    weak = f"all but {route.scope}"
    stage.desk.add_key(weak, *(scope for scope in SCOPES if scope not in enough), project=stage.project)
    for path in stage.things.all_paths(route):
        answer = stage.send(route, path, weak)
        assert answer.status == (401 if route.dialect == "etl" else 403)
        assert f"'{route.scope}'" in said(answer)
        assert stage.hides(answer)


@every_guarded
def test_its_scope_alone_is_enough(stage: Stage, route: AskedRoute) -> None:
    """The scope itself, and its noun's star, open the route; tried on what is not there, so that nothing changes."""
    absent = "019b76da-a800-7fff-8000-00000000ffff"
    path = route.rule
    for name in route.parameters:
        path = path.replace(f"<{name}>", "1" if name == "version_number" else absent)
    scopes = [scope for scope in (route.scope, f"{route.scope.partition(':')[0]}:*") if scope in SCOPES]
    for scope in scopes:
        stage.desk.add_key(f"only {scope}", scope, project="elsewhere")
        answer = stage.send(route, path, f"only {scope}")
        assert answer.status not in (401, 403), answer.text


# --- other projects ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", NAMING, ids=named)
def test_what_is_anothers_is_not_there(stage: Stage, route: AskedRoute) -> None:
    """404 for a stranger, for the project that this one was made from, and for those made from it: never 200, 403 or 409."""
    keys = {"a stranger": STRANGER, "the child": stage.child, "the parent": PARENT}
    for who, key in keys.items():
        if who == "the parent" and route.noun in OF_PARENTS:
            continue
        for path in stage.things.all_paths(route):
            answer = stage.send(route, path, key)
            assert answer.status == 404, (who, path, answer.text)
            assert MARK in path or MARK not in answer.text


@pytest.mark.parametrize("route", [route for route in GUARDED if route.name in OWN], ids=named)
def test_what_is_of_ones_own_making_is_nobody_elses(route: AskedRoute) -> None:
    """A stranger who names a table or program as the owner does has one apart: neither sees what the other wrote."""
    stage = Stage()
    owners = stage.everything()
    for path in stage.things.all_paths(route):
        answer = stage.send(route, path, STRANGER)
        assert answer.status < 300, answer.text
        assert MARK not in answer.text.replace(path.rpartition("/")[2], "")
    assert stage.everything() == owners


def test_tables_of_queries_are_the_callers_own(stage: Stage) -> None:
    """A dataset that the caller has not is no table: not to read its columns, nor to ask it."""
    for key, status in ((stage.owner, 200), (STRANGER, 404), (stage.child, 404)):
        columns = stage.ask("GET", "/webrobot/api/datasets/query/columns", key=key, query={"table": "dataset_1"})
        assert (columns.status, MARK in columns.text) == (status, status == 200)


@pytest.mark.parametrize("route", LISTS, ids=named)
def test_lists_hold_their_own(stage: Stage, route: AskedRoute) -> None:
    """The owner's list has the owner's things; others' have none of them, with the owner's cursor neither."""
    own = stage.send(route, route.rule, stage.owner, query={"limit": 1})
    assert not stage.hides(own), own.text
    cursor = own.headers.get("x-next-cursor")
    for key in (STRANGER, stage.child, PARENT):
        if key == PARENT and route.rule == "/v1/projects":
            continue
        for query in ({}, {"envelope": "true"}, *([{"cursor": cursor}] if cursor else [])):
            answer = stage.send(route, route.rule, key, query=query)
            assert answer.status == 200 or ("cursor" in query and answer.status == 400), answer.text
            assert stage.hides(answer), answer.text


@pytest.mark.parametrize("route", LISTS, ids=named)
def test_filters_find_nothing_of_others(stage: Stage, route: AskedRoute) -> None:
    """A list that is asked for what belongs to somebody's job, run, group or tag finds it for the owner, and nothing for a stranger."""
    things = stage.things
    filters: dict[str, Any] = {
        "job_id": [things["job"], things["failing_job"]],
        "group_id": [things["group"]],
        "batch_id": [things["batch"]],
        "workflow_id": [things["workflow"]],
        "run_id": [things["run"]],
        "slug": [MARK],
        "tag_key": [MARK],
        "tag_value": ["x"],
        "metadata_key": [MARK],
        "metadata_value": ["x"],
    }
    beside = {"tag_value": {"tag_key": MARK}, "metadata_value": {"metadata_key": MARK}}
    queries = [one["name"] for one in operation(route).get("parameters", ()) if one["in"] == "query"]
    for name in queries:
        if name in PLAIN:
            continue
        asked = [{name: value, **beside.get(name, {})} for value in filters[name]]
        assert any(not stage.hides(stage.send(route, route.rule, stage.owner, query=query)) for query in asked), name
        for query in asked:
            answer = stage.send(route, route.rule, STRANGER, query={**query, "envelope": "true"})
            assert (answer.status, answer.json) == (200, {"data": [], "has_more": False}), name


def names_project(route: AskedRoute) -> tuple[bool, bool]:
    """Whether a route takes a project's id in its query, and in its body."""
    asked = operation(route)
    query = any((one["in"], one["name"]) == ("query", "project_id") for one in asked.get("parameters", ()))
    body = asked.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return query, "project_id" in schema_of(route, body).get("properties", {})


def test_naming_anothers_project_is_404(stage: Stage) -> None:
    """In a query as in a body, with its things in the path as without, for a stranger and for projects made from it."""
    asked = 0
    for route in GUARDED:
        query, body = names_project(route)
        for key in (STRANGER, stage.child) if query or body else ():
            for path in stage.things.all_paths(route):
                more: dict[str, Any] = {"query": {"project_id": stage.project}} if query else {}
                if body:
                    more["body"] = {**stage.body(route), "project_id": stage.project}
                answer = stage.send(route, path, key, **more)
                assert answer.status == 404, (route.name, answer.text)
                asked += 1
    assert asked > 100
    in_body = {route.name for route in GUARDED if names_project(route)[1]}
    assert {"POST /v1/jobs", "POST /v1/jobs/batch-disable", "POST /v1/workflows", "POST /v1/api-keys", "POST /v1/events",
            "POST /v1/job-groups"} <= in_body  # fmt: skip


def test_a_parent_manages_keys_and_nothing_else(stage: Stage) -> None:
    """Its list of a child's keys is theirs to see with `admin` alone: other scopes give 403, or 404 where they don't see the project."""
    query = {"project_id": stage.project}
    assert stage.ask("GET", "/v1/api-keys", key=PARENT, query=query).status == 200
    for scopes, status in ((["api-keys:manage", "projects:*"], 403), (["api-keys:manage"], 404)):
        stage.desk.add_key(str(scopes), *scopes)
        assert stage.ask("GET", "/v1/api-keys", key=str(scopes), query=query).status == status
