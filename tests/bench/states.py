"""Trains the example and writes its whole optimizer state at some steps, for `cargo xtask bench object`.

Usage: states.py EXAMPLE OUT RATE BETA2 STEP...

EXAMPLE is the folder `examples/train-gpt`. The first 60 steps go as the example trains, but for BETA2; all later ones at the constant
rate RATE, so that steps can be compared. For each STEP after those, the folder OUT/STEP gets four files of plain little-endian
numbers, all leaves of the model one after the other in one order: `weights.bin`, `first.bin`, `second.bin` (fp32) and
`bf16.bin`, the weights rounded to bfloat16.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax


WARM = 60


def main() -> None:
    example, out, rate, beta2, *steps = sys.argv[1:]
    sys.path.insert(0, example)
    import data
    import model

    config = model.CONFIGS["base"]
    rates = optax.join_schedules(
        [optax.linear_schedule(6e-5, 6e-4, transition_steps=20), optax.constant_schedule(float(rate))], [WARM]
    )
    adamw = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rates, b2=float(beta2), weight_decay=0.1))

    @jax.jit
    def train(params, moments, tokens):
        loss, grads = jax.value_and_grad(lambda p: model.loss_of(config, p, tokens))(params)
        updates, moments = adamw.update(grads, moments, params)
        return optax.apply_updates(params, updates), moments, loss

    corpus = data.load_corpus()
    params = model.init_params(config, 0)
    moments = adamw.init(params)
    wanted = sorted({int(step) for step in steps})
    for step in range(wanted[-1]):
        tokens = data.batch_at(corpus, 0, step, config.batch, config.context)
        params, moments, loss = train(params, moments, tokens)
        if step + 1 in wanted:
            write(Path(out, str(step + 1)), params, moments)
        print(step + 1, float(loss), flush=True)


def write(folder: Path, params, moments) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    adam = next(part for part in jax.tree.leaves(moments, is_leaf=lambda it: hasattr(it, "mu")) if hasattr(part, "mu"))
    flat = lambda tree: np.concatenate([np.asarray(leaf, np.float32).ravel() for leaf in jax.tree.leaves(tree)])
    weights = flat(params)
    weights.tofile(folder / "weights.bin")
    flat(adam.mu).tofile(folder / "first.bin")
    flat(adam.nu).tofile(folder / "second.bin")
    np.asarray(jnp.asarray(weights).astype(jnp.bfloat16)).view(np.uint16).tofile(folder / "bf16.bin")


main()
