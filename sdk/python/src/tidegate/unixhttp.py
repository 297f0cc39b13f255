"""One HTTP request over a Unix socket, with one deadline for all of it.

Each request has a connection of its own. On a Unix socket that costs some tens of microseconds, and in return there is
nothing to share between threads, nothing to break when a data loader forks, and no idle connection that a restarted
host has forgotten.
"""

from __future__ import annotations

import errno
import http.client
import socket
import time
from typing import Any, Optional

MAX_ANSWER = 64 << 20
"""The longest answer that is read, in bytes."""


class NotSent(Exception):
    """The host was not reached: it has seen nothing of the request."""


class AnswerLost(Exception):
    """The connection broke after the request was (partly) sent: it may or may not have been carried out."""


class _DeadlineSocket(socket.socket):
    """A socket whose reads and writes all end by one point in time, however slowly the other side drips."""

    deadline = 0.0

    def arm(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left)

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        self.arm()
        return super().recv_into(*arguments, **options)

    def sendall(self, *arguments: Any, **options: Any) -> None:
        self.arm()
        return super().sendall(*arguments, **options)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, deadline: float) -> None:
        super().__init__("localhost")
        self._path, self._deadline = path, deadline

    def connect(self) -> None:
        sock = _DeadlineSocket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.deadline = self._deadline
        try:
            sock.arm()
            sock.connect(self._path)
        except OSError:
            sock.close()
            raise
        self.sock = sock


# EAGAIN is a listener whose queue is full; ENOENT a host that has not made its socket yet.
_NOT_THERE = {errno.ECONNREFUSED, errno.ENOENT, errno.ECONNRESET, errno.EAGAIN}


def request(
    path: str, method: str, target: str, body: Optional[bytes], headers: dict[str, str], deadline: float
) -> tuple[int, bytes]:
    """Sends one request to the socket at `path` and reads the answer: its status and its body.

    `deadline` is a value of `time.monotonic()`. Raises `NotSent`, `AnswerLost`, `TimeoutError`, or another `OSError`
    for what trying again cannot mend, such as a socket that this user may not open.
    """
    connection = _UnixConnection(path, deadline)
    try:
        try:
            connection.connect()
        except OSError as error:
            if error.errno in _NOT_THERE:
                raise NotSent(str(error)) from error
            raise
        try:
            connection.request(method, target, body=body, headers={**headers, "Connection": "close"})
            answer = connection.getresponse()
            content = answer.read(MAX_ANSWER + 1)
        except (ConnectionError, http.client.HTTPException) as error:
            raise AnswerLost(str(error) or type(error).__name__) from error
        if len(content) > MAX_ANSWER:
            raise OSError(f"the answer is longer than {MAX_ANSWER} bytes")
        return answer.status, content
    except socket.timeout as error:  # an error of its own before Python 3.10
        raise TimeoutError(str(error)) from error
    finally:
        connection.close()
