"""How do I keep the rate constant within an epoch, as a scheduler stepped once an epoch does?

Write the schedule in epochs and read it at ``step // STEPS_PER_EPOCH``, which is exact in integers.
A schedule whose lengths are multiplied by the steps of an epoch is another curve: it also falls
within each epoch, and over 30 epochs a cosine then differs by up to 5% of its peak.
"""

import jax
import jax.numpy as jnp
import optax

from lr_optax import cosine_decay, from_function, multistep_decay

EPOCHS, STEPS_PER_EPOCH = 30, 100
STEPS = EPOCHS * STEPS_PER_EPOCH


def held(schedule):
    return from_function(lambda step: schedule(step // STEPS_PER_EPOCH))


rate = held(cosine_decay(0.1, decay_steps=EPOCHS))
optimizer = optax.sgd(rate)

steps = jnp.arange(STEPS)
every_rate = jax.jit(rate)(steps)
for epoch in (0, 1, 15, 29):
    first, last = epoch * STEPS_PER_EPOCH, (epoch + 1) * STEPS_PER_EPOCH - 1
    print(f"epoch {epoch:2d}  rate {every_rate[first]:.5f} to {every_rate[last]:.5f}")
    assert every_rate[first] == every_rate[last] == cosine_decay(0.1, decay_steps=EPOCHS)(epoch)

smooth = cosine_decay(0.1, decay_steps=STEPS)
print(f"differs from the smooth curve by up to {abs(every_rate - smooth(steps)).max() / 0.1:.1%}")

# Drops at whole epochs are the same curve either way.
drops = multistep_decay(0.1, decay_rate=0.1, boundaries=(10, 20))
longer = multistep_decay(0.1, decay_rate=0.1, boundaries=(1000, 2000))
assert (held(drops)(steps) == longer(steps)).all()
