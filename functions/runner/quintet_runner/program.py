"""The code's own process: takes its limits, then runs a python main or becomes a shell. Started as a script; imports nothing of ours."""

import builtins
import ctypes
import json
import math
import os
import resource
import signal
import sys
import types
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn, Protocol

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SIGKILL = 9
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION = 0x20080522
_MB = 1024 * 1024
_MAX_FILE = 256 * _MB
_MAX_PROCESSES = 64
_MAX_RESULT = 5 * _MB
_NAME = "<step>"
_USERS = 100_000
"""Each process of a runner that is root gets a user id of its own, above this."""
_NOBODY = 65534
_SCALARS = (str, int, bool, type(None))


def main(request_fd: int, report_fd: int) -> None:
    """Runs what the request says and reports one letter (R result, E error) and JSON."""
    # A server that was started in the background ignores SIGINT, and would hand that on: code is to hear when it must end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(request_fd, "rb") as source:
        request = json.load(source)
    over = _beside("rows_main.py") if request["kind"] == "rows" else None
    try:
        _confine(request)
    except OSError as error:
        _report(report_fd, b"E", {"type": "RunnerFault", "message": f"the sandbox could not be set up: {error}"})
        os._exit(1)
    if request["kind"] == "shell":
        _become_shell(request, report_fd)
    _run_python(request, report_fd, over["Task"](request, _Unfit, _odd) if over else None)


def _beside(name: str) -> dict[str, Any]:
    """The names of a module beside this one; not imported, so that the code finds nothing of ours to import."""
    found: dict[str, Any] = {"__name__": "rows_main"}
    path = __file__.replace("program.py", name)
    with open(path, "rb") as source:  # noqa: PTH123 - pathlib is not imported here
        exec(compile(source.read(), path, "exec"), found)  # noqa: S102  # a part of this program
    return found


# --- limits ------------------------------------------------------------------------------------------------------------------


def _confine(request: dict[str, Any]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    memory, cpu = request["memoryMb"] * _MB, request["cpuSeconds"]
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, _MAX_FILE)
    _limit(resource.RLIMIT_NOFILE, 256)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    if os.geteuid() == 0:
        _limit(resource.RLIMIT_NPROC, _MAX_PROCESSES)
        _leave_root(libc, request["folder"])
    else:
        # The limit counts every thread of the user, on the whole machine: allow that many more than there are.
        _limit(resource.RLIMIT_NPROC, _threads() + _MAX_PROCESSES)
    _limit(resource.RLIMIT_AS, memory)
    # After the change of user, which would clear it: the code must not outlive a runner that is killed.
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != request["parent"]:
        os._exit(1)


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    most = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (most, most))


def _threads() -> int:
    load = os.open("/proc/loadavg", os.O_RDONLY)
    try:
        return int(os.read(load, 100).split()[3].split(b"/")[1])
    finally:
        os.close(load)


def _leave_root(libc: ctypes.CDLL, folder: str) -> None:
    """Becomes a user that nobody else is; keeps only the right to read, since interpreter and folder may be in root's own folders."""
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    for user in (_USERS + os.getpid(), _NOBODY):
        try:
            os.chown(folder, user, user)
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            break
        except OSError:
            # Inside a user namespace only some ids exist.
            if user == _NOBODY:
                raise
    wanted = 1 << _CAP_DAC_READ_SEARCH
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    data = (ctypes.c_uint32 * 6)(wanted, wanted, wanted, 0, 0, 0)
    if libc.capset(header, data):
        empty = (ctypes.c_uint32 * 6)()
        libc.capset(header, empty)
    # Without this a program that the code starts could not find its way back to the folder it stands in.
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_READ_SEARCH, 0, 0)


# --- shell -------------------------------------------------------------------------------------------------------------------


def _become_shell(request: dict[str, Any], report_fd: int) -> NoReturn:
    os.set_inheritable(report_fd, False)
    script = request["script"]
    try:
        with suppress(FileNotFoundError):
            os.execve("/bin/bash", ["bash", "-e", "-o", "pipefail", script], request["env"])  # noqa: S606 - this is the shell step
        os.execve("/bin/sh", ["sh", "-e", script], request["env"])  # noqa: S606 - as above
    except (OSError, ValueError) as error:
        _report(report_fd, b"E", {"type": "NoShell", "message": f"the shell did not start: {error}"})
    os._exit(1)


# --- python ------------------------------------------------------------------------------------------------------------------


class Over(Protocol):
    """A call of main over rows: see rows_main.Task."""

    def run(self, main: Any) -> dict[str, Any]:
        """Calls it; what is told of it then."""
        ...

    def told(self) -> dict[str, Any]:
        """What is told of it now."""
        ...


def _run_python(request: dict[str, Any], report_fd: int, task: Over | None) -> None:
    os.set_inheritable(report_fd, False)
    pid = os.getpid()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # they are text files here
    letter, report = _call_main(request, task)
    if task is not None and letter == b"E":
        report = {**report, "told": task.told()}
    # A copy that the code forked off must not report for the whole.
    if os.getpid() == pid:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        _report(report_fd, letter, report)
    os._exit(0)


def _call_main(request: dict[str, Any], task: Over | None) -> tuple[bytes, Any]:
    returned: list[Any] = []
    try:
        main = _user_main(request["code"])
        return b"R", _result(main(request["input"]), returned) if task is None else task.run(main)
    except _Unfit as unfit:
        return b"E", {"type": unfit.type, "message": str(unfit)}
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
        return b"E", {"type": "SystemExit", "message": f"the code called exit ({left.code})", "exitCode": code}
    except MemoryError:
        return b"E", {"type": "OutOfMemory", "message": f"the code needs more than {request['memoryMb']} MB"}
    except BaseException as error:  # noqa: BLE001  # whatever the author's code raises is the answer
        return _described(error, request["code"], returned)


def _result(value: Any, returned: list[Any]) -> str:
    """What main returned, as JSON; a fault of the encoder finds it in `returned`."""
    returned.append(value)
    written = json.dumps(value, allow_nan=False, separators=(",", ":"))
    if len(written) > _MAX_RESULT:
        raise _Unfit("ResultTooLarge", f"the result is {len(written)} bytes; at most {_MAX_RESULT} are allowed")
    return written


class _Unfit(Exception):
    """What is wrong with the code or its rows, beside what it raises itself."""

    def __init__(self, type_: str, message: str) -> None:
        super().__init__(message)
        self.type = type_


def _user_main(code: str) -> Any:
    module = types.ModuleType("step")
    module.__dict__["__file__"] = _NAME
    sys.modules["step"] = module
    # What `site` would add; scripts are used to it.
    builtins.__dict__.update(exit=sys.exit, quit=sys.exit)
    exec(compile(code, _NAME, "exec", dont_inherit=True), module.__dict__)  # noqa: S102  # this is what the runner is for
    found = module.__dict__.get("main")
    if not callable(found):
        raise _Unfit("NoMain", "the code defines no function main(input)")
    return found


def _described(error: BaseException, code: str, returned: list[Any]) -> tuple[bytes, Any]:
    """An exception as an error; once main has returned it is the encoder's, and names what JSON has no place for."""
    if returned:
        where, what = _odd(returned[0], "main's result", 0)
        return b"E", {"type": "ResultNotJson", "message": f"{where} is {what}, which is not JSON"}
    import traceback  # noqa: PLC0415 - costs 9 ms, which only failures pay

    lines = code.splitlines()
    ours = (__file__, __file__.replace("program.py", "rows_main.py"))
    steps = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename not in ours]
    shown = []
    for frame in steps[-20:]:
        shown.append(f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}')
        if frame.filename == _NAME and frame.lineno and frame.lineno <= len(lines):
            shown.append(f"    {lines[frame.lineno - 1].strip()}")
    try:
        message = str(error)
    except Exception as odd:  # noqa: BLE001  # an exception's own __str__ is the author's code too
        message = f"(no message: {type(odd).__name__})"
    trace = "\n".join(["Traceback (most recent call last):", *shown, f"{type(error).__name__}: {message}"])
    return b"E", {"type": type(error).__name__, "message": message[:4000], "traceback": trace[-8000:]}


def _odd(value: Any, where: str, depth: int) -> tuple[str, str]:
    """The first part of a value that JSON can't hold, and what it is; nothing when all is fine."""
    if depth > 50:
        return where, "nested too deep or inside itself"
    if isinstance(value, dict):
        return _odd_key(value, where) or _first_odd(value.items(), where, depth)
    if isinstance(value, (list, tuple)):
        return _first_odd(enumerate(value), where, depth)
    if isinstance(value, float):
        return where, "" if math.isfinite(value) else repr(value)
    return where, "" if isinstance(value, _SCALARS) else f"a {type(value).__name__}"


def _first_odd(members: Iterable[tuple[Any, Any]], where: str, depth: int) -> tuple[str, str]:
    found = (_odd(inner, f"{where}[{key!r}]", depth + 1) for key, inner in members)
    return next((odd for odd in found if odd[1]), (where, ""))


def _odd_key(value: dict[Any, Any], where: str) -> tuple[str, str] | None:
    odd = next((key for key in value if not isinstance(key, (*_SCALARS, float))), None)
    return None if odd is None else (f"a key of {where}", f"a {type(odd).__name__}")


def _report(report_fd: int, letter: bytes, report: Any) -> None:
    body = letter + (report if isinstance(report, str) else json.dumps(report)).encode()
    while body:
        body = body[os.write(report_fd, body) :]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
