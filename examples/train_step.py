"""How do I use a schedule in a training step?

Pass it to any Optax optimizer in place of the learning rate.
"""

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from sklearn.datasets import load_digits

from lr_optax import cosine_decay, warmup

images, labels = map(jnp.asarray, load_digits(return_X_y=True))
images = images / 16
STEPS = 300

schedule = warmup(cosine_decay(0.01, decay_steps=STEPS - 30), warmup_steps=30)
model = nnx.Sequential(
    nnx.Linear(64, 64, rngs=nnx.Rngs(0)), jax.nn.relu, nnx.Linear(64, 10, rngs=nnx.Rngs(1))
)
optimizer = nnx.Optimizer(model, optax.adamw(schedule), wrt=nnx.Param)


@nnx.jit
def train_step(model, optimizer):
    def loss(model):
        logits = model(images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    value, grads = nnx.value_and_grad(loss)(model)
    optimizer.update(model, grads)
    return value


for step in range(STEPS):
    value = train_step(model, optimizer)
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step:3d}  rate {schedule(step):.5f}  loss {value:.4f}")
assert value < 0.1
