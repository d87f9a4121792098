"""A signed webhook that tells some service of the host's that people are asked.

The message says which question waits in which queue and how to look at it, and nothing of the call. Nothing comes back
through it: an answer is a signature by a person's key, never a link that was opened. Sent in the background, tried again
with growing pauses; what cannot be sent is counted and told to the host, and the question waits all the same.
"""

from __future__ import annotations

import heapq
import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from email.message import Message
from typing import IO, Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from policy_engine.notify.signatures import HEADER, signed
from policy_engine.runtime.ports.notifier import Notice

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_AGAIN: Final = frozenset({408, 425, 429})
_NANOS: Final = 1_000_000_000
LEAST_SECRET: Final = 16


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the notices: `sent`; `failed` for good; `dropped`, because too many waited or their time was over."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0


@dataclass(order=True, slots=True)
class _Due:
    at: float
    number: int
    tries: int
    id: str
    notice: Notice


class Webhook:
    """Implements `runtime.ports.notifier.Notifier`. Thread-safe; one thread sends, begun with the first notice."""

    def __init__(
        self, url: str, secret: bytes, *, most_waiting: int = 1000, tries: int = 8, first_pause: float = 1.0,
        longest_pause: float = 60.0, timeout: float = 10.0, on_failure: Callable[[Notice, str], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """`url` is https, or on this machine. `secret` has at least 16 bytes. Pauses and `timeout` are seconds. `on_failure` is
        told of notices that were not sent, and why. Raises `ValueError`.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError("a webhook goes to https, or to this machine")
        if len(secret) < LEAST_SECRET:
            raise ValueError(f"the secret of a webhook has at least {LEAST_SECRET} bytes")
        self._url = url
        self._secret = secret
        self._most_waiting = most_waiting
        self._tries = tries
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._timeout = timeout
        self._on_failure = on_failure
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: list[_Due] = []
        self._sending = 0
        self._numbers = 0
        self._counts = Counts()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._opener = urllib.request.build_opener(_NoRedirects())

    @property
    def counts(self) -> Counts:
        """What became of the notices so far."""
        with self._changed:
            return self._counts

    def tell(self, notice: Notice) -> None:
        """Send it soon; where too many wait already, or the webhook is closed, it is dropped and that is told."""
        with self._changed:
            full = self._closed or len(self._waiting) + self._sending >= self._most_waiting
            if not full:
                self._put(notice, uuid4().hex, tries=0, pause=0.0)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="policy-webhook", daemon=True)
                    self._thread.start()
        if full:
            self._lost(notice, "too many notices wait to be sent", dropped=True)

    def close(self, timeout: float = 5.0) -> None:
        """Send what waits, for at most so many seconds, and take no more."""
        ends = time.monotonic() + timeout
        with self._changed:
            self._closed = True
            while (self._waiting or self._sending) and (left := ends - time.monotonic()) > 0:
                self._changed.wait(left)
            self._waiting.clear()
            self._changed.notify_all()

    # ------------------------------------------------------------------ the thread that sends
    def _put(self, notice: Notice, id: str, *, tries: int, pause: float) -> None:
        self._numbers += 1
        heapq.heappush(self._waiting, _Due(time.monotonic() + pause, self._numbers, tries, id, notice))
        self._changed.notify_all()

    def _run(self) -> None:
        while (due := self._next()) is not None:
            try:
                self._deal(due)
            except Exception as fault:  # a bug must not end the thread: later notices are people who wait
                self._lost(due.notice, f"{type(fault).__name__} in the webhook")
            finally:
                with self._changed:
                    self._sending -= 1
                    self._changed.notify_all()

    def _next(self) -> _Due | None:
        with self._changed:
            while True:
                if self._waiting:
                    pause = self._waiting[0].at - time.monotonic()
                    if pause <= 0:
                        self._sending += 1
                        return heapq.heappop(self._waiting)
                    self._changed.wait(pause)
                elif self._closed:
                    return None
                else:
                    self._changed.wait()

    def _deal(self, due: _Due) -> None:
        if self._clock() * _NANOS > due.notice.until:
            self._lost(due.notice, "the time to answer was over before it could be sent", dropped=True)
            return
        problem, again = self._send(due)
        if problem is None:
            with self._changed:
                self._counts = replace(self._counts, sent=self._counts.sent + 1)
        elif again and due.tries + 1 < self._tries:
            pause = min(self._longest_pause, self._first_pause * 2**due.tries) * random.uniform(0.5, 1.0)
            with self._changed:
                self._put(due.notice, due.id, tries=due.tries + 1, pause=pause)
        else:
            self._lost(due.notice, problem)

    def _send(self, due: _Due) -> tuple[str | None, bool]:
        """What went wrong, and whether another try may help."""
        body = _body(due)
        request = urllib.request.Request(
            self._url, data=body, method="POST",
            headers={"Content-Type": "application/json", HEADER: signed(self._secret, body, int(self._clock()))},
        )  # fmt: skip
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return (None, False) if 200 <= answer.status < 300 else (f"answered {answer.status}", False)
        except urllib.error.HTTPError as fault:
            fault.close()
            return f"answered {fault.code}", fault.code >= 500 or fault.code in _AGAIN
        except (OSError, ValueError) as fault:
            return f"not reached ({type(fault).__name__})", True

    def _lost(self, notice: Notice, why: str, *, dropped: bool = False) -> None:
        with self._changed:
            before = self._counts
            self._counts = (
                replace(before, dropped=before.dropped + 1) if dropped else replace(before, failed=before.failed + 1)
            )
        if self._on_failure is not None:
            try:
                self._on_failure(notice, why)
            except Exception:
                return  # the host's own; whoever waits for people must not fail by it


def _body(due: _Due) -> bytes:
    look = f"policy approvals show {due.notice.question}"
    return json.dumps({"id": due.id, "kind": "question", **asdict(due.notice), "look": look}).encode()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET, and go where nobody sent it."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message[str, str], newurl: str
    ) -> Any:
        """Never."""
        return None
