"""What drives runs is made of, and what it answers the burst machine."""

from dataclasses import dataclass

from quintet.services.attempts import Attempts
from quintet.services.endings import Endings
from quintet.services.journal import Journal
from quintet.services.ports.runs import Runs
from quintet.services.ports.world import Bursts, Carriers, Clock, Timers
from quintet.services.settling import Settling
from quintet.services.zombies import Zombies


@dataclass(frozen=True, slots=True)
class Next:
    """What the burst machine does next: `wait` (seconds) or `end`; it would also go on at once, at `again`."""

    next: str
    seconds: int = 0
    slice: int = 0


END = Next("end")


class Superseded(Exception):
    """A newer burst or another invocation drives the run now: this one must stop without a word."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a slice works with."""

    runs: Runs
    journal: Journal
    attempts: Attempts
    settling: Settling
    endings: Endings
    bursts: Bursts
    timers: Timers
    carriers: Carriers
    zombies: Zombies
    clock: Clock
