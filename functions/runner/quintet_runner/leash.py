"""The leash of a process: a link that finds nothing for as long as the process may run."""

import os
import threading
from contextlib import suppress

LOOK_SECONDS = 1.0
"""How often the link is looked at; what ends sooner costs no look."""
ANSWER_SECONDS = 3.0
LET_GO_SECONDS = 0.2
"""How long an answer is kept back for a look under way; it ends by itself."""


class Leash:
    """Looks at a link from a thread of its own; `fd` becomes readable once the process must end. Without a link it never does."""

    def __init__(self, link: str | None) -> None:
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._link = link
        self._over = threading.Event()
        self._pulled = threading.Event()
        self._telling = threading.Lock()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Leash":
        if self._link:
            self._thread = threading.Thread(target=self._watch, args=(self._link,), daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._telling:
            self._over.set()
            os.close(self.fd)
        if self._thread is not None:
            self._thread.join(LET_GO_SECONDS)

    @property
    def pulled(self) -> bool:
        """True once the process must end."""
        return self._pulled.is_set()

    def _watch(self, link: str) -> None:
        if self._over.wait(LOOK_SECONDS):
            return
        from quintet_runner.links import Link, LinkFault  # noqa: PLC0415 - see there

        found, done = Link(link, ANSWER_SECONDS), False
        while not done:
            with suppress(LinkFault):  # a look that came to nothing is made again
                done = found.there()
            done = done or self._over.wait(LOOK_SECONDS)
        found.close()
        self._tell()

    def _tell(self) -> None:
        with self._telling:
            if not self._over.is_set():
                self._pulled.set()
                os.eventfd_write(self.fd, 1)
