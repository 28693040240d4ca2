"""Who calls: API keys from a header or a cookie, looked up by digest, and what they may do."""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from quintet.domain.errors import Forbidden, Unauthenticated
from quintet.domain.scopes import allows
from quintet.services.ports.keys import Key, Keys
from quintet.services.ports.world import Clock

log = logging.getLogger(__name__)

COOKIE = "vai_token"
KEPT = timedelta(seconds=30)
_REMEMBERED = 1024
_MAX_SECRET = 512
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a valid key."""

    key: Key

    @property
    def project(self) -> str:
        """The only project this caller sees."""
        return self.key.project

    @property
    def name(self) -> str:
        """What the journal and approvals say of this caller."""
        return self.key.owner or self.key.name

    def require(self, scope: str) -> None:
        """Raises Forbidden, naming the scope, when the key lacks it."""
        if not allows(self.key.scopes, scope):
            raise Forbidden(f"This key lacks the scope '{scope}'")


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret and whether a browser attached it by itself."""

    secret: str
    from_cookie: bool = False


def credential(headers: Mapping[str, str], cookies: Sequence[str]) -> Credential:
    """The secret a request carries: bearer token, else X-API-Key, else cookie. `headers` are by lower-case name. Raises Unauthenticated.

    X-API-Key may be written `org:<key>`: the key follows the last colon, and says by itself whose it is.
    """
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return Credential(token.strip())
    if given := headers.get("x-api-key", "").rpartition(":")[2].strip():
        return Credential(given)
    for line in (*cookies, headers.get("cookie", "")):
        if secret := _from_cookie(line):
            return Credential(secret, from_cookie=True)
    raise Unauthenticated("Not authenticated")


def _from_cookie(line: str) -> str | None:
    if COOKIE not in line:
        return None
    try:
        morsel = SimpleCookie(line).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def refuse_cross_site(method: str, headers: Mapping[str, str]) -> None:
    """Raises Forbidden for a change asked by another site's page with the user's cookie (request forgery)."""
    if method in _SAFE_METHODS:
        return
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("A cookie does not authenticate requests from other sites")
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise Forbidden("A cookie does not authenticate requests from other sites")


class Authenticator:
    """Turns secrets into callers; a valid key is remembered for KEPT, so a revoked one works at most that much longer."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[str, tuple[Key, datetime]] = OrderedDict()

    def caller(self, secret: str, keys: Keys, clock: Clock) -> Caller:
        """Raises Unauthenticated for a secret that is unknown, revoked or expired."""
        now = clock.now()
        if len(secret) > _MAX_SECRET:
            raise Unauthenticated("Invalid API key")
        digest = hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
        key = self._recall(digest, now) or keys.find(digest)
        if key is None or not key.works(now):
            self._remembered.pop(digest, None)
            raise Unauthenticated("Invalid API key")
        if digest not in self._remembered:
            _note_use(key, digest, keys, now)
            self._remembered[digest] = (key, now)
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return Caller(key)

    def _recall(self, digest: str, now: datetime) -> Key | None:
        found = self._remembered.get(digest)
        if found is None:
            return None
        key, since = found
        if now - since < KEPT:
            return key
        del self._remembered[digest]
        return None


def _note_use(key: Key, digest: str, keys: Keys, now: datetime) -> None:
    """Says at most once a minute that a key is in use; a request never fails by it."""
    if key.last_used_at is not None and now - key.last_used_at < _NOTED_EVERY:
        return
    try:
        keys.used(digest, now)
    except Exception:
        log.exception("the use of key %s could not be noted", key.id)
