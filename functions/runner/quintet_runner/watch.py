"""What the runner sees of a process while it runs."""

import os
import selectors
import subprocess
from contextlib import suppress
from typing import IO, Any

from quintet_runner.leash import Leash
from quintet_runner.streams import Stream

_READ = 64 * 1024


class Watch:
    """The pipes of a process, its end and its leash, in one selector."""

    def __init__(self, process: subprocess.Popen[bytes], streams: tuple[Stream, Stream], leash: Leash) -> None:
        self.ended = False
        self.pulled = False
        self._selector = selectors.DefaultSelector()
        self._pidfd = os.pidfd_open(process.pid)
        self._selector.register(self._pidfd, selectors.EVENT_READ)
        self._leash = leash.fd
        self._selector.register(self._leash, selectors.EVENT_READ)
        self._pipes: list[IO[bytes]] = []
        for pipe, stream in zip((process.stdout, process.stderr), streams, strict=True):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, selectors.EVENT_READ, stream)
                self._pipes.append(pipe)

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        os.close(self._pidfd)
        for pipe in self._pipes:
            pipe.close()

    def turn(self, seconds: float) -> None:
        """Waits for something to happen and takes it in."""
        for key, _ in self._selector.select(max(seconds, 0)):
            if key.data is not None:
                self._read(key.fileobj, key.data)
            elif key.fd == self._leash:
                self.pulled = True
                self._selector.unregister(self._leash)
            else:
                self.ended = True

    def drain(self) -> None:
        """Takes what is still in the pipes, without waiting for those that something left open."""
        for key in [key for key in self._selector.get_map().values() if key.data is not None]:
            while self._read(key.fileobj, key.data) and not key.data.flooded:
                pass

    def _read(self, pipe: Any, stream: Stream) -> int:
        part = b""
        with suppress(BlockingIOError):
            part = os.read(pipe.fileno(), _READ)
            if not part:
                self._selector.unregister(pipe)
        stream.add(part)
        return len(part)
