"""Datasets as the records that they are kept as."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quintet.domain.dataset import Content, Dataset, Upload
from quintet.services.ports.collections import Record

COLLECTION = "datasets"
_PLAIN = {
    "description": "description",
    "format": "format",
    "task": "task",
    "run_id": "runId",
    "engine": "engine",
    "problem": "problem",
    "outdated": "outdated",
}


def to_record(dataset: Dataset, revision: int = 1) -> Record:
    """The record of a dataset; what is not set is left out."""
    body: dict[str, Any] = {"name": dataset.name}
    for field, word in _PLAIN.items():
        if (value := getattr(dataset, field)) is not None:
            body[word] = value
    if dataset.writers:
        body["writers"] = list(dataset.writers)
    if dataset.uploads:
        body["uploads"] = [_upload_to_dict(upload) for upload in dataset.uploads]
    if dataset.content is not None:
        body["content"] = _content_to_dict(dataset.content)
    made, changed = dataset.created_at, dataset.updated_at
    return Record(dataset.project, COLLECTION, dataset.number, body, made, changed, revision=revision)


def from_record(record: Record) -> Dataset:
    """The dataset that a record keeps."""
    body = record.body
    content = body.get("content")
    return Dataset(
        number=record.number,
        project=record.project,
        name=body["name"],
        created_at=record.created_at,
        updated_at=record.updated_at,
        content=None if content is None else _content_from_dict(content),
        writers=tuple(body.get("writers", ())),
        uploads=tuple(_upload_from_dict(upload) for upload in body.get("uploads", ())),
        **{field: body.get(word) for field, word in _PLAIN.items()},
    )


def _content_to_dict(content: Content) -> dict[str, Any]:
    """The content, with the names of its files from their folder on: there may be a thousand."""
    folder = content.folder or ""
    if any(not part.startswith(folder) for part in content.parts):
        folder = ""
    return {**content.to_dict(), "folder": folder, "parts": [part[len(folder) :] for part in content.parts]}


def _content_from_dict(kept: Mapping[str, Any]) -> Content:
    return Content.from_dict({**kept, "parts": [f"{kept['folder']}{part}" for part in kept["parts"]]})


def _upload_to_dict(upload: Upload) -> dict[str, str]:
    return {"blob": upload.blob, "format": upload.format, "until": upload.until.isoformat()}


def _upload_from_dict(kept: Mapping[str, str]) -> Upload:
    return Upload(kept["blob"], kept["format"], datetime.fromisoformat(kept["until"]))
