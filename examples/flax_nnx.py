"""How do I use schedules and a plateau with Flax nnx, and log the rate?

``nnx.Optimizer`` takes the optimizer as is. Read and observe its state in place.
"""

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from sklearn.datasets import load_digits

from lr_optax import (
    cosine_decay,
    observe,
    read_hyperparams,
    reduce_on_plateau,
    warmup,
    with_hyperparams,
)

images, labels = map(jnp.asarray, load_digits(return_X_y=True))
images = images / 16
train, valid = slice(0, 1000), slice(1000, None)

rate = warmup(cosine_decay(0.02, decay_steps=450), warmup_steps=50)
tx = optax.chain(
    with_hyperparams(optax.adamw, learning_rate=rate), reduce_on_plateau(0.5, patience=1)
)
model = nnx.Sequential(
    nnx.Linear(64, 64, rngs=nnx.Rngs(0)), jax.nn.relu, nnx.Linear(64, 10, rngs=nnx.Rngs(1))
)
optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)


def loss(model, images, labels):
    return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()


@nnx.jit
def train_step(model, optimizer, key):
    batch = jax.random.randint(key, (64,), 0, 1000)
    grads = nnx.grad(loss)(model, images[batch], labels[batch])
    optimizer.update(model, grads)


@nnx.jit
def end_epoch(model, optimizer):
    value = loss(model, images[valid], labels[valid])
    optimizer.opt_state = observe(optimizer.opt_state, value)
    return value


value = jnp.inf
for epoch in range(10):
    for key in jax.random.split(jax.random.key(epoch), 50):
        train_step(model, optimizer, key)
    value = end_epoch(model, optimizer)
    used = read_hyperparams(optimizer)["effective_learning_rate"]
    print(f"epoch {epoch}  validation loss {value:.4f}  rate {used:.5f}")
assert value < 0.35
