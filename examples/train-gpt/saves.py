"""Where shards go: through Tidegate, or plainly with write + fsync. Both are timed, so that they can be compared."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Optional

from shards import STATE, Shard, read_state

if TYPE_CHECKING:
    import tidegate


@dataclass
class Timing:
    """How long one save held the trainer up, in seconds; the parts add up to `total_s`.

    For a plain save `begin_s` makes the directory and `commit_s` is the fsync of every file.
    """

    kind: str
    step: int
    rank: int
    bytes: int
    begin_s: float
    write_s: float
    commit_s: float
    total_s: float
    first: bool = True
    """Whether nothing else was saved at this step before: the second of two saves shares the disk with the first."""

    def record(self) -> dict[str, object]:
        """The timing as a line of the stall log."""
        return asdict(self)


class TidegateSaves:
    """Saves through a Tidegate host; a commit is durable when `save` returns."""

    def __init__(self, run: tidegate.Run) -> None:
        self.run = run

    def save(self, step: int, shard: Shard, loss: float, die: bool = False) -> Timing:
        """Saves the shard, again if a restart of the host lost the save; then `begin_s` holds the lost time too."""
        begun = written = 0.0

        def write(path: Path) -> None:
            nonlocal begun, written
            begun = perf_counter()
            shard.write_and_die(path) if die else shard.write(path)
            written = perf_counter()

        start = perf_counter()
        self.run.save(step, write, metrics={"loss": loss}, bytes=shard.bytes)
        end = perf_counter()
        times = (begun - start, written - begun, end - written, end - start)
        return Timing("tidegate", step, self.run.rank, shard.bytes, *times)


class PlainSaves:
    """Saves as `DIR/step-00000010/rank-00000/`, each file synced, and keeps the newest two steps.

    It is what many trainers do by hand, and promises less than Tidegate: no atomic rename, no digest, no second copy.
    """

    def __init__(self, root: Path, rank: int) -> None:
        self.root, self.rank = root, rank

    def save(self, step: int, shard: Shard, _loss: float, die: bool = False) -> Timing:
        """Writes and syncs the shard. What is older is removed outside the timing."""
        start = perf_counter()
        folder = self._folder(step, self.rank)
        folder.mkdir(parents=True, exist_ok=True)
        begun = perf_counter()
        if die:
            shard.write_and_die(folder)
        files = shard.write(folder)
        written = perf_counter()
        for file in files:
            with open(file, "rb+") as handle:
                os.fsync(handle.fileno())
        end = perf_counter()
        for old in self._steps()[2:]:
            shutil.rmtree(self._folder(old, self.rank), ignore_errors=True)
        times = (begun - start, written - begun, end - written, end - start)
        return Timing("plain", step, self.rank, shard.bytes, *times)

    def latest(self) -> Optional[list[Path]]:
        """The shards of the newest step that every rank finished, in the order of ranks; None when there is none."""
        for step in self._steps():
            shards = sorted(path.parent for path in self._folder(step, 0).parent.glob(f"rank-*/{STATE}"))
            if shards and len(shards) == read_state(shards[0])["world_size"]:
                return shards
        return None

    def _folder(self, step: int, rank: int) -> Path:
        return self.root / f"step-{step:08}" / f"rank-{rank:05}"

    def _steps(self) -> list[int]:
        return sorted((int(path.name[5:]) for path in self.root.glob("step-*")), reverse=True)
