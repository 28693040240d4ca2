"""Programs: what tasks run. Known by name in their project; their bytes are kept by content, so that a run keeps the ones it began with."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace

from quintet.domain import program_text
from quintet.domain.errors import Conflict, Invalid, NotFound, Problem, TooLarge
from quintet.domain.program import JSON, PYTHON, SQL, Program
from quintet.domain.program_text import Endpoint
from quintet.services.ports.collections import Collections, Record
from quintet.services.ports.http import UrlGuard
from quintet.services.ports.secrets import Vault
from quintet.services.ports.world import Blobs, Clock

COLLECTION = "programs"
CONTENT_TYPES = (PYTHON, SQL, JSON)
MAX_BYTES = 1024 * 1024
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_ID = re.compile(r"[1-9][0-9]{0,14}")
TRIES = 10
"""How often a change is tried anew that another writer was before."""


class Programs:
    """Takes, finds, shows and removes programs. A JSON program's headers are sealed: nobody reads them but the step that sends them."""

    def __init__(self, collections: Collections, blobs: Blobs, vault: Vault, guard_url: UrlGuard, clock: Clock) -> None:
        self._collections = collections
        self._blobs = blobs
        self._vault = vault
        self._guard_url = guard_url
        self._clock = clock

    def put(self, project: str, name: str, type_: str, body: bytes) -> tuple[Program, bool]:
        """Keeps a program under a name, in place of the one that had it; True when none had. The bytes that are there change nothing.

        Raises Invalid (its name, its content type, what is in it), TooLarge, Conflict.
        """
        self._check_name(name)
        if type_ not in CONTENT_TYPES:
            message = f"must be one of {', '.join(CONTENT_TYPES)}"
            raise Invalid([Problem(("Content-Type",), message)])
        if len(body) > MAX_BYTES:
            raise TooLarge(f"the program has {len(body)} bytes; at most {MAX_BYTES} are allowed")
        endpoint = program_text.check(type_, body)
        if endpoint is not None and (refusal := self._guard_url.refusal(endpoint.url)):
            raise Invalid([Problem(("body", "url"), refusal)])
        now = self._clock.now()
        made = Program(0, project, name, type_, len(body), hashlib.sha256(body).hexdigest(), now, now)
        for _ in range(TRIES):
            try:
                return self._put(made, body, endpoint)
            except (Conflict, NotFound):  # another wrote it, or removed it, at this moment
                continue
        raise Conflict(f"program {name} is being changed by others")

    def _put(self, made: Program, body: bytes, endpoint: Endpoint | None) -> tuple[Program, bool]:
        was = self._named(made.project, made.name)
        if was is None:
            made = replace(made, number=self._collections.next(made.project, COLLECTION))
            self._keep(made, body, endpoint)
            self._collections.add(_record(made))
            return made, True
        kept = _program(was)
        if (kept.sha256, kept.type) == (made.sha256, made.type):
            return kept, False
        made = replace(made, number=kept.number, created_at=kept.created_at)
        self._keep(made, body, endpoint)
        self._collections.change(replace(_record(made), revision=was.revision))
        return made, False

    def _keep(self, program: Program, body: bytes, endpoint: Endpoint | None) -> None:
        if endpoint is None:
            self._blobs.put(program.blob, body, program.type)
            return
        kept: dict[str, object] = {"url": endpoint.url, "method": endpoint.method, "headers": list(endpoint.headers)}
        if endpoint.headers:
            kept["sealed"] = self._vault.seal(json.dumps(dict(endpoint.headers)), _context(program))
        self._blobs.put(program.blob, json.dumps(kept).encode())

    def get(self, project: str, name: str) -> Program:
        """The program of that name. Raises NotFound."""
        record = self._named(project, name)
        if record is None:
            raise NotFound(f"no program {name[:128]}")
        return _program(record)

    def find(self, project: str, name_or_id: str) -> Program:
        """The program that a task's botId names: by its id (digits alone), else by its name. Raises NotFound."""
        if not _ID.fullmatch(name_or_id):
            return self.get(project, name_or_id)
        try:
            return _program(self._collections.get(project, COLLECTION, int(name_or_id)))
        except NotFound:
            raise NotFound(f"no program {name_or_id}") from None

    def page(self, project: str, limit: int, offset: int = 0) -> Sequence[Program]:
        """A project's programs, lowest id first."""
        return [_program(record) for record in self._collections.page(project, COLLECTION, limit, offset)]

    def count(self, project: str) -> int:
        """How many programs a project has."""
        return self._collections.count(project, COLLECTION)

    def remove(self, project: str, name: str) -> Program:
        """Forgets a program; runs that began with it go on. The program as it was. Raises NotFound."""
        return _program(self._collections.remove(project, COLLECTION, self.find(project, name).number))

    def source(self, program: Program) -> bytes:
        """Its bytes as people may read them: of a JSON program with `***` for the headers' values."""
        if program.type == JSON:
            kept = json.loads(self._blobs.get(program.blob))
            return Endpoint(kept["url"], kept["method"], dict.fromkeys(kept["headers"], "")).shown()
        return self._blobs.get(program.blob)

    def endpoint(self, program: Program) -> Endpoint:
        """Whom a JSON program calls, with its headers. Raises Invalid for headers that can't be opened."""
        kept = json.loads(self._blobs.get(program.blob))
        sealed = kept.get("sealed")
        headers = {} if sealed is None else json.loads(self._vault.open(sealed, _context(program)))
        return Endpoint(kept["url"], kept["method"], headers)

    def _named(self, project: str, name: str) -> Record | None:
        if not NAME.fullmatch(name):
            return None
        try:
            return self._collections.named(project, COLLECTION, name)
        except NotFound:
            return None

    @staticmethod
    def _check_name(name: str) -> None:
        if not NAME.fullmatch(name):
            message = "must begin with a letter or digit and hold up to 128 letters, digits, dots, _ and -"
            raise Invalid([Problem(("name",), message)])
        if name.isdecimal():
            raise Invalid([Problem(("name",), "must not be digits alone, which name programs by id")])


def _context(program: Program) -> str:
    """What a program's headers are sealed for: they open for the same content of the same project only."""
    return f"program:{program.project}:{program.sha256}"


def _record(program: Program) -> Record:
    body = {"type": program.type, "sizeBytes": program.size_bytes, "sha256": program.sha256}
    made, changed = program.created_at, program.updated_at
    return Record(program.project, COLLECTION, program.number, body, made, changed, name=program.name)


def _program(record: Record) -> Program:
    body = record.body
    return Program(
        record.number,
        record.project,
        record.name or "",
        body["type"],
        body["sizeBytes"],
        body["sha256"],
        record.created_at,
        record.updated_at,
    )
