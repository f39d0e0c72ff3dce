"""How do I train a pretrained backbone at a lower rate than a new head?

``optax.partition`` gives each group of parameters its own optimizer. One schedule for both, scaled
down for the backbone, keeps the ratio of the rates constant over the whole run.
"""

import jax
import jax.numpy as jnp
import optax

from lr_optax import read_hyperparams, scale, warmup_cosine_decay, with_hyperparams

head = warmup_cosine_decay(0.05, warmup_steps=20, total_steps=200)
backbone = scale(head, factor=0.1)
tx = optax.partition(
    {
        "backbone": with_hyperparams(optax.adamw, learning_rate=backbone),
        "head": with_hyperparams(optax.adamw, learning_rate=head),
    },
    {"backbone": "backbone", "head": "head"},  # a label for each group of the parameters
)
params = {
    "backbone": {"w": jax.random.normal(jax.random.key(0), (8, 32)) / 3},
    "head": {"w": jnp.zeros((32, 1))},
}
x = jax.random.normal(jax.random.key(1), (64, 8))


def loss(params):
    hidden = jnp.tanh(x @ params["backbone"]["w"])
    return ((hidden @ params["head"]["w"] - jnp.sin(x[:, :1])) ** 2).mean()


@jax.jit
def step(params, state):
    updates, state = tx.update(jax.grad(loss)(params), state, params)
    return optax.apply_updates(params, updates), state


state = tx.init(params)
for i in range(200):
    params, state = step(params, state)
    if i % 50 == 20:
        used = read_hyperparams(state)
        rates = {label: round(float(used[f"{label}/learning_rate"]), 5) for label in params}
        print(f"step {i:3d}  loss {loss(params):.4f}  {rates}")
assert loss(params) < 0.05
