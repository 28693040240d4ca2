"""What a task's main is given and gives: rows in, rows out, and a tally of its warnings. Loaded by program.py into the code's process."""

import json
import os
import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

_BLOCK = 1024 * 1024
MAX_OUTPUT = 256 * 1024 * 1024
"""Bytes of JSON lines; the largest file that the process may write."""
_WARNING, _ERROR = 30, 40

Fault = Callable[[str, str], Exception]
Odd = Callable[[Any, str, int], tuple[str, str]]


class Rows:
    """The rows of the input, read from its file as they are taken: dicts, in order; may be gone through again. len() is known."""

    def __init__(self, fd: int, count: int, fault: Fault) -> None:
        self._fd = fd
        self._count = count
        self._fault = fault
        self.taken = 0

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<{self._count} rows>"

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for index, line in enumerate(self._lines(), 1):
            row = _row_of(line)
            if type(row) is not dict:
                raise self._fault("BadInput", f"row {index - 1} of the input is no JSON object")
            self.taken = max(self.taken, index)
            yield row

    def _lines(self) -> Iterator[str]:
        offset, rest = 0, b""
        # pread: every pass has a place of its own in the one file.
        while block := os.pread(self._fd, _BLOCK, offset):
            offset += len(block)
            whole, newline, rest = (rest + block).rpartition(b"\n")
            if newline:
                yield from self._texts(whole)
        yield from self._texts(rest)

    def _texts(self, lines: bytes) -> Iterator[str]:
        try:
            texts = lines.decode().split("\n")
        except UnicodeDecodeError:
            raise self._fault("BadInput", "the input is not UTF-8 text") from None
        return (text for text in texts if text and not text.isspace())


_decode = json.JSONDecoder().raw_decode
"""Faster than loads for what is one object and nothing around it, as rows are."""


def _row_of(line: str) -> Any:
    try:
        row, end = _decode(line)
        return row if end == len(line) else json.loads(line)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(line)  # with space before it
    except (ValueError, RecursionError):
        return None


def _row_encoder() -> Callable[[dict[Any, Any]], str]:
    """Writes a row as JSON. Made once: JSONEncoder.encode makes the half of itself anew for each value."""
    make = getattr(json.encoder, "c_make_encoder", None)
    plain = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if make is None:
        return plain.encode
    chunks = make({}, plain.default, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    return lambda row: "".join(chunks(row, 0))


class Input:
    """What main is called with: `rows`, `params` (of the start, a dict) and `api_key` (of the task, None: it has none)."""

    def __init__(self, rows: Rows, params: Mapping[str, Any] | None, api_key: str | None) -> None:
        self.rows = rows
        self.params = dict(params or {})
        self.api_key = api_key

    def __getitem__(self, name: str) -> Any:
        if name not in ("rows", "params", "api_key"):
            raise KeyError(name)
        return getattr(self, name)

    def __repr__(self) -> str:
        return f"<input: {len(self.rows)} rows, params {self.params!r}>"


class Tally:
    """Counts what the code warns of: records of logging, and warnings. What is not imported yet is watched once it is, and no sooner."""

    def __init__(self) -> None:
        self.warnings = 0
        self.errors = 0
        self._watched = {"logging": self._watch_logging, "warnings": self._watch_warnings}
        for name in [name for name in self._watched if name in sys.modules]:
            self._watched.pop(name)(sys.modules[name])
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Lets others find the module, and watches it once it is there."""
        watch = self._watched.pop(name, None)
        if watch is None:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((found for finder in others if (found := finder.find_spec(name, path, target))), None)
        loader: Any = spec.loader if spec else None
        if loader is None or isinstance(loader, type):
            return spec
        execute = loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            watch(module)

        loader.exec_module = exec_module
        return spec

    def _watch_logging(self, logging: Any) -> None:
        handle = logging.Logger.handle

        def counted(logger: Any, record: Any) -> None:
            if record.levelno >= _ERROR:
                self.errors += 1
            elif record.levelno >= _WARNING:
                self.warnings += 1
            handle(logger, record)

        logging.Logger.handle = counted

    def _watch_warnings(self, warnings: Any) -> None:
        show = warnings._showwarnmsg_impl

        def counted(message: Any) -> None:
            self.warnings += 1
            show(message)

        warnings._showwarnmsg_impl = counted


class Task:
    """One call of main over rows."""

    def __init__(self, request: Mapping[str, Any], fault: Fault, odd: Odd) -> None:
        given, files = request["input"], request["files"]
        self._fault = fault
        self._odd = odd
        self._made = files["made"]
        self._input = Input(Rows(files["given"], given["count"], fault), given["params"], given["apiKey"])
        self._written: int | None = None
        self._tally = Tally()

    def run(self, main: Callable[[Any], Any]) -> dict[str, Any]:
        """Calls main and writes its rows as they come; what is told then. Raises the faults of both."""
        value = main(self._input)
        if value is not None:
            self._write(value)
        return self.told()

    def _write(self, value: Any) -> None:
        if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__iter__"):
            what = type(value).__name__
            raise self._fault(
                "BadResult", f"main returned a {what}; it must return or yield rows (dicts), or return None"
            )
        self._written = 0
        encode = _row_encoder()
        size = 0
        with open(self._made, "wb", buffering=_BLOCK, closefd=False) as out:
            for index, row in enumerate(value):
                if not isinstance(row, dict):
                    raise self._fault("BadRow", f"row {index} is a {type(row).__name__}, not a dict")
                try:
                    line = encode(row).encode() + b"\n"
                except (TypeError, ValueError, RecursionError) as error:
                    raise self._fault("BadRow", self._said(row, index, error)) from None
                size += len(line)
                if size > MAX_OUTPUT:
                    raise self._fault(
                        "ResultTooLarge", f"the rows have more than {MAX_OUTPUT} bytes as JSON (row {index})"
                    )
                out.write(line)
                self._written = index + 1

    def _said(self, row: Any, index: int, error: Exception) -> str:
        where, what = self._odd(row, f"row {index}", 0)
        return f"{where} is {what}, which is not JSON" if what else f"row {index} can't be written as JSON: {error}"

    def told(self) -> dict[str, Any]:
        """What the process says of itself."""
        return {
            "rows": self._written,
            "taken": self._input.rows.taken,
            "warnings": self._tally.warnings,
            "errors": self._tally.errors,
            "maxRssKb": _peak(),
        }


def _peak() -> int:
    """The most memory that the process and those it waited for had, KiB; not what rusage says, which begins with its parent's."""
    found = 0
    with suppress(OSError, ValueError), open("/proc/self/status", "rb") as status:  # noqa: PTH123 - pathlib is not imported here
        found = next((int(line.split()[1]) for line in status if line.startswith(b"VmHWM:")), 0)
    return max(found, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
