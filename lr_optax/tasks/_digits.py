"""Handwritten digits, made hard enough that the learning rate matters.

1,797 images of 8x8 pixels (scikit-learn's bundled copy of the UCI set): 1,000 to train on, 397 to
validate, 400 to test. Batches of 8 with fresh pixel noise leave a gradient so noisy that a fixed
rate stalls well above what a decaying one reaches.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from sklearn.datasets import load_digits

from lr_optax.foresight._compare import with_plateau
from lr_optax.foresight._training_run import training_run
from lr_optax.tasks._task import CHECKS, Task, Train, checked_steps, tested

BATCH = 8
NOISE = 0.3
WIDTH = 64


class Split(NamedTuple):
    """Images in [0, 1] of shape (n, 64), and their labels of shape (n,)."""

    images: Array
    labels: Array


class Data(NamedTuple):
    """The three parts of the data; the same in every run."""

    train: Split
    validation: Split
    test: Split


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


def evaluate(params: nnx.State, batch: Split) -> tuple[Array, Array]:
    """The loss, and the share of wrong answers."""
    graph, _ = nnx.split(nnx.eval_shape(lambda: Classifier(nnx.Rngs(0))))
    logits = nnx.merge(graph, params)(batch.images)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels)
    return loss.mean(), (logits.argmax(-1) != batch.labels).mean()


def loss_fn(params: nnx.State, batch: Split, key: Array | None) -> Array:
    """The loss of a batch, to whose pixels a key adds noise."""
    if key is not None:
        noise = NOISE * jax.random.normal(key, batch.images.shape)
        batch = batch._replace(images=batch.images + noise)
    return evaluate(params, batch)[0]


def digits(total_steps: int) -> Train:
    """A training run with SGD and momentum 0.9, of a multiple of 40 steps."""
    data = load()
    return training_run(
        loss_fn,
        init=lambda key: nnx.state(Classifier(nnx.Rngs(key))),
        optimizer=with_plateau(partial(optax.sgd, momentum=0.9)),
        data=data.train,
        total_steps=checked_steps(total_steps),
        batch_size=BATCH,
        validation=data.validation,
        checks=CHECKS,
        final=lambda params: tested(*evaluate(params, data.test)),
    )


TASK = Task(
    name="digits",
    summary="handwritten digits, SGD with momentum on noisy batches of 8 images",
    train=digits,
    peaks=(0.01, 0.03, 0.1, 0.3),
    seeds=12,
    total_steps=2000,
)
