"""Schedules that only fall: steadily, in stairs, to an end value or forever."""

import math
from typing import Annotated, Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from lr_optax._core import shapes
from lr_optax._core.clock import (
    as_float,
    at_boundaries,
    blend,
    cycle,
    default_float,
    is_number,
    passed,
    progress,
    safe_sqrt,
)
from lr_optax._core.hyperparameters import (
    PER_STEP,
    Boundaries,
    Count,
    NonNegative,
    Period,
    Positive,
    Rate,
    Steps,
    is_known,
    must_not_exceed,
    together,
)
from lr_optax._core.powers import exponential, geometric, nearest_turn
from lr_optax._core.schedule import schedule


@schedule
def constant(step: Array, value: Rate) -> ArrayLike:
    """The same rate at every step: η(t) = η₀.

    Args:
        value: η₀, the rate, >= 0. At 0 nothing is learned.

    Example:
        >>> s = constant(0.1)
        >>> print(s(0), s(10), s(1000))
        0.1 0.1 0.1

    When to use it:
        As the baseline that every other schedule has to beat, and inside :func:`join` or
        :func:`product`. With a fixed rate, training stops improving at a distance from the
        optimum that grows with the rate.
    """
    return as_float(value)


@schedule
def step_decay(
    step: Array, init_value: Rate, *, decay_rate: Positive, decay_steps: Period
) -> ArrayLike:
    """A staircase: the rate is multiplied by a factor every so many steps, η(t) = η₀·γ^⌊t/T⌋.

    It goes on dropping forever.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_rate: γ, the factor at each drop, > 0; 1 keeps the rate, more makes it grow.
        decay_steps: T, steps between drops, >= 1.

    Example:
        >>> s = step_decay(0.1, decay_rate=0.5, decay_steps=10)
        >>> print(s(0), s(9), s(10), s(19), s(20), s(29))
        0.1 0.1 0.05 0.05 0.025 0.025

    When to use it:
        For networks trained with SGD in epochs, where drops at a fixed interval are known to
        work. Drops at chosen steps are :func:`multistep_decay`.
    """
    drops, _ = cycle(step, decay_steps)
    return init_value * geometric(decay_rate, drops)


@schedule
def multistep_decay(
    step: Array, init_value: Rate, *, decay_rate: Positive, boundaries: Boundaries
) -> ArrayLike:
    """The rate is multiplied by a factor at chosen steps: η(t) = η₀·γ^(number of boundaries <= t).

    The last rate is held.

    Args:
        init_value: η₀, the rate before the first boundary, >= 0.
        decay_rate: γ, the factor at each boundary, > 0.
        boundaries: the steps of the drops, whole numbers in ascending order; the new rate holds
            *at* the boundary. One given twice counts twice; an empty sequence drops never. A
            thousand of them cost one comparison.

    Example:
        >>> s = multistep_decay(0.1, decay_rate=0.1, boundaries=(30, 60))
        >>> print(s(0), s(29), s(30), s(60))
        0.1 0.1 0.01 0.001

    When to use it:
        To reproduce recipes such as ResNet's, which divide the rate by 10 when the error
        plateaus at known epochs. If the plateaus are not known, use
        :func:`lr_optax.reduce_on_plateau`.
    """
    if not (is_number(init_value) and is_number(decay_rate)):
        return init_value * geometric(decay_rate, passed(step, boundaries))
    with np.errstate(over="ignore", under="ignore"):
        rates = init_value * np.float64(decay_rate) ** np.arange(len(boundaries) + 1)
        return at_boundaries(step, rates.astype(default_float()), boundaries)


def _ends_beyond(*, init_value, decay_rate, end_value, **_: object) -> None:
    if end_value is None or not is_known(init_value, decay_rate, end_value):
        return
    init_value, decay_rate, end_value = map(np.asarray, (init_value, decay_rate, end_value))
    if np.any(np.where(decay_rate < 1, end_value > init_value, end_value < init_value)):
        raise ValueError(
            f"`end_value` must lie where the rate goes, below `init_value` for a `decay_rate` < 1 "
            f"and above it otherwise, got {end_value} with {init_value} and {decay_rate}"
        )


@schedule(check=_ends_beyond)
def exponential_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_rate: Positive,
    decay_steps: Period,
    staircase: bool = False,
    end_value: Rate | None = None,
) -> ArrayLike:
    """The rate falls by a factor over every so many steps: η(t) = η₀·α^(t/t₀).

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_rate: α, the factor over ``decay_steps``, > 0; above 1 the rate grows.
        decay_steps: t₀, steps, >= 1.
        staircase: whether the exponent is rounded down, ⌊t/t₀⌋, as in :func:`step_decay`.
        end_value: where the rate stops, a floor if α < 1 and a ceiling if α > 1; None for never.
            Growth without a ceiling stops where the float type ends, 3.4e38 in float32; where α
            or t₀ is traced, at η₀·2⁹⁶, or η₀·2⁹⁹² under x64.

    Raises:
        ValueError: ``end_value`` lies on the wrong side
            of ``init_value``.

    Example:
        >>> s = exponential_decay(0.1, decay_rate=0.96, decay_steps=1000)
        >>> print(s(0), s(500), s(1000), s(50_000))
        0.1 0.09797959 0.096 0.012988579
        >>> print(s.replace(staircase=True)(1999), s.replace(end_value=0.05)(100_000))
        0.096 0.05

    When to use it:
        When each step should shrink the rate by the same share, whatever the horizon; with a rate
        above 1 as the ramp of a learning-rate range test.
    """
    if staircase:
        drops, _ = cycle(step, decay_steps)
        rate = init_value * geometric(decay_rate, drops)
    else:
        rate = init_value * geometric(decay_rate, step, decay_steps)
    if end_value is None:
        return rate
    falls = jnp.asarray(decay_rate) < 1
    return jnp.where(falls, jnp.maximum(rate, end_value), jnp.minimum(rate, end_value))


@schedule
def inverse_time_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_rate: NonNegative,
    decay_steps: Period,
    staircase: bool = False,
) -> ArrayLike:
    """The rate falls with the inverse of time: η(t) = η₀/(1 + k·t/T).

    It goes on falling forever.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_rate: k, the slope of the denominator over ``decay_steps``, >= 0; 0 keeps the rate.
        decay_steps: T, steps, >= 1. At t = T the rate is η₀/(1 + k).
        staircase: whether t/T is rounded down.

    Example:
        >>> s = inverse_time_decay(0.1, decay_rate=1.0, decay_steps=10)
        >>> print(s(0), s(10), s(30))
        0.1 0.05 0.025

    When to use it:
        Where theory asks for a rate like 1/t, as for strongly convex problems, or when the
        horizon is not known.
    """
    if staircase:
        time = as_float(cycle(step, decay_steps)[0])
    else:
        time = as_float(step) / jnp.maximum(as_float(decay_steps), 1)
    return init_value / (1 + decay_rate * time)


@schedule
def natural_exp_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_rate: NonNegative,
    decay_steps: Period,
    staircase: bool = False,
) -> ArrayLike:
    """The rate falls in proportion to itself: η(t) = η₀·e^(−k·t/T).

    It goes on falling forever.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_rate: k, the share lost over a T cut into many parts, >= 0; 0 keeps the rate.
        decay_steps: T, steps, >= 1. At t = T the rate is η₀/e^k.
        staircase: whether t/T is rounded down.

    Example:
        >>> s = natural_exp_decay(0.1, decay_rate=0.5, decay_steps=10)
        >>> print(s(0), s(10), s(20))
        0.1 0.060653067 0.03678795

    When to use it:
        Where a time constant is given, T/k. With a factor over T steps instead, it is
        :func:`exponential_decay`.
    """
    if staircase:
        drops, _ = cycle(step, decay_steps)
        return init_value * exponential(-decay_rate, drops)
    return init_value * exponential(-decay_rate, step, decay_steps)


@schedule
def inverse_sqrt_decay(step: Array, init_value: Rate, *, timescale: Period) -> ArrayLike:
    """The rate falls with the root of time: η(t) = η₀/√(1 + t/τ).

    It goes on falling forever.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        timescale: τ, steps, >= 1. At t = 3τ the rate is half of η₀.

    Example:
        >>> from lr_optax import warmup
        >>> s = inverse_sqrt_decay(0.1, timescale=100)
        >>> print(s(0), s(300), s(1500))
        0.1 0.05 0.025
        >>> print(warmup(s, warmup_steps=100)(400))  # η₀·√(w/t), if τ = w
        0.05

    When to use it:
        Behind :func:`warmup`, when the length of the run is not known, with a cooldown whenever a
        model is wanted (:func:`cooldown_from`).

    Reference:
        X. Zhai, A. Kolesnikov, N. Houlsby, L. Beyer, "Scaling Vision Transformers", 2021,
        arXiv:2106.04560, section 3.5.
    """
    timescale = jnp.maximum(as_float(timescale), 1)
    return init_value * jnp.sqrt(timescale / (timescale + as_float(step)))


@schedule
def inverse_power_decay(
    step: Array, init_value: Rate, *, power: NonNegative, timescale: Period
) -> ArrayLike:
    """The rate falls with a power of time: η(t) = η₀·(1 + t/τ)^−p.

    It goes on falling forever.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        power: p >= 0; ½ is :func:`inverse_sqrt_decay`, 1 is :func:`inverse_time_decay`, 0 keeps
            the rate.
        timescale: τ, steps, >= 1. At t = τ the rate is η₀/2^p.

    Example:
        >>> s = inverse_power_decay(0.1, power=2.0, timescale=10)
        >>> print(s(0), s(10), s(30))
        0.1 0.025 0.00625

    When to use it:
        For a run that may stop at any time, together with an average of the weights. Between ½
        and 1 the sum of rates diverges and that of their squares converges, as convergence
        theorems ask.
    """
    timescale = jnp.maximum(as_float(timescale), 1)
    return init_value * (1 + as_float(step) / timescale) ** -as_float(power)


@schedule
def power_law(
    step: Array,
    max_value: Rate,
    *,
    batch_size: Positive,
    tokens_per_step: Annotated[Positive, PER_STEP],
    amplitude: NonNegative = 4.6,
    exponent: NonNegative = 0.51,
) -> ArrayLike:
    """The power scheduler: a rate set by the tokens seen, η(t) = min(η_max, β·a·(n·t)^−b).

    It goes on falling forever.

    Args:
        max_value: η_max, the ceiling, which is the rate at step 0, >= 0.
        batch_size: β, sequences in a batch, > 0.
        tokens_per_step: n, tokens in a batch, > 0.
        amplitude: a >= 0.
        exponent: b >= 0.

    Example:
        >>> s = power_law(0.02, batch_size=16.0, tokens_per_step=1e4, amplitude=1.0, exponent=0.5)
        >>> print(s(0), s(64), s(256), s(1024))
        0.02 0.02 0.01 0.005

    When to use it:
        In the pre-training of language models with μP, to move one setting across batch sizes and
        numbers of tokens; with :func:`warmup` in front and :func:`cooldown_from` at the end. The
        defaults are the authors'.

    Reference:
        Y. Shen et al., "Power Scheduler: A Batch Size and Token Number Agnostic Learning Rate
        Scheduler", 2024, arXiv:2408.13359.
    """
    begun = step > 0
    time = jnp.where(begun, as_float(step), 1)
    if is_number(tokens_per_step) and is_number(exponent):
        height = tokens_per_step**-exponent
    else:
        tokens = as_float(tokens_per_step)
        height = jnp.where(tokens > 0, tokens, 1) ** -as_float(exponent)
    rate = batch_size * amplitude * height * time ** -as_float(exponent)
    return jnp.where(begun, jnp.minimum(rate, max_value), max_value)


@schedule
def linear(
    step: Array, init_value: Rate, *, end_value: Rate = 0.0, transition_steps: Steps
) -> ArrayLike:
    """A straight line from one rate to another, then level: η(t) = η₀ + (η₁ − η₀)·min(t/T, 1).

    The rate is exactly ``end_value`` from step T on.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        end_value: η₁, the rate from ``transition_steps`` on, >= 0; may be larger (a warm-up).
        transition_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.

    Example:
        >>> s = linear(0.1, end_value=0.0, transition_steps=1000)
        >>> print(s(0), s(500), s(1000))
        0.1 0.05 0.0

    When to use it:
        As the default for a run of known length: decay to zero matches or beats cosine in most
        published comparisons, and convex theory predicts it.
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

    The rate is exactly ``end_value`` from step T on.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        end_value: η₁, the rate from ``transition_steps`` on, >= 0.
        power: p > 0; 1 is :func:`linear`, below 1 the fall comes late, above 1 early.
        transition_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.

    Example:
        >>> s = polynomial(0.01, end_value=0, power=2, transition_steps=1000)
        >>> print(s(0), s(500), s(1000))
        0.01 0.0025 0.0

    When to use it:
        In semantic segmentation, where power 0.9 is customary; elsewhere to bend a linear decay.
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

    The rate is exactly ``end_value`` from step T on; it does not rise again.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0.
        exponent: p > 0; above 1 the fall comes earlier.

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


@schedule(check=shapes.positive_ends("init_value", "end_value"))
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
    The rate is exactly ``end_value`` from step T on.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0. For "exponential" and "inverse"
            both rates must be > 0.
        shape: the name of the shape.

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

    The rate is exactly ``end_value`` from step T on.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0.
        phi: φ >= 0; 2 is a cosine, less keeps the rate high for longer, more lets it fall early;
            at 0 the rate is η₀ before step T.

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

    The rate is exactly ``end_value`` from step T on.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0.
        lower: L > 0, how far out on the flat side the tanh begins; more keeps the rate for longer.
            Where L + U is beyond 20, float32 steps between flat and steep cost digits: the
            relative error grows to 1e-5 at 200.
        upper: U > 0, how far out it ends. If L + U is below 1e-4 the tanh is a line.

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


@schedule(check=shapes.positive_ends("init_value", "end_value"))
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

    The rate is exactly ``end_value`` from step T on.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0.
        k: k > 0; 1 changes nothing, above 1 the fall comes late.
        shape: the name of the shape, as in :func:`shaped_decay`.

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
        shapes.positive_ends("init_value", "min_value")(shape="exponential", **values)


@schedule(check=together(must_not_exceed("decay_steps", "upper_bound"), _positive_rates))
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
        decay_steps: T, steps, >= 0; then the rate is held. At 0 it is η₀ throughout, as d is 0.
        upper_bound: U >= T, steps, the longest horizon in question, >= 1.
        min_value: η_min, the rate at t = T if T = U, >= 0. A shorter run ends above it.
        exponential: whether the logarithm of the rate falls so; then both rates must be > 0.

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
    normal with variance v/(1 + min(t, T))^k, drawn again at every step.

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


def noise(step: Array, seed: ArrayLike) -> Array:
    """A standard normal number for each step and seed: a hash, where jax.random runs a loop."""
    seed = jnp.asarray(seed % 2**32 if isinstance(seed, int) else seed, jnp.uint32)
    bits = _hash(step.astype(jnp.uint32) ^ _hash(seed)) >> 9
    return math.sqrt(2) * lax.erf_inv((as_float(bits) + 0.5) * 2.0**-22 - 1)


def _hash(bits: Array) -> Array:
    """The finalizer of MurmurHash3, off its fixed point 0."""
    bits = bits + np.uint32(0x9E3779B9)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = (bits ^ (bits >> shift)) * np.uint32(factor)
    return bits ^ (bits >> 16)
