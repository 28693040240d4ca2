"""A program: what tasks run, kept by name and by content."""

from dataclasses import dataclass
from datetime import datetime

PYTHON, SQL, JSON = "text/x-python", "application/sql", "application/json"
TYPES = {
    "SQL": SQL,
    "PYTHON": PYTHON,
    "BACKGROUND_TASK": PYTHON,
    "SPARK": PYTHON,
    "HTTP": JSON,
    "AUTONOMOUS_AGENT": JSON,
}
"""By type of task, the content type of the programs that it runs."""

SECONDS = {"SPARK": 60.0}
"""By type of task, the bound of what its step does itself, where that isn't the kind's own (14 minutes): Spark's only starts the job."""


@dataclass(frozen=True, slots=True)
class Program:
    """A named program as last written; `blob` is its bytes, named by their hash, so that a run keeps the ones it began with."""

    number: int
    project: str
    name: str
    type: str
    size_bytes: int
    sha256: str
    created_at: datetime
    updated_at: datetime

    @property
    def blob(self) -> str:
        """Where its bytes are; those of a JSON program are not as they came, since its headers are sealed."""
        return f"programs/{self.project}/{self.sha256}{'.json' if self.type == JSON else ''}"
