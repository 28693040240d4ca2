"""Histories of the whole engine under faults, each repeatable from its seed."""

import logging

import pytest
from simulation.history import History

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


@pytest.mark.parametrize("first", range(0, 300, CHUNK))
def test_histories_keep_every_promise(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hundred seeded storms of crashes, errors, duplicates and delays break no promise."""
    monkeypatch.setattr(slice_, "DRAFT_EVENTS", 64 if first % (2 * CHUNK) else 3)
    for seed in range(first, first + CHUNK):
        try:
            History(seed).run()
        except AssertionError as broken:
            raise AssertionError(f"seed {seed}: {broken}") from broken


@pytest.mark.long
@pytest.mark.parametrize("first", range(300, 10_000, 100))
def test_long_campaign(first: int) -> None:
    """Ten thousand storms, for `make test-long`."""
    for seed in range(first, min(first + 100, 10_000)):
        try:
            History(seed, fault_rate=0.02 + (seed % 7) * 0.02).run()
        except AssertionError as broken:
            raise AssertionError(f"seed {seed}: {broken}") from broken
