"""A byte-level GPT in plain JAX: pre-norm blocks, learned positions, tied output, fp32.

Everything here is a pure function of its arguments, so the same (seed, step, weights) gives the same bits in every
process on one machine. The parameters are a nested dict of arrays; `shards.py` turns such a tree into files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

VOCABULARY = 256
"""One token per byte value."""


@dataclass(frozen=True)
class Config:
    """The shape of the model. `context` is in tokens (bytes of text), `batch` in sequences a step."""

    width: int
    layers: int
    heads: int
    context: int
    batch: int


CONFIGS = {
    "base": Config(width=384, layers=6, heads=6, context=128, batch=8),
    "small": Config(width=64, layers=2, heads=2, context=64, batch=4),
}
"""`base` has 10.8 million parameters, `small` (for tests) 0.12 million."""


def init_params(config: Config, seed: int) -> dict[str, Any]:
    """Draws the first weights. Depends on `config` and `seed` only."""
    width, keys = config.width, iter(jax.random.split(jax.random.key(seed), 2 + 4 * config.layers))

    def normal(shape: tuple[int, ...], scale: float) -> jax.Array:
        return scale * jax.random.normal(next(keys), shape, jnp.float32)

    residual = 0.02 / (2 * config.layers) ** 0.5
    params: dict[str, Any] = {
        "bytes": normal((VOCABULARY, width), 0.02),
        "positions": normal((config.context, width), 0.02),
        "norm": jnp.ones(width),
    }
    for layer in range(config.layers):
        params[f"block{layer:02}"] = {
            "attention_norm": jnp.ones(width),
            "attention_in": normal((width, 3 * width), 0.02),
            "attention_out": normal((width, width), residual),
            "mlp_norm": jnp.ones(width),
            "mlp_in": normal((width, 4 * width), 0.02),
            "mlp_out": normal((4 * width, width), residual),
        }
    return params


def _norm(x: jax.Array, scale: jax.Array) -> jax.Array:
    return scale * x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)


def _block(config: Config, block: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    batch, time, width = x.shape
    head = width // config.heads
    qkv = _norm(x, block["attention_norm"]) @ block["attention_in"]
    q, k, v = jnp.moveaxis(qkv.reshape(batch, time, 3, config.heads, head), (2, 3), (0, 2))
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) / head**0.5
    causal = jnp.tril(jnp.ones((time, time), bool))
    weights = jax.nn.softmax(jnp.where(causal, scores, -1e9), axis=-1)
    mixed = jnp.einsum("bhqk,bhkd->bqhd", weights, v).reshape(batch, time, width)
    x = x + mixed @ block["attention_out"]
    return x + jax.nn.gelu(_norm(x, block["mlp_norm"]) @ block["mlp_in"]) @ block["mlp_out"]


def loss_of(config: Config, params: dict[str, Any], tokens: jax.Array) -> jax.Array:
    """Mean cross-entropy in nats a byte of predicting `tokens[:, 1:]`. `tokens` is int, (batch, context + 1)."""
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    x = params["bytes"][inputs] + params["positions"]
    for layer in range(config.layers):
        x = _block(config, params[f"block{layer:02}"], x)
    logits = _norm(x, params["norm"]) @ params["bytes"].T
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()


def optimizer() -> optax.GradientTransformation:
    """AdamW with clipping and a short warm-up. No rate depends on the length of a run, so any run can be extended."""
    rate = optax.linear_schedule(6e-5, 6e-4, transition_steps=20)
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, b2=0.95, weight_decay=0.1))


def make_step(config: Config) -> Any:
    """Compiles `(params, moments, tokens) -> (params, moments, loss)`; the first two arguments are consumed."""
    adamw = optimizer()

    def step(params: Any, moments: Any, tokens: jax.Array) -> Any:
        loss, grads = jax.value_and_grad(lambda p: loss_of(config, p, tokens))(params)
        updates, moments = adamw.update(grads, moments, params)
        return optax.apply_updates(params, updates), moments, loss

    return jax.jit(step, donate_argnums=(0, 1))
