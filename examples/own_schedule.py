"""How do I write my own schedule?

Decorate its formula. You can then print, save, sweep, differentiate and check it like the schedules
of the library, and ``parse`` knows its name. So does the command line, once it imports the module:
``lr-optax show "sine(0.1, period=100)" --import own_schedule``.
"""

import jax
import jax.numpy as jnp
from jax import Array

from lr_optax import cosine_decay, parse, schedule, stretch, to_dict
from lr_optax.typing import Inner, Period, Rate, Steps


@schedule
def sine(step: Array, peak_value: Rate, *, period: Period, floor: Rate = 0.0) -> Array:
    """A sine between floor and peak."""
    return floor + (peak_value - floor) * jnp.sin(jnp.pi * (step % period) / period) ** 2


s = sine(0.1, period=100, floor=0.01)
print(s, to_dict(s), s(50))
assert parse(repr(s)) == s

# A hundred of them in one program
peaks = jnp.linspace(0.1, 1.0, 100)
rates = jax.jit(jax.vmap(lambda peak: sine(peak, period=100)(jnp.arange(200))))(peaks)
print(rates.shape)


# A schedule made of another, which may also be a function of the step
@schedule
def pause(step: Array, inner: Inner, *, begin: Steps, steps: Steps) -> Array:
    """Another schedule that stands still from ``begin`` for some steps."""
    return jnp.asarray(inner(jnp.minimum(step, begin) + jnp.maximum(step - begin - steps, 0)))


s = pause(cosine_decay(0.1, decay_steps=100), begin=50, steps=20)
assert parse(repr(s)) == s
print(stretch(s, 2))

try:
    sine(0.1, period=0)
except ValueError as error:
    print(error)
