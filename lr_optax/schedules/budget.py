"""Decays over a known number of steps, beyond the linear and the cosine one."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from lr_optax import shapes
from lr_optax._numerics import as_float, blend, is_number, progress
from lr_optax._schedule import schedule
from lr_optax.hyperparameters import Factor, Period, Rate, Steps, exceeds


def _positive_ends(*, init_value, end_value, decay_shape, **_: object) -> None:
    shapes.check_ends(decay_shape, init_value=init_value, end_value=end_value)


@schedule(check=_positive_ends)
def shaped_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_steps: Steps,
    end_value: Rate = 0.0,
    decay_shape: shapes.Shape,
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
        decay_shape: the name of the shape.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = shaped_decay(0.1, decay_steps=16, decay_shape="1-sqrt")
        >>> print(s(0), s(4), s(9), s(16))
        0.1 0.05 0.025 0.0
        >>> s = shaped_decay(0.1, decay_steps=4, end_value=0.001, decay_shape="exponential")
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
    return shapes.between(decay_shape, progress(step, decay_steps), init_value, end_value)


@schedule
def budget_aware_decay(
    step: Array, init_value: Rate, *, decay_steps: Steps, end_value: Rate = 0.0, phi: Rate = 2.0
) -> ArrayLike:
    """A cosine bent by one number: η(t) = η₁ + (η₀ − η₁)·2c/(2c + φ·(1 − c)), c = ½(1 + cos πt/T).

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0.
        phi: φ >= 0; 2 is a cosine, less keeps the rate high for longer, more lets it fall early.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

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
    falling, risen = shapes.cosine(*progress(step, decay_steps))
    weights = shapes.shares(2 * falling, risen * phi)
    return blend(weights, init_value, end_value)


@schedule
def tanh_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_steps: Steps,
    end_value: Rate = 0.0,
    lower: Factor = 6.0,
    upper: Factor = 3.0,
) -> ArrayLike:
    """A falling tanh: η(t) = η₁ + (η₀ − η₁)·(tanh U − tanh x)/(tanh U + tanh L), x = (L+U)t/T − L.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0.
        lower: L > 0, how far out on the flat side the tanh begins; more keeps the rate for longer.
        upper: U > 0, how far out it ends.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

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
    weights = shapes.tanh(*progress(step, decay_steps), -lower, upper)
    return blend(weights, init_value, end_value)


@schedule(check=_positive_ends)
def k_decay(
    step: Array,
    init_value: Rate,
    *,
    decay_steps: Steps,
    end_value: Rate = 0.0,
    k: Factor,
    decay_shape: shapes.Shape = "cosine",
) -> ArrayLike:
    """A decay whose clock is bent: η(t) = η₁ + (η₀ − η₁)·f((t/T)^k), f a cosine unless named.

    Args:
        init_value: η₀, the rate at step 0, >= 0.
        decay_steps: T, steps, >= 0; at 0 the rate is ``end_value`` at once.
        end_value: η₁, the rate from ``decay_steps`` on, >= 0.
        k: k > 0; 1 changes nothing, above 1 the fall comes late.
        decay_shape: the name of the shape, as in :func:`shaped_decay`.

    Returns:
        A :class:`~lr_optax.Schedule`, exactly ``end_value`` from step T on.

    Raises:
        TypeError, ValueError: an argument breaks its rule.

    Example:
        >>> s = k_decay(0.1, decay_steps=10, k=2, decay_shape="linear")
        >>> print(s(0), s(5), s(10))
        0.1 0.075 0.0

    When to use it:
        To shift a decay that works to later or earlier in the run, by one number.

    Reference:
        T. Zhang, W. Li, "k-decay: A New Method for Learning Rate Schedule", 2020,
        arXiv:2004.05909.
    """
    weights = shapes.delayed(progress(step, decay_steps), k)
    return shapes.between(decay_shape, weights, init_value, end_value)


def _within_bound(*, init_value, decay_steps, upper_bound, min_value, exponential: bool) -> None:
    if exceeds(decay_steps, upper_bound):
        raise ValueError(
            f"`decay_steps` must not exceed `upper_bound`, got {decay_steps} > {upper_bound}"
        )
    if exponential:
        shapes.check_ends("exponential", init_value=init_value, min_value=min_value)


@schedule(check=_within_bound)
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
        TypeError, ValueError: an argument breaks its rule, or T exceeds U.

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
    weights = shapes.hyperbolic(*progress(step, decay_steps), share)
    return shapes.between(
        "exponential" if exponential else "linear", weights, init_value, min_value
    )
