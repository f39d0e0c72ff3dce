"""How do I find a good peak rate?

Train with every peak at once: ``sweep`` runs all of them, with several seeds, in one compiled
program. Space the peaks by a factor of two or three, and extend the range if the best is at an
edge.
"""

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

from lr_optax import sweep, warmup_linear_decay

images, labels = map(jnp.asarray, load_digits(return_X_y=True))
images = images / 16
STEPS = 500


def loss(params, rows):
    logits = images[rows] @ params["w"] + params["b"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels[rows]).mean()


def train(schedule, key):
    """Return the validation loss after training, as a pure function that can be mapped."""
    tx = optax.sgd(schedule, momentum=0.9)
    params = {"w": jnp.zeros((64, 10)), "b": jnp.zeros(10)}

    def step(carry, key):
        params, state = carry
        grads = jax.grad(loss)(params, jax.random.randint(key, (16,), 0, 1000))
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

    (params, _), _ = jax.lax.scan(step, (params, tx.init(params)), jax.random.split(key, STEPS))
    return loss(params, slice(1000, None))


peaks = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
schedules = [warmup_linear_decay(peak, warmup_steps=25, total_steps=STEPS) for peak in peaks]
result = sweep(train, schedules, jax.random.split(jax.random.key(0), 8))
losses = result.values.mean(1)
for peak, value in zip(peaks, losses, strict=True):
    print(f"peak {peak:5.3f}  validation loss {value:.4f}")
best = result.best
print(f"best peak {peaks[best]}")
assert 0 < best < len(peaks) - 1
