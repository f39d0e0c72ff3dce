"""How do I train without a decay, by schedule-free AdamW with a warm-up?

``optax.contrib.schedule_free`` keeps an average of the weights instead of decaying the rate. Under
``with_hyperparams``, update t uses the rate S(t) both for its step and for its share in that
average. Given the schedule directly, Optax uses S(t) for the step and S(t + 1) for the share. The
two differ while the rate changes, as in the warm-up here.
"""

import jax
import jax.numpy as jnp
import optax

from lr_optax import constant, read_hyperparams, warmup, with_hyperparams

x = jax.random.normal(jax.random.key(0), (512, 8))
y = x.sum(1) + jax.random.normal(jax.random.key(1), (512,))


def loss(w, rows=slice(None)):
    return ((x[rows] @ w - y[rows]) ** 2).mean()


def schedule_free_adamw(learning_rate):
    inner = optax.adamw(learning_rate, b1=0.0)  # the average takes the place of momentum
    return optax.contrib.schedule_free(inner, learning_rate, b1=0.9)


tx = with_hyperparams(schedule_free_adamw, learning_rate=warmup(constant(0.05), warmup_steps=20))


@jax.jit
def step(w, state, key):
    grads = jax.grad(loss)(w, jax.random.randint(key, (4,), 0, 512))
    updates, state = tx.update(grads, state, w)
    return optax.apply_updates(w, updates), state


w = jnp.zeros(8)
state = tx.init(w)
for i, key in enumerate(jax.random.split(jax.random.key(2), 500)):
    w, state = step(w, state, key)
    if i % 100 == 99:
        average = optax.contrib.schedule_free_eval_params(state.inner_state, w)
        used = read_hyperparams(state)["learning_rate"]
        print(
            f"step {i:3d}  rate {used:.3f}  loss {loss(w):.4f}  of the average {loss(average):.4f}"
        )
assert loss(average) < 1.1
