"""Pictures of schedules, with matplotlib: ``pip install "lr_optax[plot]"``."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lr_optax._core.hyperparameters import RateFunction
from lr_optax._core.schedule import Schedule
from lr_optax.results.figure import literal, new_figure
from lr_optax.results.sampling import points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Several = RateFunction | Sequence[RateFunction] | Mapping[str, RateFunction]
"""A schedule or another function of the step, several, or several by name."""


def plot(
    schedules: Several,
    total_steps: int,
    ax: Axes | None = None,
) -> Axes:
    """Draw rates over steps.

    Args:
        schedules: a schedule or another function of the step, several, or several by name.
        total_steps: the last step to show, >= 1.
        ax: where to draw; None for axes of a new figure.

    Returns:
        The axes, with a legend if there are several schedules or names. Nothing is shown or saved.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        ValueError: ``total_steps`` is not a whole number >= 1, or there is nothing to draw.
        TypeError: ``schedules`` is something else, or a function that cannot be compiled.

    Example:
        >>> from lr_optax import constant, cosine_decay, plot
        >>> ax = plot({"mine": cosine_decay(0.1, decay_steps=90), "theirs": constant(0.05)}, 100)
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['mine', 'theirs']
    """
    named = _by_name(schedules)
    if total_steps < 1 or total_steps % 1:
        raise ValueError(f"plot: `total_steps` must be a whole number >= 1, got {total_steps}")
    if ax is None:
        ax = new_figure(7, 4).add_subplot()
    _draw(ax, named, total_steps)
    if len(named) > 1 or isinstance(schedules, Mapping):
        ax.legend(fontsize=8)
    return ax


def _by_name(schedules: Several) -> dict[str, RateFunction]:
    if callable(schedules):
        schedules = [schedules]
    if isinstance(schedules, Sequence):
        schedules = {_label(schedule): schedule for schedule in schedules}
    for schedule in schedules.values() if isinstance(schedules, Mapping) else [schedules]:
        if not callable(schedule):
            raise TypeError(
                "plot: `schedules` must be a schedule, several, or a mapping from names to "
                f"schedules, got {schedule!r}"
            )
    if not schedules:
        raise ValueError("plot: there must be at least one schedule")
    return dict(schedules)


def _label(schedule: RateFunction) -> str:
    text = repr(schedule) if isinstance(schedule, Schedule) else getattr(schedule, "__name__", "")
    short = textwrap.shorten(text or repr(schedule), 160, placeholder=" …")  # three lines of 60
    return textwrap.fill(short, 60, break_on_hyphens=False)


def _draw(ax: Axes, schedules: Mapping[str, RateFunction], total_steps: int) -> None:
    for name, schedule in schedules.items():
        ax.plot(*points(schedule, total_steps), label=literal(name))
    ax.set(xlabel="step", ylabel="learning rate", xlim=(0, total_steps))
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    ax.grid(alpha=0.3)


def overview(schedules: Sequence[RateFunction], total_steps: int) -> Figure:
    """Schedules in one figure: the text of a single one above it, a legend of several below."""
    figure = new_figure(7, 4 + 0.2 * (len(schedules) - 1))
    named = _by_name(schedules)
    ax = figure.add_subplot()
    _draw(ax, named, total_steps)
    if len(named) == 1:
        ax.set_title(literal(next(iter(named))), fontsize=9)
    else:
        figure.legend(loc="outside lower center", fontsize=8)
    return figure
