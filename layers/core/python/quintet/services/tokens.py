"""Tokens of runs: what a program needs to report on the run it works on, and on no other."""

import base64
import secrets
from dataclasses import dataclass
from threading import Lock

from quintet.domain.errors import Unauthenticated
from quintet.services.ports.secrets import Vault
from quintet.services.ports.signing import SigningSecrets, TokenCodec

NAME = "run-tokens"
CONTEXT = "signing:run-tokens"
KEY_BYTES = 32
MAX_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class RunToken:
    """Whom a token speaks for: a run, and, when it was sent to an endpoint, the step and the attempt (the number of the event that began
    it) it was sent with."""

    run_id: str
    path: str | None = None
    token: int | None = None


class RunTokens:
    """Issues and reads run tokens. They carry no time: one is good for as long as its run, or its attempt, is under way."""

    def __init__(self, kept: SigningSecrets, vault: Vault, codec: TokenCodec) -> None:
        self._kept = kept
        self._vault = vault
        self._codec = codec
        self._key: bytes | None = None
        self._opening = Lock()

    def issue(self, run_id: str, path: str | None = None, token: int | None = None) -> str:
        """The token of a run, or of one attempt of a step in it; the same whenever it is asked for."""
        claims: dict[str, object] = {"run": run_id}
        if path is not None:
            claims |= {"path": path, "tok": token}
        return self._codec.encode(claims, self._secret())

    def read(self, text: str) -> RunToken:
        """Whom a token speaks for. Raises Unauthenticated for one that is malformed or not ours."""
        if not text or len(text) > MAX_CHARACTERS:
            raise Unauthenticated("Invalid run token")
        claims = self._codec.decode(text, self._secret())
        match claims:
            case {"run": str(run_id), "path": str(path), "tok": int(token)}:
                return RunToken(run_id, path, token)
            case {"run": str(run_id)} if "path" not in claims and "tok" not in claims:
                return RunToken(run_id)
        raise Unauthenticated("Invalid run token")

    def _secret(self) -> bytes:
        """The signing key, opened once a process; made by whoever needs it first."""
        with self._opening:
            if self._key is None:
                sealed = self._kept.find(NAME)
                if sealed is None:
                    made = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
                    sealed = self._kept.keep(NAME, self._vault.seal(made, CONTEXT))
                self._key = base64.b64decode(self._vault.open(sealed, CONTEXT))
            return self._key
