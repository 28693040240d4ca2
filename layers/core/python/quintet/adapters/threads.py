"""Attempts beside each other in threads: they wait for networks and other functions, so that two cores carry many."""

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from quintet.services.ports.world import Work

SIZE = 64

_executor: ThreadPoolExecutor | None = None


def _threads() -> ThreadPoolExecutor:
    """One set of threads for the process: a warm function doesn't start them again for each slice."""
    global _executor  # noqa: PLW0603  # the process's threads, made at first use
    if _executor is None:
        _executor = ThreadPoolExecutor(SIZE, thread_name_prefix="attempt")
    return _executor


class ThreadPool:
    """A Pool for one slice; work still under way at `close` is left to end by itself, its outcome unheard."""

    def __init__(self) -> None:
        self._futures: dict[Future[object], str] = {}

    def submit(self, key: str, work: Work) -> None:
        """Starts the work."""
        self._futures[_threads().submit(work)] = key

    def wait(self, seconds: float) -> list[tuple[str, object]]:
        """What ended, after up to `seconds` for the first."""
        done, _ = wait(self._futures, seconds, return_when=FIRST_COMPLETED)
        return [(self._futures.pop(future), future.exception() or future.result()) for future in done]

    @property
    def free(self) -> int:
        """How many more can start at once."""
        return SIZE - len(self._futures)

    def close(self) -> None:
        """Cancels what has not begun."""
        for future in self._futures:
            future.cancel()
        self._futures.clear()
