"""A local server that answers after as long as it is asked to (`/sleep/0.25`), or with as many rows (`/rows/100`).

It is a process of its own, with one thread.
"""

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n"
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


@contextmanager
def endpoint() -> Iterator[str]:
    """Its address while it runs."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    listening.set_inheritable(True)
    number = listening.fileno()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.endpoints", str(number)], pass_fds=(number,))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        process.terminate()
        process.wait()
        listening.close()


async def _serve(number: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = _LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
                _, what, how_much = head.split(b" ", 2)[1].partition(b"?")[0].decode().split("/")
                if what == "sleep":
                    await asyncio.sleep(float(how_much))
                body = b"{}" if what == "sleep" else _rows(int(how_much))
                writer.write(_HEAD.format(len(body)).encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, sock=socket.socket(fileno=number))
    await server.serve_forever()


def _rows(count: int) -> bytes:
    return json.dumps([{"id": place, "name": f"row {place}"} for place in range(count)]).encode()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
