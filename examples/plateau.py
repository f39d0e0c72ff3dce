"""How do I cut the rate when the validation loss stops improving?

Put ``reduce_on_plateau`` behind the optimizer, and let it ``observe`` the loss once an epoch. Steps
in between leave its counters alone.
"""

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

from lr_optax import observe, read_hyperparams, reduce_on_plateau

images, labels = map(jnp.asarray, load_digits(return_X_y=True))
images = images / 16
train, valid = slice(0, 1000), slice(1000, None)

tx = optax.chain(optax.adam(0.05), reduce_on_plateau(0.3, patience=2))
params = {"w": jnp.zeros((64, 10)), "b": jnp.zeros(10)}
state = tx.init(params)


def loss(params, images, labels):
    logits = images @ params["w"] + params["b"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


@jax.jit
def step(params, state, key):
    batch = jax.random.randint(key, (16,), 0, 1000)
    grads = jax.grad(loss)(params, images[batch], labels[batch])
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state


scale = 1.0
for epoch in range(20):
    for key in jax.random.split(jax.random.key(epoch), 60):
        params, state = step(params, state, key)
    value = loss(params, images[valid], labels[valid])
    state = observe(state, value)
    scale = read_hyperparams(state)["scale"]
    print(f"epoch {epoch:2d}  validation loss {value:.4f}  scale {scale:.4f}")
assert scale < 1
