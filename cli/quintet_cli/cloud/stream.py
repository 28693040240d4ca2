"""Server-sent events through a function that answers in pieces.

A Lambda behind API Gateway answers once, with a buffered piece of the stream. The front door keeps the client's
connection open, passes each piece on, and asks for the next one after the last event id seen.
"""

import asyncio
import re
from dataclasses import replace

from quintet_cli.cloud.emulator import Receive, Send
from quintet_cli.cloud.gateway import Gateway, Request, Response

_PAUSE_S = 0.25
KEEP_ALIVE_S = 15.0
# Only these end a line of an event stream; str.splitlines knows many more, which data may hold.
_LINE_END = re.compile(r"\r\n|\n|\r")


def wants_stream(request: Request) -> bool:
    """Tell whether this is a request for an event stream."""
    accepts = request.headers.get("accept", "")
    path = request.raw_path.rstrip("/")
    return request.method == "GET" and "text/event-stream" in accepts and path.endswith(("/events", "/stream"))


class Relay:
    """One client's stream, from its first piece until its end or until the client leaves."""

    def __init__(self, gateway: Gateway, request: Request, stopping: asyncio.Event) -> None:
        self._gateway = gateway
        self._request = replace(request, headers={**request.headers, "x-quintet-stream": "1"})
        self._stopping = stopping
        self._spoken = asyncio.get_running_loop().time()

    async def run(self, receive: Receive, send: Send) -> None:
        """Answer the request: as a stream when the first piece is one, else with the answer as it is."""
        first = await self._gateway.call(self._request)
        if first.status != 200 or not first.header("content-type").startswith("text/event-stream"):
            await send({"type": "http.response.start", "status": first.status, "headers": first.wire_headers()})
            await send({"type": "http.response.body", "body": first.body})
            return
        headers = [item for item in first.wire_headers() if item[0] != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        tasks = [
            asyncio.create_task(self._relay(first, send)),
            asyncio.create_task(self._keep_alive(send)),
            asyncio.create_task(_left(receive)),
            asyncio.create_task(self._stopping.wait()),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await send({"type": "http.response.body", "body": b""})

    async def _relay(self, answer: Response, send: Send) -> None:
        while answer.status == 200:
            piece = Piece(answer.body)
            if piece.body:
                await self._say(send, piece.body)
            if piece.ends:
                return
            if piece.last_id is not None:
                headers = {**self._request.headers, "last-event-id": piece.last_id}
                self._request = replace(self._request, headers=headers)
            else:
                # A piece without an id has no news (a heartbeat at most), so asking again at once would never end.
                await asyncio.sleep(_PAUSE_S)
            answer = await self._gateway.call(self._request)

    async def _keep_alive(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._spoken + KEEP_ALIVE_S - loop.time()))
            if loop.time() - self._spoken >= KEEP_ALIVE_S:
                await self._say(send, b": keep-alive\n\n")

    async def _say(self, send: Send, text: bytes) -> None:
        self._spoken = asyncio.get_running_loop().time()
        await send({"type": "http.response.body", "body": text, "more_body": True})


class Piece:
    """What one buffered answer says: its events, the last id among them, and whether it ends the stream."""

    def __init__(self, body: bytes) -> None:
        self.last_id: str | None = None
        self.ends = False
        spoken = False
        for line in _LINE_END.split(body.decode("utf-8", errors="replace")):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            spoken = spoken or bool(name)
            if name == "id":
                self.last_id = value
            elif name == "event" and value == "end":
                self.ends = True
        # A piece of comments only is the function's way to say that nothing came.
        self.body = body if spoken else b""
        if self.body and not self.body.endswith(b"\n\n"):
            self.body = self.body.rstrip(b"\n") + b"\n\n"


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
