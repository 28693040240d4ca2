"""The programs of Spark jobs, as Spark asks for them: files whose names end in .py."""

import hashlib

from quintet.domain.program import PYTHON, Program
from quintet.services.ports.world import Blobs


class SparkPrograms:
    """Puts programs where jobs find them: `programs/<project>/<sha256>.py`, named by their content, so that a job keeps the one it began
    with."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def of_source(self, project: str, source: str) -> str:
        """The address of a program given as text."""
        body = source.encode()
        name = f"programs/{project}/{hashlib.sha256(body).hexdigest()}.py"
        self._blobs.put(name, body, PYTHON)
        return self._blobs.address(name)

    def of(self, program: Program) -> str:
        """The address of a stored program. Raises NotFound when its bytes are gone."""
        name = f"{program.blob}.py"
        self._blobs.copy(program.blob, name)
        return self._blobs.address(name)
