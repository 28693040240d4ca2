"""Starts and stops the local cloud: data folder, emulator, deployment, front door, watcher, in this order and back."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from quintet_cli.cloud import bootstrap, control_plane, server
from quintet_cli.cloud.control_plane import Deployment
from quintet_cli.cloud.deployer import Deployer
from quintet_cli.cloud.emulator import Emulator
from quintet_cli.cloud.frontdoor import FrontDoor
from quintet_cli.cloud.gateway import Gateway
from quintet_cli.cloud.home import Home
from quintet_cli.cloud.watch import Watcher
from quintet_cli.errors import CommandError, HomeError
from quintet_cli.settings import Settings

_STOP_WITHIN_S = 8.0
Say = Callable[[str], None]


class LocalCloud:
    """The whole of Quintet on one machine, in one process and its Lambda workers."""

    def __init__(self, settings: Settings, say: Say = print, *, watch: bool = True) -> None:
        self._settings = settings
        self._say = say
        self._watch = watch
        self._home = Home(settings.home)
        self._stop = asyncio.Event()
        self._stop_serving = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM; raise CommandError when it cannot start."""
        began = time.monotonic()
        self._home.open()
        try:
            sockets = server.bind_front(self._settings.port)
            endpoint = server.bind_free()
            await self._serve(sockets, endpoint, began)
        finally:
            self._home.close()

    def stop(self) -> None:
        """Ask the server to stop."""
        self._stop.set()

    def report(self, fault: str) -> None:
        """Say what a function raised; not while stopping, when calls are cut off and that is nobody's fault."""
        if not self._stop.is_set():
            self._say(fault)

    async def _serve(self, sockets: list[socket.socket], endpoint: socket.socket, began: float) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.stop)
        self._front = FrontDoor(self._settings.root / "console", self._settings.port)
        self._emulator = Emulator(self._settings, self._home, endpoint.getsockname()[1])
        self._deployer = Deployer(self._settings, self._emulator.endpoint, self._home.record)
        try:
            self._spawn(server.Server(self._front, sockets).serve(self._stop_serving))
            await self._emulator.start()
            self._deployer.recall()
            self._emulator.attach_log()
            self._check_record()
            self._spawn(server.Server(self._emulator.application, [endpoint]).serve(self._stop_serving))
            self._home.publish(self._emulator.endpoint)
            await self._until_stopped(self._make_ready())
            if not self._stop.is_set():
                self._say(
                    f"Ready in {time.monotonic() - began:.1f} s: {self._settings.url.replace('127.0.0.1', 'localhost')}"
                )
                await self._until_stopped(self._follow() if self._watch else self._stop.wait())
        finally:
            await self._close()

    async def _make_ready(self) -> None:
        if not self._deployer.is_current():
            self._say("Deploying template.yaml ...")
            await asyncio.to_thread(self._deployer.deploy)
            self._deployer.remember()
        deployment = self._deployer.current
        assert deployment is not None  # noqa: S101 - deploy() has made it or raised
        self._open(deployment)
        await bootstrap.prepare(self._settings, self._emulator, deployment, self._say)
        self._front.ready = True

    def _check_record(self) -> None:
        if self._deployer.current is not None:
            control_plane.renew_tables(self._deployer.current)
        elif control_plane.holds_items():
            # Deploying anew would put empty tables in the place of these.
            raise HomeError(
                f"The data folder {self._home.path} is damaged: it holds data, but {self._home.record.name} is missing."
            )

    def _open(self, deployment: Deployment) -> None:
        if api := deployment.first_of("AWS::ApiGatewayV2::Api"):
            self._front.gateway = Gateway(api, self.report)

    async def _follow(self) -> None:
        watcher = Watcher(self._settings, self._emulator, self._deployer, self._open, self._say)
        await asyncio.gather(watcher.run(), self._deployer.warm_up())

    async def _until_stopped(self, work: Coroutine[Any, Any, Any]) -> None:
        """Await `work`, or the wish to stop, or the end of a server, whichever comes first."""
        task = asyncio.create_task(work)
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({task, stopping, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if task.done():
            task.result()
            return
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        for served in self._tasks:
            if served.done():
                served.result()
                raise CommandError("The server has ended by itself.")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _close(self) -> None:
        # Whatever hangs, the process is gone in time: a thread in a call that never returns would hold it.
        # What is cut off now is expected: the emulator need not report it.
        logging.disable(logging.CRITICAL)
        threading.Thread(target=self._leave_in_time, daemon=True, name="quintet-exit").start()
        self._front.stop()
        self._stop_serving.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._emulator.stop_workers)
        await self._emulator.stop()

    def _leave_in_time(self) -> None:
        time.sleep(_STOP_WITHIN_S)
        self._emulator.stop_workers()
        self._home.close()
        os._exit(0)


def run(settings: Settings, say: Say = print, *, watch: bool = True) -> None:
    """Run the local cloud in the foreground; raise CommandError when it cannot start."""
    try:
        asyncio.run(LocalCloud(settings, say, watch=watch).run())
    finally:
        sys.stdout.flush()
