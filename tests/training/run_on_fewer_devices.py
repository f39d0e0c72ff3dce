"""A long run that saves its state at every thousand steps, to be killed and to be moved.

``python run_on_fewer_devices.py FOLDER STOP`` goes on from what the folder holds, on as many
devices as there are (1, 2, 4 or 8), until step STOP. Metrics and gradients are random multiples of
1/64, one for each of eight rows, so that their means are the same in whatever order devices add
them up.
"""

import sys
import warnings
from functools import partial
from pathlib import Path

import flax.serialization
import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from lr_optax import (
    cosine_annealing,
    greedy,
    linear,
    read_hyperparams,
    record_grad_norms,
    reduce_on_plateau,
    warmup,
    with_feedback,
    with_hyperparams,
)
from lr_optax.results.files import write_whole

ROWS, CHUNK = 8, 1000
AXIS = "devices"
RATE = warmup(cosine_annealing(0.1, period=700, period_multiplier=1.1), warmup_steps=500)
PLATEAU = partial(reduce_on_plateau, axis_name=AXIS, threshold=0.0, min_scale=1e-3)


def rescaled(learning_rate, weight):
    """Products alone: sums of them may be rounded once or twice, as the compiler likes."""
    return optax.chain(optax.scale(weight), optax.scale_by_learning_rate(learning_rate))


TX = optax.chain(
    record_grad_norms(capacity=64),
    with_hyperparams(
        rescaled,
        learning_rate=with_feedback(RATE, PLATEAU(0.99, patience=400, cooldown=7)),
        weight=linear(0.95, end_value=0.85, transition_steps=80_000),
    ),
    PLATEAU(0.9, patience=3, accumulation_size=1000, nonfinite="ignore"),
    greedy(0.9, patience=300, window_size=9, axis_name=AXIS),
)


def random_rows(key, *shape):
    """For this device's rows: multiples of 1/64 in [-2, 2)."""
    rows = ROWS // lax.axis_size(AXIS)
    everyone = jax.random.randint(key, (ROWS, *shape), -128, 128)
    mine = lax.dynamic_slice_in_dim(everyone, rows * lax.axis_index(AXIS), rows)
    return mine.astype(jnp.float32) / 64


def step(carry, t):
    """One step, whose gradients and metric are told by its number alone; some are NaN."""
    params, state = carry
    key = jax.random.fold_in(jax.random.key(7), t)
    grads = lax.pmean(random_rows(key, 4).mean(0), AXIS)
    metric = random_rows(jax.random.fold_in(key, 1)).mean()
    metric = jnp.where(t % 997 == 0, jnp.nan, metric)
    updates, state = TX.update(grads, state, params, value=metric)
    updates = lax.optimization_barrier(updates)
    return (optax.apply_updates(params, updates), state), None


def chunk(carry, begin):
    """A thousand steps."""
    return lax.scan(step, carry, begin + jnp.arange(CHUNK))[0]


def main() -> None:
    """Go on, and say at which step each save was made."""
    warnings.filterwarnings("error")
    folder, stop = Path(sys.argv[1]), int(sys.argv[2])
    mesh = Mesh(jax.devices(), (AXIS,))
    run = jax.jit(jax.shard_map(chunk, mesh=mesh, in_specs=(P(), P()), out_specs=P()))
    params = jnp.zeros(4)
    carry, done = (params, TX.init(params)), 0
    if saved := sorted(folder.glob("*.msgpack")):
        done = int(saved[-1].stem)
        carry = flax.serialization.from_bytes(carry, saved[-1].read_bytes())
    while done < stop:
        carry = run(carry, jnp.int32(done))
        done += CHUNK
        write_whole(folder / f"{done:07}.msgpack", flax.serialization.to_bytes(carry))
        print(done, flush=True)
    print(read_hyperparams(carry[1]), flush=True)


if __name__ == "__main__":
    main()
