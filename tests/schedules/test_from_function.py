"""Functions of the step that are no schedules: tried, without a value, where they are given."""

import math

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lr_optax import constant, from_function, join, lookup, warmup
from lr_optax.compat import timm, torch


def with_if(step):
    return 0.1 if step > 5 else 0.2


def with_math(step):
    return 0.1 * math.cos(step)


def with_numpy(step):
    return 0.1 * np.cos(step)


def with_index(step):
    return [0.1, 0.2][step]


class Callable:
    def __call__(self, step):
        return with_if(step)


PLACES = {
    "from_function: `function`": from_function,
    "warmup: `schedule`": lambda f: warmup(f, warmup_steps=3),
    "join: `schedules`": lambda f: join((constant(0.1), f), boundaries=(3,)),
    "LambdaLR: `lr_lambda`": lambda f: torch.LambdaLR(0.1, f),
    "CyclicLR: `scale_fn`": lambda f: torch.CyclicLR(0.1, 1.0, scale_fn=f),
    "WSDLRScheduler: `decay_fn`": lambda f: timm.WSDLRScheduler(0.1, 9, 3, decay_fn=f),
}


@pytest.mark.parametrize("function", [with_if, with_math, with_numpy], ids=lambda f: f.__name__)
@pytest.mark.parametrize(("place", "make"), PLACES.items(), ids=PLACES.keys())
def test_plain_python_fails_where_it_is_given(place, make, function):
    with pytest.raises(TypeError, match=r"must be written with jax\.numpy") as info:
        make(function)
    message = str(info.value)
    assert place in message
    line = function.__code__.co_firstlineno + 1
    assert f"{function.__name__}, in {__file__} at line {line}, needs the value" in message
    assert "jnp.where" in message
    assert "jnp.cos" in message
    assert "lookup(" in message


def test_other_plain_python():
    with pytest.raises(TypeError, match=r"with_index, in .*test_from_function\.py"):
        from_function(with_index)
    with pytest.raises(TypeError, match=r"with_if, in .*test_from_function\.py"):
        from_function(Callable())
    with pytest.raises(TypeError, match="<built-in function cos> needs the value of the step"):
        from_function(math.cos)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "`function` must be a function of the step, got 3"),
        (lambda: 0.1, "`function` must be a function from the step to a rate: .* 0 positional"),
        (lambda step: None, "`function` must be a function from the step to a rate: None"),
        (lambda step: "a", "`function` must be a function from the step to a rate: .*'a'"),
        (optax.warmup_constant_schedule(0.0, constant(0.1), 3), r"call it, s\(step\)"),
    ],
)
def test_what_gives_no_rate_fails_where_it_is_given(value, message):
    with pytest.raises(TypeError, match=message):
        from_function(value)


def test_an_error_of_the_functions_own_stays_what_it_is():
    def unfinished(step):
        raise NotImplementedError("later")

    with pytest.raises(NotImplementedError, match="later"):
        from_function(unfinished)


def test_the_remedies_work():
    written = from_function(lambda step: 0.1 * jnp.where(step > 5, 1.0, jnp.cos(step)))
    tabulated = lookup(np.array([0.1 * (1 if t > 5 else abs(math.cos(t))) for t in range(10)]))
    np.testing.assert_allclose(abs(written(np.arange(10.0))), tabulated(np.arange(10)), rtol=1e-6)
