"""A rank's part of the training state as files, and the whole state from the files of all ranks.

The state is one flat tree: weights and both AdamW moments, each leaf under a name such as
`moments/1/0/mu/block00/mlp_in`. Every leaf belongs to exactly one rank, as with a sharded optimizer, so that loading
needs the shards of all ranks. The files of a shard:

- `weights.safetensors`, `moments.safetensors`: this rank's leaves;
- `state.json`: what the run must agree on to be resumed. Written last.

The bytes depend on the state alone (no times, no host names): saving the same step again gives the same files.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file, save, save_file

STATE = "state.json"


def flatten(params: Any, moments: Any) -> dict[str, np.ndarray]:
    """All leaves by name. On CPU the arrays are views, not copies: write them before the next step consumes them."""
    leaves, _ = jax.tree_util.tree_flatten_with_path({"weights": params, "moments": moments})
    return {jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf) for path, leaf in leaves}


def owners(leaves: dict[str, np.ndarray], world_size: int) -> dict[str, int]:
    """Which rank saves which leaf: largest first, each to the rank with the fewest bytes so far."""
    load = [0] * world_size
    owner = {}
    for name in sorted(leaves, key=lambda name: (-leaves[name].nbytes, name)):
        owner[name] = min(range(world_size), key=lambda rank: (load[rank], rank))
        load[owner[name]] += leaves[name].nbytes
    return owner


class Shard:
    """What one rank writes at one step."""

    def __init__(self, params: Any, moments: Any, rank: int, world_size: int, state: dict[str, Any]) -> None:
        leaves = flatten(params, moments)
        owner = owners(leaves, world_size)
        mine = {name: leaf for name, leaf in leaves.items() if owner[name] == rank}
        self.files = {
            f"{part}.safetensors": {name: leaf for name, leaf in mine.items() if name.startswith(f"{part}/")}
            for part in ("weights", "moments")
        }
        self.state = {**state, "rank": rank, "world_size": world_size}
        self.bytes = sum(leaf.nbytes for leaf in mine.values())
        """Bytes of tensor data; the files add a few kilobytes of headers."""

    def write(self, folder: Path) -> list[Path]:
        """Writes the files into `folder`, which must exist. Nothing is synced. Returns them in the order written."""
        for name, leaves in self.files.items():
            save_file(leaves, folder / name)
        (folder / STATE).write_text(json.dumps(self.state, sort_keys=True, indent=1) + "\n")
        return [folder / name for name in (*self.files, STATE)]

    def write_and_die(self, folder: Path) -> None:
        """Writes all of the first file and half of the second, then kills this process as `kill -9` would."""
        first, second = self.files
        save_file(self.files[first], folder / first)
        whole = save(self.files[second])
        with open(folder / second, "wb") as file:
            file.write(whole[: len(whole) // 2])
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)


def read_state(folder: Path) -> dict[str, Any]:
    """What the shard in `folder` says of its run: step, seed, model, corpus, rank, world size."""
    return json.loads((folder / STATE).read_text())


def read_shards(folders: Sequence[Path], params: Any, moments: Any) -> tuple[Any, Any]:
    """Loads the state from the shards of all ranks; `params` and `moments` give the shape of the trees.

    Raises `ValueError` when the shards together are not exactly that tree: a leaf missing, left over, of another shape.
    """
    found: dict[str, np.ndarray] = {}
    for folder in folders:
        for file in sorted(folder.glob("*.safetensors")):
            found.update(load_file(file))
    wanted = flatten(params, moments)
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found or name not in wanted:
            raise ValueError(f"{name} is {'missing from' if name in wanted else 'left over in'} the shards")
        shapes = [f"{leaves[name].dtype}{list(leaves[name].shape)}" for leaves in (found, wanted)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"{name} is {shapes[0]} in the shards, not {shapes[1]}")
    tree = jax.tree_util.tree_structure({"weights": params, "moments": moments})
    # Copies, so that no array of the run aliases a buffer that NumPy owns.
    whole = jax.tree_util.tree_unflatten(tree, [jnp.array(found[name], copy=True) for name in wanted])
    return whole["weights"], whole["moments"]
