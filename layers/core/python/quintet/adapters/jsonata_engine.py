"""Evaluates compiled JSONata inside bounds of time, depth and size; everything that touches the library's internals is here.

The library's own time box looks at the clock between sub-expressions only, and one native call (a range, a padding, a join, a regular
expression, a serialisation of shared data) can take all memory or all time before it looks again. So sizes are checked before such
calls, results are counted after each sub-expression, and Python-level recursion is watched by a trace function.
"""

import math
import re
import sys
import threading
import time
from types import FrameType
from typing import Any

from jsonata.jsonata import Jsonata
from jsonata.utils import Utils

from quintet.adapters.jsonata_regex import bounded_regex

MAX_DEPTH = 200
"""How deep sub-expressions may nest while they are evaluated."""
MAX_SECONDS = 1.0
MAX_RANGE = 100_000
"""Numbers in one range."""
MAX_ELEMENTS = 10_000_000
"""List elements that all sub-expressions together may yield."""
MAX_TEXT = 8 * 1024 * 1024
"""Characters in one string."""
MAX_ALL_TEXT = 64 * 1024 * 1024
"""Characters in all strings that sub-expressions yield."""
MAX_WALK = 1_000_000
"""Values that a call may walk through, shared ones counted each time."""
RESULT_DEPTH = 200
RESULT_BYTES = 5 * 1024 * 1024
RESULT_VALUES = 500_000
EXACT = 2**53
_SHARING = re.compile(r":=|function|λ|\$eval|\$reduce")
"""What an expression needs to build data that holds the same part many times over, whose walks only the trace function ends."""
_WALKERS = frozenset({"string", "clone", "distinct", "boolean", "not"})


class Exceeded(Exception):
    """A bound was met."""


class Budget:
    """What is left to one evaluation."""

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self.cpu_deadline = time.thread_time() + seconds
        self.seconds = seconds
        self.depth = 0
        self.elements = 0
        self.text = 0
        self.reason: str | None = None

    def exceed(self, reason: str) -> Exceeded:
        """The exception to raise; the reason is kept, since the library wraps what is raised inside it."""
        self.reason = self.reason or reason
        return Exceeded(self.reason)

    def check_time(self) -> None:
        """Raises Exceeded when the time is over: this thread's own, since a busy machine is not the expression's fault.

        The wall clock is cheap to read and never runs slower, so it is asked first.
        """
        if time.monotonic() > self.deadline and time.thread_time() > self.cpu_deadline:
            raise self.exceed(f"the expression ran for more than {self.seconds:g} s")

    def enter(self, _expr: Any, _input: Any, _env: Any) -> None:
        """Called by the library before each sub-expression."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.exceed(f"the expression nests deeper than {MAX_DEPTH}: is there recursion without an end?")
        self.check_time()

    def leave(self, _expr: Any, _input: Any, _env: Any, result: Any) -> None:
        """Called by the library after each sub-expression."""
        self.depth -= 1
        if isinstance(result, list):
            self.elements += len(result)
            if self.elements > MAX_ELEMENTS:
                raise self.exceed(f"the expression made more than {MAX_ELEMENTS} list elements")
        elif isinstance(result, str):
            self.check_text(len(result))
            self.text += len(result)
            if self.text > MAX_ALL_TEXT:
                raise self.exceed(f"the expression made more than {MAX_ALL_TEXT} characters of text")

    def check_text(self, size: int) -> None:
        """Raises Exceeded when a string would be too long."""
        if size > MAX_TEXT:
            raise self.exceed(f"a string would be longer than {MAX_TEXT} characters")

    def check_walk(self, value: Any) -> None:
        """Raises Exceeded when walking through a value, shared parts each time, would take too many steps."""
        pending, seen = [value], 0
        while pending:
            found = pending.pop()
            if isinstance(found, dict):
                pending.extend(found.values())
            elif isinstance(found, list):
                pending.extend(found)
            seen += 1
            if seen + len(pending) > MAX_WALK:
                raise self.exceed(f"a value has more than {MAX_WALK} parts")
            if not seen % 4096:
                self.check_time()

    def watch(self, _frame: FrameType, _event: str, _arg: Any) -> None:
        """A trace function: looks at the clock on every Python call, which catches recursion inside the library."""
        self.check_time()


class _Current(threading.local):
    budget: Budget | None = None


_current = _Current()


def remaining() -> float:
    """Seconds left to the evaluation of this thread; the whole bound outside one."""
    return MAX_SECONDS if _current.budget is None else max(_current.budget.deadline - time.monotonic(), 0.001)


class Compiled(Jsonata):  # type: ignore[misc]  # the library is untyped
    """One compiled expression; belongs to the thread that compiled it."""

    def __init__(self, expression: str) -> None:
        super().__init__(expression, lambda pattern, flags: bounded_regex(pattern, flags, remaining))
        # Watching makes an evaluation four times slower: 195 us instead of 53 us for a short path with a predicate.
        self.watched = _SHARING.search(expression) is not None

    def run(self, scope: dict[str, Any], seconds: float = MAX_SECONDS) -> Any:
        """The value over a scope, as plain JSON. Raises what the library raises, and Exceeded."""
        budget = Budget(seconds)
        frame = self.create_frame(self.environment)
        for name, value in scope.items():
            frame.bind(name, value)
        frame.bind("$", scope)
        frame.set_evaluate_entry_callback(budget.enter)
        frame.set_evaluate_exit_callback(budget.leave)
        self.timestamp = round(time.time() * 1000)
        # The library evaluates on "the instance of this thread", whichever expression that was compiled for.
        Jsonata.CURRENT.jsonata = self
        watched = self.watched and sys.gettrace() is None
        _current.budget = budget
        if watched:
            sys.settrace(budget.watch)
        try:
            return _plain(self.eval(self.ast, scope, frame))
        except Exception as error:
            # The library replaces exceptions in places ($eval, and/or): the bound that was met is the true cause.
            if budget.reason and not isinstance(error, Exceeded):
                raise Exceeded(budget.reason) from error
            raise
        finally:
            if watched:
                sys.settrace(None)
            _current.budget = None

    @property
    def budget(self) -> Budget:
        """The budget of the evaluation under way."""
        if _current.budget is None:
            raise RuntimeError("no evaluation is under way")
        return _current.budget

    def evaluate_range_expression(self, lhs: Any, rhs: Any) -> Any:
        """`[a..b]`, materialised, so that its length is what it says."""
        found = super().evaluate_range_expression(lhs, rhs)
        if found is None:
            return None
        size = rhs - lhs + 1
        if size > MAX_RANGE:
            raise self.budget.exceed(f"a range of {size} numbers; at most {MAX_RANGE} are allowed")
        return Utils.JList(range(lhs, rhs + 1))

    def evaluate_string_concat(self, lhs: Any, rhs: Any) -> Any:
        """`a & b`."""
        size = 0
        for side in (lhs, rhs):
            if isinstance(side, str):
                size += len(side)
            else:
                self.budget.check_walk(side)
        self.budget.check_text(size)
        return super().evaluate_string_concat(lhs, rhs)

    def evaluate_equality_expression(self, lhs: Any, rhs: Any, op: Any) -> Any:
        """`a = b`: Python's own deep comparison runs in C where no trace function looks."""
        if isinstance(lhs, (list, dict)) and isinstance(rhs, (list, dict)):
            self.budget.check_walk(lhs)
            self.budget.check_walk(rhs)
        return super().evaluate_equality_expression(lhs, rhs, op)

    def apply_inner(self, proc: Any, args: Any, input: Any, environment: Any) -> Any:  # noqa: A002  # the library's own name
        """Calls a function, after a look at what it would make."""
        name = getattr(proc, "function_name", None)
        if name is not None and isinstance(args, list):
            self._foresee(name, args, input)
        return super().apply_inner(proc, args, input, environment)

    def _foresee(self, name: str, args: list[Any], context: Any) -> None:
        first = args[0] if args else context
        if name in _WALKERS:
            self.budget.check_walk(first)
        elif name == "pad":
            widths = [arg for arg in args if isinstance(arg, (int, float)) and math.isfinite(arg)]
            self.budget.check_text(int(abs(widths[0])) if widths else 0)
        elif name == "join" and isinstance(first, list):
            separator = len(args[1]) if len(args) > 1 and isinstance(args[1], str) else 0
            self.budget.check_text(sum(len(part) + separator for part in first if isinstance(part, str)))
        elif name == "replace" and len(args) > 2 and isinstance(first, str) and isinstance(args[2], str):
            self.budget.check_text((len(first) + 1) * (len(args[2]) + 1) if len(args[2]) > 1 else len(first))


def _plain(value: Any) -> Any:
    """JSON without the library's own types: sequences are lists, its null is None, whole numbers are ints."""
    return _Plain().of(value, 0)


class _Plain:
    def __init__(self) -> None:
        self.values = 0
        self.size = 0

    def of(self, value: Any, depth: int) -> Any:
        self._count(depth)
        if isinstance(value, dict):
            self._weigh(sum(len(key) + 4 for key in value))
            return {key: self.of(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.of(inner, depth + 1) for inner in value]
        return None if value is None or value is Utils.NULL_VALUE else self._scalar(value)

    def _scalar(self, value: Any) -> Any:
        if isinstance(value, float):
            return self._number(value)
        if not isinstance(value, (str, int)):
            raise Exceeded("the expression's value is a function, not data")
        self._weigh(len(value) if isinstance(value, str) else 8)
        return value

    def _number(self, value: float) -> float | int:
        self._weigh(8)
        if not math.isfinite(value):
            raise Exceeded(f"the expression's value holds {value}, which JSON can't")
        return int(value) if value.is_integer() and abs(value) < EXACT else value

    def _count(self, depth: int) -> None:
        self.values += 1
        if depth > RESULT_DEPTH:
            raise Exceeded(f"the expression's value nests deeper than {RESULT_DEPTH}")
        if self.values > RESULT_VALUES:
            raise Exceeded(f"the expression's value has more than {RESULT_VALUES} parts")

    def _weigh(self, size: int) -> None:
        self.size += size
        if self.size > RESULT_BYTES:
            raise Exceeded(f"the expression's value is larger than {RESULT_BYTES} bytes")


def syntax_tree(expression: str) -> Any:
    """The library's tree of an expression. Raises what its parser raises."""
    return Compiled(expression).ast
