"""Breaker, retry and timeout against a real server on loopback that fails, hangs, drops connections, answers slowly, recovers."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anyio
import pytest

from policy_engine import BreakerOpen, DeadlineExceeded, Mediator, loads

from ..unit.mediation.conftest import HEAD, TOOLS
from .hosts import USER


class Server(ThreadingHTTPServer):
    """Answers each request as the next word of `plan` says, and well when there is none."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.plan: list[str] = []
        self.asked = 0
        self.over = threading.Event()
        self.lock = threading.Lock()

    def handle_error(self, *_: Any) -> None:
        """A connection that the test dropped is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.asked += 1
            word = self.server.plan.pop(0) if self.server.plan else "well"
        match word:
            case "drop":
                self.connection.close()
                return
            case "hang":
                self.server.over.wait(30)
            case "slow":
                time.sleep(0.05)
        body = b"" if word == "fail" else b"1234"
        self.send_response(503 if word == "fail" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quietly."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


class Gone(ConnectionError):
    """The server did not answer well."""


class Client:
    """Looks an order up over HTTP, in a thread or in a task."""

    def __init__(self, server: Server) -> None:
        self.port = server.server_port

    def sync(self, id: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{id}", timeout=20) as answer:
                return self._order(id, answer.read().decode())
        except OSError as fault:
            raise Gone(str(fault)) from fault

    async def task(self, id: str) -> Any:
        try:
            async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
                await stream.send(f"GET /{id} HTTP/1.0\r\n\r\n".encode())
                said = b"".join([piece async for piece in stream])
        except (OSError, anyio.BrokenResourceError) as fault:
            raise Gone(str(fault)) from fault
        if b" 200 " not in said.partition(b"\r\n")[0]:
            raise Gone("no good answer")
        return self._order(id, said.rpartition(b"\r\n")[2].decode())

    def _order(self, id: str, card: str) -> Any:
        return {"id": id, "card": card, "tenant": "acme"}


RULES = """retry reads on crm.look up to 3 times backoff 1ms..5ms when error.retryable && error.kind != "timeout"
breaker crm on crm.look open after 4 failures in 30s probe after 1s else reply "The shop is down."
timeout quick on crm.look after 2s
"""


async def story(look: Any, server: Server) -> None:
    """The same for threads and tasks: `look` is called with an id."""
    server.plan = ["fail", "drop", "slow"]
    assert (await look("1"))["card"] == "1234"
    assert server.asked == 3, "two failures were tried again, the slow answer was waited for"
    server.plan = ["fail", "drop"]
    with pytest.raises(Gone):
        await look("2")
    assert server.asked == 5, "the fourth failure opened the breaker, which ended the retries"
    for _ in range(3):
        with pytest.raises(BreakerOpen, match=r"^The shop is down\.$"):
            await look("3")
    assert server.asked == 5, "the server is left alone"
    await anyio.sleep(1.1)
    server.plan = ["fail"]
    with pytest.raises(Gone):
        await look("4")
    with pytest.raises(BreakerOpen):
        await look("5")
    await anyio.sleep(1.1)
    assert (await look("6"))["card"] == "1234"
    assert (await look("7"))["card"] == "1234"
    server.plan = ["hang"]
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded) as late:
        await look("8")
    assert late.value.started and time.monotonic() - begun < 15
    assert (await look("9"))["card"] == "1234"


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("way", ["threads", "asyncio", "trio"])
def test_a_flaky_server_is_borne(way: str, store: str, server: Server, tmp_path: Any) -> None:
    """It fails and is asked again; goes on failing and is left alone; recovers and is probed; hangs and is not waited for."""
    url = "memory://" if store == "memory" else f"sqlite:///{tmp_path}/state.db"
    client = Client(server)
    with Mediator(loads(HEAD + RULES, files={"tools.json": TOOLS}), url) as mediator:

        async def sync() -> None:
            with mediator.run(principal=USER) as run:

                async def look(id: str) -> Any:
                    return run.call("crm.look", {"id": id}, execute=client.sync)

                await story(look, server)

        async def tasks() -> None:
            async with mediator.run(principal=USER) as run:

                async def look(id: str) -> Any:
                    return await run.call("crm.look", {"id": id}, execute=client.task)

                await story(look, server)

        anyio.run(sync if way == "threads" else tasks, backend="trio" if way == "trio" else "asyncio")
        states = [entry.body["state"] for entry in mediator.audit.entries() if entry.kind == "breaker"]
        assert states == ["open", "closed"]
