"""How do I cut the rate when the validation loss stops improving?

Put ``reduce_on_plateau`` behind the optimizer and pass it ``value`` when there is a new metric:
here once an epoch. Steps without ``value`` leave its counters alone.
"""

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

from lr_optax import reduce_on_plateau

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
def step(params, state, key, value=None):
    batch = jax.random.randint(key, (16,), 0, 1000)
    grads = jax.grad(loss)(params, images[batch], labels[batch])
    updates, state = tx.update(grads, state, params, value=value)
    return optax.apply_updates(params, updates), state


value = None
for epoch in range(20):
    keys = jax.random.split(jax.random.key(epoch), 60)
    for i, key in enumerate(keys):
        params, state = step(params, state, key, value if i == 0 else None)
    value = loss(params, images[valid], labels[valid])
    plateau = state[1]
    print(f"epoch {epoch:2d}  validation loss {value:.4f}  scale {plateau.scale:.4f}")
assert plateau.scale < 1
