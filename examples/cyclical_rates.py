"""How do I train with cyclical rates whose range shrinks?

``mode`` and ``shrink`` set how the range shrinks. Keep the model from the end of a cycle, where the
rate is lowest.
"""

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

from lr_optax import cyclical

images, labels = map(jnp.asarray, load_digits(return_X_y=True))
images = images / 16

schedule = cyclical(0.02, max_value=0.5, step_size_up=50, shrink=0.7)
tx = optax.sgd(schedule, momentum=0.9)
params = {"w": jnp.zeros((64, 10)), "b": jnp.zeros(10)}


def loss(params, key):
    batch = jax.random.randint(key, (32,), 0, len(labels))
    logits = images[batch] @ params["w"] + params["b"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels[batch]).mean()


@jax.jit
def cycle(params, state, key):
    """One cycle: 50 steps up, 50 steps down."""

    def step(carry, key):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(params, key)
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), value

    carry, values = jax.lax.scan(step, (params, state), jax.random.split(key, 100))
    return *carry, values[-20:].mean()


state = tx.init(params)
for i in range(5):
    params, state, value = cycle(params, state, jax.random.key(i))
    print(f"cycle {i}: peak rate {schedule(100 * i + 50):.3f}, loss at its end {value:.4f}")
assert value < 0.2
