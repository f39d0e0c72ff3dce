"""How do I use schedules and a plateau with Equinox?

Filter the model's arrays, as for any Optax optimizer. Modules, and masks made from them, are
callable; ``with_hyperparams`` treats only the arguments that you name as schedules. As an argument
of ``eqx.filter_jit``, a schedule compiles again for every value, because Equinox treats Python
numbers as static; pass ``schedule.as_arrays()`` instead.
"""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

from lr_optax import (
    cosine_decay,
    linear,
    observe,
    read_hyperparams,
    reduce_on_plateau,
    with_hyperparams,
)

images, labels = map(jnp.asarray, load_digits(return_X_y=True))
images = images / 16
train, valid = slice(0, 1000), slice(1000, None)

model = eqx.nn.MLP(64, 10, width_size=64, depth=1, key=jax.random.key(0))
arrays = eqx.filter(model, eqx.is_inexact_array)
matrices = jax.tree.map(lambda p: p.ndim > 1, arrays)
tx = optax.chain(
    with_hyperparams(
        partial(optax.adamw, mask=matrices, b2=0.99),
        learning_rate=cosine_decay(0.02, decay_steps=500),
        weight_decay=linear(0.1, end_value=0.0, transition_steps=500),
    ),
    reduce_on_plateau(0.5, patience=1),
)
state = tx.init(arrays)


def loss(model, images, labels):
    logits = jax.vmap(model)(images)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


@eqx.filter_jit
def train_step(model, state, key):
    batch = jax.random.randint(key, (64,), 0, 1000)
    grads = eqx.filter_grad(loss)(model, images[batch], labels[batch])
    updates, state = tx.update(grads, state, eqx.filter(model, eqx.is_inexact_array))
    return eqx.apply_updates(model, updates), state


value = jnp.inf
for epoch in range(10):
    for key in jax.random.split(jax.random.key(epoch), 50):
        model, state = train_step(model, state, key)
    value = eqx.filter_jit(loss)(model, images[valid], labels[valid])
    state = observe(state, value)
    used = read_hyperparams(state)
    print(
        f"epoch {epoch}  validation loss {value:.4f}  rate {used['effective_learning_rate']:.5f}  "
        f"decay {used['weight_decay']:.4f}"
    )
assert value < 0.35
