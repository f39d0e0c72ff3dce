"""How do I resume from a checkpoint with a longer run than planned?

After a restore, the schedule in your code applies, at the restored step count. So check the rate
there: a new length moves the whole curve, the rate jumps, and ``check`` warns about it. Two other
schedules continue from where the old one is.
"""

import tempfile
from pathlib import Path

import jax.numpy as jnp
import optax
import orbax.checkpoint as ocp

from lr_optax import check, cooldown_from, extend, warmup_cosine_decay, with_hyperparams

planned = warmup_cosine_decay(0.1, warmup_steps=10, total_steps=100)
params = {"w": jnp.ones(3)}


def train(schedule, state, updates):
    tx = with_hyperparams(optax.sgd, learning_rate=schedule)
    for _ in range(updates):
        _, state = tx.update(params, state, params)
    return state


state = train(planned, with_hyperparams(optax.sgd, learning_rate=planned).init(params), 60)
with tempfile.TemporaryDirectory() as folder, ocp.StandardCheckpointer() as checkpointer:
    checkpointer.save(Path(folder) / "60", state)
    checkpointer.wait_until_finished()
    restored = checkpointer.restore(Path(folder) / "60", state)

choices = {
    "a new length": planned.replace(total_steps=200),  # jumps to the curve of the longer run
    "hold, then fall as planned": extend(planned, begin=60, steps=100),
    "fall from here": cooldown_from(planned, begin=60, cooldown_steps=140),
}
for name, schedule in choices.items():
    rate = train(schedule, restored, 1).hyperparams["learning_rate"]
    print(f"{name:26s}  before {planned(59):.4f}  after {rate:.4f}  at the end {schedule(200):.4f}")
    for warning in check(schedule, 200, since=planned, at=60):
        print(f"! {warning}")
    assert (abs(rate - planned(60)) < 1e-7) == (name != "a new length")
