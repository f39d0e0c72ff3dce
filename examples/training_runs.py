"""How do I make the ``train`` function that the tools need, from a model of my library?

``training_run`` takes a loss function, a function that draws the parameters, an optimizer and data.
The same few lines work for plain functions, Flax nnx and linen, and Equinox.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen, nnx
from sklearn.datasets import load_digits

from lr_optax import training_run, warmup_linear_decay

images, labels = load_digits(return_X_y=True)
digits = {"x": images.astype(np.float32) / 16, "y": labels}
STEPS = 200


def run(init, apply):
    """Do what all four have in common."""

    def loss_fn(params, batch, key):
        logits = apply(params, batch["x"])
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch["y"]).mean()

    return training_run(
        loss_fn,
        init,
        optimizer=lambda schedule: optax.adamw(schedule, b2=0.99),
        data=jax.tree.map(lambda x: x[:1000], digits),
        validation=jax.tree.map(lambda x: x[1000:], digits),
        total_steps=STEPS,
        batch_size=32,
    )


# Plain functions: the parameters are a dictionary
def plain_init(key):
    return {"w": 0.01 * jax.random.normal(key, (64, 10)), "b": jnp.zeros(10)}


def plain_apply(params, x):
    return x @ params["w"] + params["b"]


# Flax nnx: the graph stays outside, and the parameters are passed
def nnx_model(key):
    rngs = nnx.Rngs(key)
    return nnx.Sequential(nnx.Linear(64, 32, rngs=rngs), jax.nn.relu, nnx.Linear(32, 10, rngs=rngs))


graph = nnx.graphdef(nnx_model(jax.random.key(0)))


def nnx_init(key):
    return nnx.state(nnx_model(key), nnx.Param)


def nnx_apply(params, x):
    return nnx.merge(graph, params)(x)


# Flax linen: the model has init and apply
model = linen.Sequential([linen.Dense(32), linen.relu, linen.Dense(10)])


def linen_init(key):
    return model.init(key, jnp.zeros((1, 64)))


# Equinox: the arrays are trained, and everything else stays outside
def equinox_model(key):
    return eqx.nn.MLP(64, 10, width_size=32, depth=1, key=key)


static = eqx.partition(equinox_model(jax.random.key(0)), eqx.is_inexact_array)[1]


def equinox_init(key):
    return eqx.filter(equinox_model(key), eqx.is_inexact_array)


def equinox_apply(params, x):
    return jax.vmap(eqx.combine(params, static))(x)


trains = {
    "plain functions": run(plain_init, plain_apply),
    "Flax nnx": run(nnx_init, nnx_apply),
    "Flax linen": run(linen_init, model.apply),
    "Equinox": run(equinox_init, equinox_apply),
}
schedule = warmup_linear_decay(0.02, warmup_steps=10, total_steps=STEPS)
keys = jax.random.split(jax.random.key(0), 3)
for name, train in trains.items():
    losses = jax.jit(jax.vmap(train, in_axes=(None, 0)))(schedule, keys)["validation_loss"]
    print(f"{name:16} validation losses {np.round(losses[:, -1], 3)}")
    assert (losses < 0.6).all()
