"""How do I set the rate by a rule of my own, such as an adaptive KL?

Write the rule as an Optax transform and give it to ``with_feedback``. (A rate that you write into
the state of ``with_hyperparams`` yourself is overwritten, not used.) This is a rule of many PPO
codes: when an update has moved the policy by more than twice the target KL, divide the rate by 1.5;
when by less than half the target, multiply it by 1.5; within limits. The transform's state is the
rate itself, so the schedule is ``constant(1.0)``; ``warmup(constant(1.0), warmup_steps=100)`` would
add a warm-up. Extra arguments of ``update``, here ``kl``, reach the rule; without ``kl``, the rate
stays. (``observe`` reaches only this library's own rules.)
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from lr_optax import constant, read_hyperparams, with_feedback, with_hyperparams

TARGET = 0.001


class AdaptiveKL(NamedTuple):
    """The state of the rule: an array, so that any checkpoint can hold it."""

    rate: jax.Array


def adaptive_kl(init_value, *, target, factor=1.5, min_value=1e-5, max_value=1e-2):
    def init(params):
        return AdaptiveKL(jnp.array(init_value, jnp.float32))

    def update(updates, state, params=None, *, kl=None, **extra):
        rate = state.rate
        if kl is not None:
            lower = jnp.maximum(rate / factor, min_value)
            higher = jnp.minimum(rate * factor, max_value)
            rate = jnp.where(kl > 2 * target, lower, jnp.where(kl < target / 2, higher, rate))
        return jax.tree.map(lambda update: rate * update, updates), AdaptiveKL(rate)

    return optax.GradientTransformationExtraArgs(init, update)


rate = with_feedback(constant(1.0), adaptive_kl(1e-2, target=TARGET))
tx = with_hyperparams(optax.adam, learning_rate=rate)

# A policy that learns which of 4 actions pays, in each of 256 situations.
situations = jax.random.normal(jax.random.key(0), (256, 128))
pays = (situations @ jax.random.normal(jax.random.key(1), (128, 4))).argmax(1)


def log_policy(w):
    return jax.nn.log_softmax(situations @ w)


@jax.jit
def step(w, state, kl, key):
    old = log_policy(w)
    actions = jax.random.categorical(key, old)
    advantages = (actions == pays) - 0.25

    def loss(w):
        return -(advantages * log_policy(w)[jnp.arange(256), actions]).mean()

    updates, state = tx.update(jax.grad(loss)(w), state, w, kl=kl)
    w = optax.apply_updates(w, updates)
    return w, state, (jnp.exp(old) * (old - log_policy(w))).sum(1).mean()


w, kl, expected, rates = jnp.zeros((128, 4)), TARGET, 1e-2, []
state = tx.init(w)
for i, key in enumerate(jax.random.split(jax.random.key(2), 60)):
    if kl > 2 * TARGET:  # the same rule in plain Python
        expected = max(expected / 1.5, 1e-5)
    elif kl < TARGET / 2:
        expected = min(expected * 1.5, 1e-2)
    w, state, kl = step(w, state, kl, key)
    used = read_hyperparams(state)["learning_rate"]
    assert abs(used / expected - 1) < 1e-5
    rates.append(float(used))
    if i % 5 == 0:
        share = (log_policy(w).argmax(1) == pays).mean()
        print(f"step {i:2d}  rate {used:.5f}  KL {kl:.5f}  right {share:.0%}")
assert min(rates) < min(rates[0], rates[-1])  # it fell and rose
