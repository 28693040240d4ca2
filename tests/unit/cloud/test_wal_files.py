"""The write-ahead log's files: torn tails, merges, and crashes at any step of them."""

import errno
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet_cli.cloud import wal_log
from quintet_cli.cloud.wal_state import Recovered, State, compact

KEY = "000000000000/us-east-1/kept"
KEYS = st.sampled_from(["a", "b", "c"])
ITEM = st.one_of(st.none(), st.fixed_dictionaries({"v": st.integers(0, 99)}))
CHANGES = st.lists(st.tuples(st.just(KEY), KEYS, KEYS, ITEM).map(list), max_size=3)
RECORDS = st.one_of(
    st.tuples(st.just("i"), CHANGES, st.none()),
    st.tuples(st.just("t"), st.just(KEY), st.one_of(st.none(), st.just({"TableName": "kept"}))),
    st.tuples(st.just("r"), st.just(KEY)),
    st.tuples(st.just("s"), st.sampled_from(["kms", "s3"]), st.integers(0, 9)),
    st.tuples(
        st.just("q"), st.just("q1"), st.just({"name": "q1"}),
        st.lists(KEYS.map(lambda name: {"id": name}), max_size=2), st.lists(KEYS, max_size=2),
    ),
).map(list)  # fmt: skip


def write(path: Path, records: list[Any]) -> None:
    """Append records to a log file."""
    log = wal_log.Appender(path)
    for record in records:
        log.append(wal_log.line_of(record))
    log.close()


def content(state: State) -> tuple[Any, ...]:
    """A state in a form that can be compared."""
    # Items without a table belong to no table that a start would make.
    items = {key: state.items.get(key, {}) for key in state.tables}
    messages = {key: state.messages.get(key, {}) for key in state.queues}
    return state.tables, items, state.queues, messages, state.services, state.tokens


def applied(records: list[Any]) -> tuple[Any, ...]:
    """What the records add up to."""
    state = State()
    for record in records:
        state.apply(record)
    return content(state)


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORDS, max_size=20), st.data())
def test_a_torn_tail_loses_only_what_was_torn(
    tmp_path_factory: pytest.TempPathFactory, records: list[Any], data: st.DataObject
) -> None:
    """Cut anywhere, the log holds exactly the records that are whole; appending goes on behind them."""
    folder = tmp_path_factory.mktemp("wal")
    path = folder / "log-000000"
    write(path, records)
    cut = data.draw(st.integers(0, path.stat().st_size))
    whole = path.read_bytes()[:cut].count(b"\n")
    with path.open("r+b") as file:
        file.truncate(cut)
    recovered = Recovered(folder)
    assert content(recovered.state) == applied(records[:whole])
    write(path, [["s", "ssm", 1]])
    assert content(Recovered(folder).state) == applied([*records[:whole], ["s", "ssm", 1]])


@settings(max_examples=40, deadline=None)
@given(st.lists(RECORDS, max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_merging_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, records: list[Any], first: int, second: int
) -> None:
    """A snapshot and the logs after it add up to what all records add up to."""
    folder = tmp_path_factory.mktemp("wal")
    one, two = sorted((first, second))
    for number, part in enumerate((records[:one], records[one:two], records[two:])):
        write(folder / f"log-{number:06d}", part)
    compact(folder, 2)
    assert sorted(path.name for path in folder.iterdir()) == ["log-000002", "snapshot-000002"]
    recovered = Recovered(folder)
    assert (content(recovered.state), recovered.last) == (applied(records), 2)


def test_a_merge_that_crashed_leaves_the_older_files_in_force(tmp_path: Path) -> None:
    """A snapshot without its last record, or under its temporary name, is not read."""
    records = [["t", KEY, {"TableName": "kept"}], ["i", [[KEY, "a", "b", {"v": 1}]], None]]
    write(tmp_path / "log-000000", records)
    write(tmp_path / "snapshot-000001", [["s", "kms", "half"]])
    write(tmp_path / ".snapshot-000001", [["s", "kms", "less"]])
    assert content(Recovered(tmp_path).state) == applied(records)


def test_a_crash_between_the_snapshot_and_the_removal_applies_nothing_twice(tmp_path: Path) -> None:
    """Logs older than the newest whole snapshot are left out."""
    write(tmp_path / "log-000000", [["s", "kms", "old"]])
    write(tmp_path / "snapshot-000001", [["s", "kms", "merged"], wal_log.END])
    write(tmp_path / "log-000001", [["s", "ssm", "new"]])
    assert Recovered(tmp_path).state.services == {"kms": "merged", "ssm": "new"}


def test_damage_before_the_last_log_is_an_error(tmp_path: Path) -> None:
    """A log that others follow was whole once: it is not cut short in silence."""
    write(tmp_path / "log-000000", [["s", "kms", 1], ["s", "kms", 2]])
    write(tmp_path / "log-000001", [["s", "kms", 3]])
    damaged = (tmp_path / "log-000000").read_bytes().replace(b"2]", b"7]")
    (tmp_path / "log-000000").write_bytes(damaged)
    with pytest.raises(wal_log.WalError, match="log-000000 is damaged at byte"):
        Recovered(tmp_path)


def test_one_process_holds_the_folder(tmp_path: Path) -> None:
    """A second opening is refused until the first is released."""
    held = wal_log.Folder(tmp_path)
    with pytest.raises(wal_log.WalError, match="in use by another local cloud"):
        wal_log.Folder(tmp_path)
    held.release()
    wal_log.Folder(tmp_path).release()


def test_what_a_full_disk_refused_is_written_before_anything_else(tmp_path: Path) -> None:
    """A line that was taken in part, or not, is completed by the next append: no record is lost or out of order."""
    log = wal_log.Appender(tmp_path / "log-000000")
    real = log._file

    class Full:
        """A disk that takes five bytes and then no more."""

        left = 5

        def write(self, data: bytes) -> int:
            taken = min(self.left, len(data))
            if not taken:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.left -= taken
            return real.write(data[:taken]) or 0

    log._file = Full()  # type: ignore[assignment]  # only write is called
    for number in (1, 2):
        with pytest.raises(OSError, match="No space left"):
            log.append(wal_log.line_of(["s", "kms", number]))
    log._file = real
    log.append(wal_log.line_of(["s", "kms", 3]))
    log.close()
    assert [record for record, _ in wal_log.read(tmp_path / "log-000000")] == [["s", "kms", n] for n in (1, 2, 3)]
