"""Journals and snapshots outlive the code that wrote them."""

import pytest
from engine_stage import Stage, rest, step

from quintet.adapters.records import events_from_text
from quintet.domain import snapshot
from quintet.domain.status import RunStatus


def test_a_snapshot_of_another_shape_is_passed_over(engine: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose snapshot was written by other code is folded from its beginning, and goes on."""
    monkeypatch.setattr(snapshot, "FIRST_AT", 3)
    monkeypatch.setattr(snapshot, "SHAPE", snapshot.SHAPE + 1)
    run_id = engine.run(step("a"), rest("b", "a", seconds=3600), step("c", "b"))
    assert engine.calls["runs.keep_snapshot"] >= 1
    monkeypatch.undo()
    engine.play()
    assert engine.status(run_id) is RunStatus.COMPLETED
    assert engine.result(run_id, "c") == {"name": "c"}


def test_an_event_of_a_later_version_is_refused() -> None:
    """Code that was rolled back does not misread what newer code wrote."""
    with pytest.raises(ValueError, match="version 2"):
        events_from_text('[{"t": "run.started", "at": 0, "v": 2}]')
