"""Histories of the whole engine under faults, each repeatable from its seed."""

import logging
from collections import Counter

import pytest
from simulation import tidiness
from simulation.history import History
from simulation.jobs_history import JobsHistory

from quintet.domain import snapshot
from quintet.services import attempts
from quintet.services import slice as slice_

CHUNK = 25


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small histories meet snapshots and fanned-out maps too."""
    monkeypatch.setattr(snapshot, "FIRST_AT", 12)
    monkeypatch.setattr(attempts, "FANOUT_ABOVE", 2)
    logging.getLogger("quintet").setLevel(logging.CRITICAL)  # a storm's sweeps have much to complain of


def play(seed: int, fault_rate: float = 0.04) -> History:
    """The history of a seed; in every other one jobs with terms live among the rest."""
    history = JobsHistory(seed, fault_rate=fault_rate) if seed % 2 else History(seed, fault_rate=fault_rate)
    try:
        history.run()
    except Exception as broken:
        raise AssertionError(f"seed {seed}: {broken!r}") from broken
    return history


@pytest.mark.parametrize("first", range(0, 300, CHUNK))
def test_histories_keep_every_promise(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hundred seeded storms of crashes, errors, duplicates and delays break no promise."""
    monkeypatch.setattr(slice_, "DRAFT_EVENTS", 64 if first % (2 * CHUNK) else 3)
    met: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for seed in range(first, first + CHUNK):
        history = play(seed)
        left.update(tidiness.met(history))
        if isinstance(history, JobsHistory):
            met.update(history.met())
    # The histories are not empty of what they are about.
    found = ("created", "merged", "refused late", "told", "followed", "at its cap", "replaced", "turned away")
    assert min(met[what] for what in found) > 0, met
    assert min(left[what] for what in ("begun", "stopped at work", "given up")) > 0, left


@pytest.mark.long
@pytest.mark.parametrize("first", range(300, 10_000, 100))
def test_long_campaign(first: int) -> None:
    """Ten thousand storms, for `make test-long`."""
    for seed in range(first, min(first + 100, 10_000)):
        play(seed, 0.02 + (seed % 7) * 0.02)
