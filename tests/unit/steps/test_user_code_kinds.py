"""python and shell steps: what the runner is asked, and what its answers mean."""

from typing import Any

import pytest

from quintet.domain.definition import StepDef
from quintet.domain.outcome import Completed, Failed
from quintet.services.ports.functions import FunctionFault

CODE = "def main(input):\n    return {}"
SCOPE = {"input": {"a": 1}, "steps": {"x": {"n": 2}}, "run": {"id": "run-1"}, "item": 5, "index": 0, "secret": "no"}


def test_python_is_given_what_it_may_see(desk: Any) -> None:
    """The scope's documented parts, the code, its memory and its time; the call itself may take a little longer."""
    desk.enact("python", {"code": CODE, "memory_mb": 512}, scope=SCOPE)

    function, payload, timeout = desk.called[0]
    assert function == "runner"
    assert timeout > payload["timeout"] == 5.0
    assert payload["input"] == {name: SCOPE[name] for name in ("input", "steps", "run", "item", "index")}
    assert (payload["kind"], payload["code"], payload["memoryMb"]) == ("python", CODE, 512)


@pytest.mark.parametrize(
    ("returned", "result"),
    [({"a": 1}, {"a": 1}), ([1], {"value": [1]}), ("x", {"value": "x"}), (None, {"value": None})],
)
def test_pythons_result_is_an_object(desk: Any, returned: Any, result: Any) -> None:
    """What is no object is wrapped, so that `steps.key.value` always reads."""
    desk.reply = {"ok": True, "result": returned, "stdout": "", "stderr": ""}

    assert desk.enact("python", {"code": CODE}) == Completed(result)


def test_an_uncaught_exception_fails_the_attempt(desk: Any) -> None:
    """With the exception's class as type and its traceback in the details; the policy decides about another attempt."""
    desk.reply = {
        "ok": False,
        "error": {"type": "ValueError", "message": "bad", "traceback": "Traceback ..."},
        "usage": {"cpuSeconds": 0.1},
        "stdout": "one\ntwo\n",
        "stderr": "warned\n",
    }

    outcome = desk.enact("python", {"code": CODE})

    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.error.message, outcome.error.retryable) == ("ValueError", "bad", True)
    assert outcome.error.details == {"traceback": "Traceback ...", "usage": {"cpuSeconds": 0.1}}
    assert desk.logged == [("info", "one\ntwo"), ("warning", "warned")]


@pytest.mark.parametrize("kind", ["python", "shell"])
def test_a_runner_that_does_not_answer_fails_the_attempt(desk: Any, kind: str) -> None:
    """That is not the author's fault, and may be tried again."""
    desk.reply = FunctionFault("Timeout", "no answer")

    outcome = desk.enact(kind, {"code": CODE} if kind == "python" else {"script": ["true"]})

    assert (outcome.error.type, outcome.error.retryable) == ("RunnerTimeout", True)


def test_input_that_is_too_large_is_refused(desk: Any) -> None:
    """Before it is sent."""
    outcome = desk.enact("python", {"code": CODE}, scope={"input": "x" * 6_000_000})

    assert (outcome.error.type, outcome.error.retryable) == ("InvalidConfig", False)
    assert desk.called == []


def test_logs_are_bounded(desk: Any) -> None:
    """Code that prints without end fills no table."""
    desk.reply = {"ok": True, "result": {}, "stdout": "line\n" * 5000, "stderr": ""}

    desk.enact("python", {"code": CODE})

    assert sum(len(message.splitlines()) for _, message in desk.logged) <= 1001
    assert "4000 further lines" in desk.logged[-1][1]


def test_no_log_entry_is_too_large_to_keep(desk: Any) -> None:
    """Long lines are cut, and many of them make many entries."""
    desk.reply = {"ok": True, "result": {}, "stdout": ("x" * 50_000 + "\n") * 60, "stderr": ""}

    desk.enact("python", {"code": CODE})

    assert len(desk.logged) > 1
    assert max(len(message) for _, message in desk.logged) < 50_000
    assert sum(message.count("\n") + 1 for _, message in desk.logged) == 60


def test_shell_gets_its_script_and_environment(desk: Any) -> None:
    """Values are texts; the run and step are known inside."""
    desk.reply = {"ok": True, "exitCode": 0, "stdout": "out", "stderr": ""}

    outcome = desk.enact("shell", {"script": ["echo a", ""], "env": {"A": 1, "B": True, "C": None, "D": "x y"}})

    payload = desk.called[0][1]
    assert payload["script"] == ["echo a", ""]
    assert payload["env"] == {
        "A": "1", "B": "true", "C": "", "D": "x y", "QUINTET_RUN_ID": "run-1", "QUINTET_STEP": "s",
    }  # fmt: skip
    assert outcome == Completed({"exitCode": 0, "stdout": "out", "stderr": ""})


def test_an_exit_code_fails_the_attempt_with_what_was_printed(desk: Any) -> None:
    """Streams are cut to their ends, where errors stand."""
    desk.reply = {"ok": True, "exitCode": 3, "stdout": "x" * 100_000 + "last", "stderr": "oh"}

    outcome = desk.enact("shell", {"script": ["false"]})

    assert (outcome.error.type, outcome.error.retryable) == ("ExitCode", True)
    details = outcome.error.details
    assert (details["exitCode"], details["stderr"]) == (3, "oh")
    assert details["stdout"].endswith("last")
    assert len(details["stdout"]) < 20_000


@pytest.mark.parametrize("kind", ["python", "shell", "sql"])
def test_code_is_on_a_leash(desk: Any, kind: str) -> None:
    """Each attempt leaves a process, which its own leash ends: a link for the runner, which may reach nothing, a name for SQL."""
    config = {"python": {"code": CODE}, "shell": {"script": ["true"]}, "sql": {"sql": "SELECT 1"}}[kind]
    desk.reply = FunctionFault("Timeout", "no answer")

    outcome = desk.enact(kind, config)

    leash = desk.called[0][1]["leash"]
    assert leash == ("leashes/run-1/7" if kind == "sql" else "memory:leashes/run-1/7?seconds=65")
    assert desk.kinds[kind].leaves(StepDef("s", kind, config=config)) == "code"
    assert outcome.cut is True


def test_a_failure_that_the_runner_tells_of_is_an_end(desk: Any) -> None:
    """Nothing is left to be stopped then."""
    desk.reply = {"ok": False, "error": {"type": "Timeout", "message": "too long"}, "stdout": "", "stderr": ""}

    assert desk.enact("python", {"code": CODE}).cut is False
