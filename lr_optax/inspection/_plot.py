"""Pictures of schedules, with matplotlib: ``pip install "lr_optax[plot]"``."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lr_optax._core.schedule import Schedule
from lr_optax.results.figure import new_figure
from lr_optax.results.sampling import ScheduleLike, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot(
    schedules: ScheduleLike | Sequence[ScheduleLike] | Mapping[str, ScheduleLike],
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
        ValueError: ``total_steps`` is below 1, or there is nothing to draw.
        TypeError: ``schedules`` is something else.

    Example:
        >>> from lr_optax import constant, cosine_decay, plot
        >>> ax = plot({"mine": cosine_decay(0.1, decay_steps=90), "theirs": constant(0.05)}, 100)
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['mine', 'theirs']
    """
    named = _by_name(schedules)
    if ax is None:
        ax = new_figure(7, 4).add_subplot()
    _draw(ax, named, total_steps)
    if len(named) > 1 or isinstance(schedules, Mapping):
        ax.legend(fontsize=8)
    return ax


def _by_name(
    schedules: ScheduleLike | Sequence[ScheduleLike] | Mapping[str, ScheduleLike],
) -> dict[str, ScheduleLike]:
    if callable(schedules):
        schedules = [schedules]
    if not isinstance(schedules, Mapping):
        if not isinstance(schedules, Sequence):
            raise TypeError(_not_a_schedule(schedules))
        schedules = {_label(schedule): schedule for schedule in schedules}
    for schedule in schedules.values():
        if not callable(schedule):
            raise TypeError(_not_a_schedule(schedule))
    if not schedules:
        raise ValueError("plot: there must be at least one schedule")
    return dict(schedules)


def _not_a_schedule(value: object) -> str:
    return (
        f"plot: `schedules` must be a schedule, several, or a mapping from names to schedules, "
        f"got {value!r}"
    )


def _label(schedule: ScheduleLike) -> str:
    text = repr(schedule) if isinstance(schedule, Schedule) else getattr(schedule, "__name__", "")
    short = textwrap.shorten(text or repr(schedule), 160, placeholder=" …")  # three lines of 60
    return textwrap.fill(short, 60, break_on_hyphens=False)


def _draw(ax: Axes, schedules: Mapping[str, ScheduleLike], total_steps: int) -> None:
    if total_steps < 1:
        raise ValueError(f"plot: `total_steps` must be a whole number >= 1, got {total_steps}")
    for name, schedule in schedules.items():
        ax.plot(*points(schedule, total_steps), label=name)
    ax.set(xlabel="step", ylabel="learning rate", xlim=(0, total_steps))
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    ax.grid(alpha=0.3)


def overview(schedules: Sequence[ScheduleLike], total_steps: int) -> Figure:
    """Schedules in one figure: the text of a single one above it, a legend of several below."""
    figure = new_figure(7, 4 + 0.2 * (len(schedules) - 1))
    named = _by_name(schedules)
    ax = figure.add_subplot()
    _draw(ax, named, total_steps)
    if len(named) == 1:
        ax.set_title(next(iter(named)), fontsize=9)
    else:
        figure.legend(loc="outside lower center", fontsize=8)
    return figure
