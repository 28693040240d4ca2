"""Drives a run: what the Work function does with one call of the burst machine."""

from collections.abc import Callable
from datetime import datetime

from quintet.domain.state import Claim
from quintet.services.engine import END, Engine, Next, Superseded
from quintet.services.ports.world import Pool
from quintet.services.slice import Slice


class Advance:
    """The use case behind the Work function."""

    def __init__(self, engine: Engine, pool: Callable[[], Pool]) -> None:
        self._engine = engine
        self._pool = pool

    def __call__(
        self, run_id: str, epoch: int, slice_: int, retry: int, invocation: str, began: datetime | None = None
    ) -> Next:
        """Runs one slice. `invocation` is unique to this call, so that a repeated delivery can't drive a run twice; `retry` counts the
        burst machine's own repeats after a fault, each of which takes over from the one before. `began` is when the burst's execution
        started (None: now)."""
        opened = self._engine.journal.open(run_id)
        if opened.epoch != epoch:
            return END
        if opened.state.status.terminal:
            self._engine.endings.after(opened.run, opened.state)  # whoever ended it may have died before this
            return END
        if self._engine.endings.end_orphan(opened.run):
            return END
        if self._engine.zombies.give_up_due(opened, self._engine.clock.now()):
            return END  # the sweep looks at resting runs; one that never rests is met here
        pool = self._pool()
        try:
            self._engine.endings.hear_maps(opened)
            return Slice(self._engine, opened, Claim(epoch, slice_, retry, invocation), pool, began).run()
        except Superseded:
            return END
        finally:
            pool.close()
