"""Every hyperparameter of every schedule, given something odd: a clear error, or a sound rate."""

import jax.numpy as jnp
import numpy as np
import pytest
from cases import TEXTUAL

from lr_optax._core import hyperparameters as arguments
from lr_optax._core.hyperparameters import Rule, Several, accept
from lr_optax._core.schedule import REGISTRY

NEVER = {
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "text": "x",
    "complex": 1j,
    "bytes": b"1",
    "object": object(),
    "dict": {},
    "set": {1},
    "nan array": np.array([0.1, np.nan]),
    "text array": np.array(["x"]),
    "truth array": np.array([True]),
}
PERHAPS = {
    "zero": 0,
    "zero float": 0.0,
    "minus one": -1,
    "minus a bit": -0.5,
    "a bit": 0.5,
    "huge": 10**13,
    "true": True,
    "none": None,
    "empty": (),
    "descending": (5, 3),
    "empty array": np.zeros(0, np.float32),
}
STEPS = np.array([0, 1, 2, 7, 1000, 2**31 - 1])

FIELDS = {
    f"{name}.{field}": (s, field)
    for name, s in TEXTUAL.items()
    if "," not in name
    for field in s.hyperparameters
}
every_field = pytest.mark.parametrize(("s", "field"), FIELDS.values(), ids=FIELDS.keys())


def is_clear(error, s):
    message = str(error)
    called = REGISTRY[s.name].called
    return message.startswith(f"{called}: ") and "`" in message and "got" in message


@every_field
def test_what_is_never_right_gets_a_clear_error(s, field):
    for name, value in NEVER.items():
        with pytest.raises((TypeError, ValueError)) as caught:
            s.replace(**{field: value})
        assert is_clear(caught.value, s), (name, str(caught.value))


@every_field
def test_what_may_be_right_gives_a_clear_error_or_a_sound_schedule(s, field):
    for name, value in PERHAPS.items():
        try:
            changed = s.replace(**{field: value})
        except (TypeError, ValueError) as error:
            assert is_clear(error, s), (name, str(error))
            continue
        rates = changed(STEPS)
        assert rates.shape == STEPS.shape, name
        assert rates.dtype == jnp.float32, name
        assert not np.isnan(rates).any(), (name, rates)
        assert np.isfinite(rates).all() or name == "huge", (name, rates)
        negative = s.name in ("scale",) and field == "factor"
        assert negative or (rates >= 0).all(), (name, rates)


LIMITS = {
    "Real": ([-1e300, 0, 0.5], [np.inf]),
    "NonNegative": ([0, 0.5], [-1e-9]),
    "Positive": ([1e-9, 2], [0]),
    "Growth": ([1, 1.5], [0.999]),
    "Fraction": ([0, 0.5, 1], [-1e-9, 1.001]),
    "Shrinking": ([1e-9, 0.999], [0, 1]),
    "Steps": ([0, 7.0], [-1, 0.5]),
    "Period": ([1, 7.0], [0, 1.5]),
    "Span": ([0, 0.5, 7.0], [-1e-9]),
    "Interval": ([1e-9, 0.5, 7.0], [0]),
    "Offset": ([-3, 0, 7.0], [0.5]),
    "Boundaries": ([(), (0,), (3, 7.0)], [(-1,), (0.5,), (2, 1)]),
    "Moments": ([(), (0,), (0.5, 7.0)], [(-1,), (2, 1.5)]),
    "Rates": ([(), (0, 0.5), (0.5, 0.1)], [(0.1, -1)]),
    "Count": ([0, 7.0], [-1, 0.5]),
    "Size": ([1, 7.0], [0, 1.5]),
}


@pytest.mark.parametrize(("name", "taken", "refused"), [(n, *v) for n, v in LIMITS.items()])
def test_limits_are_taken_what_lies_beyond_is_refused(name, taken, refused):
    hint = getattr(arguments, name)
    counts = name not in ("Real", "NonNegative", "Positive", "Growth", "Fraction", "Rates")
    for value in taken:
        kept = accept(hint, value)
        assert kept == value
        for number in np.atleast_1d(np.array(kept, object)):
            assert isinstance(number, int) or not (counts and number == 7)
    for value in refused:
        with pytest.raises(ValueError, match="must be"):
            accept(hint, value)


def test_many_plain_numbers_are_looked_at_together():
    """One by one, 100,000 boundaries took four seconds."""
    looks = []
    rule = Rule("a whole number", lambda x: looks.append(x.size) or (x == np.floor(x)), whole=True)
    assert Several(rule, ascending=True).accept(range(100_000)) == tuple(range(100_000))
    assert looks == [100_000]
    kept = Several(rule).accept([1, 2.0, 10**20])
    assert kept == (1, 2, 10**20)
    assert [type(number) for number in kept] == [int, int, int]
    with pytest.raises(ValueError, match=r"must be a whole number, got 0\.5"):
        Several(rule).accept([*range(1000), 0.5])
    with pytest.raises(ValueError, match="must be in ascending order"):
        Several(rule, ascending=True).accept([*range(1000), 0])
