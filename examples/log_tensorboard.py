"""How do I log the rate, loss and metric to TensorBoard and CSV, with a progress bar?

``read_hyperparams`` inside the compiled step costs nothing. The logged arrays reach the host once
per epoch. View the curves with ``tensorboard --logdir results/log``.
"""

import csv
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
from rich.progress import Progress
from sklearn.datasets import load_digits
from tensorboardX import SummaryWriter

from lr_optax import (
    cosine_annealing,
    observe,
    read_hyperparams,
    reduce_on_plateau,
    with_hyperparams,
)

images, labels = map(jnp.asarray, load_digits(return_X_y=True))
images = images / 16
train, valid = slice(0, 1000), slice(1000, None)
folder = Path(sys.argv[1] if len(sys.argv) > 1 else "results/log")

rate = cosine_annealing(0.5, period=100, min_value=0.01)
tx = optax.chain(
    with_hyperparams(optax.sgd, learning_rate=rate), reduce_on_plateau(0.5, patience=0)
)
params = {"w": jnp.zeros((64, 10)), "b": jnp.zeros(10)}
state = tx.init(params)


def loss(params, images, labels):
    logits = images @ params["w"] + params["b"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


@jax.jit
def train_epoch(params, state, key):
    def step(carry, key):
        params, state = carry
        batch = jax.random.randint(key, (64,), 0, 1000)
        value, grads = jax.value_and_grad(loss)(params, images[batch], labels[batch])
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), {
            "loss": value,
            "rate": read_hyperparams(state)["effective_learning_rate"],
        }

    (params, state), log = jax.lax.scan(step, (params, state), jax.random.split(key, 50))
    metric = loss(params, images[valid], labels[valid])
    return params, observe(state, metric), log, metric


metric = jnp.inf
folder.mkdir(parents=True, exist_ok=True)
with (
    SummaryWriter(str(folder)) as board,
    (folder / "log.csv").open("w", newline="") as file,
    Progress() as progress,
):
    rows = csv.DictWriter(file, ["step", "loss", "rate", "metric"])
    rows.writeheader()
    bar = progress.add_task("training", total=500)
    for epoch in range(10):
        params, state, log, metric = train_epoch(params, state, jax.random.key(epoch))
        for i, (value, used) in enumerate(zip(log["loss"], log["rate"], strict=True)):
            step = 50 * epoch + i
            row = {"loss": float(value), "rate": float(used)}
            row |= {"metric": float(metric)} if i == 49 else {}
            rows.writerow({"step": step} | row)
            for name, number in row.items():
                board.add_scalar(name, number, step)
        progress.update(bar, advance=50, description=f"loss {metric:.3f}")
assert metric < 0.4
