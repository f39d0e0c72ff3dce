"""How do I compare schedules on my own task?

Write training as a function of a schedule and a key. ``sweep`` runs it under every schedule with
every key, in one compiled program.
"""

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

from lr_optax import constant, cosine_decay, linear, step_decay, sweep

images, labels = map(jnp.asarray, load_digits(return_X_y=True))
images = images / 16
STEPS = 2000


def loss(params, images, labels):
    logits = images @ params["w"] + params["b"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def train(schedule, key):
    tx = optax.sgd(schedule)
    params = {"w": jnp.zeros((64, 10)), "b": jnp.zeros(10)}

    def step(carry, key):
        params, state = carry
        batch = jax.random.randint(key, (4,), 0, 1000)
        grads = jax.grad(loss)(params, images[batch], labels[batch])
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

    (params, _), _ = jax.lax.scan(step, (params, tx.init(params)), jax.random.split(key, STEPS))
    return {"loss": loss(params, images[1000:], labels[1000:])}


peak = 0.5
schedules = [
    constant(peak),
    step_decay(peak, decay_rate=0.5, decay_steps=STEPS // 4),
    cosine_decay(peak, decay_steps=STEPS),
    linear(peak, end_value=0.0, transition_steps=STEPS),
]
result = sweep(train, schedules, jax.random.split(jax.random.key(0), 10), baseline=0)
print(result)
assert result.metrics["loss"].shape == (4, 10)
