"""The line that Spark jobs stand in."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from quintet_cli.cloud.spark import Line


class Stopped(BaseException):
    """The wait was called off."""


def waits(event: threading.Event, _seconds: float | None) -> bool:
    """Waits as an execution does that nobody stops."""
    return event.wait(10)


def stopped(_event: threading.Event, _seconds: float | None) -> bool:
    """Is stopped at once."""
    raise Stopped


@contextmanager
def comer(line: Line, order: list[int], number: int, leave: threading.Event) -> Iterator[threading.Thread]:
    """Someone who comes, notes that he is in, and stays until told to leave."""
    in_line = threading.Event()

    def wait(event: threading.Event, seconds: float | None) -> bool:
        in_line.set()
        return waits(event, seconds)

    def stay() -> None:
        with line.place(wait):
            order.append(number)
            leave.wait(10)

    thread = threading.Thread(target=stay)
    thread.start()
    assert in_line.wait(10)
    yield thread
    thread.join(10)
    assert not thread.is_alive()


def test_so_many_are_in_and_the_rest_come_in_their_order() -> None:
    """Two places; three who came later get in one after another."""
    line, order, leave = Line(2), list[int](), threading.Event()
    leave.set()
    with ExitStack() as stack:
        with line.place(stopped), line.place(stopped):  # free places are not waited for
            for number in range(3):
                stack.enter_context(comer(line, order, number, leave))
            assert order == []

    assert sorted(order) == [0, 1, 2]


def test_a_single_place_is_passed_on_in_order() -> None:
    """First come, first served."""
    line, order, leave = Line(1), list[int](), threading.Event()
    leave.set()
    with ExitStack() as stack, line.place(stopped):
        for number in range(4):
            stack.enter_context(comer(line, order, number, leave))
        assert order == []

    assert order == [0, 1, 2, 3]


def test_who_is_stopped_in_the_line_takes_no_place() -> None:
    """Neither while waiting nor afterwards."""
    line = Line(1)
    with line.place(waits), pytest.raises(Stopped), line.place(stopped):
        pass

    with line.place(stopped):
        pass


def test_a_place_that_comes_with_the_stop_goes_to_the_next() -> None:
    """The stop and the turn can come at the same moment."""
    line, held = Line(1), ExitStack()
    held.enter_context(line.place(stopped))

    def turned_and_stopped(event: threading.Event, _seconds: float | None) -> bool:
        held.close()
        assert event.is_set()
        raise Stopped

    with pytest.raises(Stopped), line.place(turned_and_stopped):
        pass
    with line.place(stopped):
        pass


def test_a_job_that_breaks_gives_its_place_back() -> None:
    """Whatever it raised."""
    line = Line(1)
    with pytest.raises(ValueError, match="broken"), line.place(stopped):
        raise ValueError("broken")

    with line.place(stopped):
        pass
