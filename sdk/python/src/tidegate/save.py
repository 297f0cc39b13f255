"""One rank's save of one step: begin, write files, commit or abort."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from types import TracebackType
from typing import Any, Mapping, Optional

from .errors import DeadlineExceeded, NotFound, SaveLost, TidegateError, Unavailable
from .transport import Transport
from .types import Commit, index, read

_log = logging.getLogger("tidegate")

QUICK = 5.0
"""Seconds given to the clean-up after a failure: the error that led to it must not wait for the host."""


MAX_METRICS = 64
"""How many metrics the host takes."""


class Save:
    """A save that `Run.checkpoint` made. Use it as `with run.checkpoint(step) as path:`, or call `begin`, then `commit`
    or `abort`. It belongs to one thread and is used once.
    """

    def __init__(
        self,
        transport: Transport,
        commit_timeout: float,
        run: str,
        step: int,
        rank: int,
        world_size: int,
        metrics: Optional[Mapping[str, Any]],
        bytes: Optional[int],
    ) -> None:
        self._transport, self._commit_timeout = transport, commit_timeout
        self.run, self.step, self.rank, self.world_size = run, index("step", step), rank, world_size
        self.bytes = None if bytes is None else index("bytes", bytes)
        self.metrics: dict[str, Any] = dict(metrics or {})
        """Numbers that travel with the checkpoint. May be changed until the commit."""
        self.id: Optional[str] = None
        """The host's name for this save, once begun."""
        self.path: Optional[Path] = None
        """The staging directory, once begun."""
        self.expires_at: Any = None
        """When the host gives the save up unless it is touched, as the host gives it."""
        self.result: Optional[Commit] = None
        """The host's answer to the commit; None before it."""
        self._what = f"step {self.step} of run {run!r} (rank {rank} of {world_size})"

    def begin(self) -> Path:
        """Asks the host for a staging directory on its NVMe tier; write any files below it. Nothing is durable yet.

        Raises `NoSpace` when the tier has no room for the declared bytes, `BadRequest` for a name or number that the
        host refuses, `Unavailable` when no host answers.
        """
        if self.id is not None:
            raise RuntimeError(f"the save of {self._what} is already begun")
        _numbers(self.metrics)
        body = {"run": self.run, "step": self.step, "rank": self.rank, "world_size": self.world_size}
        if self.bytes is not None:
            body["bytes"] = self.bytes
        # Repeatable: a begin whose answer was lost leaves an empty directory, which the host removes when it expires.
        answer = self._transport.call(f"begin to save {self._what}", "POST", "/v1/saves", body, repeatable=True)
        self.id, self.path = str(answer["save_id"]), Path(answer["path"])
        self.expires_at = answer.get("expires_at")
        return self.path

    def commit(self) -> Commit:
        """Makes the files durable: when this returns they survive `kill -9` of the host and loss of power.

        Raises `SaveLost` when the host does not know the save any more, `Conflict` when other bytes are committed for
        this (run, step, rank), `BadRequest` for files that it will not take (links that leave the directory, devices).
        After `Unavailable` the outcome is not known: `Run.committed(step)` tells.
        """
        body = {"metrics": _numbers(self.metrics)}
        answer = self._call("commit", "POST", "/commit", body, timeout=self._commit_timeout)
        self.result = read(Commit, answer)
        return self.result

    def touch(self) -> None:
        """Puts the save's deadline off, for a writer that takes longer than the host's patience. Raises `SaveLost`."""
        answer = self._call("touch", "POST", "/touch")
        if isinstance(answer, dict):
            self.expires_at = answer.get("expires_at", self.expires_at)

    def abort(self) -> None:
        """Gives the save up; the host removes what was written. Nothing happens if the host does not know the save."""
        try:
            self._call("abort", "DELETE", "")
        except SaveLost:
            pass

    def _call(self, verb: str, method: str, suffix: str, body: Any = None, timeout: Optional[float] = None) -> Any:
        if self.id is None:
            raise RuntimeError(f"the save of {self._what} is not begun")
        try:
            return self._transport.call(
                f"{verb} the save of {self._what}",
                method,
                f"/v1/saves/{self.id}{suffix}",
                body,
                repeatable=True,
                timeout=timeout,
            )
        except NotFound as error:
            raise self._lost(error) from error

    def _lost(self, error: Optional[TidegateError] = None) -> SaveLost:
        return SaveLost(
            f"the host no longer knows the save of {self._what}: it was restarted or the save expired",
            code=error.code if error else None,
            status=error.status if error else None,
            hint="save this step again",
        )

    def _give_up(self) -> None:
        """Aborts after a failure, without hiding the failure or making it wait."""
        quick = Transport(self._transport.path, QUICK, 0.0)
        try:
            quick.call("abort", "DELETE", f"/v1/saves/{self.id}", repeatable=True)
        except TidegateError as error:
            _log.debug("the host removes the save of %s when it expires: %s", self._what, error)

    def __enter__(self) -> Path:
        return self.begin()

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if error is not None:
            swept = isinstance(error, Exception) and self.path is not None and not self.path.exists()
            self._give_up()
            if swept and not isinstance(error, TidegateError):
                # A restarted host sweeps its staging area, and the writer stumbles over that.
                raise self._lost() from error
            return
        try:
            self.commit()
        except (SaveLost, Unavailable, DeadlineExceeded):
            raise  # gone already, or perhaps durable after all: not ours to abort
        except BaseException:
            self._give_up()
            raise


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as JSON can carry them. What is not finite is left out: a diverged loss must not cost the checkpoint."""
    if len(metrics) > MAX_METRICS:
        raise ValueError(f"a checkpoint carries {MAX_METRICS} metrics at most, not {len(metrics)}")
    numbers = {}
    for name, value in metrics.items():
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the metric {name!r} must be a number, not {value!r:.100}") from error
        if math.isfinite(number):
            numbers[str(name)] = number
        else:
            _log.warning("the metric %r is %r and is left out of the checkpoint", name, number)
    return numbers
