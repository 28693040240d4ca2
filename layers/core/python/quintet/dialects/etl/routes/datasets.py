"""Datasets: create, read, change, delete, and fill."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from quintet.dialects.etl import documented
from quintet.dialects.etl.finding import DatasetNumber
from quintet.dialects.etl.models_datasets import DatasetIn, DatasetPatch, DatasetView, UploadIn, UploadView
from quintet.dialects.etl.paging import SIZE, Page, PageSize, listing
from quintet.domain.dataset import Dataset
from quintet.domain.errors import Invalid, Problem
from quintet.web.api import Routes, json_response
from quintet.web.gate import exact, needs, takes

routes = Routes()
MAX_UPLOAD = 6 * 1024 * 1024
"""What a request of the platform may carry at most; in base64, as files that are no text travel, it is a quarter less."""
TYPES = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}
"""The formats of uploads, by their Content-Type."""
_MAIN_TYPES = ("text/csv", "application/x-ndjson", "application/vnd.apache.parquet")
_UNSAID = ("", "application/octet-stream")
_DATASETS = "/webrobot/api/datasets"
_ONE = f"{_DATASETS}/<dataset_id>"
_SHOWN = documented.model(DatasetView)


def _answer(dataset: Dataset, status: int = 200) -> Response[str]:
    return json_response(status, DatasetView.of(dataset, routes.engine.blobs).shown())


@routes.get(_DATASETS, **documented.listed("List datasets", "Datasets", DatasetView, 413))
@needs("jobs:read")
def list_datasets(page: Page = 0, page_size: PageSize = SIZE) -> Response[str]:
    """Lists the project's datasets, the oldest first."""
    datasets, project = routes.engine.datasets, routes.caller.project
    found = datasets.page(project, page_size, page * page_size)
    return listing([DatasetView.of(one, routes.engine.blobs) for one in found], datasets.count(project))


@routes.post(
    _DATASETS, **documented.of("Create a dataset", "Datasets", 413, 503, success=201, said="Created", content=_SHOWN)
)
@needs("jobs:write")
@takes(MAX_UPLOAD)
@exact
def create_dataset(body: Annotated[DatasetIn, Body()]) -> Response[str]:
    """Makes a dataset of `rows`, or an empty one that a file is uploaded for. Numbers in rows stay as they are written."""
    made = routes.engine.datasets.create(
        routes.caller.project,
        body.name,
        description=body.description,
        format_=body.format,
        rows=body.rows,
        engine=body.engine,
    )
    return _answer(made, 201)


@routes.get(_ONE, **documented.of("Get a dataset", "Datasets", 404, content=_SHOWN))
@needs("jobs:read")
def get_dataset(dataset_id: DatasetNumber) -> Response[str]:
    """Reads a dataset; what was uploaded for it meanwhile is looked into first."""
    return _answer(routes.engine.datasets.get(routes.caller.project, dataset_id))


@routes.put(_ONE, **documented.of("Update a dataset", "Datasets", 404, 409, 413, content=_SHOWN))
@needs("jobs:write")
def change_dataset(dataset_id: DatasetNumber, body: Annotated[DatasetPatch, Body()]) -> Response[str]:
    """Changes what the body names; null clears all but the name. The format of content that is there stays what it is."""
    datasets, project = routes.engine.datasets, routes.caller.project
    changes = {field: getattr(body, field) for field in body.model_fields_set}
    if changes.get("name", "") is None:
        del changes["name"]
    if "format" in changes and datasets.get(project, dataset_id).content is not None:
        del changes["format"]
    return _answer(datasets.change(project, dataset_id, changes))


@routes.delete(
    _ONE,
    **documented.of(
        "Delete a dataset", "Datasets", 404, 409, content={"application/json": {"schema": {"type": "object"}}}
    ),
)
@needs("jobs:write")
def delete_dataset(dataset_id: DatasetNumber) -> Response[str]:
    """Deletes a dataset with its files; not while a task is running whose output it is. Its id is not given again."""
    routes.engine.datasets.remove(routes.caller.project, dataset_id)
    return json_response(200, {})


@routes.put(
    f"{_ONE}/content",
    **documented.of(
        "Upload a dataset's content",
        "Datasets",
        404,
        409,
        413,
        503,
        content=_SHOWN,
        requestBody=documented.raw_body(*_MAIN_TYPES),
    ),
)
@needs("jobs:write")
@takes(MAX_UPLOAD)
def upload_content(dataset_id: DatasetNumber) -> Response[str]:
    """Takes the body as the dataset's content, in the format that Content-Type says, else the dataset's own. Up to 6 MiB, as the platform
    carries them (a Parquet file of about 4.5 MB); for more there is upload-url."""
    datasets, project = routes.engine.datasets, routes.caller.project
    type_ = routes.event.lower_headers.get("content-type", "").partition(";")[0].strip().lower()
    format_ = datasets.get(project, dataset_id).format if type_ in _UNSAID else TYPES.get(type_)
    if format_ is None:
        raise Invalid([Problem(("header", "Content-Type"), f"must be one of {', '.join(_MAIN_TYPES)}")])
    body = routes.event.raw
    if not body:
        raise Invalid([Problem(("body",), "is empty")])
    return _answer(datasets.upload(project, dataset_id, format_, body))


@routes.post(
    f"{_ONE}/upload-url",
    **documented.of(
        "Get a URL to upload to", "Datasets", 404, 409, 413, success=200, content=documented.model(UploadView)
    ),
)
@needs("jobs:write")
def make_upload_url(dataset_id: DatasetNumber, body: Annotated[UploadIn | None, Body()] = None) -> Response[str]:
    """Makes a URL that takes a file of up to 5 GB by HTTP PUT for an hour. What comes is looked into when the dataset is read next."""
    datasets, project = routes.engine.datasets, routes.caller.project
    format_ = (body.format if body else None) or datasets.get(project, dataset_id).format
    if format_ is None:
        raise Invalid([Problem(("format",), "is needed: parquet, csv or jsonl")])
    link, dataset = datasets.upload_link(project, dataset_id, format_)
    shown = UploadView(url=link, method="PUT", format=format_, expires_at=dataset.uploads[-1].until)
    return json_response(200, shown.shown())
