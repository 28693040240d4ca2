"""Runs over HTTP: list, read, cancel, retry, result, waiting."""

from typing import Any
from uuid import uuid4

import pytest
from automations_desk import Desk, step

GATE = step("gate", kind="approval_gate", config={"message": "go?"})
RUN_FIELDS = {
    "automationId",
    "automationVersionId",
    "completedAt",
    "concurrencyKey",
    "createdAt",
    "durationSeconds",
    "error",
    "externalJobId",
    "id",
    "orchestratorType",
    "startedAt",
    "status",
    "tenantId",
    "triggerSourceId",
    "triggerSourceType",
    "triggerType",
    "updatedAt",
    "versionNumber",
}


def failing(desk: Desk, *, times: int = 10) -> dict[str, Any]:
    """A step that fails that many times before it succeeds."""
    left = [times]

    def work(_payload: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise ValueError("broken")
        return {"ok": True}

    desk.runner.answers["fragile"] = work
    return step("fragile", "first", kind="python", config={"code": "fragile"})


def test_a_run_from_post_to_completed(desk: Desk) -> None:
    """A started run is running, then completed with measured times and its steps' results."""
    automation = desk.define(step("a"), step("b", "a", kind="wait", config={"seconds": 90}))
    started = desk.post(f"/automations/{automation['id']}/run", {"input": {"x": 1}})
    assert started.status == 201
    run = started.json
    assert set(run) == RUN_FIELDS
    assert run["status"] == "running"
    assert run["automationId"] == automation["id"]
    assert run["automationVersionId"] == automation["versionId"]
    assert (run["versionNumber"], run["tenantId"], run["orchestratorType"]) == (1, "default", "dag")
    assert (run["triggerType"], run["triggerSourceType"]) == ("manual", "api")
    assert run["completedAt"] is run["durationSeconds"] is run["error"] is run["concurrencyKey"] is None
    desk.drive()
    desk.pass_time(100)
    done = desk.get(f"/automation-runs/{run['id']}").json
    assert (done["status"], done["durationSeconds"]) == ("completed", 90.0)
    assert done["completedAt"] == "2026-01-01T00:01:30.000Z"
    assert desk.get(f"/automation-runs/{run['id']}/result").json == {
        "status": "completed",
        "outputs": {"b": {}},
        "truncated": [],
    }


def test_a_run_by_a_person_says_who(desk: Desk) -> None:
    """A key that belongs to somebody makes the run a user's."""
    desk.add_key("ann", "jobs:trigger", "jobs:write", owner="ann@example.org")
    automation = desk.define(step("a"))
    run = desk.post(f"/automations/{automation['id']}/run", key="ann").json
    assert (run["triggerSourceType"], run["triggerSourceId"]) == ("user", "ann@example.org")


def test_a_failed_run_says_why_and_where(desk: Desk) -> None:
    """The error has exactly the type, the message and the step."""
    run_id = desk.run(step("first"), failing(desk))
    run = desk.get(f"/automation-runs/{run_id}").json
    assert run["status"] == "failed"
    assert run["error"] == {"type": "ValueError", "message": "broken", "step": "fragile"}


def test_runs_are_listed_newest_first_and_paged(desk: Desk) -> None:
    """limit and offset page through all runs; total counts them all."""
    ids = []
    for _ in range(5):
        ids.append(desk.run(step("a")))
        desk.clock.advance(1)
    page = desk.get("/automation-runs", query={"limit": 2, "offset": 1}).json
    assert [run["id"] for run in page["items"]] == [ids[3], ids[2]]
    assert page["total"] == 5
    assert desk.get("/automation-runs", query={"offset": 10**30}).json == {"items": [], "total": 5}
    assert [run["id"] for run in desk.get("/automation-runs").json["items"]] == ids[::-1]


def test_the_status_filter_covers_every_core_status_of_its_word(desk: Desk) -> None:
    """pending finds queued runs, running finds waiting ones, and each word only its own."""
    automation = desk.define(GATE)
    waiting, queued = (
        desk.post(f"/automations/{automation['id']}/run", {"concurrencyKey": "k"}).json["id"] for _ in range(2)
    )
    desk.drive()
    completed = desk.run(step("a"))
    failed = desk.run(step("first"), failing(desk))
    cancelled = desk.run(GATE)
    desk.post(f"/automation-runs/{cancelled}/cancel")
    expected = {
        "running": waiting,
        "pending": queued,
        "completed": completed,
        "failed": failed,
        "cancelled": cancelled,
    }
    for word, run_id in expected.items():
        page = desk.get("/automation-runs", query={"status": word}).json
        assert ([run["id"] for run in page["items"]], page["total"]) == ([run_id], 1)
        assert page["items"][0]["status"] == word
    assert desk.get("/automation-runs", query="status=").json["total"] == 5


def test_a_queued_run_waits_for_its_concurrency_key_and_says_so(desk: Desk) -> None:
    """One active run per key: the second is pending, says why, and starts when the first ends."""
    automation = desk.define(GATE)
    first, second = (desk.post(f"/automations/{automation['id']}/run", {"concurrencyKey": "k"}).json for _ in range(2))
    desk.drive()
    assert second["status"] == "pending"
    assert second["startedAt"] is None
    waiting = desk.get(f"/automation-runs/{second['id']}/waiting").json
    assert waiting["waiting"] is True
    assert waiting["reasons"][0]["reason"] == "concurrency"
    assert set(waiting["reasons"][0]) == {"reason", "step", "since", "until", "detail"}
    desk.post(f"/automation-runs/{first['id']}/cancel")
    desk.drive()
    assert desk.get(f"/automation-runs/{second['id']}").json["status"] == "running"


def test_a_completed_run_waits_for_nothing(desk: Desk) -> None:
    """An ended run has no reasons to wait."""
    assert desk.get(f"/automation-runs/{desk.run(step('a'))}/waiting").json == {"waiting": False, "reasons": []}


def test_cancel_ends_a_run_once(desk: Desk) -> None:
    """A cancelled run answers 200 with itself; cancelling an ended run is a conflict."""
    run_id = desk.run(GATE)
    cancelled = desk.post(f"/automation-runs/{run_id}/cancel")
    assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")
    assert cancelled.json["completedAt"] is not None
    again = desk.post(f"/automation-runs/{run_id}/cancel")
    assert (again.status, again.json) == (409, {"detail": "Run has already ended"})


def test_retry_from_failed_reuses_what_completed(desk: Desk) -> None:
    """The new run says where it comes from, keeps the completed step's result and does only the rest."""
    old = desk.run(step("first"), failing(desk, times=1), step("last", "fragile"))
    answer = desk.post(f"/automation-runs/{old}/retry")
    assert answer.status == 200
    run = answer.json
    assert run["id"] != old
    assert (run["triggerType"], run["triggerSourceType"], run["triggerSourceId"]) == ("manual", "run", old)
    desk.drive()
    steps = desk.get(f"/automation-runs/{run['id']}/steps").json["steps"]
    assert [one["status"] for one in steps] == ["completed"] * 3
    events = desk.get(f"/automation-runs/{run['id']}/events").text
    assert f'"reusedFrom":"{old}"' in events


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"mode": "from_step"}, ["body", "stepKey"]),
        ({"mode": "from_step", "stepKey": "nope"}, ["body", "stepKey"]),
        ({"mode": "backwards"}, ["body", "mode"]),
        ({"mode": None}, ["body", "mode"]),
        ([], ["body"]),
        ([{}], ["body"]),
        ("full", ["body"]),
    ],
)
def test_a_faulty_retry_is_refused(desk: Desk, body: Any, loc: list[str]) -> None:
    """422 names the place."""
    run_id = desk.run(step("a"))
    answer = desk.post(f"/automation-runs/{run_id}/retry", body)
    assert answer.status == 422
    assert answer.json["detail"][0]["loc"] == loc


def test_retry_ignores_fields_it_does_not_know_and_needs_an_ended_run(desk: Desk) -> None:
    """As documented servers do, unknown fields are ignored; a running run can't be retried."""
    run_id = desk.run(step("a"))
    answer = desk.post(f"/automation-runs/{run_id}/retry", {"mode": "from_step", "stepKey": "a", "extra": 1})
    assert answer.status == 200
    waiting = desk.run(GATE)
    assert desk.post(f"/automation-runs/{waiting}/retry", {"mode": "full"}).status == 409


ROUTES = [
    ("GET", ""),
    ("POST", "/cancel"),
    ("POST", "/retry"),
    ("GET", "/steps"),
    ("GET", "/events"),
    ("GET", "/waiting"),
    ("GET", "/result"),
    ("POST", "/steps/a/approve"),
    ("POST", "/steps/a/reject"),
]


@pytest.mark.parametrize(("method", "tail"), ROUTES)
def test_every_run_route_refuses_what_it_must(desk: Desk, method: str, tail: str) -> None:
    """401 without a key, 403 naming the scope, 422 for a bad id, 404 for an unknown run and for another project's."""
    run_id = desk.run(step("a"))
    desk.add_key("none", "jobs:trigger")
    desk.add_key("other", "admin", project="elsewhere")
    path = f"/api/v1/automation-runs/{run_id}{tail}"
    nobody = desk.send(method, path, key=None)
    assert (nobody.status, nobody.headers["www-authenticate"]) == (401, "Bearer")
    assert nobody.json == {"detail": "Not authenticated"}
    weak = desk.send(method, path, key="none")
    scope = "runs:read" if method == "GET" else "runs:write"
    assert (weak.status, weak.json) == (403, {"detail": f"This key lacks the scope '{scope}'"})
    bad = desk.send(method, f"/api/v1/automation-runs/not-a-uuid{tail}")
    assert bad.status == 422
    assert bad.json["detail"][0]["loc"] == ["path", "run_id"]
    assert bad.json["detail"][0]["type"] == "uuid_parsing"
    for key, wanted in (("other", run_id), (None, str(uuid4()))):
        missing = desk.send(method, f"/api/v1/automation-runs/{wanted}{tail}", **({"key": key} if key else {}))
        assert missing.status == 404
        assert isinstance(missing.json["detail"], str)
    for answer in (nobody, weak, bad):
        assert answer.headers["x-request-id"] == "request-1"


def test_the_list_of_runs_needs_a_key_and_its_scope_and_shows_the_callers_project(desk: Desk) -> None:
    """401 and 403 as everywhere; another project's key sees none of this one's runs."""
    desk.run(step("a"))
    desk.add_key("weak", "runs:write", "jobs:read")
    desk.add_key("other", "runs:read", project="elsewhere")
    assert desk.send("GET", "/api/v1/automation-runs", key=None).status == 401
    weak = desk.send("GET", "/api/v1/automation-runs", key="weak")
    assert (weak.status, weak.json) == (403, {"detail": "This key lacks the scope 'runs:read'"})
    assert desk.send("GET", "/api/v1/automation-runs", key="other").json == {"items": [], "total": 0}


@pytest.mark.parametrize(
    ("query", "loc", "type_"),
    [
        ("limit=0", "limit", "greater_than_equal"),
        ("limit=1001", "limit", "less_than_equal"),
        ("limit=ten", "limit", "int_parsing"),
        ("limit=1,2", "limit", "int_parsing"),
        ("offset=-1", "offset", "greater_than_equal"),
        ("status=queued", "status", "enum"),
    ],
)
def test_bad_query_parameters(desk: Desk, query: str, loc: str, type_: str) -> None:
    """422 with the parameter's place; a status names the words there are."""
    answer = desk.get("/automation-runs", query=query)
    assert answer.status == 422
    fault = answer.json["detail"][0]
    assert (fault["loc"], fault["type"]) == (["query", loc], type_)
    if loc == "status":
        assert "'cancelled'" in fault["msg"]


def test_the_last_of_repeated_parameters_counts(desk: Desk) -> None:
    """As FastAPI reads them."""
    assert desk.get("/automation-runs", query="limit=0&limit=5").status == 200


def test_unknown_paths_and_methods(desk: Desk) -> None:
    """404 in shape for a path nobody has, 405 with Allow for a method it hasn't."""
    unknown = desk.get("/automation-run", key=None)
    assert (unknown.status, unknown.json) == (404, {"detail": "Not Found"})
    wrong = desk.send("PUT", "/api/v1/automations")
    assert (wrong.status, wrong.json, wrong.headers["allow"]) == (405, {"detail": "Method Not Allowed"}, "GET, POST")
    assert desk.send("HEAD", "/api/v1/automation-runs").status == 405


def test_a_fault_of_ours_says_nothing_of_itself(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """500 {detail: Internal error} with the request id; the trace is in the log only."""
    desk.services.reading = None  # type: ignore[assignment]  # the fault
    answer = desk.get(f"/automation-runs/{uuid4()}")
    assert (answer.status, answer.json) == (500, {"detail": "Internal error"})
    assert answer.headers["x-request-id"] == "request-1"
    assert "AttributeError" in capsys.readouterr().out


def test_an_event_that_is_no_http_request_gets_an_answer_too(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Even then: 500 in shape, never an exception out of the handler."""
    answer = desk.api.answer({}, None)
    assert answer["statusCode"] == 500
    assert answer["body"] == '{"detail":"Internal error"}'
    assert "unhandled" in capsys.readouterr().out
