"""Trains a byte-level GPT on the source of Python's standard library and checkpoints it through Tidegate.

    python train.py --rank 0 --world-size 2 --steps 60 --every 10 &
    python train.py --rank 1 --world-size 2 --steps 60 --every 10

Every rank computes the same full step from (seed, step) and saves its own part of the state: see README.md. A run that
is stopped at any moment and started again with `--resume` goes on bit for bit as if it had never stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from time import perf_counter
from typing import Any, Optional

# Before JAX is imported. One thread a process: two ranks fit two cores, and no result depends on how work was divided.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["NPROC"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

from data import batch_at, load_corpus  # noqa: E402
from model import CONFIGS, init_params, make_step, optimizer  # noqa: E402
from saves import PlainSaves, TidegateSaves  # noqa: E402
from shards import Shard, read_shards, read_state  # noqa: E402


def parse(arguments: Optional[list[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a byte-level GPT with checkpoints through Tidegate.")
    parser.add_argument("--run", default="gpt", help="name of the run (default: gpt)")
    parser.add_argument("--rank", type=int, default=0, help="this process's index, from 0")
    parser.add_argument("--world-size", type=int, default=1, help="number of processes of the run")
    parser.add_argument("--model", choices=CONFIGS, default="base", help="base: 10.8 M parameters; small: for tests")
    parser.add_argument("--steps", type=int, default=60, help="train up to this step")
    parser.add_argument("--every", type=int, default=10, help="save after each step that this number divides; 0: never")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights and of the order of the text")
    parser.add_argument("--resume", action="store_true", help="go on from the newest complete checkpoint, if any")
    parser.add_argument("--socket", help="the host's Unix socket (default: $TIDEGATE_SOCKET, else tidegate-dev's)")
    parser.add_argument("--no-tidegate", action="store_true", help="do not save through Tidegate")
    parser.add_argument("--plain-dir", type=Path, help="also save here with write + fsync, to compare")
    parser.add_argument("--loss-log", type=Path, help="append a JSON line for each step: step, rank, loss, loss_hex")
    parser.add_argument("--stall-log", type=Path, help="append a JSON line a save and restore: seconds, bytes")
    parser.add_argument("--crash-in-save", type=int, metavar="STEP", help="kill -9 itself in the middle of this save")
    options = parser.parse_args(arguments)
    if not 0 <= options.rank < options.world_size:
        parser.error(f"--rank {options.rank} is not below --world-size {options.world_size}")
    return options


class Trainer:
    """The state of one rank and the places that it saves to."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.config = options, CONFIGS[options.model]
        self.corpus = load_corpus()
        self.params = init_params(self.config, options.seed)
        self.moments = optimizer().init(self.params)
        self.step = 0
        self.tidegate = None if options.no_tidegate else TidegateSaves(self._run())
        self.plain = PlainSaves(options.plain_dir, options.rank) if options.plain_dir else None

    def _run(self) -> Any:
        import tidegate

        options = self.options
        return tidegate.Run(options.run, rank=options.rank, world_size=options.world_size, socket=options.socket)

    def identity(self) -> dict[str, Any]:
        """What a checkpoint and the run that resumes from it must have in common."""
        return {"seed": self.options.seed, "model": self.options.model, "corpus": self.corpus.digest}

    def resume(self) -> None:
        """Loads the newest complete checkpoint; starts at step 0 when there is none."""
        start = perf_counter()
        if self.tidegate is None:
            self._load((self.plain.latest() if self.plain else None) or [])
        else:
            from tidegate import NotFound

            try:
                with self.tidegate.run.restore("latest") as restored:
                    ready = perf_counter()
                    self._load([restored.rank_path(rank) for rank in range(restored.world_size)])
            except NotFound:
                pass
            else:
                record = {"kind": "restore", "step": self.step, "rank": self.options.rank, "bytes": restored.bytes}
                record |= {"from": restored.source, "restore_s": ready - start, "total_s": perf_counter() - start}
                append(self.options.stall_log, record)
        self.say(f"resumed after step {self.step}" if self.step else "nothing to resume from: starting at step 0")

    def _load(self, shards: list[Path]) -> None:
        if not shards:
            return
        state = read_state(shards[0])
        for key, mine in self.identity().items():
            if state[key] != mine:
                sys.exit(f"the checkpoint is of another run: its {key} is {state[key]!r}, this run's is {mine!r}")
        self.params, self.moments = read_shards(shards, self.params, self.moments)
        self.step = state["step"]

    def train(self) -> None:
        """Trains up to `--steps`, saving on the way."""
        options, config = self.options, self.config
        advance = make_step(config)
        while self.step < options.steps:
            start = perf_counter()
            tokens = batch_at(self.corpus, options.seed, self.step, config.batch, config.context)
            self.params, self.moments, loss = advance(self.params, self.moments, tokens)
            self.step, loss = self.step + 1, float(loss)
            append(options.loss_log, {"step": self.step, "rank": options.rank, "loss_hex": loss.hex(), "loss": loss})
            self.say(f"step {self.step}/{options.steps}  loss {loss:.4f}  {perf_counter() - start:.3f} s")
            if options.every and self.step % options.every == 0:
                self.save(loss)

    def save(self, loss: float) -> None:
        """Saves to each place. Which place is first alternates, so that a comparison of their times is fair."""
        options = self.options
        die = options.crash_in_save == self.step
        state = {**self.identity(), "step": self.step}
        shard = Shard(self.params, self.moments, options.rank, options.world_size, state)
        places = [place for place in (self.tidegate, self.plain) if place]
        if self.step // options.every % 2 == 0:
            places.reverse()
        if die:  # in the middle of a save to Tidegate, where there is one
            places = [self.tidegate or self.plain]
        for position, place in enumerate(places):
            timing = place.save(self.step, shard, loss, die)
            timing.first = position == 0
            append(options.stall_log, timing.record())
            self.say(f"saved step {self.step} ({timing.kind}, {timing.bytes / 1e6:.1f} MB) in {timing.total_s:.3f} s")

    def say(self, text: str) -> None:
        print(f"rank {self.options.rank}: {text}", flush=True)


def append(path: Optional[Path], record: dict[str, Any]) -> None:
    """Adds one JSON line; it is with the kernel when this returns, so a killed process loses no line."""
    if path:
        with open(path, "a") as log:
            log.write(json.dumps(record) + "\n")


def main() -> None:
    trainer = Trainer(parse())
    if trainer.options.resume:
        trainer.resume()
    trainer.train()


if __name__ == "__main__":
    main()
