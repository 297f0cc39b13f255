"""Calls of the host's REST API: JSON in and out, deadlines, and retries that carry a trainer over a host's restart."""

from __future__ import annotations

import json
import logging
import os
import random
import time
from typing import Any, Container, Optional

from . import unixhttp
from .errors import DeadlineExceeded, ProtocolError, Unavailable, from_answer

SOCKET_VARIABLE = "TIDEGATE_SOCKET"
DEFAULT_SOCKET = "tidegate-dev/tidegate.sock"
MAX_SOCKET_PATH = 107
"""Bytes that Linux allows in the path of a Unix socket."""

_log = logging.getLogger("tidegate")
# Not the `random` module's own generator: drawing from it would change the trainer's stream.
_random = random.SystemRandom()


def jitter(pause: float) -> float:
    """A pause of at most so long, so that many ranks do not come back at the same moment."""
    return pause * _random.uniform(0.5, 1.0)


def find_socket(argument: Optional[str]) -> str:
    """The absolute path of the socket: the argument, else `$TIDEGATE_SOCKET`, else `./tidegate-dev/tidegate.sock`.

    Raises `ValueError` when it is longer than a socket's path may be.
    """
    path = os.path.abspath(argument or os.environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET)
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise ValueError(f"the socket's path is longer than {MAX_SOCKET_PATH} bytes: {path}")
    return path


class Transport:
    """Speaks to one host. Holds no connection, so any thread and any forked process may use it."""

    def __init__(self, path: str, timeout: float, retry_for: float) -> None:
        self.path, self.timeout, self.retry_for = path, timeout, retry_for

    def call(
        self,
        attempted: str,
        method: str,
        target: str,
        body: Any = None,
        *,
        repeatable: bool,
        timeout: Optional[float] = None,
        retry_for: Optional[float] = None,
        final: Container[Optional[str]] = (),
    ) -> Any:
        """Makes a call and returns the decoded answer (None when it is empty).

        `attempted` completes "cannot ..." in errors. `timeout` is for one attempt, `retry_for` for all that follow the
        first failure, both in seconds. A request that never reached the host, or that it turned away (503, 429), is
        always tried again; one whose answer was lost only if it is `repeatable`: doing it twice is like doing it once.
        An answer with one of the codes in `final` is raised at once: the caller knows better what to do.

        Raises `DeadlineExceeded`, `Unavailable`, `ProtocolError`, or the error that the host answered.
        """
        timeout = self.timeout if timeout is None else timeout
        retry_for = self.retry_for if retry_for is None else retry_for
        give_up: Optional[float] = None
        pause = 0.05
        while True:
            try:
                return self._once(attempted, method, target, body, timeout)
            except (unixhttp.NotSent, unixhttp.AnswerLost, Unavailable) as error:
                if isinstance(error, Unavailable) and (error.status not in (503, 429) or error.code in final):
                    raise
                if isinstance(error, unixhttp.AnswerLost) and not repeatable:
                    raise self._gone(attempted, error) from error
                now = time.monotonic()
                if give_up is None:
                    give_up = now + retry_for
                    if retry_for:
                        _log.warning("cannot %s yet: %s; trying for %g s", attempted, error, retry_for)
                if now >= give_up:
                    raise self._gone(attempted, error) from error
                time.sleep(min(jitter(pause), max(0.0, give_up - now)))
                pause = min(2 * pause, 1.0)

    def _once(self, attempted: str, method: str, target: str, body: Any, timeout: float) -> Any:
        headers = {"Accept": "application/json", "User-Agent": "tidegate-python"}
        content = None
        if body is not None:
            content = json.dumps(body, allow_nan=False).encode()
            headers["Content-Type"] = "application/json"
        try:
            status, answer = unixhttp.request(self.path, method, target, content, headers, time.monotonic() + timeout)
        except TimeoutError as error:
            raise DeadlineExceeded(f"cannot {attempted}: no answer from {self.path} within {timeout:g} s") from error
        except OSError as error:
            raise Unavailable(f"cannot {attempted} over {self.path}: {error}") from error
        if status >= 400:
            raise from_answer(attempted, status, answer)
        try:
            return json.loads(answer) if answer else None
        except ValueError as error:
            raise ProtocolError(f"cannot {attempted}: the answer is not JSON", status=status) from error

    def _gone(self, attempted: str, error: Exception) -> Unavailable:
        """What to raise in the end for a failure that is no answer."""
        if isinstance(error, Unavailable):
            return error
        if isinstance(error, unixhttp.NotSent):
            hint = f"is the host running? start it with `tidegate dev`, or set {SOCKET_VARIABLE}"
            return Unavailable(f"cannot {attempted}: no host on {self.path}: {error}", hint=hint)
        return Unavailable(f"cannot {attempted}: the host on {self.path} went away: {error}")
