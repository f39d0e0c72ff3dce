"""How do I cut the rate when the validation accuracy stops rising, with a warm-up and logging?

Chain ``reduce_on_plateau`` after the optimizer, and ``observe`` the accuracy once per epoch. The
steps in between leave its counters alone, and the warm-up continues whatever the plateau does.
"""

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

from lr_optax import (
    constant,
    observe,
    read_hyperparams,
    reduce_on_plateau,
    warmup,
    with_hyperparams,
)

images, labels = map(jnp.asarray, load_digits(return_X_y=True))
images = images / 16
train, valid = slice(0, 1000), slice(1000, None)

rate = warmup(constant(0.05), warmup_steps=90)  # one and a half epochs
tx = optax.chain(
    with_hyperparams(optax.adam, learning_rate=rate),
    reduce_on_plateau(0.3, patience=2, mode="max"),
)
params = {"w": jnp.zeros((64, 10)), "b": jnp.zeros(10)}
state = tx.init(params)


def loss(params, batch):
    logits = images[batch] @ params["w"] + params["b"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels[batch]).mean()


@jax.jit
def step(params, state, key):
    grads = jax.grad(loss)(params, jax.random.randint(key, (16,), 0, 1000))
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state


for epoch in range(20):
    for key in jax.random.split(jax.random.key(epoch), 60):
        params, state = step(params, state, key)
    guess = (images[valid] @ params["w"] + params["b"]).argmax(1)
    accuracy = (guess == labels[valid]).mean()
    state = observe(state, accuracy)
    used = read_hyperparams(state)["effective_learning_rate"]
    value = loss(params, valid)
    print(f"epoch {epoch:2d}  loss {value:.4f}  accuracy {accuracy:.3f}  rate {used:.5f}")
assert used < 0.05
