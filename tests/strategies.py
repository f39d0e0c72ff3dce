"""Random compositions of every schedule in the catalogue, as one hypothesis strategy.

What a hyperparameter may be is read from its annotation, so that a new schedule joins by being
registered with a docstring's example. Lengths may be as large as a counter or larger, factors may
grow until they overflow.
"""

import types
from functools import cache
from typing import Annotated, Literal, Union, get_args, get_origin

import numpy as np
from hypothesis import strategies as st

import lr_optax
from lr_optax import Schedule
from lr_optax._core.hyperparameters import Rule, Several
from lr_optax._core.schedule import REGISTRY
from lr_optax.schedules.combine import AsSchedule, AsSchedules, RateOrSchedule
from lr_optax.text import example

LAST = 2**31 - 1
LENGTHS = st.one_of(
    st.integers(0, 40), st.sampled_from([1000, 10**6, 2**30, LAST - 1, LAST, 2**31, 10**12])
)
NUMBERS = st.one_of(
    st.sampled_from([0.0, 1e-30, 1e-8, 0.1, 0.5, 1.0, 1.5, 2.0, 10.0]), st.floats(1e-3, 2.0)
)


@cache
def kinds():
    """Every schedule that can be written, and whether others lie in it."""
    texts = {name: example(name) for name in lr_optax.catalogue() if name != "from_function"}
    return {
        name: any(_wraps(hint) for hint in REGISTRY[name].parameters.hints.values())
        for name, s in texts.items()
        if s is not None and s.name == name and REGISTRY[name].formula.__module__ != "__main__"
    }


def _wraps(hint):
    return any(isinstance(part, AsSchedule | AsSchedules) for part in get_args(hint))


def values(hint, inner):
    """What an annotation allows, with ``inner`` for the schedules inside."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        known = next(part for part in parts if part is not type(None))
        return st.one_of(st.none(), values(known, inner))
    if origin is Literal:
        return st.sampled_from(parts)
    if hint is bool:
        return st.booleans()
    for part in parts if origin is Annotated else ():
        if isinstance(part, AsSchedule):
            return inner
        if isinstance(part, AsSchedules):
            return st.lists(inner, min_size=1, max_size=2).map(tuple)
        if isinstance(part, Several):
            return st.lists(_numbers(part.rule), max_size=12).map(
                lambda items, part=part: tuple(sorted(items) if part.ascending else items)
            )
        if isinstance(part, RateOrSchedule):
            return st.one_of(_numbers(part), inner)
        if isinstance(part, Rule):
            return _numbers(part)
    raise TypeError(f"no values are known for {hint}")


def _numbers(rule):
    def fits(value):
        try:
            rule.accept(value)
        except ValueError:
            return False
        return True

    return (LENGTHS if rule.whole else NUMBERS).filter(fits)


@st.composite
def schedules(draw, depth: int = 5) -> Schedule:
    """A schedule, up to so many levels deep: one of a kind, with each hyperparameter drawn anew.

    Those that the kind's rules refuse beside the others keep their value.
    """
    wrapping = depth > 0 and draw(st.integers(0, 3)) > 0
    name = draw(st.sampled_from(sorted(n for n, wraps in kinds().items() if wraps == wrapping)))
    s = example(name)
    for field, hint in REGISTRY[name].parameters.hints.items():
        if field == "values" and name == "lookup":
            value = draw(
                st.lists(NUMBERS, min_size=1, max_size=9).map(lambda v: np.asarray(v, np.float32))
            )
        else:
            value = draw(values(hint, schedules(depth - 1)))
        try:
            s = s.replace(**{field: value})
        except ValueError:
            continue
    return s
