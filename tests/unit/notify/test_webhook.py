"""The webhook against a real HTTP server on this machine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from policy_engine.notify.signatures import HEADER, holds, signed
from policy_engine.notify.webhook import Counts, Webhook
from policy_engine.runtime.ports.notifier import Notice

SECRET = b"a secret of the two"
NOTICE = Notice("q1", "finance", 2, 0, 1000, 2**62)


class Receiver(ThreadingHTTPServer):
    """Answers with the codes it was given, the last one for good; keeps what came."""

    def __init__(self, *codes: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.codes = list(codes)
        self.came: list[tuple[str, str, bytes, str]] = []
        self.go_on = threading.Event()
        self.go_on.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/asked"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.came.append((self.command, self.path, body, self.headers.get(HEADER, "")))
        self.server.go_on.wait(10)
        code = self.server.codes.pop(0) if len(self.server.codes) > 1 else self.server.codes[0]
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _any

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that takes everything."""
    with Receiver(204) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def hook(receiver: Receiver, **changed: object) -> Webhook:
    options = {"first_pause": 0.01, **changed}
    return Webhook(receiver.url, SECRET, **options)  # type: ignore[arg-type]


def test_a_notice_arrives_signed_and_says_nothing_of_the_call(receiver: Receiver) -> None:
    """A POST with the id, the queue and how to look; the receiver can tell who sent it, and when."""
    webhook = hook(receiver)
    webhook.tell(NOTICE)
    webhook.close()
    ((method, path, body, signature),) = receiver.came
    assert (method, path) == ("POST", "/asked")
    told = json.loads(body)
    assert told.pop("id")
    assert told == {
        "kind": "question", "question": "q1", "queue": "finance", "count": 2, "tier": 0, "asked": 1000, "until": 2**62,
        "look": "policy approvals show q1",
    }  # fmt: skip
    assert holds(SECRET, body, signature, time.time())
    assert webhook.counts == Counts(sent=1)


@pytest.mark.parametrize(
    ("secret", "body", "header", "now", "true"),
    [
        (SECRET, b"{}", signed(SECRET, b"{}", 1000), 1000.0, True),
        (SECRET, b"{}", signed(SECRET, b"{}", 1000), 1300.0, True),
        (SECRET, b"{}", signed(SECRET, b"{}", 1000), 1301.0, False),
        (SECRET, b"{}", signed(SECRET, b"{}", 1000), 699.0, False),
        (SECRET, b"{} ", signed(SECRET, b"{}", 1000), 1000.0, False),
        (b"another secret here", b"{}", signed(SECRET, b"{}", 1000), 1000.0, False),
        (SECRET, b"{}", signed(SECRET, b"{}", 1000).replace("t=1000", "t=1100"), 1100.0, False),
        (SECRET, b"{}", "", 1000.0, False),
        (SECRET, b"{}", "t=x,v1=y", 1000.0, False),
        (SECRET, b"{}", "t=1000,v1=\u00e9", 1000.0, False),
    ],
)
def test_a_signature_holds_for_its_body_its_secret_and_its_time(
    secret: bytes, body: bytes, header: str, now: float, true: bool
) -> None:
    """Five minutes either way."""
    assert holds(secret, body, header, now) is true


def test_a_failing_receiver_is_tried_again(receiver: Receiver) -> None:
    """The same message until it is taken, so that the receiver can tell it is the same."""
    receiver.codes = [500, 503, 429, 204]
    webhook = hook(receiver)
    webhook.tell(NOTICE)
    webhook.close()
    assert len(receiver.came) == 4 and len({json.loads(body)["id"] for _, _, body, _ in receiver.came}) == 1
    assert webhook.counts == Counts(sent=1)


@pytest.mark.parametrize(
    ("codes", "came", "why"), [([400], 1, "answered 400"), ([302], 1, "answered 302"), ([500], 3, "answered 500")]
)
def test_what_cannot_be_sent_is_told_and_nothing_fails(receiver: Receiver, codes: list[int], came: int, why: str) -> None:
    """A redirect is not followed, what will not change is not tried again, and there is an end to trying."""
    receiver.codes = codes
    told: list[tuple[Notice, str]] = []
    webhook = hook(receiver, tries=3, on_failure=lambda notice, problem: told.append((notice, problem)))
    webhook.tell(NOTICE)
    webhook.close()
    assert told == [(NOTICE, why)] and webhook.counts == Counts(failed=1)
    assert len(receiver.came) == came and {method for method, *_ in receiver.came} == {"POST"}


def test_a_receiver_that_is_not_there_fails_nobody() -> None:
    """Counted, and a failing `on_failure` is the host's own business."""

    def broken(notice: Notice, why: str) -> None:
        raise RuntimeError(why)

    with Receiver(204) as closed:
        url = closed.url
    webhook = Webhook(url, SECRET, tries=2, first_pause=0.01, on_failure=broken)
    webhook.tell(NOTICE)
    webhook.close()
    assert webhook.counts == Counts(failed=1)


def test_telling_never_waits_and_the_queue_has_an_end(receiver: Receiver) -> None:
    """While the receiver hangs, three wait and the rest are dropped and told."""
    receiver.go_on.clear()
    dropped: list[str] = []
    webhook = hook(receiver, most_waiting=3, on_failure=lambda notice, why: dropped.append(notice.question))
    for number in range(6):
        webhook.tell(replace(NOTICE, question=f"q{number}"))
    assert dropped == ["q3", "q4", "q5"]
    receiver.go_on.set()
    webhook.close()
    assert webhook.counts == Counts(sent=3, dropped=3)
    webhook.tell(NOTICE)
    assert webhook.counts == Counts(sent=3, dropped=4)


def test_what_is_over_is_not_sent(receiver: Receiver) -> None:
    """Nobody is called to a question whose time has passed."""
    webhook = hook(receiver)
    webhook.tell(replace(NOTICE, until=5))
    webhook.close()
    assert receiver.came == [] and webhook.counts == Counts(dropped=1)


@pytest.mark.parametrize(
    ("url", "secret"), [("http://example.org/x", SECRET), ("ftp://localhost", SECRET), ("https://example.org", b"short")]
)
def test_what_others_could_read_or_forge_is_refused(url: str, secret: bytes) -> None:
    """Plain http only on this machine, and no short secrets."""
    with pytest.raises(ValueError, match="webhook"):
        Webhook(url, secret)
