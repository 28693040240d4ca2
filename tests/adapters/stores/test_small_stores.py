"""Ports Logs, Blobs, Vault."""

from dataclasses import replace
from typing import Any

import pytest

from quintet.adapters import s3
from quintet.adapters.aws import client
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


def test_the_last_lines_are_read_without_those_before(logs: Logs) -> None:
    """As many as are asked for, of one run only, in order."""
    lines = [_line(number, "x" * 60_000) for number in range(40)]
    logs.write("r", lines)
    logs.write("other", [_line(99)])
    assert logs.last("r", 3) == lines[37:]
    assert logs.last("r", 38) == lines[2:]
    assert logs.last("r", 1000) == lines
    assert logs.last("r", 0) == []
    assert logs.last("nobody", 5) == []


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


def test_a_blobs_size_is_known_without_reading_it(blobs: Blobs) -> None:
    """In bytes; an empty blob has none, and one that is not there is NotFound."""
    blobs.put("datasets/a", "ü".encode() * 3)
    blobs.put("datasets/b", b"")
    assert (blobs.size("datasets/a"), blobs.size("datasets/b")) == (6, 0)
    for missing in ("datasets", "datasets/", "datasets/c"):
        with pytest.raises(NotFound):
            blobs.size(missing)


def test_blobs_are_listed_by_prefix_in_order(blobs: Blobs) -> None:
    """The first so many with their sizes, in the order of their names' bytes; a prefix is any beginning."""
    names = ["a/", "a/1", "a/10", "a/2", "a/Z", "a/ü", "a/\ue000", "a/\U0001f600", "a0", "b/1"]
    for place, name in enumerate(reversed(names)):
        blobs.put(name, b"x" * place)
    sizes = {name: place for place, name in enumerate(reversed(names))}
    below = sorted((name for name in names if name.startswith("a/")), key=str.encode)
    assert blobs.names("a/", 100) == [(name, sizes[name]) for name in below]
    assert [name for name, _ in blobs.names("a/1", 100)] == ["a/1", "a/10"]
    assert [name for name, _ in blobs.names("", 3)] == sorted(names, key=str.encode)[:3]
    assert blobs.names("a/", 2) == [(name, sizes[name]) for name in below[:2]]
    assert (blobs.names("a/", 0), blobs.names("c", 5)) == ([], [])


def test_more_blobs_than_a_page_are_listed(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing goes on until it has as many as were asked for."""
    monkeypatch.setattr(s3, "PAGE", 3)
    names = [f"many/{number:02d}" for number in range(10)]
    for name in names:
        blobs.put(name, b"")
    for most in (2, 3, 4, 7, 9, 10, 99):
        assert [name for name, _ in blobs.names("many/", most)] == names[:most]


def test_a_dropped_blob_is_gone(blobs: Blobs) -> None:
    """Others stay; dropping what is not there does nothing; the name may be written again."""
    blobs.put("a", b"1")
    blobs.put("ab", b"2")
    blobs.drop("a")
    blobs.drop("a")
    with pytest.raises(NotFound):
        blobs.get("a")
    assert blobs.get("ab") == b"2"
    assert blobs.names("", 9) == [("ab", 1)]
    blobs.put("a", b"3")
    assert blobs.get("a") == b"3"


def test_a_short_listing_asks_for_no_more_than_it_shows(aws: Stores) -> None:
    """To see whether there is any blob below a prefix reads one name, not a thousand."""
    blobs = aws.blobs()
    for number in range(5):
        blobs.put(f"p/{number}", b"")
    asked: list[int] = []
    events = client("s3").meta.events

    def note(params: dict[str, Any], **_: Any) -> None:
        asked.append(params["MaxKeys"])

    events.register("provide-client-params.s3.ListObjectsV2", note)
    try:
        assert blobs.names("p/", 1) == [("p/0", 0)]
        assert blobs.names("p/", 0) == []
    finally:
        events.unregister("provide-client-params.s3.ListObjectsV2", note)
    assert asked == [1]


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
