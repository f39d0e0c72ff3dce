"""Decays over a known number of steps, then level."""

import math
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.arguments import Count, NonNegative, Period, Positive, Rate, Steps
from lr_optax._core.rules import at_most, positive_ends, together
from lr_optax._core.schedule import schedule
from lr_optax._core.steps import (
    as_float,
    blend,
    is_number,
    nearest_turn,
    noise,
    progress,
    safe_sqrt,
)


@schedule
def linear(
    step: Array, init_value: Rate, *, end_value: Rate = 0.0, transition_steps: Steps
) -> ArrayLike:
    """A straight line from one rate to another, then level: η(t) = η₀ + (η₁ − η₀)·min(t/T, 1).

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        end_value: η₁, the rate from ``transition_steps`` on, >= 0; may be larger (a warm-up).
        transition_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Example:
        >>> s = linear(0.1, end_value=0.0, transition_steps=1000)
        >>> print(s(0), s(500), s(1000))
        0.1 0.05 0.0

    When to use it:
        As the default for a run of known length: decay to zero matches or beats cosine in most
        published comparisons, and convex theory predicts it.

    Reference:
        A. Defazio, A. Cutkosky, H. Mehta, K. Mishchenko, "Optimal Linear Decay Learning Rate
        Schedules and Further Refinements", 2023, arXiv:2310.07831.
    """
    return blend(progress(step, transition_steps), init_value, end_value)


@schedule
def polynomial(
    step: Array,
    init_value: Rate,
    *,
    end_value: Rate = 0.0,
    power: Positive,
    transition_steps: Steps,
) -> ArrayLike:
    """A power of what is left: η(t) = η₁ + (η₀ − η₁)·(1 − t/T)^p, then η₁.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        end_value: η₁, the rate from ``transition_steps`` on, >= 0.
        power: p > 0; 1 is :func:`linear`, below 1 the fall comes late, above 1 early.
        transition_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Example:
        >>> s = polynomial(0.01, end_value=0, power=2, transition_steps=1000)
        >>> print(s(0), s(500), s(1000))
        0.01 0.0025 0.0

    When to use it:
        In semantic segmentation, where power 0.9 is customary; elsewhere to bend a linear decay.

    Reference:
        W. Liu, A. Rabinovich, A. C. Berg, "ParseNet: Looking Wider to See Better", 2015,
        arXiv:1506.04579.
    """
    weights = progress(step, transition_steps)
    return blend(shapes.power(weights, power), init_value, end_value)


@schedule
def cosine_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_steps: Steps,
    end_value: Rate = 0.0,
    exponent: Positive = 1.0,
) -> ArrayLike:
    """Half a cosine: η(t) = η₁ + (η₀ − η₁)·(½(1 + cos(πt/T)))^p, then η₁.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0.
        exponent: p > 0; above 1 the fall comes earlier.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on; it does not rise again.

    Example:
        >>> s = cosine_decay(0.1, decay_steps=1000, end_value=0.01)
        >>> print(s(0), s(500), s(1000), s(2000))
        0.1 0.055 0.01 0.01

    When to use it:
        As a smooth decay over a run of known length, usually behind :func:`warmup`. Let it end
        near zero: an end at a tenth of the peak costs more than the choice of shape.

    Reference:
        I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016,
        arXiv:1608.03983, equation 5, without restarts.
    """
    weights = shapes.cosine(progress(step, decay_steps))
    return blend(shapes.power(weights, exponent), init_value, end_value)


@schedule(check=positive_ends("init_value", "end_value"))
def shaped_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_steps: Steps,
    end_value: Rate = 0.0,
    shape: shapes.Shape,
) -> ArrayLike:
    """A decay of any shape by name: η(t) = η₁ + (η₀ − η₁)·f(t/T), then η₁.

    With x = t/T, f is 1 − x for "linear", ½(1 + cos πx) for "cosine", 2(1 − x) − ½(1 + cos πx)
    for "mirror_cosine", 1 − √x for "1-sqrt", 1 − x² for "square", (1 − x)^1.5 for "sqrt_cube",
    (1 − x)/(1 − x/2) for "rex". For "exponential" the rate is η₀^(1−x)·η₁^x, and for "inverse"
    1/((1 − x)/η₀ + x/η₁).

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0. For "exponential" and "inverse"
            both rates must be > 0.
        shape: the name of the shape.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Example:
        >>> s = shaped_decay(0.1, decay_steps=16, shape="1-sqrt")
        >>> print(s(0), s(4), s(9), s(16))
        0.1 0.05 0.025 0.0
        >>> s = shaped_decay(0.1, decay_steps=4, end_value=0.001, shape="exponential")
        >>> print(s(0), s(2), s(4))
        0.1 0.01 0.001

    When to use it:
        To compare shapes, or for one that has no name of its own here. In the cooldown of a
        language model "1-sqrt" is a good first choice; over a whole run "rex" does well when the
        budget is small.

    Reference:
        A. Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training
        Durations", 2024, arXiv:2405.18392; J. Chen, C. Wolfe, A. Kyrillidis, "REX: Revisiting
        Budgeted Training with an Improved Schedule", 2021, arXiv:2107.04197.
    """
    return shapes.between(shape, progress(step, decay_steps), init_value, end_value)


@schedule
def budget_aware_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_steps: Steps,
    end_value: Rate = 0.0,
    phi: NonNegative = 2.0,
) -> ArrayLike:
    """A cosine bent by one number: η(t) = η₁ + (η₀ − η₁)·2c/(2c + φ·(1 − c)), c = ½(1 + cos πt/T).

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0.
        phi: φ >= 0; 2 is a cosine, less keeps the rate high for longer, more lets it fall early.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Example:
        >>> s = budget_aware_decay(0.1, decay_steps=10, phi=6.0)
        >>> print(s(0), s(5), s(10))
        0.1 0.025 0.0

    When to use it:
        With a fixed budget, to tune the shape of a decay by one number; the authors tie φ to how
        badly conditioned the problem is.

    Reference:
        A. Tang et al., "Stepsize Anything: A Unified Learning Rate Schedule for
        Budgeted-Iteration Training", 2025, arXiv:2505.24452.
    """
    falling, risen = shapes.cosine(progress(step, decay_steps))
    weights = shapes.shares(2 * falling, risen * phi)
    return blend(weights, init_value, end_value)


@schedule
def tanh_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_steps: Steps,
    end_value: Rate = 0.0,
    lower: Positive = 6.0,
    upper: Positive = 3.0,
) -> ArrayLike:
    """A falling tanh: η(t) = η₁ + (η₀ − η₁)·(tanh U − tanh x)/(tanh U + tanh L), x = (L+U)t/T − L.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0.
        lower: L > 0, how far out on the flat side the tanh begins; more keeps the rate for longer.
            Where L + U is beyond 20, float32 steps between flat and steep cost digits: the
            relative error grows to 1e-5 at 200.
        upper: U > 0, how far out it ends. If L + U is below 1e-4 the tanh is a line.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Example:
        >>> s = tanh_decay(0.1, decay_steps=10, lower=3.0, upper=3.0)
        >>> print(s(0), s(5), s(10))
        0.1 0.05 0.0

    When to use it:
        To keep a high rate for most of a run and then let it fall smoothly. The original ends
        above ``end_value``, since its tanh never reaches 1; this one is stretched to reach it.

    Reference:
        B. Y. Hsueh, W. Li, I.-C. Wu, "Stochastic Gradient Descent with Hyperbolic-Tangent Decay on
        Classification", 2018, arXiv:1806.01593.
    """
    weights = shapes.tanh(progress(step, decay_steps), -lower, upper)
    return blend(weights, init_value, end_value)


@schedule(check=positive_ends("init_value", "end_value"))
def k_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_steps: Steps,
    end_value: Rate = 0.0,
    k: Positive,
    shape: shapes.Shape = "cosine",
) -> ArrayLike:
    """A decay whose clock is bent: η(t) = η₁ + (η₀ − η₁)·f((t/T)^k), f a cosine unless named.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0.
        k: k > 0; 1 changes nothing, above 1 the fall comes late.
        shape: the name of the shape, as in :func:`shaped_decay`.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Example:
        >>> s = k_decay(0.1, decay_steps=10, k=2, shape="linear")
        >>> print(s(0), s(5), s(10))
        0.1 0.075 0.0

    When to use it:
        To shift a decay that works to later or earlier in the run, by one number.

    Reference:
        T. Zhang, W. Li, "k-decay: A New Method for Learning Rate Schedule", 2020,
        arXiv:2004.05909.
    """
    weights = shapes.delayed(progress(step, decay_steps), k)
    return shapes.between(shape, weights, init_value, end_value)


def _positive_rates(*, exponential: bool, **values: Any) -> None:
    if exponential:
        positive_ends("init_value", "min_value")(shape="exponential", **values)


@schedule(check=together(at_most("decay_steps", "upper_bound"), _positive_rates))
def hyperbolic_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_steps: Steps,
    upper_bound: Period,
    min_value: Rate = 0.0,
    exponential: bool = False,
) -> ArrayLike:
    """The start of a hyperbola that hardly depends on the horizon.

    With f(t) = √((T − t)/U·(2 − (T + t)/U)) and d = f(0) − f(t), η(t) = η₀ − (η₀ − η_min)·d, or,
    exponentially, η₀·(η_min/η₀)^d.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; then the rate is held.
        upper_bound: U >= T, steps, the longest horizon in question, >= 1.
        min_value: η_min, the rate at t = T if T = U, >= 0. A shorter run ends above it.
        exponential: whether the logarithm of the rate falls so; then both rates must be > 0.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Raises:
        ValueError: T exceeds U.

    Example:
        >>> s = hyperbolic_decay(0.1, decay_steps=10, upper_bound=10)
        >>> print(s(0), s(4), s(10))
        0.1 0.06 0.0
        >>> s = hyperbolic_decay(0.1, decay_steps=8, upper_bound=10, min_value=0.01)
        >>> print(s(0), s(8))
        0.1 0.01181837

    When to use it:
        To tune on short runs and then train for longer: the first steps keep their rates when T
        changes and U does not.

    Reference:
        T.-G. Kim, "HyperbolicLR: Epoch Insensitive Learning Rate Scheduler", 2024,
        arXiv:2407.15200.
    """
    if is_number(decay_steps) and is_number(upper_bound):
        share = decay_steps / upper_bound
    else:
        share = jnp.minimum(as_float(decay_steps) / jnp.maximum(as_float(upper_bound), 1), 1)
    weights = shapes.hyperbolic(progress(step, decay_steps), share)
    return shapes.between(
        "exponential" if exponential else "linear", weights, init_value, min_value
    )


@schedule
def linear_cosine_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_steps: Steps,
    num_periods: NonNegative = 0.5,
    alpha: NonNegative = 0.0,
    beta: NonNegative = 0.001,
    initial_variance: NonNegative | None = None,
    variance_decay: NonNegative = 0.55,
    seed: Count = 0,
) -> ArrayLike:
    """A line times a cosine, with noise on the line if wanted.

    η(t) = η₀·((α + 1 − x + ε)·½(1 + cos 2πnx) + β), x = min(t/T, 1), never below 0, where ε is
    normal with variance v/(1 + min(t, T))^k, drawn anew at every step.

    Args:
        init_value: η₀, >= 0; the rate at step 0 is η₀·(1 + α + β).
        decay_steps: T, steps, >= 0; then the rate is held. With the default ``num_periods`` it is
            η₀·β there.
        num_periods: n >= 0, periods of the cosine over T. From 1 on the cosine touches its zero
            within the run, where a relative error has no meaning: there the rate is within
            2e-7·(1 + n)·η(0) of the formula, at every step.
        alpha: α >= 0, raises the line.
        beta: β >= 0, a floor, in units of η₀.
        initial_variance: v >= 0, the variance of the noise at step 0; None for no noise.
        variance_decay: k >= 0, how fast it falls.
        seed: chooses the noise, which is a function of seed and step alone.

    Returns:
        A :class:`~lr_optax.Schedule`.

    Example:
        >>> s = linear_cosine_decay(0.1, decay_steps=10)
        >>> print(s(0), s(5), s(10))
        0.1001 0.0251 0.0001

    When to use it:
        To reproduce results that used it: it came out of a search over formulas for optimizers.

    Reference:
        I. Bello, B. Zoph, V. Vasudevan, Q. V. Le, "Neural Optimizer Search with Reinforcement
        Learning", 2017, arXiv:1709.07417.
    """
    left, gone = progress(step, decay_steps)
    # ½(1 + cos 2πnx) = sin²(π(½ − nx)), counted in turns from the nearer end.
    from_start, from_end = 0.5 - nearest_turn(num_periods * gone), nearest_turn(num_periods * left)
    turns = jnp.where(gone < left, from_start, nearest_turn(0.5 - num_periods) + from_end)
    wave = jnp.sin(math.pi * nearest_turn(turns)) ** 2
    line = alpha + left
    if initial_variance is not None:
        time = jnp.minimum(as_float(step), as_float(decay_steps))
        line = line + safe_sqrt(initial_variance) * noise(step, seed) * (1 + time) ** (
            -0.5 * as_float(variance_decay)
        )
    return init_value * jnp.maximum(line * wave + beta, 0)
