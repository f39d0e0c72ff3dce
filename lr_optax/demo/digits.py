"""Handwritten digits, made hard enough that the learning rate matters.

1,797 images of 8x8 pixels (scikit-learn's bundled copy of the UCI set): 1,000 to train on, 397 to
validate, 400 to test. Batches of 8 with fresh pixel noise leave a gradient so noisy that a fixed
rate stalls well above what a decaying one reaches.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from sklearn.datasets import load_digits

from lr_optax import Schedule, reduce_on_plateau

BATCH = 8
NOISE = 0.3
WIDTH = 64
CHECKS = 40


class Split(NamedTuple):
    """Images in [0, 1] of shape (n, 64), and their labels of shape (n,)."""

    images: Array
    labels: Array


class Data(NamedTuple):
    """The three parts of the data; the same in every run."""

    train: Split
    validation: Split
    test: Split


class Strategy(NamedTuple):
    """A schedule, and how much a plateau of the validation loss cuts it: 1 for not at all."""

    schedule: Schedule
    plateau_factor: float = 1.0


class Run(NamedTuple):
    """What one training run reports."""

    validation: Array  # (CHECKS,): the validation loss, ten to fifty times in a run
    rate: Array  # (CHECKS,): the rate that was in use at each check
    test_loss: Array  # ()
    test_error: Array  # (): the share of wrong answers


class Classifier(nnx.Module):
    """Two layers, 64 wide."""

    def __init__(self, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(64, WIDTH, rngs=rngs)
        self.out = nnx.Linear(WIDTH, 10, rngs=rngs)

    def __call__(self, images: Array) -> Array:
        """Logits of shape (n, 10)."""
        return self.out(jax.nn.relu(self.hidden(images)))


def load() -> Data:
    """The digits, shuffled once with a fixed seed and split."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    images, labels = images[order].astype(np.float32) / 16, labels[order].astype(np.int32)
    parts = (slice(0, 1000), slice(1000, 1397), slice(1397, 1797))
    return Data(*(Split(jnp.asarray(images[p]), jnp.asarray(labels[p])) for p in parts))


def trainer(data: Data, steps: int, patience: int = 4) -> Callable[[Strategy, Array], Run]:
    """A training run as a pure function of a strategy and a key: SGD with momentum 0.9.

    Args:
        data: from :func:`load`.
        steps: optimizer steps, a multiple of ``CHECKS``.
        patience: of the plateau, in checks of the validation loss.
    """

    def train(strategy: Strategy, key: Array) -> Run:
        init_key, key = jax.random.split(key)
        graph, params = nnx.split(Classifier(nnx.Rngs(init_key)))
        plateau = reduce_on_plateau(strategy.plateau_factor, patience=patience, nonfinite="ignore")
        tx = optax.chain(optax.sgd(strategy.schedule, momentum=0.9), plateau)

        def evaluate(params: Any, split: Split) -> tuple[Array, Array]:
            logits = nnx.merge(graph, params)(split.images)
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, split.labels)
            return loss.mean(), (logits.argmax(-1) != split.labels).mean()

        def step(carry: Any, inputs: Any) -> tuple[Any, None]:
            params, state = carry
            key, value = inputs
            pick_key, noise_key = jax.random.split(key)
            pick = jax.random.randint(pick_key, (BATCH,), 0, len(data.train.labels))
            noise = NOISE * jax.random.normal(noise_key, (BATCH, 64))
            batch = Split(data.train.images[pick] + noise, data.train.labels[pick])
            grads = jax.grad(lambda params: evaluate(params, batch)[0])(params)
            updates, state = tx.update(grads, state, params, value=value)
            return (optax.apply_updates(params, updates), state), None

        def check(carry: Any, inputs: Any) -> tuple[Any, tuple[Array, Array]]:
            carry, value = carry
            first, key = inputs
            keys = jax.random.split(key, steps // CHECKS)
            # The plateau sees each validation loss once; NaN is "nothing new".
            values = jnp.full(len(keys), jnp.nan).at[0].set(value)
            carry, _ = jax.lax.scan(step, carry, (keys, values))
            value, _ = evaluate(carry[0], data.validation)
            scale = carry[1][1].scale
            rate = strategy.schedule(first + len(keys) - 1) * scale
            return (carry, value), (value, rate)

        start: Any = ((params, tx.init(params)), jnp.nan)
        firsts = jnp.arange(CHECKS) * (steps // CHECKS)
        (carry, _), (losses, rates) = jax.lax.scan(
            check, start, (firsts, jax.random.split(key, CHECKS))
        )
        return Run(losses, rates, *evaluate(carry[0], data.test))

    return train
