"""A tiny training run that saves at every step, for test_resume to kill.

Started once, as the imports take longest. For each line on stdin, "INTERVAL FOLDER", a process of
its own, forked before JAX starts its threads, trains in that folder and saves at that interval.
Answers with the process's id and, after a further line on stdin, waits for it and tells its status.
Until then the id is its own, even if it has ended, so that it can be killed safely.
"""

import json
import os
import sys
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
import orbax.checkpoint as ocp

from lr_optax import (
    cosine_annealing,
    greedy,
    linear,
    read_hyperparams,
    reduce_on_plateau,
    warmup,
    with_feedback,
    with_hyperparams,
)

STEPS = 60
RATE = warmup(cosine_annealing(0.1, period=20, peak_decay=0.9), warmup_steps=10)
PLATEAU = reduce_on_plateau(0.9, patience=2, accumulation_size=3)
OPTIMIZERS = {
    "schedule": optax.adam(RATE),
    "wrapper": with_hyperparams(
        optax.adamw,
        learning_rate=RATE,
        b1=linear(0.95, end_value=0.85, transition_steps=STEPS),
    ),
    "plateau": optax.chain(with_hyperparams(optax.sgd, learning_rate=RATE), PLATEAU),
    "greedy": optax.chain(optax.sgd(0.01), greedy(0.9, patience=1, window_size=4)),
    "feedback": with_hyperparams(optax.sgd, learning_rate=with_feedback(RATE, PLATEAU)),
}
TX = optax.partition(OPTIMIZERS, {name: name for name in OPTIMIZERS})


@jax.jit
def start():
    """Parameters and state before the first step."""
    params = {name: jnp.ones(3) for name in OPTIMIZERS}
    return params, TX.init(params)


@jax.jit
def step(params, state, t):
    """One step, whose batch and metric are told by its number alone."""
    noise = jax.random.normal(jax.random.fold_in(jax.random.key(0), t), (3,))
    grads = jax.tree.map(lambda p: 0.1 * p + noise, params)
    updates, state = TX.update(grads, state, params, value=jnp.abs(noise[0]) + 10 / (t + 1))
    return optax.apply_updates(params, updates), state, read_hyperparams(state)


def train(folder: Path, interval: int) -> None:
    """From the last checkpoint on, or from the beginning."""
    params, state = start()
    options = ocp.CheckpointManagerOptions(max_to_keep=2, save_interval_steps=interval)
    with (
        ocp.CheckpointManager(folder / "checkpoints", options=options) as manager,
        (folder / "log").open("ab", buffering=0) as log,
    ):
        if (done := manager.latest_step()) is not None:
            like = jax.eval_shape(lambda: (params, state))
            params, state = manager.restore(done, args=ocp.args.StandardRestore(like))
        for t in range(0 if done is None else done, STEPS):
            params, state, rates = step(params, state, t)
            manager.save(t + 1, args=ocp.args.StandardSave((params, state)))
            record = jax.tree.map(lambda x: x.tobytes().hex(), jax.device_get((params, rates)))
            log.write(json.dumps([t, record]).encode() + b"\n")


def main() -> None:
    jax.config.update("jax_numpy_dtype_promotion", "standard")  # for Adam's b1 ** count
    jax.config.update("jax_compilation_cache_dir", sys.argv[1])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    warnings.filterwarnings("ignore", message=".*os.fork.*")
    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if not pid:
            interval, folder = line.split(maxsplit=1)
            train(Path(folder.strip()), int(interval))
            os._exit(0)
        print(pid, flush=True)
        sys.stdin.readline()
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    main()
