"""A training run as one of its ranks sees it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Sequence, Union
from urllib.parse import quote, urlencode

from .errors import NotFound, SaveLost
from .restore import Restored, restore
from .save import Save
from .transport import Transport, find_socket
from .types import Checkpoint, Commit, index, read_checkpoint


class Run:
    """A handle on one run of the local host. Making it talks to nobody; the host learns of a run by its first save.

    It holds no connection and may be used from any thread and after a fork.
    """

    def __init__(
        self,
        name: str,
        *,
        rank: int = 0,
        world_size: int = 1,
        socket: Union[str, "os.PathLike[str]", None] = None,
        timeout: float = 30.0,
        commit_timeout: float = 600.0,
        retry_for: float = 30.0,
    ) -> None:
        """
        - `rank`, `world_size`: this writer's index and the number of writers; 0 <= rank < world_size.
        - `socket`: the host's Unix socket. Default = `$TIDEGATE_SOCKET`, else `./tidegate-dev/tidegate.sock`.
        - `timeout`: seconds for one answer. Default = 30.
        - `commit_timeout`: seconds for the answer to a commit, which waits for the disk. Default = 600.
        - `retry_for`: seconds for which a host that does not answer is tried again, with jitter, so that its restart
          does not stop the trainer; 0: not at all. Default = 30.

        Raises `ValueError` for numbers out of range.
        """
        self.name = name
        self.world_size = index("world_size", world_size)
        self.rank = index("rank", rank, below=self.world_size)
        self._commit_timeout = commit_timeout
        self._transport = Transport(find_socket(os.fspath(socket) if socket else None), timeout, retry_for)

    def checkpoint(
        self, step: int, *, metrics: Optional[Mapping[str, Any]] = None, bytes: Optional[int] = None
    ) -> Save:
        """A save of this rank at `step`, for `with run.checkpoint(step) as path:`; `path` is a `pathlib.Path`.

        A clean end of the `with` commits: this rank's files are then durable. An exception aborts: nothing is left.
        The host's answer is in `result` of what this returns.

        - `metrics`: numbers (whatever `float` takes) that travel with the checkpoint, such as `{"loss": 2.5}`, 64 at
          most. Those that are not finite are left out, with a warning.
        - `bytes`: how much will be written. A full disk is refused (`NoSpace`) before the first byte. Default = the
          size of this rank's last shard, which the host knows.

        Raises as `Save.begin` and `Save.commit` do. On `SaveLost` the step must be saved again: `save` does so itself.
        """
        return Save(self._transport, self._commit_timeout, self.name, step, self.rank, self.world_size, metrics, bytes)

    def save(
        self,
        step: int,
        write: Callable[[Path], Any],
        *,
        metrics: Optional[Mapping[str, Any]] = None,
        bytes: Optional[int] = None,
        attempts: int = 3,
    ) -> Commit:
        """Saves what `write(path)` writes, again when the host loses the save (`SaveLost`), `attempts` times at most.

        Durable when it returns. `write` must be able to run again: it is given a new directory each time. Raises as
        `checkpoint` does, and what `write` raises.
        """
        attempts = max(1, attempts)
        while True:
            attempts -= 1
            save = self.checkpoint(step, metrics=metrics, bytes=bytes)
            try:
                with save as path:
                    write(path)
            except SaveLost:
                if attempts == 0:
                    raise
            else:
                assert save.result is not None
                return save.result

    def restore(
        self,
        step: Union[int, str] = "latest",
        *,
        ranks: Optional[Sequence[int]] = None,
        into: Union[str, "os.PathLike[str]", None] = None,
        timeout: float = 3600.0,
    ) -> Restored:
        """Brings back exactly the committed bytes of a complete checkpoint, from the nearest tier that has them.

        - `step`: an int, or `"latest"`: the newest complete one.
        - `ranks`: whose files. Default = all ranks.
        - `into`: a directory that does not exist yet and then is the caller's. Default = one of the host's, which
          belongs to this process: it is removed by `release()`, at the end of a `with`, and at the latest when the
          process ends. Give `into` for one that must outlive it. It works for the host's own user and for root; others
          are refused with `BadRequest`, code `TG0032`.
        - `timeout`: seconds for the whole restore. Default = 3600.

        Only the user who asks can read the directory, whoever made it.

        While the object store is away or the host restarts, the restore is asked for again, with growing pauses, until
        `timeout`: an outage is no loss, and a trainer that resumes must not take it for one.

        Raises `NotFound` when there is no such checkpoint, or no complete one; `Conflict` when the step is incomplete
        or `into` exists; `NoSpace`; `RestoreFailed` when no tier has the exact bytes any more; `Unavailable` when the
        host stays away for `retry_for`, or what has the bytes is out of reach until `timeout`; `DeadlineExceeded`.
        """
        return restore(self._transport, self.name, step, ranks, into, timeout)

    def latest(self) -> Optional[Checkpoint]:
        """The newest complete checkpoint, or None when there is none."""
        try:
            return self.get("latest")
        except NotFound:
            return None

    def get(self, step: Union[int, str]) -> Checkpoint:
        """One checkpoint, complete or not. Raises `NotFound`."""
        return read_checkpoint(self._call(f"look up step {step}", "GET", f"/checkpoints/{_step(step)}"))

    def committed(self, step: int) -> bool:
        """Whether this rank's files of `step` are durably committed."""
        try:
            return any(shard.rank == self.rank for shard in self.get(step).shards)
        except NotFound:
            return False

    def checkpoints(self, limit: Optional[int] = None) -> list[Checkpoint]:
        """The checkpoints of the run, complete or not, newest first, `limit` of them at most (default: all)."""
        found: list[Checkpoint] = []
        page: Optional[str] = None
        while limit is None or len(found) < limit:
            query = {"limit": "100" if limit is None else str(min(100, limit - len(found)))}
            if page is not None:
                query["page"] = page
            answer = self._call("list the checkpoints", "GET", f"/checkpoints?{urlencode(query)}")
            found += map(read_checkpoint, answer["items"])
            page = answer.get("next")
            if page is None:
                break
        return found[:limit]

    def pin(self, step: int, reason: str) -> None:
        """Keeps a checkpoint from being pruned, durably when this returns. `reason` is shown to whoever asks why."""
        self._call(f"pin step {step}", "PUT", f"/checkpoints/{_step(step)}/pin", {"reason": reason})

    def unpin(self, step: int, reason: str, *, by: Optional[str] = None) -> None:
        """Takes a pin away, durably when this returns: the operator's, or that of the bot `by`, installed or not. A bot
        that is at work may pin again."""
        body = {"reason": reason} if by is None else {"reason": reason, "by": by}
        self._call(f"unpin step {step}", "DELETE", f"/checkpoints/{_step(step)}/pin", body)

    def _call(self, verb: str, method: str, suffix: str, body: Any = None) -> Any:
        target = f"/v1/runs/{quote(self.name, safe='')}{suffix}"
        return self._transport.call(f"{verb} of run {self.name!r}", method, target, body, repeatable=True)


def _step(step: Union[int, str]) -> str:
    return "latest" if step == "latest" else str(index("step", step))
