"""POST J/completion: agents that answered 202 report their end."""

import json
from typing import Any

import pytest

JOB = "/projects/id/1/jobs/1"
TASKS = f"{JOB}/tasks"
END = f"{JOB}/completion"
URL = "https://agent.example/"
LINES = b'{"a": 1}\n{"a": 12345678901234567890123}\n'


class Agents:
    """A desk with a project 1, a job 1 in it, and agents that answer 202."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        desk.web.page(URL, b"", status=202)
        self.good("POST", "/projects", {"name": "shop"})
        self.good("POST", "/projects/id/1/jobs", {"name": "nightly"})
        self.program()

    def program(self, name: str = "agent", body: Any = None, type_: str = "application/json") -> None:
        """Keeps a program, an agent's unless it is said."""
        raw = json.dumps(body or {"url": URL}).encode() if not isinstance(body, bytes) else body
        self.good("PUT", f"/bots/{name}", raw=raw, headers={"content-type": type_})

    def good(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = self.desk.send(method, path, body, **more)
        assert answer.status < 300, answer.text
        return answer.json

    def agent(self, type_: str = "AUTONOMOUS_AGENT", bot: str = "agent") -> str:
        """Makes a task and starts it; its id. What was said to the agent is the last call of `said`."""
        task = self.good("POST", TASKS, {"name": "t", "taskType": type_, "botId": bot})["id"]
        self.good("POST", f"{TASKS}/{task}/start")
        self.desk.drive()
        return str(task)

    @property
    def said(self) -> dict[str, str]:
        """The headers of the last call to an agent."""
        return dict(self.desk.web.calls[-1].headers)

    @property
    def token(self) -> dict[str, str]:
        """How the agent that was called last shows who it is."""
        return {"x-run-token": self.said["X-Run-Token"]}

    def write(self, body: bytes, name: str = "") -> str:
        """Writes what the agent that was called last leaves; its address."""
        path = self.said["X-Quintet-Output-Path"] + name
        self.desk.blobs.put(path.removeprefix("s3://memory/"), body)
        return path

    def report(self, body: Any, **more: Any) -> Any:
        """Reports, and does what follows."""
        answer = self.desk.post(END, body, **more)
        self.desk.drive()
        return answer

    def task(self, number: str = "1") -> Any:
        """A task as it is."""
        return self.good("GET", f"{TASKS}/{number}")

    def rows(self, number: str = "1") -> Any:
        """The rows of a task's output."""
        return self.good("POST", f"/datasets/query/task/{number}", {})["results"]


@pytest.fixture
def agents(desk: Any) -> Agents:
    """The agents."""
    return Agents(desk)


def test_an_agent_is_running_until_it_reports(agents: Agents) -> None:
    """Its 202 is no end; its report is, and what it reported are its figures."""
    agents.agent()
    agents.desk.pass_time(3600)
    agents.desk.services.sweep()
    assert agents.task()["executionStatus"] == "RUNNING"

    body = {"status": "COMPLETED", "rows": [{"a": 1}], "recordsProcessed": 50, "executorCount": 3, "errorCount": 2}
    done = agents.report(body)

    assert done.status == 200
    execution = agents.task()["executionReferenceId"]
    assert done.json == {
        "success": True, "message": "Task 1 has completed", "taskId": "1", "executionId": execution,
        "status": "COMPLETED",
    }  # fmt: skip
    assert agents.task()["executionStatus"] == "COMPLETED"
    assert agents.rows() == [{"a": 1}]
    figures = agents.good("GET", f"{TASKS}/1/metrics")
    assert [figures[name] for name in ("recordsProcessed", "recordsOutput", "executorCount", "errorCount")] == [
        50,
        1,
        3,
        2,
    ]
    assert (figures["totalCpuTimeSeconds"], figures["warningCount"]) == (None, None)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("COMPLETED", "COMPLETED"),
        ("success", "COMPLETED"),
        ("Succeeded", "COMPLETED"),
        ("FAILED", "FAILED"),
        ("error", "FAILED"),
    ],
)
def test_words_for_ends(agents: Agents, word: str, status: str) -> None:
    """In any case; what is none of them is refused."""
    agents.agent()

    assert agents.report({"status": word, "errorMessage": "no luck"}).json["status"] == status
    assert agents.task()["executionStatus"] == status


def test_a_failure_says_why(agents: Agents) -> None:
    """The agent's message is the task's error; its figures count, its output does not."""
    agents.agent()

    agents.report({"status": "FAILED", "errorMessage": "the site is gone", "recordsProcessed": 7, "rows": [{"a": 1}]})

    log = json.loads(agents.task()["executionLog"])
    assert "the site is gone" in log["error"]
    assert log["recordsProcessed"] == 7
    assert agents.desk.get("/datasets/query/task/1/info").status == 404


@pytest.mark.parametrize(
    ("name", "body", "format_"),
    [
        ("", LINES, "jsonl"),
        ("", LINES, "NDJSON"),
        ("", b'[{"a": 1}, {"a": 12345678901234567890123}]', "json"),
        ("", b"a\n1\n12345678901234567890123\n", "csv"),
        ("/part-0.jsonl", LINES, None),
    ],
)
def test_what_was_written_becomes_the_output(agents: Agents, name: str, body: bytes, format_: str | None) -> None:
    """At the address that came with the call, in any format that is known, said or seen from its name; numbers are exact."""
    agents.agent()
    path = agents.write(body, name)

    done = agents.report({"status": "COMPLETED", "outputDatasetPath": path, "outputDatasetFormat": format_})

    assert done.status == 200, done.text
    assert agents.rows() == [{"a": 1}, {"a": 12345678901234567890123}]


def test_parquet_is_taken_as_it_is(agents: Agents) -> None:
    """All files of a folder but notes; what the agent writes there later changes nothing."""
    agents.agent()
    first = agents.desk.services.files.make("SELECT 1 AS a", {}, "rows/x/a.parquet").content.parts[0]
    body = agents.desk.blobs.get(first)
    for name in ("/part-0.parquet", "/part-1.parquet"):
        agents.write(body, name)
    agents.write(b"", "/_SUCCESS")

    folder = agents.said["X-Quintet-Output-Path"] + "/"
    done = agents.report({"status": "COMPLETED", "outputDatasetPath": folder, "outputDatasetFormat": "parquet"})
    agents.write(b"other", "/part-0.parquet")

    assert done.status == 200, done.text
    assert agents.rows() == [{"a": 1}, {"a": 1}]


def test_no_rows_and_no_output(agents: Agents) -> None:
    """An empty list empties the output; a report without any leaves it as it was."""
    agents.agent()
    agents.report({"status": "COMPLETED", "rows": [{"a": 1}]})
    agents.good("POST", f"{TASKS}/1/start")
    agents.desk.drive()
    agents.report({"status": "COMPLETED"})
    assert agents.rows() == [{"a": 1}]

    agents.good("POST", f"{TASKS}/1/start")
    agents.desk.drive()
    agents.report({"status": "COMPLETED", "rows": []})
    assert agents.rows() == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "status"),
        ({"status": "RUNNING"}, "status"),
        ({"status": "COMPLETED", "recordsProcessed": -1}, "recordsProcessed"),
        ({"status": "COMPLETED", "recordsProcessed": 1.5}, "recordsProcessed"),
        ({"status": "COMPLETED", "rows": [1]}, "rows"),
        ({"status": "COMPLETED", "rows": {"a": 1}}, "rows"),
        ({"status": "COMPLETED", "rows": [], "outputDatasetPath": "x"}, "rows: say either"),
        ({"status": "COMPLETED", "outputDatasetPath": "s3://memory/datasets/default/1/x"}, "outputDatasetPath: must lie below"),
        ({"status": "COMPLETED", "outputDatasetPath": "s3://memory/rows/other/"}, "outputDatasetPath: must lie below"),
        ({"status": "COMPLETED", "outputDatasetPath": "/etc/passwd"}, "outputDatasetPath: must lie below"),
        ({"status": "COMPLETED", "outputDatasetPath": "HERE/nothing.csv"}, "outputDatasetPath: nothing was written"),
        ({"status": "COMPLETED", "outputDatasetPath": "HERE"}, "outputDatasetFormat: must be one of parquet"),
        ({"status": "COMPLETED", "outputDatasetPath": "HERE", "outputDatasetFormat": "xml"}, "outputDatasetFormat: must be"),
        ({"status": "COMPLETED", "outputDatasetPath": "HERE", "outputDatasetFormat": "parquet"}, "outputDatasetPath: "),
        ({"status": "COMPLETED", "outputDatasetPath": "HERE", "outputDatasetFormat": "json"}, "outputDatasetPath: row 0"),
        ({"status": "COMPLETED", "rows": [{"a": 1}, {"A": 2}]}, "rows: "),
    ],
)  # fmt: skip
def test_a_report_that_can_not_be_used_changes_nothing(agents: Agents, body: Any, said: str) -> None:
    """400 names the field; the agent may mend it and report again."""
    agents.agent()
    here = agents.write(b"[1]")
    path = body.get("outputDatasetPath")
    if path:
        body = {**body, "outputDatasetPath": path.replace("HERE", here)}

    refused = agents.report(body, headers=agents.token)

    assert refused.status == 400, refused.text
    assert said in refused.error
    assert agents.task()["executionStatus"] == "RUNNING"
    assert agents.report({"status": "COMPLETED"}, headers=agents.token).status == 200


def test_another_attempts_files_are_not_taken(agents: Agents) -> None:
    """Each has an address of its own; whoever names another's is refused."""
    agents.agent()
    theirs = agents.write(LINES, ".jsonl")
    agents.agent()

    refused = agents.report({"status": "COMPLETED", "outputDatasetPath": theirs}, headers=agents.token)

    assert (refused.status, "must lie below" in refused.error) == (400, True)


# --- whose report it is ------------------------------------------------------------------------------------------------------


def test_a_task_is_named_or_the_only_one(agents: Agents) -> None:
    """By taskId, by executionId, else it is the only agent at work; of several none is guessed."""
    first, second, third = agents.agent(), agents.agent(), agents.agent()

    several = agents.report({"status": "COMPLETED"})
    by_task = agents.report({"status": "COMPLETED", "taskId": int(second)})
    execution = agents.task(first)["executionReferenceId"]
    by_execution = agents.report({"status": "COMPLETED", "executionId": execution})
    only = agents.report({"status": "COMPLETED"})

    assert (several.status, several.error) == (
        409, "Several agents of this job are at work: say which by taskId or executionId")  # fmt: skip
    assert [done.json["taskId"] for done in (by_task, by_execution, only)] == [second, first, third]
    assert agents.report({"status": "COMPLETED"}).error == "No agent of this job is at work"


def test_a_job_s_execution_names_its_only_agent(agents: Agents) -> None:
    """The executionId that POST J/execute answered."""
    agents.good("POST", TASKS, {"name": "t", "taskType": "AUTONOMOUS_AGENT", "botId": "agent"})
    execution = agents.good("POST", f"{JOB}/execute")["executionId"]
    agents.desk.drive()

    done = agents.report({"status": "COMPLETED", "executionId": execution})

    assert done.json["taskId"] == "1"
    status = agents.good("GET", f"{JOB}/executions/{execution}/status")
    assert status["status"] == "COMPLETED"


@pytest.mark.parametrize("header", ["x-run-token", "authorization"])
def test_a_run_token_is_enough(agents: Agents, header: str) -> None:
    """In its own header or as a bearer, without a key."""
    agents.agent()
    agents.agent()
    text = agents.said["X-Run-Token"]

    done = agents.report(
        {"status": "COMPLETED"}, key=None, headers={header: text if header[0] == "x" else f"Bearer {text}"}
    )

    assert (done.status, done.json["taskId"]) == (200, "2")


def test_a_token_speaks_for_its_own_run_only(agents: Agents) -> None:
    """Not for another task, execution or job; what is no token of ours is nobody's."""
    agents.agent()
    other = agents.task()["executionReferenceId"]
    agents.agent()
    agents.good("POST", "/projects/id/1/jobs", {"name": "other"})
    done = {"status": "COMPLETED"}

    assert agents.report({**done, "taskId": "1"}, headers=agents.token).status == 404
    assert agents.report({**done, "executionId": other}, headers=agents.token).status == 404
    elsewhere = agents.desk.post("/projects/id/1/jobs/2/completion", done, headers=agents.token)
    assert elsewhere.status == 404
    assert agents.report(done, key=None, headers={"x-run-token": "a.b.c"}).status == 401
    assert agents.report(done, key=None).status == 401
    assert [agents.task(number)["executionStatus"] for number in "12"] == ["RUNNING"] * 2


def test_keys_need_the_scope_and_the_project(agents: Agents) -> None:
    """One that may not start tasks may not end them; another project's finds nothing."""
    agents.agent()
    agents.desk.add_key("reader", "jobs:read")
    agents.desk.add_key("theirs", "admin", project="theirs")
    done = {"status": "COMPLETED"}

    assert agents.report(done, key="reader").status == 401
    assert agents.report(done, key="theirs").status == 404
    assert agents.task()["executionStatus"] == "RUNNING"


@pytest.mark.parametrize("named", [{"taskId": "9"}, {"executionId": "no-run"}, {"taskId": "x"}])
def test_what_is_not_there_is_not_found(agents: Agents, named: Any) -> None:
    """A task or execution of nothing, or of another job."""
    agents.agent()

    assert agents.report({"status": "COMPLETED", **named}).status == (400 if named == {"taskId": "x"} else 404)


# --- races -------------------------------------------------------------------------------------------------------------------


def test_a_report_counts_once(agents: Agents) -> None:
    """The second is a 409, also the same one, with a key or the token; the first stands."""
    agents.agent()
    token = agents.token
    agents.report({"status": "COMPLETED", "rows": [{"a": 1}]}, headers=token)

    again = agents.report({"status": "COMPLETED", "rows": [{"a": 2}]}, headers=token)
    late = agents.report({"status": "FAILED", "taskId": "1"})

    assert (again.status, late.status) == (409, 409)
    assert "has ended" in again.error
    assert agents.rows() == [{"a": 1}]


def test_a_report_after_a_stop_is_refused(agents: Agents) -> None:
    """And changes nothing, also once the task runs again."""
    agents.agent()
    token = agents.token
    agents.good("POST", f"{TASKS}/1/stop")
    stopped = agents.report({"status": "COMPLETED", "rows": [{"a": 1}]}, headers=token)
    agents.good("POST", f"{TASKS}/1/start")
    agents.desk.drive()
    old = agents.report({"status": "COMPLETED", "rows": [{"a": 1}]}, headers=token)

    assert (stopped.status, old.status) == (409, 409)
    assert agents.task()["executionStatus"] == "RUNNING"
    assert agents.desk.get("/datasets/query/task/1/info").status == 404


def test_an_agent_may_report_before_its_202_has_come(agents: Agents) -> None:
    """The report counts, the answer comes too late."""

    def answers(request: Any) -> Any:
        done = agents.desk.post(END, {"status": "COMPLETED", "rows": [{"a": 1}]}, key=None,
                                headers={"x-run-token": request.headers["X-Run-Token"]})  # fmt: skip
        assert done.status == 200, done.text
        return agents.desk.web.pages[URL]

    agents.desk.web.send, send = answers, agents.desk.web.send
    agents.desk.services.http.send = answers
    agents.agent()
    agents.desk.web.send = send

    assert agents.task()["executionStatus"] == "COMPLETED"
    assert agents.rows() == [{"a": 1}]


def test_tasks_that_end_by_themselves_take_no_report(agents: Agents) -> None:
    """409, while they are at work and after."""
    agents.program("code", b"def main(input): return []", "text/x-python")
    refused: list[Any] = []

    def runs(_: Any) -> dict[str, Any]:
        refused.append(agents.desk.post(END, {"status": "COMPLETED", "taskId": "1"}))
        return {"ok": True, "result": {"rows": 0, "bytes": 0}, "counts": {}, "usage": {}, "stdout": "", "stderr": ""}

    agents.desk.functions.runner = runs
    agents.agent("PYTHON", "code")

    assert (refused[0].status, refused[0].error) == (409, "A PYTHON task ends by itself: only agents report")
    assert agents.report({"status": "COMPLETED", "taskId": "1"}).status == 409
    never = agents.good("POST", TASKS, {"name": "n", "taskType": "AUTONOMOUS_AGENT", "botId": "agent"})["id"]
    assert agents.report({"status": "COMPLETED", "taskId": never}).status == 409


def test_an_agent_tells_how_far_it_is(agents: Agents) -> None:
    """Through the run side, with its token: progress and log lines; it is not completed there."""
    agents.agent()
    report, tokens = agents.desk.services.report, agents.desk.services.run_tokens
    token = tokens.read(agents.said["X-Run-Token"])

    report.progress(token, token.run_id, 40.0, "pages")
    report.log(token, token.run_id, "page 4")

    assert agents.good("GET", f"{TASKS}/1/status") == {"status": "RUNNING", "progress": 40}
    with pytest.raises(Exception, match="callback"):
        report.complete(token, token.run_id, [{"a": 1}])
    report.fail(token, token.run_id, "no luck")
    agents.desk.drive()
    assert agents.task()["executionStatus"] == "FAILED"
