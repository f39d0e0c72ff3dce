"""Pictures of schedules: the curves and the legend."""

import numpy as np
import optax
import pytest

from lr_optax import constant, cosine_decay, linear, plot, step_decay

FALLING = linear(0.1, transition_steps=100)


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_one_schedule_is_drawn_without_a_legend():
    axes = plot(FALLING, 100)
    (line,) = axes.lines
    steps, rates = line.get_data()
    assert (steps[0], steps[-1]) == (0, 100)
    np.testing.assert_allclose(rates, 0.1 * (1 - steps / 100), atol=1e-7)
    assert axes.get_legend() is None


def test_several_are_labeled_with_their_texts():
    axes = plot((FALLING, constant(0.1)), 100)
    assert legend(axes) == ["linear(0.1, transition_steps=100)", "constant(0.1)"]


def test_a_mapping_names_them():
    assert legend(plot({"mine": FALLING, "theirs": constant(0.1)}, 100)) == ["mine", "theirs"]
    assert legend(plot({"alone": FALLING}, 100)) == ["alone"]


def test_a_function_of_the_step_is_drawn_too():
    theirs = optax.cosine_decay_schedule(0.1, 100)
    (line,) = plot(theirs, 100).lines
    (ours,) = plot(cosine_decay(0.1, decay_steps=100), 100).lines
    np.testing.assert_allclose(line.get_ydata(), ours.get_ydata(), atol=1e-7)
    for constant_rate in (lambda step: 0.1, optax.constant_schedule(0.1)):
        (line,) = plot(constant_rate, 100).lines
        assert {*map(float, line.get_ydata())} == {float(np.float32(0.1))}


def test_a_long_text_is_shortened_in_the_legend():
    many = step_decay(0.1, decay_rate=0.5, decay_steps=10)
    for _ in range(3):
        many = many + many
    assert len(repr(many)) > 300
    assert max(len(text) for text in legend(plot([many, FALLING], 100))) < 200


def test_a_run_of_any_length_costs_a_few_thousand_points():
    (line,) = plot(FALLING, 2**31 - 1).lines
    assert len(line.get_xdata()) <= 4000


@pytest.mark.parametrize(
    ("schedules", "total_steps", "error", "message"),
    [
        (FALLING, 0, ValueError, "`total_steps` must be a whole number >= 1, got 0"),
        (FALLING, 10.5, ValueError, "`total_steps` must be a whole number >= 1, got 10.5"),
        (FALLING, np.nan, ValueError, "`total_steps` must be a whole number >= 1, got nan"),
        (lambda step: 0.1 if step < 5 else 0.2, 10, TypeError, "must be written with jax.numpy"),
        ([], 100, ValueError, "there must be at least one schedule"),
        ({}, 100, ValueError, "there must be at least one schedule"),
        (0.1, 100, TypeError, "`schedules` must be a schedule, several, or a mapping"),
        ([0.1], 100, TypeError, "`schedules` must be a schedule, several, or a mapping"),
        ({"a": 0.1}, 100, TypeError, "`schedules` must be a schedule, several, or a mapping"),
    ],
)
def test_anything_but_schedules_is_refused(schedules, total_steps, error, message):
    with pytest.raises(error, match=message):
        plot(schedules, total_steps)
