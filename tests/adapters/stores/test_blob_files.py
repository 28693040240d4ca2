"""Port Blobs: parts, files, copies and whole folders."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import IncompleteReadError
from botocore.response import StreamingBody

from quintet.adapters import s3
from quintet.adapters.aws import client
from quintet.domain.errors import NotFound
from quintet.services.ports.world import Blobs

from .conftest import Stores


def test_parts(blobs: Blobs) -> None:
    """From any byte on; none from the end on."""
    blobs.put("a", bytes(range(10)))

    assert blobs.part("a", 0, 4) == bytes(range(4))
    assert blobs.part("a", 8, 4) == bytes((8, 9))
    assert (blobs.part("a", 10, 4), blobs.part("a", 99, 1)) == (b"", b"")
    blobs.put("empty", b"")
    assert blobs.part("empty", 0, 4) == b""
    with pytest.raises(NotFound):
        blobs.part("gone", 0, 4)


def test_a_file_is_put_together(blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of parts in any order, each read piece by piece."""
    monkeypatch.setattr(s3, "PIECE", 3)
    blobs.put("a", bytes(range(25)))
    path = tmp_path / "f"
    path.touch()
    for start in (20, 0, 10, 30):
        blobs.fetch("a", start, 10, path)

    assert path.read_bytes() == bytes(range(25))
    with pytest.raises(NotFound):
        blobs.fetch("gone", 0, 10, path)


def test_a_file_becomes_a_blob(blobs: Blobs, tmp_path: Path) -> None:
    """Byte by byte, over one that was there."""
    path = tmp_path / "f"
    for body in (b"x" * 100_000, b""):
        path.write_bytes(body)
        blobs.put_file("a", path, "text/csv")
        assert (blobs.get("a"), blobs.size("a")) == (body, len(body))


def test_copies(blobs: Blobs) -> None:
    """Are blobs of their own, whatever stands in their names."""
    blobs.put("d/ä b+c%20/x", b"one")
    blobs.copy("d/ä b+c%20/x", "copy")
    blobs.put("d/ä b+c%20/x", b"two")

    assert blobs.get("copy") == b"one"
    with pytest.raises(NotFound):
        blobs.copy("gone", "copy")


def test_a_folder_is_cleared(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Request by request, and nothing beside it."""
    monkeypatch.setattr(s3, "PAGE", 3)
    for place in range(8):
        blobs.put(f"d/1/{place}", b"")
    for other in ("d/10/x", "d/1", "e/x"):
        blobs.put(other, b"")
    blobs.clear("d/1/")
    blobs.clear("nothing/")

    assert {name for prefix in ("d/", "e/") for name, _ in blobs.names(prefix, 99)} == {"d/10/x", "d/1", "e/x"}


def test_a_folder_of_few_is_cleared_by_one_look(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list costs as much as a write, and every run of a task that replaces an output clears a folder."""
    looks: list[str] = []
    names = type(blobs).names

    def counted(self: Blobs, prefix: str, most: int) -> list[tuple[str, int]]:
        looks.append(prefix)
        return names(self, prefix, most)

    monkeypatch.setattr(type(blobs), "names", counted)
    blobs.put("d/x", b"")
    blobs.clear("d/")

    assert len(looks) <= 1
    assert names(blobs, "d/", 9) == []


def test_a_part_that_breaks_off_is_read_again(aws: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice; the third time it fails."""
    blobs, path = aws.blobs(), tmp_path / "f"
    blobs.put("a", b"x" * 100)
    path.touch()
    real, left = client("s3").get_object, iter([2, 1, 0, 3, 2, 1])

    def breaking(**given: Any) -> Any:
        found = real(**given)
        if next(left):
            found["Body"] = StreamingBody(BytesIO(b"x" * 10), 100)
        return found

    monkeypatch.setattr(client("s3"), "get_object", breaking)
    blobs.fetch("a", 0, 100, path)
    assert path.read_bytes() == b"x" * 100
    with pytest.raises(IncompleteReadError):
        blobs.fetch("a", 0, 100, path)
