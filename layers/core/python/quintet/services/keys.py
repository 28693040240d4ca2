"""Issues, lists, rotates and revokes API keys."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime

from quintet.domain.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from quintet.domain.events import from_millis, to_millis
from quintet.domain.scopes import EVERYTHING, SCOPES, WORKING, allows
from quintet.services.ports.keys import Key, KeyPage, Keys
from quintet.services.ports.projects import Project
from quintet.services.ports.world import Clock, Ids
from quintet.services.projects import NAME_LENGTH, Projects

PREFIX = 8
SECRET_BYTES = 32


def new_secret() -> str:
    """A secret of 256 random bits, told from others' by its beginning."""
    return f"qk_{secrets.token_urlsafe(SECRET_BYTES)}"


def digest_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ManageKeys:
    """A key with `admin` or `*` manages the keys of its own project and of those made from it; any other one those of its own."""

    def __init__(
        self, keys: Keys, projects: Projects, clock: Clock, ids: Ids, secret: Callable[[], str] = new_secret
    ) -> None:
        self._keys = keys
        self._projects = projects
        self._clock = clock
        self._ids = ids
        self._secret = secret

    def issue(
        self,
        by: Key,
        project_id: str,
        name: str,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[Key, str]:
        """A new key and its secret, which is told only here. Without scopes it gets those to work with (WORKING) that `by` has itself.

        Raises Invalid, NotFound for a project that `by` does not see, Forbidden for one whose keys it may not manage.
        """
        project = self._managed(by, project_id)
        now = self._clock.now()
        self._check(by, name, scopes, expires_at, now)
        given = [scope for scope in WORKING if allows(by.scopes, scope)] if scopes is None else scopes
        secret = self._secret()
        key = Key(
            id=self._ids.new(),
            project=project.id,
            namespace=project.id,
            name=name,
            prefix=secret[:PREFIX],
            scopes=frozenset(given),
            created_at=now,
            expires_at=None if expires_at is None else from_millis(to_millis(expires_at)),
        )
        self._keys.add(digest_of(secret), key, recorded=project.recorded)
        return key, secret

    def page(self, by: Key, project_id: str, limit: int, cursor: str | None = None) -> KeyPage:
        """A project's keys, newest first, revoked and expired ones included. Raises NotFound, Forbidden, Invalid for a bad cursor."""
        return self._keys.page(self._managed(by, project_id).id, limit, cursor)

    def get(self, by: Key, key_id: str) -> Key:
        """One key. Raises NotFound, also for one of a project whose keys `by` may not manage."""
        return self._keys.get(self._home(by, key_id), key_id)

    def revoke(self, by: Key, key_id: str) -> Key:
        """Has a key work no more, for good; processes that know it forget it within 30 s.

        Raises NotFound, Forbidden for one with scopes that `by` could not give.
        """
        project = self._home(by, key_id)
        self._refuse_stronger(by, self._keys.get(project, key_id))
        return self._keys.revoke(project, key_id, self._clock.now())

    def rotate(self, by: Key, key_id: str) -> tuple[Key, str]:
        """The key with a new secret, which is told only here; the one before works no more.

        Raises NotFound, Conflict for a key that is revoked or expired, Forbidden for one with scopes that `by` could not give.
        """
        project = self._home(by, key_id)
        key = self._keys.get(project, key_id)
        if not key.works(self._clock.now()):
            raise Conflict(f"key {key_id} is {'revoked' if key.revoked_at else 'expired'}")
        self._refuse_stronger(by, key)
        secret = self._secret()
        return self._keys.rotate(project, key_id, digest_of(secret), secret[:PREFIX]), secret

    def _managed(self, by: Key, project_id: str) -> Project:
        project = self._projects.get(by, project_id)
        if project.id != by.project and EVERYTHING.isdisjoint(by.scopes):
            raise Forbidden("Keys of another project need the scope 'admin'")
        return project

    def _home(self, by: Key, key_id: str) -> str:
        project_id = self._keys.project_of(key_id)
        try:
            return self._managed(by, project_id).id
        except (NotFound, Forbidden):
            raise NotFound(f"no key {key_id}") from None

    @staticmethod
    def _refuse_stronger(by: Key, key: Key) -> None:
        if missing := sorted(scope for scope in key.scopes if not allows(by.scopes, scope)):
            raise Forbidden(f"This key lacks the scope '{missing[0]}', which the other one has")

    @staticmethod
    def _check(by: Key, name: str, scopes: Sequence[str] | None, expires_at: datetime | None, now: datetime) -> None:
        problems = []
        if not name.strip() or len(name) > NAME_LENGTH:
            problems.append(Problem(("name",), f"a name has 1 to {NAME_LENGTH} characters"))
        if scopes is not None and not scopes:
            problems.append(Problem(("scopes",), "a key needs a scope"))
        for index, scope in enumerate(scopes or ()):
            if scope not in SCOPES:
                message = f"unknown scope {scope!r}; there are {', '.join(SCOPES)}"
                problems.append(Problem(("scopes", index), message, "unknown_scope"))
            elif not allows(by.scopes, scope):
                problems.append(
                    Problem(("scopes", index), f"the calling key has no {scope!r} to give", "scope_not_held")
                )
        if scopes is None and not any(allows(by.scopes, scope) for scope in WORKING):
            problems.append(Problem(("scopes",), "the calling key has none of the usual scopes to give: name some"))
        if expires_at is not None and expires_at <= now:
            problems.append(Problem(("expires_at",), "must be in the future"))
        if problems:
            raise Invalid(problems)
