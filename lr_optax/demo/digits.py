"""Handwritten digits, made hard enough that the learning rate matters.

1,797 images of 8x8 pixels (scikit-learn's bundled copy of the UCI set): 1,000 to train on, 397 to
validate, 400 to test. Batches of 8 with fresh pixel noise leave a gradient so noisy that a fixed
rate stalls well above what a decaying one reaches.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from sklearn.datasets import load_digits

from lr_optax.demo.training import Task, Train, training_of

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


def trainer(data: Data, total_steps: int) -> Train:
    """A training run with SGD and momentum 0.9."""
    graph, _ = nnx.split(nnx.eval_shape(lambda: Classifier(nnx.Rngs(0))))

    def draw(key: Array) -> Split:
        pick_key, noise_key = jax.random.split(key)
        pick = jax.random.randint(pick_key, (BATCH,), 0, len(data.train.labels))
        noise = NOISE * jax.random.normal(noise_key, (BATCH, 64))
        return Split(data.train.images[pick] + noise, data.train.labels[pick])

    def evaluate(params: Any, split: Split) -> tuple[Array, Array]:
        logits = nnx.merge(graph, params)(split.images)
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, split.labels)
        return loss.mean(), (logits.argmax(-1) != split.labels).mean()

    return training_of(
        init=lambda key: nnx.state(Classifier(nnx.Rngs(key))),
        draw=draw,
        evaluate=evaluate,
        optimizer=lambda schedule: optax.sgd(schedule, momentum=0.9),
        validation=data.validation,
        test=data.test,
        total_steps=total_steps,
    )


TASK = Task(
    name="digits",
    summary="handwritten digits, SGD with momentum on noisy batches of 8 images",
    load=load,
    trainer=trainer,
    peaks=(0.01, 0.03, 0.1, 0.3),
    seeds=12,
    total_steps=2000,
)
