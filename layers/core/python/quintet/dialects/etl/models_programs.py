"""The wire shapes of programs."""

from quintet.dialects.etl.shapes import Id, Shown
from quintet.domain.program import Program
from quintet.web.rendering import Moment


class ProgramView(Shown):
    """A program, without its bytes."""

    id: Id
    name: str
    type: str
    """Its content type."""
    size_bytes: int
    sha256: str
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, program: Program) -> "ProgramView":
        """The view of a program."""
        return cls(
            id=str(program.number),
            name=program.name,
            type=program.type,
            size_bytes=program.size_bytes,
            sha256=program.sha256,
            created_at=program.created_at,
            updated_at=program.updated_at,
        )
