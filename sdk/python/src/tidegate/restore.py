"""Bringing a checkpoint back into a directory."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Mapping, Optional, Sequence, Union

from .errors import DeadlineExceeded, NotFound, ProtocolError, TidegateError, Unavailable, from_problem
from .transport import Transport, jitter
from .types import index

_log = logging.getLogger("tidegate")

POLL = 10.0
"""Seconds that the host holds an answer back while a restore runs."""
PASSING = ("TG0026", "TG0027")
"""The object store is away; the host is stopping. Both pass, and then the restore is asked for again."""
PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a restore is asked for again: at first, and at most."""


class Restored:
    """A checkpoint's files, every block verified, in a directory. As a context manager it is released at the end."""

    def __init__(
        self, transport: Transport, wire: Mapping[str, Any], ranks: Optional[Sequence[int]], owned: bool
    ) -> None:
        self._transport, self._owned = transport, owned
        self.id: str = str(wire["id"])
        self.run: str = wire["run"]
        self.step: int = wire["step"]
        """The step that was restored, also when `latest` was asked for."""
        self.world_size: int = wire["world_size"]
        self.ranks: tuple[int, ...] = tuple(range(self.world_size) if ranks is None else ranks)
        """The ranks whose files are there."""
        self.path = Path(wire["path"])
        """The directory, with one directory below it for each rank: see `rank_path`. Only the user who asked can read
        it; one of the host's is removed when the process that asked ends.
        """
        self.metrics: Mapping[str, float] = wire.get("metrics") or {}
        self.bytes: int = wire.get("bytes_total") or 0
        self.source: Mapping[str, int] = wire.get("from") or {}
        """How many bytes came from which tier: `nvme`, `object`."""

    def rank_path(self, rank: int) -> Path:
        """The directory that holds exactly the files which `rank` committed.

        Raises `ValueError` for a rank that was not restored.
        """
        if rank not in self.ranks:
            raise ValueError(f"rank {rank} was not restored, only {list(self.ranks)}")
        return self.path / f"rank-{rank:05}"

    def release(self) -> None:
        """Lets the host remove its directory, which it does by itself when this process ends. A directory of the
        caller's own (`into`) stays. Safe to call twice.
        """
        if self._owned:
            _release(self._transport, self.id)

    def __enter__(self) -> Restored:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        try:
            self.release()
        except TidegateError as failure:  # the files were read: nothing that a trainer should die of
            _log.warning("the restored directory %s stays for now: %s", self.path, failure)


def restore(
    transport: Transport,
    run: str,
    step: Union[int, str],
    ranks: Optional[Sequence[int]],
    into: Union[str, "os.PathLike[str]", None],
    timeout: float,
) -> Restored:
    """Asks for a restore and waits for it, through a restart of the host and an outage of the object store if need be.
    See `Run.restore`.
    """
    body: dict[str, Any] = {"run": run, "step": step if step == "latest" else index("step", step)}
    if ranks is not None:
        body["ranks"] = ranks = [index("rank", rank) for rank in ranks]
    if into is not None:
        body["into"] = os.path.abspath(into)
    attempted = f"restore step {step} of run {run!r}"
    deadline, pause = time.monotonic() + timeout, PAUSE
    while True:
        try:
            wire = _wait(transport, attempted, body, deadline)
            return Restored(transport, wire, ranks, owned=into is None)
        except _Forgotten:
            _log.warning("cannot %s yet: the host was restarted; asking again", attempted)
        except Unavailable as error:
            left = deadline - time.monotonic()
            # With less left there is no time for another restore, and this error says more than a deadline.
            if error.code not in PASSING or left <= pause:
                raise
            _log.warning("%s; asking again for %.0f s", error, left)
            time.sleep(jitter(pause))
            pause = min(2 * pause, LONGEST_PAUSE)


class _Forgotten(Exception):
    """The host knew the restore and does not any more."""


def _wait(transport: Transport, attempted: str, body: dict[str, Any], deadline: float) -> dict[str, Any]:
    def call(method: str, target: str, body: Any, wait: float) -> dict[str, Any]:
        target, timeout = f"{target}?wait={wait:.0f}", wait + transport.timeout
        # A second POST would be a second restore. It is answered at once, so little can come between.
        answer = transport.call(
            attempted,
            method,
            target,
            body,
            repeatable=method == "GET",
            timeout=timeout,
            retry_for=min(transport.retry_for, max(0.0, deadline - time.monotonic())),
            final=PASSING,
        )
        if not isinstance(answer, dict) or "state" not in answer:
            raise ProtocolError(f"cannot {attempted}: the host sent no restore but {answer!r:.200}")
        return answer

    wire = call("POST", "/v1/restores", body, 0)
    try:
        while wire["state"] not in ("done", "failed"):
            if time.monotonic() >= deadline:
                done, total = wire.get("bytes_done"), wire.get("bytes_total")
                raise DeadlineExceeded(f"cannot {attempted} in time: {done} of {total} bytes are there")
            try:
                wait = max(1.0, min(POLL, deadline - time.monotonic()))
                wire = call("GET", f"/v1/restores/{wire['id']}", None, wait)
            except NotFound as error:
                raise _Forgotten from error
    except _Forgotten:
        raise
    except BaseException:
        _drop(transport, wire["id"])
        raise
    if wire["state"] == "failed":
        _drop(transport, wire["id"])
        problem = wire.get("error")
        raise from_problem(attempted, problem if isinstance(problem, dict) else {"detail": problem})
    return wire


def _release(transport: Transport, id: str) -> None:
    try:
        transport.call(f"release restore {id}", "DELETE", f"/v1/restores/{id}", repeatable=True)
    except NotFound:
        pass


def _drop(transport: Transport, id: str) -> None:
    """Cancels or releases after a failure, without hiding the failure or making it wait."""
    try:
        _release(Transport(transport.path, 5.0, 0.0), id)
    except TidegateError as error:
        _log.debug("restore %s stays with the host: %s", id, error)
