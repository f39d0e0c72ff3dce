"""How do I use a plateau with Flax linen and its ``TrainState``?

``TrainState.apply_gradients`` does not pass ``value`` on. Either override it in three lines, as
here for the training loss, or call ``observe`` on the whole state, as here for the validation loss.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax.training import train_state
from sklearn.datasets import load_digits

from lr_optax import cosine_decay, observe, read_hyperparams, reduce_on_plateau, with_hyperparams

images, labels = map(jnp.asarray, load_digits(return_X_y=True))
images = images / 16
train, valid = slice(0, 1000), slice(1000, None)


class TrainState(train_state.TrainState):
    """A train state whose optimizer receives extra arguments such as ``value``."""

    def apply_gradients(self, *, grads: Any, **extra: Any) -> "TrainState":
        """Do what Flax does, with ``extra`` for the optimizer."""
        updates, opt_state = self.tx.update(grads, self.opt_state, self.params, **extra)
        params = optax.apply_updates(self.params, updates)
        return self.replace(step=self.step + 1, params=params, opt_state=opt_state)


model = nn.Sequential([nn.Dense(64), nn.relu, nn.Dense(10)])
tx = optax.chain(
    with_hyperparams(optax.adamw, learning_rate=cosine_decay(0.02, decay_steps=500)),
    # Fifty training losses make one check.
    reduce_on_plateau(0.5, patience=2, accumulation_size=50),
)
state = TrainState.create(
    apply_fn=model.apply, params=model.init(jax.random.key(0), images[:1])["params"], tx=tx
)


def loss(params, images, labels):
    logits = jnp.asarray(model.apply({"params": params}, images))
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


@jax.jit
def train_step(state, key):
    batch = jax.random.randint(key, (64,), 0, 1000)
    value, grads = jax.value_and_grad(loss)(state.params, images[batch], labels[batch])
    return state.apply_gradients(grads=grads, value=value)


value = jnp.inf
for epoch in range(10):
    for key in jax.random.split(jax.random.key(epoch), 50):
        state = train_step(state, key)
    value = loss(state.params, images[valid], labels[valid])
    used = read_hyperparams(state)["effective_learning_rate"]
    print(f"epoch {epoch}  validation loss {value:.4f}  rate {used:.5f}")
assert value < 0.35
# One validation loss, given to the whole state
state = observe(state, value)
