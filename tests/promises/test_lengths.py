"""Lengths of every schedule: none at all, one step, the whole run, stretched, beyond int32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CASES

import lr_optax as L
from lr_optax import stretch, warmup
from lr_optax._core.hyperparameters import is_number, length_rule
from lr_optax._core.schedule import REGISTRY

STEPS = np.arange(24, dtype=np.int32)
TOP = 2**31 - 1


def lengths(s):
    """The lengths of a schedule by name, those that are single Python numbers."""
    hints = REGISTRY[s.name].parameters.hints
    values = s.hyperparameters.items()
    return {n: v for n, v in values if is_number(v) and v is not True and length_rule(hints[n])}


def with_length(s, name, value):
    """The schedule with another length, None if that breaks a rule."""
    try:
        return s.replace(**{name: value})
    except ValueError:
        return None


def degenerate(s):
    """Schedules by the changed length and its new value."""
    total = max(lengths(s).values())
    changed = {(n, v): with_length(s, n, v) for n in lengths(s) for v in (0, 1, total)}
    return {key: s for key, s in changed.items() if s is not None}


def swallowed(schedules):
    """Pairs that differ in one phase, without length and with one step."""
    for name in dict.fromkeys(name for name, _ in schedules):
        if "warmup" not in name and {(name, 0), (name, 1)} <= schedules.keys():
            yield name, schedules[name, 0], schedules[name, 1]


# Options of a schedule are compiled for long; without them each is tried in every run.
WITH_LENGTHS = [
    pytest.param(s, id=name, marks=[pytest.mark.exhaustive] if "," in name else [])
    for name, s in CASES.items()
    if lengths(s)
]


@pytest.mark.parametrize("s", WITH_LENGTHS)
def test_every_length_may_be_none_one_step_or_the_whole_run(s):
    """The rates are finite, and a rise in front does not depend on how soon the rest is over."""
    schedules = degenerate(s)
    pairs = [*swallowed(schedules)]

    def rise(inner):
        return warmup(inner, warmup_steps=5)(STEPS[:5])

    @jax.jit
    def rates(arguments, pairs):
        constants = [s(STEPS) for s in schedules.values()]
        return constants, [s(STEPS) for s in arguments], [rise(none) for none in pairs]

    constants, arguments, rises = rates([*schedules.values()], [none for _, none, _ in pairs])
    for (key, s), constant, argument in zip(schedules.items(), constants, arguments, strict=True):
        eager = s(STEPS)
        assert np.isfinite(eager).all(), key
        assert (eager >= 0).all(), key
        np.testing.assert_allclose(constant, eager, 2e-6, 1e-9, err_msg=str(key))
        np.testing.assert_allclose(argument, eager, 5e-6, 1e-8, err_msg=str(key))
    for (name, none, one), traced in zip(pairs, rises, strict=True):
        np.testing.assert_allclose(rise(none), rise(one), 1e-6, 1e-9, err_msg=name)
        np.testing.assert_allclose(traced, rise(one), 2e-6, 1e-9, err_msg=name)


NO_TIME_LEFT = {  # as long a warm-up as there is run: what follows begins at 1, or ends at 0.02
    "cosine": L.warmup_cosine_decay(1.0, warmup_steps=10, total_steps=10, end_value=0.02),
    "linear": L.warmup_linear_decay(1.0, warmup_steps=10, total_steps=10, end_value=0.02),
    "stable": L.warmup_stable_decay(
        1.0, warmup_steps=10, total_steps=10, cooldown_steps=0, end_value=0.02
    ),
    "infinite": L.infinite(1.0, constant_value=0.02, warmup_steps=10, cooldown_steps=0),
    "stages": L.tri_stage(
        1.0, warmup_steps=10, hold_steps=0, cooldown_steps=0, init_factor=0.0, end_factor=0.02
    ),
    "cycles": L.warmup_stable_decay_cycles(
        1.0, boundaries=(10,), warmup_steps=10, cooldown_steps=0, end_value=0.02
    ),
} | {
    f"by hand, {name}": warmup(inner, warmup_steps=10)
    for name, inner in {
        "cosine": L.cosine_decay(1.0, decay_steps=0, end_value=0.02),
        "1-sqrt": L.shaped_decay(1.0, decay_steps=0, end_value=0.02, shape="1-sqrt"),
        "tanh": L.tanh_decay(1.0, decay_steps=0, end_value=0.02),
        "scaled": 2 * L.linear(0.5, end_value=0.01, transition_steps=0),
        "cooldown": L.cooldown_from(L.constant(1.0), begin=0, cooldown_steps=0, end_value=0.02),
        "warm-up of no length": warmup(
            L.polynomial(1.0, end_value=0.02, power=2, transition_steps=0), warmup_steps=0
        ),
        "join": L.join(
            (L.linear(1.0, end_value=0.02, transition_steps=0), L.constant(0.02)), boundaries=(3,)
        ),
        "extend": L.extend(L.linear(1.0, end_value=0.02, transition_steps=0), begin=0, steps=3),
        "repeat": L.repeat(L.linear(1.0, end_value=0.02, transition_steps=0), period=7),
        "product": L.constant(1.0) * L.linear(1.0, end_value=0.02, transition_steps=0),
        "recipe": L.warmup_cosine_decay(1.0, warmup_steps=0, total_steps=0, end_value=0.02),
    }.items()
}


@pytest.mark.parametrize("name", NO_TIME_LEFT)
def test_a_warm_up_as_long_as_the_run_rises_to_the_peak(name):
    s = NO_TIME_LEFT[name]
    expected = np.where(STEPS < 10, STEPS / 10, 0.02)
    stacked = jax.tree.map(lambda x: jnp.stack([jnp.asarray(x)] * 2), s)
    for rates in (
        s(STEPS),
        jax.jit(lambda t: s(t))(STEPS),
        jax.jit(lambda s, t: s(t))(s, STEPS),
        jax.vmap(lambda s: s(STEPS))(stacked)[1],
    ):
        np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_a_rise_that_ends_at_once_has_slopes():
    def rate(peak, length):
        return warmup(L.linear(peak, transition_steps=length), warmup_steps=10)(5)

    np.testing.assert_allclose(jax.grad(rate)(1.0, 0), 0.5)
    np.testing.assert_allclose(jax.jit(jax.grad(rate))(1.0, 0), 0.5)


def test_known_lengths_leave_the_program_as_it_is():
    def size(inner, **lengths):
        s = warmup(inner, warmup_steps=10)
        return len(jax.make_jaxpr(lambda t: s(t))(jnp.int32(0)).eqns)

    assert size(L.linear(1.0, transition_steps=1)) == size(L.linear(1.0, transition_steps=9))
    assert size(L.linear(1.0, transition_steps=0)) > size(L.linear(1.0, transition_steps=9))


def test_degenerate_lengths_of_decays():
    held = L.hyperbolic_decay(0.1, decay_steps=0, upper_bound=10)
    np.testing.assert_array_equal(held(STEPS), np.float32(0.1))
    np.testing.assert_allclose(jax.jit(lambda s: s(STEPS))(held), 0.1, rtol=1e-6)
    assert np.isfinite(jax.grad(lambda e: held.replace(init_value=e)(3))(0.1))
    level = L.budget_aware_decay(0.1, decay_steps=10, end_value=0.01, phi=0.0)
    expected = np.where(STEPS < 10, np.float32(0.1), np.float32(0.01))
    np.testing.assert_array_equal(level(STEPS), expected)
    np.testing.assert_array_equal(jax.jit(lambda s: s(STEPS))(level), expected)


PER_STEP = {"from_function", "lookup", "noam", "power_law", "silver", "chebyshev", "untuned_warmup"}
# Noise and gamma stay as they are at every step; of ten steps in three cycles each takes four.
STAYS = ("noisy", "exp_range", "uneven")
# Their habit to act a step before a length ends, or to divide floats, does not stretch.
ENDS_BETWEEN_STEPS = {"torch.one_cycle", "timm.multistep", "timm.step, fraction"}


@pytest.mark.parametrize("case", CASES)
def test_every_schedule_is_stretched_or_refuses(case):
    s = CASES[case]
    if s.name in PER_STEP or case == "warmup, log":
        with pytest.raises(TypeError, match="has no lengths that could be stretched"):
            stretch(s, 3)
    elif not any(word in case for word in STAYS):
        stretched = stretch(s, 3)
        assert stretched != s or not any(lengths(s).values())
        rates = s(np.arange(26))
        near = np.stack([rates[1:-1], rates[:-2], rates[2:]])[:, :23]
        low, high = (near.min(0), near.max(0)) if case in ENDS_BETWEEN_STEPS else (near[0],) * 2
        between = stretched(3 * STEPS[1:])
        assert (between >= low * (1 - 5e-6) - 1e-8).all()
        assert (between <= high * (1 + 5e-6) + 1e-8).all()


def test_lengths_are_stretched_without_float32():
    for length in (2**24 + 1, np.array(2**24 + 1), np.array([2**24 + 1]), 10**18 + 1):
        s = L.linear(1.0, transition_steps=length)
        assert stretch(s, 1).transition_steps == length
        assert stretch(s, 2).transition_steps == 2 * length
    several = stretch(L.linear(1.0, transition_steps=np.array([30, 10, 1])), 0.7)
    np.testing.assert_array_equal(several.transition_steps, [21, 7, 0])
    for factor in (0.7, 1, 1.7):
        traced = jax.jit(lambda s, f=factor: stretch(s, f).transition_steps)
        length = 2**30 + 1
        assert traced(L.linear(1.0, transition_steps=length)) == int(length * factor)


FAR = [(7, 10**12), np.array([7, 10**12]), np.array([7, 10**12], np.uint64)]


@pytest.mark.parametrize("far", FAR, ids=["numbers", "int64", "uint64"])
def test_boundaries_beyond_the_counter_are_never_reached(far):
    steps = np.array([6, 7, TOP - 1, TOP], np.int32)
    for make, expected in [
        (lambda: L.piecewise_constant((0.1, 0.2, 0.3), boundaries=far), [0.1, 0.2, 0.2, 0.2]),
        (lambda: L.multistep_decay(0.4, decay_rate=0.5, boundaries=far), [0.4, 0.2, 0.2, 0.2]),
        (lambda: L.interpolate((0.1, 1000.1), boundaries=far), [0.1, 0.1, 2.247483639, 2.24748364]),
        (
            lambda: L.join(tuple(map(L.constant, (0.1, 0.2, 0.3))), boundaries=far),
            [0.1, 0.2, 0.2, 0.2],
        ),
        (
            lambda: L.warmup_stable_decay_cycles(0.1, boundaries=far, cooldown_steps=4),
            [0.025, 0.1, 0.1, 0.1],
        ),
    ]:
        s = make()
        np.testing.assert_allclose(s(steps), expected, rtol=1e-6)
        np.testing.assert_allclose(jax.jit(lambda t, s=s: s(t))(steps), expected, rtol=1e-6)


def test_the_way_to_a_boundary_beyond_the_counter():
    last = L.interpolate((0.0, 1.0), boundaries=(0, 2**31 + 5))
    np.testing.assert_allclose(1 - last(np.int32(TOP)), 0, atol=1e-6)
    falling = L.interpolate((1.0, 0.0), boundaries=(0, 2**31 + 5))
    np.testing.assert_allclose(falling(np.int32(TOP)), 6 / (2**31 + 5), rtol=1e-6)
    cycles = L.warmup_stable_decay_cycles(0.1, boundaries=(4 * 10**9,), cooldown_steps=3 * 10**9)
    np.testing.assert_allclose(cycles(1_500_000_000), 0.1 * 2.5 / 3, rtol=1e-6)
    rho = 1 + 2**0.5
    np.testing.assert_allclose(L.silver(1.0)(TOP), 1 + rho**30, rtol=1e-6)


def test_arrays_of_lengths_beyond_the_counter():
    single = warmup(L.constant(1.0), warmup_steps=np.array(2**40))
    assert single(2**30) == 2.0**-10
    several = warmup(L.constant(1.0), warmup_steps=np.array([2**40, 4]))
    np.testing.assert_allclose(several(np.array([2**30, 2])), [2.0**-10, 0.5])
