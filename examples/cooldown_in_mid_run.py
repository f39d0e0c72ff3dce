"""How do I train at a constant rate and decide during the run when to cool down?

``cooldown_from`` changes the future of a schedule and keeps its past. The state of
``with_hyperparams`` stores the step count and not the rate, so it continues under the new schedule.
"""

import jax
import jax.numpy as jnp
import optax

from lr_optax import constant, cooldown_from, read_hyperparams, warmup, with_hyperparams

x = jax.random.normal(jax.random.key(0), (512, 8))
y = x.sum(1) + jax.random.normal(jax.random.key(1), (512,))


def loss(w, rows):
    return ((x[rows] @ w - y[rows]) ** 2).mean()


@jax.jit
def step(w, state, schedule, key):
    """Take the schedule as an argument: it is a pytree, and each kind compiles once."""
    grads = jax.grad(loss)(w, jax.random.randint(key, (4,), 0, 512))
    updates, state = with_hyperparams(optax.sgd, learning_rate=schedule).update(grads, state, w)
    return optax.apply_updates(w, updates), state


schedule = warmup(constant(0.1), warmup_steps=20)
w = jnp.zeros(8)
state = with_hyperparams(optax.sgd, learning_rate=schedule).init(w)
before = 0.0
for i, key in enumerate(jax.random.split(jax.random.key(2), 500)):
    if i == 400:  # the budget ends, or you want a model: 100 more steps, down to 0
        before = loss(w, slice(None))
        schedule = cooldown_from(schedule, begin=i, cooldown_steps=100, shape="1-sqrt")
    w, state = step(w, state, schedule, key)
print(f"loss {before:.3f} before the cooldown, {loss(w, slice(None)):.3f} after it")
print(f"last rate {read_hyperparams(state)['learning_rate']:.5f}, of {schedule}")
assert loss(w, slice(None)) < before
