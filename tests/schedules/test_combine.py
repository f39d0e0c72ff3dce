"""Schedules made of schedules, on other clocks, and from tables: against loops and identities."""

import itertools
import typing

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from accuracy import LAST, check_accuracy
from mpmath import mpf

from lr_optax import (
    add,
    clip,
    constant,
    cooldown_from,
    cosine_decay,
    cyclical,
    extend,
    from_dict,
    join,
    linear,
    lookup,
    parse,
    repeat,
    schedule,
    shaped_decay,
    step_decay,
    stretch,
    switch,
    to_dict,
    warmup,
    warmup_stable_decay,
)
from lr_optax._core import shapes
from lr_optax._core.clock import Progress

STEPS = np.arange(200)


def through(t, points):
    """A polyline, one segment after another."""
    for (begin, low), (end, high) in itertools.pairwise(points):
        if begin <= t < end:
            return mpf(low) + (mpf(high) - mpf(low)) * (t - begin) / (end - begin)
    return mpf(points[0][1] if t < points[0][0] else points[-1][1])


FORMULAS = {
    "interpolate((0.0, 0.1, 0.02, 0.0), boundaries=(5, 1000, 1000000, 2147483647))": lambda t: (
        through(t, [(5, 0.0), (1000, 0.1), (10**6, 0.02), (LAST, 0.0)])
    ),
    "piecewise_constant((0.1, 0.07, 0.0, 0.01), boundaries=(3, 90, 1000000))": lambda t: mpf(
        (0.1, 0.07, 0.0, 0.01)[(t >= 3) + (t >= 90) + (t >= 10**6)]
    ),
    "add((constant(0.1), linear(0.3, end_value=0.0, transition_steps=1000000)))": lambda t: (
        mpf(0.1) + mpf(0.3) * (1 - min(mpf(t) / 10**6, 1))
    ),
    "repeat(linear(0.1, end_value=0.0, transition_steps=1000), period=1500, peak_decay=0.9)": (
        lambda t: mpf(0.9) ** (t // 1500) * mpf(0.1) * (1 - min(mpf(t % 1500) / 1000, 1))
    ),
    "extend(linear(0.1, end_value=0.0, transition_steps=1000), begin=400, steps=1000000)": (
        lambda t: mpf(0.1) * (1 - min(mpf(min(t, 400) + max(t - 400 - 10**6, 0)) / 1000, 1))
    ),
    "cooldown_from(inverse_time_decay(0.1, decay_rate=1, decay_steps=100), begin=500, "
    "cooldown_steps=1000000)": lambda t: (
        mpf(0.1) / (1 + mpf(min(t, 500)) / 100) * (1 - min(max(mpf(t - 500), 0) / 10**6, 1))
    ),
}


@pytest.mark.parametrize("text", FORMULAS)
def test_accurate_at_any_step(text):
    check_accuracy(text, FORMULAS[text])


def test_switch_chooses_and_maps():
    several = (
        constant(0.1),
        linear(0.1, end_value=0.0, transition_steps=50),
        step_decay(0.1, decay_rate=0.5, decay_steps=10),
    )
    together = jax.jit(jax.vmap(lambda i: switch(several, index=i)(STEPS)))(jnp.arange(4))
    for rates, s in zip(together, (*several, several[-1]), strict=True):
        np.testing.assert_allclose(rates, s(STEPS), rtol=1e-6)


def test_add_is_commutative_and_has_a_neutral_element():
    s = cosine_decay(0.1, decay_steps=50)
    np.testing.assert_array_equal(add((s, constant(0.0)))(STEPS), s(STEPS))
    np.testing.assert_array_equal(add((s, constant(0.1)))(STEPS), add((constant(0.1), s))(STEPS))


def test_extend_and_cooldown_leave_the_past_as_it_was():
    s = warmup(cosine_decay(0.1, decay_steps=90), warmup_steps=10)
    past = np.arange(41)
    longer = extend(s, begin=40, steps=1000)
    np.testing.assert_array_equal(longer(past), s(past))
    np.testing.assert_array_equal(longer(1000 + STEPS[40:]), s(STEPS[40:]))
    for shape in typing.get_args(shapes.Shape):
        ended = cooldown_from(s, begin=40, cooldown_steps=30, end_value=0.001, shape=shape)
        np.testing.assert_array_equal(ended(past), s(past))
        assert ended(70) == ended(LAST) == np.float32(0.001)
        assert (np.diff(ended(np.arange(40, 71))) < 0).all()


def test_repeat_of_a_whole_run_is_that_run():
    s = join((linear(0.0, end_value=0.1, transition_steps=5), constant(0.1)), boundaries=(5,))
    r = repeat(s, period=20)
    np.testing.assert_array_equal(r(STEPS), np.tile(s(np.arange(20)), 10))


@pytest.mark.parametrize(
    "text",
    [
        "warmup(cosine_decay(0.1, decay_steps=40), warmup_steps=10)",
        "join((constant(0.1), linear(0.1, end_value=0.0, transition_steps=10)), boundaries=(20,))",
        "cyclical(0.01, max_value=0.1, step_size_up=6, step_size_down=4, mode='triangular2')",
        "exponential_decay(0.1, decay_rate=0.5, decay_steps=10)",
        "one_cycle(0.1, total_steps=40, warmup_steps=10, three_phase=True)",
        "interpolate((0.1, 0.3, 0.2), boundaries=(4, 8, 20))",
        "shift(linear(0.1, end_value=0.0, transition_steps=10), steps=-4)",
    ],
)
def test_stretched_schedules_run_at_another_pace(text):
    s = parse(text)
    steps = np.arange(60)
    np.testing.assert_allclose(stretch(s, 3)(3 * steps), s(steps), rtol=2e-6)
    np.testing.assert_allclose(stretch(s, 0.5)(steps), s(2 * steps), rtol=2e-6)
    assert stretch(s, 1) == s


def test_stretch_says_what_it_cannot_do():
    with pytest.raises(TypeError, match="lookup has no lengths"):
        stretch(warmup(lookup(np.array([0.1, 0.2])), warmup_steps=3), 2)
    with pytest.raises(TypeError, match="from_function has no lengths"):
        stretch(warmup(lambda t: 0.1, warmup_steps=3), 2)
    with pytest.raises(ValueError, match="`factor` must be a finite number > 0, got -1"):
        stretch(constant(0.1), -1)
    same = cyclical(0.1, max_value=1.0, step_size_up=2, mode="exp_range", gamma=0.9)
    assert stretch(same, 2).gamma == 0.9


def test_stretched_parts_still_fit_and_periods_last_a_step():
    whole = warmup_stable_decay(0.1, total_steps=10, cooldown_steps=5, warmup_steps=5)
    assert stretch(whole, 0.5).total_steps == 5
    assert stretch(cyclical(0.1, max_value=1.0, step_size_up=3), 0.1).step_size_up == 1
    assert stretch(linear(0.1, transition_steps=30), 0.7).transition_steps == 21
    lengths = stretch(linear(0.1, transition_steps=jnp.array([30, 10])), 0.7).transition_steps
    np.testing.assert_array_equal(lengths, [21, 7])
    with pytest.raises(ValueError, match="finite number > 0, got inf"):
        stretch(whole, float("inf"))


def test_parts_of_a_join_run_from_their_own_step_0():
    rise = linear(0.0, end_value=1.0, transition_steps=10)
    fall = linear(1.0, end_value=0.5, transition_steps=10)
    s, steps = join((rise, fall), boundaries=(10,)), np.arange(10)
    np.testing.assert_array_equal(s(steps), rise(steps))
    np.testing.assert_array_equal(s(steps + 10), fall(steps))


def test_stretch_refuses_what_it_cannot_tell_from_a_length():
    @schedule
    def unannotated(step, height, *, every):
        return height * 0.5 ** (step // every)

    with pytest.raises(TypeError, match=r"unannotated has no lengths.*`height`.*lr_optax\.typing"):
        stretch(unannotated(1.0, every=3), 2)


def test_every_shape_has_a_name_and_falls():
    assert set(typing.get_args(shapes.Shape)) == {*shapes.SHAPES, "exponential", "inverse"}
    x = jnp.linspace(0, 1, 101)
    for name, shape in shapes.SHAPES.items():
        falling, risen = shape(Progress(x[::-1], x))
        np.testing.assert_allclose(falling + risen, 1, rtol=1e-6, err_msg=name)
        assert falling[0] == 1
        assert falling[-1] == 0
        assert (np.diff(falling) < 0).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "piecewise_constant((0.1, 0.2), boundaries=(1, 2))",
            "one fewer than `values`",
        ),
        (
            "piecewise_constant((0.1, -0.2), boundaries=(1,))",
            "number >= 0, got -0.2",
        ),
        ("interpolate((0.1, 0.2), boundaries=(1,))", "as many as `values`"),
        ("interpolate((), boundaries=())", "at least one"),
        ("interpolate((0.1, 0.2), boundaries=(2, 1))", "ascending order"),
        ("interpolate((0.1, 0.0), boundaries=(1, 2), shape='exponential')", "`values` must be > 0"),
        ("repeat(constant(0.1), period=0)", "`period` must be a whole number of steps >= 1"),
        ("switch((constant(0.1),), index=-1)", "`index` must be a whole number >= 0"),
        ("cooldown_from(constant(0.1), begin=1, cooldown_steps=9, shape='inverse')", "> 0"),
    ],
)
def test_errors_name_the_field_and_the_rule(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_swa_rate_as_in_torch():
    """SWALR from 1 to 0.1 over 4 epochs is a cooldown from wherever the schedule is."""
    for shape, torch in (
        ("linear", [1, 0.775, 0.55, 0.325, 0.1, 0.1]),
        ("cosine", [1, 0.868198, 0.55, 0.231802, 0.1]),
    ):
        s = cooldown_from(constant(1.0), begin=3, cooldown_steps=4, end_value=0.1, shape=shape)
        np.testing.assert_allclose(s(3 + np.arange(len(torch))), torch, rtol=2e-6)


def test_clip_takes_schedules_as_bounds():
    falling, level = linear(0.5, transition_steps=4), constant(0.2)
    larger, smaller = clip(level, min_value=falling), clip(level, max_value=falling)
    np.testing.assert_allclose(larger(STEPS[:5]), [0.5, 0.375, 0.25, 0.2, 0.2], rtol=1e-6)
    np.testing.assert_allclose(smaller(STEPS[:5]), [0.2, 0.2, 0.2, 0.125, 0.0], rtol=1e-6)
    for s in (larger, smaller, clip(level, min_value=falling, max_value=0.3)):
        assert parse(repr(s)) == s
        assert from_dict(to_dict(s)) == s
        np.testing.assert_allclose(stretch(s, 3)(3 * STEPS[:9]), s(STEPS[:9]), rtol=1e-6)
        np.testing.assert_allclose(jax.jit(lambda s: s(STEPS))(s), s(STEPS), rtol=1e-6)
    with pytest.raises(ValueError, match="clip: `min_value` must be a finite number >= 0, got -1"):
        clip(level, min_value=-1)
    with pytest.raises(ValueError, match="`min_value` must not exceed `max_value`"):
        clip(level, min_value=0.3, max_value=0.2)


@pytest.mark.parametrize("shape", ["exponential", "inverse"])
@pytest.mark.parametrize("rates", [(1e-25, 1e-30), (1e25, 1e-25), (1e-25, 1e25)])
def test_means_of_tiny_and_huge_rates_have_slopes(shape, rates):
    def rate(ends):
        return shaped_decay(ends[0], decay_steps=4, end_value=ends[1], shape=shape)(1)

    slopes = jax.grad(rate)(jnp.float32(rates))
    with mpmath.workdps(30):
        a, b = map(mpf, rates)
        geometric = shape == "exponential"
        mean = a ** mpf(0.75) * b ** mpf(0.25) if geometric else 1 / (0.75 / a + 0.25 / b)
        exact = (0.75 * mean / a, 0.25 * mean / b)
        if not geometric:
            exact = (0.75 * (mean / a) ** 2, 0.25 * (mean / b) ** 2)
    np.testing.assert_allclose(slopes, [float(x) for x in exact], rtol=5e-3, atol=1e-37)
