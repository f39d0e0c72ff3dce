"""Pictures, with matplotlib: ``pip install "lr_optax[plot]"``."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from lr_optax._core.files import write_whole
from lr_optax._core.schedule import Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = Schedule | Callable[[Any], Any]
_POINTS = 4000


def steps_to_show(total_steps: int) -> np.ndarray:
    """Steps from 0 to ``total_steps``: whole ones, or fractions where a few would look angular."""
    even = np.linspace(0, total_steps, _POINTS)
    return even.astype(np.float32) if total_steps < _POINTS else np.unique(even.astype(np.int64))


def points(schedule: Curve, total_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps to show, and the rates there."""
    x = steps_to_show(total_steps)
    return x, np.broadcast_to(jax.jit(schedule)(x), x.shape)


def plot(
    schedules: Curve | Sequence[Curve] | Mapping[str, Curve],
    total_steps: int,
    ax: Axes | None = None,
) -> Axes:
    """Draw rates over steps.

    Args:
        schedules: a schedule or another function of the step, several, or several by name.
        total_steps: the last step to show, >= 1.
        ax: where to draw; None for axes of a new figure.

    Returns:
        The axes, with a legend where there are several or a name. Nothing is shown or saved.

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


def _by_name(schedules: Curve | Sequence[Curve] | Mapping[str, Curve]) -> dict[str, Curve]:
    if callable(schedules):
        schedules = [schedules]
    if not isinstance(schedules, Mapping):
        if not isinstance(schedules, Sequence):
            raise TypeError(_no_schedule(schedules))
        schedules = {_label(schedule): schedule for schedule in schedules}
    for schedule in schedules.values():
        if not callable(schedule):
            raise TypeError(_no_schedule(schedule))
    if not schedules:
        raise ValueError("plot: there must be at least one schedule")
    return dict(schedules)


def _no_schedule(value: object) -> str:
    return (
        f"plot: `schedules` must be a schedule, several, or a mapping from names to schedules, "
        f"got {value!r}"
    )


def _label(schedule: Curve) -> str:
    text = repr(schedule) if isinstance(schedule, Schedule) else getattr(schedule, "__name__", "")
    return _wrapped(textwrap.shorten(text or repr(schedule), 160, placeholder=" …"), 60)


def _draw(ax: Axes, schedules: Mapping[str, Curve], total_steps: int) -> None:
    if total_steps < 1:
        raise ValueError(f"plot: `total_steps` must be a whole number >= 1, got {total_steps}")
    for name, schedule in schedules.items():
        ax.plot(*points(schedule, total_steps), label=name)
    ax.set(xlabel="step", ylabel="learning rate", xlim=(0, total_steps))
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    ax.grid(alpha=0.3)


def overview(schedules: Sequence[Curve], total_steps: int) -> Figure:
    """Schedules in one figure, with their texts: above it one's, below it those of several."""
    figure = new_figure(7, 4 + 0.2 * (len(schedules) - 1))
    named = _by_name(schedules)
    ax = figure.add_subplot()
    _draw(ax, named, total_steps)
    if len(named) == 1:
        ax.set_title(next(iter(named)), fontsize=9)
    else:
        figure.legend(loc="outside lower center", fontsize=8)
    return figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, outside pyplot: nothing is shown, nothing stays in memory."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        error.add_note('Pictures need matplotlib: pip install "lr_optax[plot]"')
        raise
    return Figure(figsize=(width, height), layout="constrained")


def write(figure: Figure, path: Path) -> None:
    """Write a figure whole or not at all, in the format that the file's ending names."""
    write_whole(path, rendered(figure, picture_format(path)))


def rendered(figure: Figure, kind: str) -> bytes:
    """A figure as the content of a file of some kind, such as ``"png"``."""
    picture = io.BytesIO()
    figure.savefig(picture, format=kind, dpi=120)
    return picture.getvalue()


def picture_format(path: Path) -> str:
    """The kind of picture that a file's ending names; PNG where it has none.

    Raises:
        ValueError: matplotlib writes no such files.
    """
    known = new_figure(1, 1).canvas.get_supported_filetypes()
    kind = path.suffix[1:].lower() or "png"
    if kind not in known:
        raise ValueError(f"{path}: there are no {path.suffix} pictures; one of {', '.join(known)}")
    return kind


def _wrapped(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width, break_on_hyphens=False))
