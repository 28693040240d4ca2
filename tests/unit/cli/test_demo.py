"""The demonstration, against an API that the test answers for."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from quintet_cli import client, demo
from quintet_cli.errors import CommandError
from quintet_cli.settings import Settings

STEP = {
    "actionRunId": "a", "completedAt": None, "decisionId": None, "dependsOn": [], "durationSeconds": None,
    "error": None, "key": "load [csv]", "name": "Load", "result": None, "resultTruncated": False, "startedAt": None,
    "status": "running",
}  # fmt: skip
WAIT = {"reason": "retry", "step": "load [csv]", "since": None, "until": None, "detail": "attempt 2 comes"}


class FakeApi:
    """An Automations API whose run ends after two looks at it."""

    def __init__(self, ends: str = "completed") -> None:
        self.ends = ends
        self.looks = 0
        self.result = {"rows": 7, "preview": [{"year": "2015", "rain [mm]": 1139.2}]}
        self.asked: list[tuple[str, str, Any]] = []
        self.faults: list[dict[str, Any]] = []
        self.page = ""
        self.interrupted = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        path = request.url.path
        body = json.loads(request.content or b"null")
        self.asked.append((request.method, path, body))
        if request.headers.get("x-api-key") != "local-dev-key":
            return httpx.Response(401, json={"detail": "no key"})
        if self.faults:
            return httpx.Response(422, json={"detail": self.faults})
        if self.page:
            return httpx.Response(404, text=self.page)
        if self.interrupted and path.endswith("/steps"):
            raise KeyboardInterrupt
        if request.method == "POST" and path == "/api/v1/automations":
            return httpx.Response(201, json={"id": "au1", "name": body["name"]})
        if path.endswith("/waiting"):
            return httpx.Response(200, json={"waiting": True, "reasons": [WAIT]})
        if path.endswith("/steps"):
            error = None if self.ends == "completed" else {"type": "Error", "message": "no such [file]"}
            done = {"status": self.ends, "error": error, "durationSeconds": 0.5, "result": self.result}
            return httpx.Response(200, json={"steps": [{**STEP, **(done if self.looks > 1 else {})}]})
        self.looks += request.method == "GET"
        over = self.looks > 1
        run = {"id": "r1", "status": self.ends if over else "running", "durationSeconds": 1.25 if over else None}
        return httpx.Response(201 if request.method == "POST" else 200, json=run)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with one example."""
    folder = tmp_path / "examples/weather"
    folder.mkdir(parents=True)
    described = {
        "automation": "automation.json", "inputFiles": {"csv": "data.csv"}, "input": {"year": 2015}, "show": "load [csv]",
    }  # fmt: skip
    (folder / "example.json").write_text(json.dumps(described))
    (folder / "automation.json").write_text(json.dumps({"name": "Weather", "config": {"steps": []}}))
    (folder / "data.csv").write_text("a,b\n1,2\n")
    return tmp_path


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The API behind the client, answering at once."""
    fake = FakeApi()

    def connect(url: str, api_key: str) -> httpx.Client:
        return httpx.Client(base_url=url, headers={"x-api-key": api_key}, transport=httpx.MockTransport(fake))

    monkeypatch.setattr(client, "connect", connect)
    monkeypatch.setattr(client, "is_ready", lambda _url: True)
    monkeypatch.setattr(demo, "_POLL_S", 0.0)
    return fake


def _run(root: Path) -> tuple[int, str]:
    console = Console(width=200, record=True, quiet=False)
    code = demo.run(Settings(root=root, home=root / ".quintet"), console)
    return code, console.export_text()


def test_an_example_is_defined_run_and_shown(root: Path, api: FakeApi) -> None:
    """The automation is made, then run with its input and the text of its files; the tables name each step and the answer's rows."""
    code, text = _run(root)
    assert code == 0
    assert api.asked[0][:2] == ("POST", "/api/v1/automations")
    assert api.asked[1][:2] == ("POST", "/api/v1/automations/au1/run")
    assert api.asked[1][2] == {"input": {"year": 2015, "csv": "a,b\n1,2\n"}}
    assert "rain [mm]" in text
    assert "1139.2" in text
    assert "Weather: completed in 1.25 s" in text
    assert "load [csv]" in text
    assert '{"rows": 7' in text
    assert "make run" in text


def test_a_run_that_fails_gives_exit_code_one(root: Path, api: FakeApi) -> None:
    """The command's exit code says whether the example completed."""
    api.ends = "failed"
    code, text = _run(root)
    assert (code, "Weather: failed" in text) == (1, True)
    assert "Next:" not in text
    assert "load [csv]: no such [file]" in text
    assert "rain [mm]" not in text


def test_progress_says_what_a_step_waits_for() -> None:
    """Each step has a line with its name and state; one that waits says for what."""
    console = Console(width=80, record=True, quiet=False)
    steps = [{**STEP, "status": "pending"}, {**STEP, "key": "next", "name": "Go [on]"}]
    console.print(
        demo.progress("Weather", {"status": "running"}, steps, {"load [csv]": "attempt 1 [failed]; " + "x" * 80})
    )
    lines = console.export_text().splitlines()
    assert lines[1].startswith("  · Load")
    assert "attempt 1 [failed]; xxx" in lines[1]
    assert lines[2].split() == ["▶", "Go", "[on]", "running"]
    assert len(lines) == 3


def test_an_answer_that_is_an_error_is_said_in_one_sentence(root: Path, api: FakeApi) -> None:
    """A refused request names itself, its status and its reason; a wrong key, what sets it."""
    said = r"^POST /api/v1/automations was answered with 401: no key; QUINTET_API_KEY must be the server's\.$"
    with pytest.raises(CommandError, match=said):
        demo.run(Settings(root=root, home=root, api_key="other"), Console(quiet=True))


def test_the_faults_of_a_definition_are_lines_with_their_places(root: Path, api: FakeApi) -> None:
    """Each fault that the API names is a line, the first five of them; the rest is counted."""
    api.faults = [{"loc": ["body", "config", "steps", n, "kind"], "msg": "unknown", "type": "x"} for n in range(7)]
    with pytest.raises(CommandError) as caught:
        demo.run(Settings(root=root, home=root), Console(quiet=True))
    lines = str(caught.value).splitlines()
    assert lines[0] == "POST /api/v1/automations was answered with 422: "
    assert lines[1] == "  body.config.steps.0.kind: unknown"
    assert lines[6:] == ["  and 2 more"]


def test_an_answer_that_is_not_the_apis_is_shown_as_it_is(root: Path, api: FakeApi) -> None:
    """What another server on the port says is repeated."""
    api.page = "<h1>Hello</h1>"
    with pytest.raises(CommandError, match="was answered with 404: <h1>Hello</h1>"):
        demo.run(Settings(root=root, home=root), Console(quiet=True))


def test_an_interrupted_demonstration_cancels_its_run(root: Path, api: FakeApi) -> None:
    """Ctrl-C leaves no run behind that goes on, or fails at the next start."""
    api.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        _run(root)
    assert api.asked[-1][:2] == ("POST", "/api/v1/automation-runs/r1/cancel")


def test_nine_columns_of_rows_fit_into_a_terminal_of_eighty() -> None:
    """No word of a heading and no value is broken in two."""
    names = [
        "year",
        "mean_c",
        "warmest_c",
        "coldest_c",
        "rain_mm",
        "wet_days",
        "wettest_month",
        "strongest_wind",
        "hot_days",
    ]
    values = ["2012", 11.3, 34.4, -3.3, 1226.0, 148, "2012-11", 9.5, 4]
    console = Console(width=80, record=True, quiet=False)
    console.print(demo.rows("Report", [dict(zip(names, values, strict=True))]))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    words = set(text.replace("┃", " ").replace("│", " ").split())
    assert {word for name in names for word in name.split("_")} - words == set()
    assert {str(value) for value in values} - words == set()


def test_no_examples_and_broken_ones_are_told_apart(tmp_path: Path, root: Path) -> None:
    """A checkout without examples, and one whose example is no JSON, are both said in one sentence."""
    with pytest.raises(CommandError, match="There are no examples in"):
        demo.load(tmp_path / "none")
    (root / "examples/weather/automation.json").write_text("{")
    with pytest.raises(CommandError, match=r"weather/automation.json is not JSON: .*line 1"):
        demo.load(root / "examples")
    (root / "examples/weather/automation.json").unlink()
    with pytest.raises(CommandError, match=r"weather/automation.json cannot be read: No such file or directory\."):
        demo.load(root / "examples")
    (root / "examples/weather/example.json").write_text("{}")
    with pytest.raises(
        CommandError, match=r"weather/example.json does not describe an example: KeyError: 'automation'"
    ):
        demo.load(root / "examples")
