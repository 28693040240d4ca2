"""Ports Logs, Blobs, Vault."""

from dataclasses import replace
from typing import Any

import pytest

from quintet.domain.errors import Invalid, NotFound, TooLarge
from quintet.services.ports.secrets import Vault
from quintet.services.ports.world import Blobs, LogEntry, Logs

from .conftest import Stores
from .samples import after


def _line(number: int, message: str = "") -> LogEntry:
    path = None if number % 2 else "load"
    return LogEntry(f"{number:08d}", after(number), path, "info", message or f"line {number}")


def test_logs_are_read_on_from_any_line(logs: Logs) -> None:
    """Lines come in the order of their ids, from the first after the asked one, of one run only."""
    lines = [_line(number) for number in range(60)]
    logs.write("r", lines[30:])
    logs.write("r", lines[:30])
    logs.write("other", [_line(99)])
    assert logs.read("r", None, 1000) == lines
    assert logs.read("r", lines[9].id, 5) == lines[10:15]
    assert logs.read("r", "00000009x", 2) == lines[10:12]
    assert logs.read("r", lines[-1].id, 5) == []
    assert logs.read("nobody", None, 5) == []
    assert logs.read("r", None, 0) == []


def test_long_logs_are_read_whole(logs: Logs) -> None:
    """More than one page of a Query comes back in order."""
    lines = [_line(number, "x" * 60_000) for number in range(40)]
    logs.write("r", lines)
    assert logs.read("r", None, 40) == lines


def test_a_line_written_twice_is_one(logs: Logs) -> None:
    """The later one of an id stays, within one call too."""
    logs.write("r", [_line(1, "a"), _line(1, "b")])
    logs.write("r", [_line(2, "c")])
    logs.write("r", [_line(2, "d")])
    logs.write("r", [])
    assert [line.message for line in logs.read("r", None, 9)] == ["b", "d"]


def test_an_endless_line_is_cut(logs: Logs) -> None:
    """A line above what an item holds is kept in part, and says so."""
    logs.write("r", [_line(1, "ü" * 300_000)])
    (line,) = logs.read("r", None, 9)
    assert line.message.startswith("ü" * 50_000)
    assert line.message.endswith("(cut)")


@pytest.mark.parametrize("data", [{"a": [1, "ü", None]}, [], 0, False, "", 1.5])
def test_a_lines_data_is_kept_beside_its_message(logs: Logs, data: Any) -> None:
    """Any JSON value; null is none."""
    lines = [replace(_line(1), data=data), _line(2)]
    logs.write("r", lines)
    assert logs.read("r", None, 9) == lines


def test_data_above_what_an_item_holds_is_cut_with_its_line(logs: Logs) -> None:
    """Together they are one text then, so that the beginning of the data is still there."""
    logs.write("r", [replace(_line(1, "head"), data={"a": "ü" * 300_000})])
    (line,) = logs.read("r", None, 9)
    assert line.message.startswith('head {"a":"üüü')
    assert line.message.endswith("(cut)")
    assert line.data is None


def test_blobs_are_bytes_by_name(blobs: Blobs) -> None:
    """What was put is got; what was not is NotFound; a link names the blob."""
    blobs.put("payloads/a b", b"\x00\xff", "application/octet-stream")
    blobs.put("payloads/a b", b"\x00\xff", "application/octet-stream")
    assert blobs.get("payloads/a b") == b"\x00\xff"
    with pytest.raises(NotFound):
        blobs.get("payloads/b")
    assert "payloads/a" in blobs.link("payloads/a b", 60)


def test_a_blob_above_the_bound_is_not_read(blobs: Blobs) -> None:
    """One of exactly as many bytes is."""
    blobs.put("uploads/a", b"1234")
    assert blobs.get("uploads/a", 4) == b"1234"
    with pytest.raises(TooLarge):
        blobs.get("uploads/a", 3)


def test_an_upload_link_writes_one_blob_by_put(aws: Stores) -> None:
    """It is signed for PUT, ends, and binds the uploader to no checksum that it would have to know beforehand."""
    link = aws.blobs().upload_link("uploads/a b.json", 60)
    assert "uploads/a%20b.json?" in link
    assert "X-Amz-Expires=60" in link
    assert "X-Amz-SignedHeaders=host&" in link
    assert "checksum" not in link.lower()


def test_a_link_is_signed_and_ends(aws: Stores) -> None:
    """A link of S3 carries a signature of version 4 and the seconds it is good for."""
    blobs = aws.blobs()
    blobs.put("a", b"1")
    link = blobs.link("a", 60)
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link
    assert "X-Amz-Expires=60" in link


def test_a_secret_opens_in_its_context_only(vault: Vault) -> None:
    """Another context, or a changed character, opens nothing."""
    sealed = vault.seal("pässword", "job-1")
    assert vault.open(sealed, "job-1") == "pässword"
    assert "pässword" not in sealed
    for damaged, context in (
        (sealed, "job-2"),
        (sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:], "job-1"),
        ("no base64!", "job-1"),
        ("", "job-1"),
    ):
        with pytest.raises(Invalid):
            vault.open(damaged, context)


def test_a_secret_may_have_four_kibibytes(vault: Vault) -> None:
    """The bound is in bytes, and is held."""
    assert vault.open(vault.seal("x" * 4096, "c"), "c") == "x" * 4096
    with pytest.raises(TooLarge):
        vault.seal("ü" * 2049, "c")
