"""How do I use schedules with parameters in a plain tree, in the style of Haiku?

Everything is a function of trees: a schedule and a plateau for each group of parameters, and a
whole epoch as one compiled scan.
"""

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

from lr_optax import (
    constant,
    cosine_decay,
    observe,
    read_hyperparams,
    reduce_on_plateau,
    scale,
    warmup,
    with_hyperparams,
)

images, labels = map(jnp.asarray, load_digits(return_X_y=True))
images = images / 16
train, valid = slice(0, 1000), slice(1000, None)


def init(key):
    body, head = jax.random.split(key)
    return {
        "body": {"w": jax.random.normal(body, (64, 64)) / 8, "b": jnp.zeros(64)},
        "head": {"w": jax.random.normal(head, (64, 10)) / 8, "b": jnp.zeros(10)},
    }


def apply(params, images):
    hidden = jax.nn.relu(images @ params["body"]["w"] + params["body"]["b"])
    return hidden @ params["head"]["w"] + params["head"]["b"]


def loss(params, images, labels):
    return optax.softmax_cross_entropy_with_integer_labels(apply(params, images), labels).mean()


rate = warmup(cosine_decay(0.02, decay_steps=450), warmup_steps=50)
tx = optax.partition(
    {
        "body": with_hyperparams(optax.adam, learning_rate=scale(rate, factor=0.5)),
        "head": optax.chain(
            with_hyperparams(optax.adam, learning_rate=constant(0.02)),
            reduce_on_plateau(0.5, patience=0),
        ),
    },
    {"body": "body", "head": "head"},
)


@jax.jit
def epoch(params, state, key):
    def step(carry, key):
        params, state = carry
        batch = jax.random.randint(key, (64,), 0, 1000)
        grads = jax.grad(loss)(params, images[batch], labels[batch])
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), read_hyperparams(state)

    (params, state), rates = jax.lax.scan(step, (params, state), jax.random.split(key, 50))
    value = loss(params, images[valid], labels[valid])
    return params, observe(state, value), value, rates


params = init(jax.random.key(0))
state = tx.init(params)
value = jnp.inf
for i in range(10):
    params, state, value, rates = epoch(params, state, jax.random.key(i))
    print(f"epoch {i}  validation loss {value:.4f}", end="")
    for name in ("body/learning_rate", "head/effective_learning_rate"):
        print(f"  {name} {rates[name][-1]:.5f}", end="")
    print()
assert value < 0.35
