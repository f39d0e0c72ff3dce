"""How do I use one-cycle with its momentum, in AdamW and in SGD?

``with_hyperparams`` takes a schedule for each argument that you name. The momentum is ``b1`` in
AdamW and ``momentum`` in SGD. Bind all other arguments with ``functools.partial``.
"""

from functools import partial

import jax
import jax.numpy as jnp
import optax

from lr_optax import one_cycle, one_cycle_momentum, read_hyperparams, with_hyperparams

STEPS, WARMUP = 200, 60
momentum = one_cycle_momentum(0.95, min_value=0.85, total_steps=STEPS, warmup_steps=WARMUP)
optimizers = {
    "adamw": with_hyperparams(
        partial(optax.adamw, weight_decay=1e-3),
        learning_rate=one_cycle(0.1, total_steps=STEPS, warmup_steps=WARMUP),
        b1=momentum,
    ),
    "sgd": with_hyperparams(
        partial(optax.sgd, nesterov=True),
        learning_rate=one_cycle(0.02, total_steps=STEPS, warmup_steps=WARMUP),
        momentum=momentum,
    ),
}
x = jax.random.normal(jax.random.key(0), (64, 8))
y = x.sum(1)


def loss(w):
    return ((x @ w - y) ** 2).mean()


for name, tx in optimizers.items():
    w = jnp.zeros(8)
    state, update = tx.init(w), jax.jit(tx.update)
    for step in range(STEPS):
        updates, state = update(jax.grad(loss)(w), state, w)
        w = optax.apply_updates(w, updates)
        if step in (0, WARMUP, STEPS - 1):
            used = {key: round(float(value), 5) for key, value in read_hyperparams(state).items()}
            print(f"{name}  step {step:3d}  {used}")
    assert loss(w) < 1e-2
