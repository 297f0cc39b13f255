"""What can go wrong, by what the caller can do about it. Every error is a `TidegateError`."""

from __future__ import annotations

import json
from typing import Any, Mapping, Optional


class TidegateError(Exception):
    """An error of the host or of reaching it. `str()` gives what was attempted, what went wrong and what to do next."""

    def __init__(
        self, message: str, *, code: Optional[str] = None, status: Optional[int] = None, hint: Optional[str] = None
    ) -> None:
        super().__init__(message)
        self.code = code
        """The host's stable code, such as `TG0007`; None when the error did not come from the host."""
        self.status = status
        """The HTTP status; None when there was no answer."""
        self.hint = hint
        """What to do next, in a sentence; None when there is nothing to say."""

    def __str__(self) -> str:
        text = super().__str__()
        text = f"{self.code}: {text}" if self.code else text
        return f"{text} ({self.hint})" if self.hint else text


class BadRequest(TidegateError):
    """The host refused what was asked: a bad run name, a rank outside the world, a file that leaves the directory, an
    `into` that it may not write for this user.
    """


class NotFound(TidegateError):
    """There is no such run or checkpoint, or none that is complete yet."""


class Conflict(TidegateError):
    """Other bytes are already committed for this (run, step, rank), or something else stands in the way."""


class NoSpace(TidegateError):
    """There is no room: on the tier for the declared bytes, which is said before the first byte is written, or for what
    a restore brings back.
    """


class Unavailable(TidegateError):
    """No host answers on the socket, it went away in the middle, or it says that it, or the object store, cannot work
    just now. Nothing is lost by it.
    """


class DeadlineExceeded(Unavailable, TimeoutError):
    """The host did not answer within the deadline. What was asked may still happen."""


class SaveLost(TidegateError):
    """The host no longer knows this save: it was restarted, or the save's deadline passed. Save the step again.

    Nothing of the lost save is left. If the connection broke during the commit, the commit may nevertheless have become
    durable: `Run.committed(step)` tells. Saving the same bytes again is always safe and is answered with `reused`.
    """


class RestoreFailed(TidegateError):
    """No tier has exactly the committed bytes any more; what is only out of reach is `Unavailable`. Nothing was put in
    place.
    """


class ProtocolError(TidegateError):
    """The answer is not what this version of the client understands. Is it a Tidegate host, and of which version?"""


_BY_STATUS = {
    400: BadRequest,
    403: BadRequest,
    404: NotFound,
    409: Conflict,
    413: BadRequest,
    415: BadRequest,
    422: BadRequest,
    429: Unavailable,
    502: RestoreFailed,
    503: Unavailable,
    507: NoSpace,
}


def from_answer(attempted: str, status: int, body: bytes) -> TidegateError:
    """The error in an answer with `status` >= 400: `application/problem+json`, or anything else if need be."""
    try:
        problem: Any = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": f"{status} {body[:200].decode('utf-8', 'replace')}".rstrip()}
    return from_problem(attempted, {**problem, "status": status})


def from_problem(attempted: str, problem: Mapping[str, Any]) -> TidegateError:
    """The error that a problem document tells of: of the same class whether it answers a call or ends a restore."""
    status = problem.get("status")
    kind = _BY_STATUS.get(status, TidegateError)
    said = problem.get("detail") or problem.get("title") or status or "the host gave no reason"
    return kind(f"cannot {attempted}: {said}", code=problem.get("code"), status=status, hint=problem.get("hint"))
