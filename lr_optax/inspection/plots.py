"""Pictures, with matplotlib: ``pip install "lr_optax[plot]"``."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import numpy as np

from lr_optax._core.files import write_whole
from lr_optax._core.schedule import Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 4000


def steps_to_show(total_steps: int) -> np.ndarray:
    """Steps from 0 to ``total_steps``: whole ones, or fractions where a few would look angular."""
    even = np.linspace(0, total_steps, _POINTS)
    return even.astype(np.float32) if total_steps < _POINTS else np.unique(even.astype(np.int64))


def plot(
    schedules: Schedule | Sequence[Schedule] | Mapping[str, Schedule],
    total_steps: int,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw rates over steps, with a legend if there are several.

    Args:
        schedules: a schedule; several, which the legend calls by their texts; or several by the
            name to put in the legend.
        total_steps: the length of the run, >= 1; the picture ends there.
        ax: where to draw; None for axes of a new figure.

    Returns:
        The axes. Nothing is shown or saved: ``plot(...).figure.savefig("rates.png")`` does.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        ValueError: ``total_steps`` is below 1.

    Example:
        >>> from lr_optax import cosine_decay, linear, plot
        >>> ax = plot([cosine_decay(0.1, decay_steps=90), linear(0.1, transition_steps=90)], 100)
        >>> print(ax.get_ylabel(), *(text.get_text() for text in ax.get_legend().texts), sep="\n")
        learning rate
        cosine_decay(0.1, decay_steps=90)
        linear(0.1, transition_steps=90)
    """
    if total_steps < 1:
        raise ValueError(f"plot: `total_steps` must be a whole number >= 1, got {total_steps}")
    if ax is None:
        ax = new_figure(7, 4).add_subplot()
    if callable(schedules):
        schedules = [schedules]
    if not isinstance(schedules, Mapping):
        schedules = {_wrapped(repr(s), 60): s for s in schedules}
    x = steps_to_show(total_steps)
    for name, schedule in schedules.items():
        ax.plot(x, jax.jit(schedule)(x), label=name)
    ax.set(xlabel="step", ylabel="learning rate", xlim=(0, total_steps))
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    ax.grid(alpha=0.3)
    if len(schedules) > 1:
        ax.legend()
    return ax


def save(schedule: Schedule, total_steps: int, path: Path) -> None:
    """Draw one schedule into a picture file, its text as the title."""
    figure = new_figure(7, 4)
    ax = plot(schedule, total_steps, figure.add_subplot())
    ax.set_title(_wrapped(repr(schedule)), fontsize=9)
    write(figure, path)


def small_multiples(
    panels: Sequence[tuple[str, np.ndarray, np.ndarray]],
    x: np.ndarray,
    reference: np.ndarray,
    title: str,
    path: Path,
) -> None:
    """A panel for every strategy: its rate as an area, its loss as a line over a grey reference.

    Args:
        panels: title, rates and losses at ``x``, one panel each.
        x: steps.
        reference: the loss curve to compare with, drawn in every panel.
        title: of the whole picture.
        path: the picture file to write.
    """
    columns = 4
    rows = -(-len(panels) // columns)
    figure = new_figure(3.1 * columns, 2.3 * rows + 0.9)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (name, rates, losses) in zip(grid.flat, panels, strict=False):
        axes.set_title(name, fontsize=9)
        axes.semilogy(x, reference, color="0.6", label="validation loss, constant rate")
        axes.semilogy(x, losses, color="C0", label="validation loss")
        axes.grid(alpha=0.3)
        right = axes.twinx()
        right.fill_between(x, rates, color="C1", alpha=0.25, linewidth=0, label="learning rate")
        right.set_ylim(0, 1.05 * max(rates.max(), 1e-12))
        right.tick_params(labelsize=7, colors="C1")
        axes.set_zorder(right.get_zorder() + 1)
        axes.patch.set_visible(False)
        axes.tick_params(which="both", labelsize=7)
    for axes in grid[:, 0]:
        axes.set_ylabel("validation loss", fontsize=8)
    for i in range(columns):
        lowest = [axes for axes in grid[:, i] if axes.get_visible()]
        if lowest:
            lowest[-1].set_xlabel("step", fontsize=8)
            lowest[-1].tick_params(labelbottom=True)
    legend = {}
    for axes in figure.axes:
        legend |= {artist.get_label(): artist for artist in [*axes.lines, *axes.collections]}
    figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=3, fontsize=8)
    figure.suptitle(title, fontsize=11)
    write(figure, path)


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
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix[1:] or "png", dpi=120)
    write_whole(path, picture.getvalue())


def _wrapped(text: str, width: int = 90) -> str:
    return "\n".join(textwrap.wrap(text, width))
