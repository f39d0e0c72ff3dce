"""A small language model of Python, trained on the source of the standard library.

Real text on every machine: the files of ``asyncio``, ``collections``, ``json`` and others, more
than a million characters (which ones depends on the version of Python). A transformer of one
layer, so small that hundreds of runs take a minute or so on two cores, predicts each next character
from up to twelve before it; it is trained with AdamW on noisy batches of two such windows.
"""

import sysconfig
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from lr_optax.foresight._compare import with_plateau
from lr_optax.foresight._training_run import training_run
from lr_optax.tasks._task import CHECKS, Task, Train, checked_steps, tested

BATCH = 2
CONTEXT = 12
WIDTH = 16
HEADS = 2
EVALUATED = 96
"""Windows to validate on, and as many to test on."""
CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))
PACKAGES = ("asyncio", "collections", "concurrent", "email", "http", "importlib", "json", "logging")


class Data(NamedTuple):
    """Characters as numbers to train on, and windows of ``CONTEXT`` + 1 to evaluate."""

    train: Array
    validation: Array
    test: Array


class Model(nnx.Module):
    """A transformer of one layer: attention to what went before, and a network of two layers."""

    def __init__(self, rngs: nnx.Rngs):
        normal = nnx.initializers.normal(0.02)
        self.characters = nnx.Embed(len(CHARACTERS), WIDTH, embedding_init=normal, rngs=rngs)
        self.places = nnx.Param(0.02 * jax.random.normal(rngs.params(), (1, CONTEXT, WIDTH)))
        self.norms = nnx.List([nnx.LayerNorm(WIDTH, rngs=rngs) for _ in range(3)])
        self.mixed = nnx.Linear(WIDTH, 3 * WIDTH, use_bias=False, rngs=rngs)
        self.joined = nnx.Linear(WIDTH, WIDTH, use_bias=False, rngs=rngs)
        self.wide = nnx.Linear(WIDTH, 4 * WIDTH, rngs=rngs)
        self.narrow = nnx.Linear(4 * WIDTH, WIDTH, rngs=rngs)

    def __call__(self, characters: Array) -> Array:
        """Logits of each next character, of shape (n, CONTEXT, characters)."""
        x = self.characters(characters) + self.places[...]
        heads = self.mixed(self.norms[0](x)).reshape(*x.shape[:2], HEADS, -1)
        seen = jax.nn.dot_product_attention(*jnp.split(heads, 3, axis=-1), is_causal=True)
        x = x + self.joined(seen.reshape(x.shape))
        x = x + self.narrow(jax.nn.relu(self.wide(self.norms[1](x))))
        return self.characters.attend(self.norms[2](x))


def load() -> Data:
    """Every file to one of three parts: one in ten to validate on, one in ten to test on."""
    library = Path(sysconfig.get_path("stdlib"))
    files = sorted(path for name in PACKAGES for path in (library / name).glob("*.py"))
    if not files:
        raise FileNotFoundError(f"the text task reads Python's own sources, and {library} has none")
    number = {c: i for i, c in enumerate(CHARACTERS)}
    parts: list[list[int]] = [[], [], []]
    for i, path in enumerate(files):
        characters = path.read_text("utf-8")
        part = parts[{0: 1, 5: 2}.get(i % 10, 0)]
        part += [number[c] for c in characters if c in number]
    train, validation, test = (np.array(part, np.int32) for part in parts)
    return Data(jnp.asarray(train), _windows(validation), _windows(test))


def _windows(characters: np.ndarray) -> Array:
    starts = np.linspace(0, len(characters) - CONTEXT - 1, EVALUATED).astype(int)
    return jnp.asarray(characters[starts[:, None] + np.arange(CONTEXT + 1)])


def evaluate(params: nnx.State, windows: Array) -> tuple[Array, Array]:
    """The loss, and the share of wrong answers."""
    graph, _ = nnx.split(nnx.eval_shape(lambda: Model(nnx.Rngs(0))))
    logits = nnx.merge(graph, params)(windows[:, :-1])
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, windows[:, 1:])
    return loss.mean(), (logits.argmax(-1) != windows[:, 1:]).mean()


def text(total_steps: int) -> Train:
    """A training run with AdamW, of a multiple of 40 steps."""
    data = load()

    def windows(key: Array, batch_size: int) -> Array:
        starts = jax.random.randint(key, (batch_size, 1), 0, len(data.train) - CONTEXT)
        return data.train[starts + jnp.arange(CONTEXT + 1)[None]]

    return training_run(
        loss_fn=lambda params, batch, key: evaluate(params, batch)[0],
        init=lambda key: nnx.state(Model(nnx.Rngs(key))),
        optimizer=with_plateau(partial(optax.adamw, b2=0.99, weight_decay=0.1)),
        data=windows,
        total_steps=checked_steps(total_steps),
        batch_size=BATCH,
        validation=data.validation,
        checks=CHECKS,
        final=lambda params: tested(*evaluate(params, data.test)),
    )


TASK = Task(
    name="text",
    summary="characters of Python's standard library, a small transformer with AdamW",
    train=text,
    peaks=(0.003, 0.01),
    seeds=6,
    total_steps=4000,
)
