"""Candidates side by side: every seed a dot, the best on top."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROWS = 20
_CURVES = 5


def draw(
    figure: Figure,
    metric: str,
    ranked: Sequence[tuple[str, np.ndarray]],
    values: Sequence[np.ndarray],
    baseline: int | None,
) -> None:
    """Draw a ranking, and the curves of the best where the metric is a history.

    Args:
        figure: an empty one.
        metric: its name.
        ranked: names, and the metric with a leading axis of seeds, best first.
        values: what ranks, a vector over seeds each; what is not finite is left out.
        baseline: the place of the candidate whose mean is drawn as a line.
    """
    history = ranked[0][1].ndim == 2 and ranked[0][1].shape[1] > 1
    left, *right = figure.subplots(1, 1 + history, squeeze=False)[0]
    _dots(left, metric, [name for name, _ in ranked], values, baseline)
    if history:
        _curves(right[0], metric, ranked[:_CURVES])


def _dots(
    axes: Axes,
    metric: str,
    names: Sequence[str],
    values: Sequence[np.ndarray],
    baseline: int | None,
) -> None:
    shown = len(names[:_ROWS])
    for place, row in enumerate(values[:_ROWS]):
        known = row[np.isfinite(row)]
        color = f"C{place}" if place < _CURVES else "0.4"
        axes.plot(known, np.full(len(known), place), "o", color=color, alpha=0.5, markersize=4)
        if known.size:
            axes.plot(known.mean(), place, "|", color=color, markersize=14, markeredgewidth=2)
        if known.size < row.size:
            lost = f"{row.size - known.size} of {row.size} without a value"
            axes.annotate(lost, (1, place), xycoords=("axes fraction", "data"), fontsize=7,
                          ha="right", va="bottom", color="0.3")  # fmt: skip
    if baseline is not None and np.isfinite(values[baseline]).any():
        mean = values[baseline][np.isfinite(values[baseline])].mean()
        axes.axvline(mean, color="0.4", linestyle="--", linewidth=1)
    everything = np.concatenate([row[np.isfinite(row)] for row in values[:_ROWS]])
    if everything.size and everything.min() > 0 and everything.max() > 30 * everything.min():
        axes.set_xscale("log")
    labels = [textwrap.fill(textwrap.shorten(n, 80, placeholder="…"), 40) for n in names[:_ROWS]]
    axes.set_yticks(range(shown), labels, fontsize=7)
    axes.set_ylim(shown - 0.5, -0.5)
    few = "" if shown == len(names) else f", best {shown} of {len(names)}"
    axes.set_xlabel(f"{metric}: seeds and mean{few}")
    axes.grid(axis="x", alpha=0.3)


def _curves(axes: Axes, metric: str, ranked: Sequence[tuple[str, np.ndarray]]) -> None:
    for place, (_, histories) in enumerate(ranked):
        known = histories[np.isfinite(histories[:, -1])]
        if known.size == 0:
            continue
        x = np.arange(1, known.shape[1] + 1)
        axes.plot(x, np.median(known, axis=0), color=f"C{place}", linewidth=1.5)
        axes.fill_between(
            x, known.min(axis=0), known.max(axis=0), color=f"C{place}", alpha=0.12, linewidth=0
        )
    axes.set_xlabel("entry of the history")
    axes.set_ylabel(f"{metric}: median and range over seeds")
    axes.grid(alpha=0.3)
