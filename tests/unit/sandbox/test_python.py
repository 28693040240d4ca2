"""python code in its own process: results, errors, and every way not to return."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]


def test_main_gets_one_input_and_its_return_is_the_result(python: Run) -> None:
    """What is printed is kept apart from what is returned."""
    code = "import sys\ndef main(input):\n    print('said')\n    print('warned', file=sys.stderr)\n    return [input['a'], 'é']"

    answer = python(code, {"a": {"b": [1, None]}})

    assert answer["ok"] is True
    assert answer["result"] == [{"b": [1, None]}, "é"]
    assert (answer["stdout"], answer["stderr"]) == ("said\n", "warned\n")
    assert answer["usage"]["maxRssMb"] > 0
    assert answer["usage"]["wallSeconds"] >= 0


def test_the_standard_library_and_nothing_else_is_there(python: Run) -> None:
    """Site packages, the current folder and the runner's own modules are not importable."""
    code = """
import sqlite3, decimal, dataclasses, json
@dataclasses.dataclass
class Point:
    x: int
def main(input):
    found = []
    for name in ("boto3", "pytest", "quintet", "quintet_runner", "handler"):
        try:
            __import__(name)
            found.append(name)
        except ImportError:
            pass
    return {"found": found, "point": dataclasses.asdict(Point(1))}
"""
    assert python(code)["result"] == {"found": [], "point": {"x": 1}}


@pytest.mark.parametrize(
    ("code", "type_", "message"),
    [
        ("def main(input): raise ValueError('bad ' + str(input))", "ValueError", "bad {}"),
        ("class Odd(Exception): pass\ndef main(input): raise Odd", "Odd", ""),
        ("class E(Exception):\n    def __str__(self): return 1/0\ndef main(i): raise E", "E", "ZeroDivisionError"),
        ("1/0\ndef main(input): pass", "ZeroDivisionError", "division"),
        ("def main(: pass", "SyntaxError", "line 1"),
        ("import nowhere", "ModuleNotFoundError", "nowhere"),
        ("x = 1", "NoMain", "main"),
        ("main = 5", "NoMain", "main"),
        ("def main(): pass", "TypeError", "argument"),
        ("def main(input): return input['x']", "KeyError", "x"),
        ("def main(input):\n    f = lambda n: f(n + 1)\n    return f(0)", "RecursionError", "recursion"),
        ("def main(input): return {1, 2}", "ResultNotJson", "main's result is a set"),
        ("def main(input): return {'a': [0, {'b': object}]}", "ResultNotJson", "main's result['a'][1]['b'] is a type"),
        ("def main(input): return float('nan')", "ResultNotJson", "nan"),
        ("def main(input): return {(1, 2): 3}", "ResultNotJson", "a key of main's result is a tuple"),
        ("def main(input):\n    x = []\n    x.append(x)\n    return x", "ResultNotJson", "inside itself"),
        ("def main(input): return b'x'", "ResultNotJson", "a bytes"),
        ("def main(input): return 'x' * 6_000_000", "ResultTooLarge", "5242880"),
        ("def main(input): return 'x' * 400_000_000", "OutOfMemory", "256 MB"),
        ("def main(input):\n    x = []\n    while True: x.append('x' * 10_000_000)", "OutOfMemory", "256 MB"),
        ("import sys\ndef main(input): sys.exit(3)", "SystemExit", "3"),
        ("def main(input): exit()", "SystemExit", ""),
        ("import os\ndef main(input): os._exit(5)", "ProcessExited", "exit code 5"),
        ("import os\ndef main(input): os.kill(os.getpid(), 11)", "Crashed", "SIGSEGV"),
        ("import os\ndef main(input): os.abort()", "Crashed", "SIGABRT"),
        ("import os\ndef main(input): os.kill(os.getpid(), 9)", "Killed", "memory"),
        ("def main(input):\n    while True: print('x' * 100_000)", "OutputLimit", "printed"),
        ("def main(input):\n    with open('f', 'wb') as f:\n        f.truncate(10**9)", "OSError", "large"),
        ("import os\ndef main(input):\n    for fd in range(3, 99):\n        try: os.write(fd, b'E[[')\n        except OSError: pass\n"
         "    os._exit(0)", "BadResult", "not JSON"),
    ],
)  # fmt: skip
def test_errors_have_clear_types(python: Run, code: str, type_: str, message: str) -> None:
    """The author's exceptions keep their class; everything else has a type of its own."""
    answer = python(code)

    assert answer["ok"] is False
    assert answer["error"]["type"] == type_
    assert message in answer["error"]["message"]


def test_the_traceback_shows_the_authors_lines_only(python: Run) -> None:
    """With their text, and nothing of the runner."""
    answer = python("import json\ndef inner(x):\n    return json.loads(x)\ndef main(input):\n    return inner('{')")

    trace = answer["error"]["traceback"]
    assert "File \"<step>\", line 5, in main\n    return inner('{')" in trace
    assert 'File "<step>", line 3, in inner' in trace
    assert "program.py" not in trace
    assert trace.endswith(f"JSONDecodeError: {answer['error']['message']}")


@pytest.mark.parametrize(
    "code",
    [
        "def main(input):\n    while True: pass",
        "import time\ndef main(input): time.sleep(60)",
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "def main(input): time.sleep(60)",
        "def main(input):\n    try:\n        while True: pass\n    except BaseException: return 1\n    finally:\n        while True: pass",
        "import time\ntime.sleep(60)",
    ],
)  # fmt: skip
def test_the_time_ends(python: Run, code: str) -> None:
    """Whatever the code does about it."""
    answer = python("print('began')\n" + code, timeout=0.5)

    assert answer["error"] == {"type": "Timeout", "message": "the code ran for more than 0.5 s"}
    assert answer["stdout"] == "began\n"


STRAYS = {
    "a child": "subprocess.Popen(['sleep', '60'])",
    "a child of its own session": "subprocess.Popen(['sleep', '60'], start_new_session=True)",
    "a daemon": "if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0: time.sleep(60)\n        os._exit(0)",
    "a thread": "threading.Thread(target=time.sleep, args=(60,)).start()",
    "a copy of itself": "os.fork()",
}


@pytest.mark.parametrize("stray", STRAYS)
def test_nothing_outlives_main(python: Run, stray: str) -> None:
    """Children, daemons and threads end with it (the fixture looks for them); the answer does not wait for them."""
    code = f"import os, subprocess, threading, time\ndef main(input):\n    {STRAYS[stray]}\n    return 'done'"

    answer = python(code)

    assert answer["result"] == "done"


def test_a_fork_bomb_burns_out(python: Run) -> None:
    """Processes are limited, and all of them end with the time."""
    code = "import os, time\ndef main(input):\n    while True:\n        try: os.fork()\n        except OSError: time.sleep(0.01)"

    assert python(code, timeout=0.5)["error"]["type"] == "Timeout"


def test_the_environment_is_clean(python: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the runner's environment, no open files of its own, an empty folder as home."""
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_LAMBDA_RUNTIME_API", "PYTHONPATH", "SECRET"):
        monkeypatch.setenv(name, "s3cret")
    code = """
import os
def main(input):
    return [dict(os.environ), os.getcwd(), os.listdir("."), sorted(map(int, os.listdir("/proc/self/fd")))]
"""
    environment, folder, files, descriptors = python(code)["result"]

    assert set(environment) <= {"PATH", "HOME", "TMPDIR", "LANG", "LC_CTYPE", "TZ"}
    assert environment["HOME"] == environment["TMPDIR"] == folder
    assert files == []
    assert len(descriptors) <= 5


def test_the_runner_can_not_be_looked_into(python: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment holds credentials; the kernel refuses to show it, or its memory."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    code = """
import os
def main(input):
    seen = {}
    for name in ("environ", "mem", "maps"):
        try:
            with open(f"/proc/{os.getppid()}/{name}", "rb") as f:
                seen[name] = len(f.read(10))
        except OSError as error:
            seen[name] = type(error).__name__
    return seen
"""
    assert python(code)["result"] == dict.fromkeys(("environ", "mem", "maps"), "PermissionError")


def test_limits_can_not_be_raised(python: Run) -> None:
    """Hard limits are set along with the soft ones."""
    code = """
import resource
def main(input):
    refused = []
    for what in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        try:
            resource.setrlimit(what, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except (ValueError, OSError):
            refused.append(what)
    return len(refused)
"""
    assert python(code)["result"] == 4


def test_the_code_is_never_root(python: Run) -> None:
    """It can't become it; under a runner that is root it is a user of its own, who can't write elsewhere or kill the runner."""
    code = """
import os
def main(input):
    tried = {}
    for name, act in {"setuid": lambda: os.setuid(0), "chroot": lambda: os.chroot("."),
                      "write": lambda: open("../x", "w"), "kill": lambda: os.kill(os.getppid(), 0)}.items():
        try:
            act()
            tried[name] = "done"
        except OSError:
            tried[name] = "refused"
    return {"uids": os.getresuid(), "groups": os.getgroups(), **tried}
"""
    result = python(code)["result"]

    assert 0 not in result["uids"]
    assert (result["setuid"], result["chroot"]) == ("refused", "refused")
    if os.geteuid() == 0:
        assert (result["write"], result["kill"], result["groups"]) == ("refused", "refused", [])


def test_long_output_keeps_its_beginning_and_end(python: Run) -> None:
    """What is left out is counted."""
    answer = python(
        "def main(input):\n    print('first')\n    for i in range(200_000): print(i)\n    print('last')\n    return 1"
    )

    assert answer["result"] == 1
    assert answer["stdout"].startswith("first\n")
    assert answer["stdout"].endswith("199999\nlast\n")
    assert "bytes left out" in answer["stdout"]
    assert len(answer["stdout"]) < 70_000


def test_memory_is_what_was_asked_for(python: Run) -> None:
    """More memory holds more."""
    code = "def main(input): return len(bytearray(300_000_000))"

    assert python(code, memoryMb=512)["result"] == 300_000_000
    assert python(code, memoryMb=256)["error"]["type"] == "OutOfMemory"


def test_signals_of_the_runner_are_not_inherited(python: Run) -> None:
    """Interrupting is the runner's to do."""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert (
        python("import signal\ndef main(input): return signal.getsignal(signal.SIGPIPE) is not None")["result"] is True
    )
