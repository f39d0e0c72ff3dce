"""The picture of a comparison: what each strategy reached, and below it how it got there."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from lr_optax.results.panels import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lr_optax.demo.comparison import Comparison, Row
    from lr_optax.foresight._statistics import Estimate

# Okabe and Ito's colours, which people who see colours differently tell apart
BETTER, WORSE, UNDECIDED, RATE = "#0072B2", "#D55E00", "#6B6B6B", "#E69F00"
_COLUMNS = 4


def size(comparison: Comparison) -> tuple[float, float]:
    """Width and height in inches: made to be read at 830 pixels across."""
    return 8.3, sum(_heights(comparison)) + 0.4


def draw(figure: Figure, comparison: Comparison) -> None:
    """Draw a comparison on an empty figure."""
    figure.suptitle(textwrap.fill(message(comparison), 84), fontsize=12, fontweight="bold")
    top, bottom = figure.subfigures(2, 1, height_ratios=_heights(comparison), squeeze=False).flat
    _ranked(top.add_subplot(), comparison)
    _curves(bottom, comparison)


def message(comparison: Comparison) -> str:
    """What the comparison says, in one line."""
    first, loss = comparison.rows[0], comparison.labels[1]
    if not math.isfinite(first.test_loss.middle):
        return f"Every strategy's {loss} is no number"
    if first.gain.low > 0:
        low, high = first.gain.low, first.gain.high
        return (
            f"{short(first.strategy).capitalize()} takes {first.gain.middle:.0%} off the {loss} "
            f"of the best constant rate ({low:.0%} to {high:.0%})"
        )
    return f"{short(first.strategy).capitalize()} has the lowest {loss}, by chance or not"


def colour(row: Row) -> str:
    """By whether a strategy's interval lies on one side of the constant rate."""
    if row.strategy == "constant":
        return "black"
    return BETTER if row.gain.low > 0 else WORSE if row.gain.high < 0 else UNDECIDED


def gain(row: Row) -> str:
    """How much of the constant rate's loss is gone, as a text."""
    return "–" if row.strategy == "constant" else with_bounds(row.gain, "{:+.1%}")


def with_bounds(interval: Estimate, form: str) -> str:
    """A number with its bounds, as far as they are known."""
    middle, low, high = interval
    if math.isnan(middle):
        return "–"
    text = form.format(middle)
    return text if math.isnan(low) else f"{text} ({form.format(low)} to {form.format(high)})"


def _heights(comparison: Comparison) -> tuple[float, float]:
    n = len(comparison.names)
    return 0.9 + 0.24 * n, 0.9 + 1.4 * -(-n // _COLUMNS)


def _ranked(axes: Axes, comparison: Comparison) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    losses = dict(zip(comparison.names, comparison.at_best(comparison.test_loss), strict=True))
    everything = np.concatenate([*losses.values()])
    everything = everything[np.isfinite(everything)]
    constant = next(row for row in comparison.rows if row.strategy == "constant")
    for place, row in enumerate(comparison.rows):
        seeds = losses[row.strategy]
        seeds = seeds[np.isfinite(seeds)]
        axes.plot(seeds, np.full(len(seeds), place), "o", color=colour(row), alpha=0.45,
                  markersize=4.5, markeredgewidth=0)  # fmt: skip
        middle, *quartiles = row.test_loss
        if math.isfinite(quartiles[1]):
            axes.plot(quartiles, (place, place), color=colour(row), linewidth=3, alpha=0.6)
        if math.isfinite(middle):
            axes.plot(middle, place, "|", color=colour(row), markersize=13, markeredgewidth=2.5)
        axes.annotate(gain(row), (1.02, place), xycoords=("axes fraction", "data"), va="center",
                      fontsize=9, color=colour(row), annotation_clip=False)  # fmt: skip
    for x, text in (
        (1.02, f"{comparison.labels[1]} gone (95 %)"),
        (-0.02, "strategy at its best peak"),
    ):
        axes.annotate(text, (x, 1.01), xycoords="axes fraction", fontsize=9, color="0.3",
                      ha="left" if x > 0 else "right", annotation_clip=False)  # fmt: skip
    if math.isfinite(constant.test_loss.middle):
        axes.axvline(constant.test_loss.middle, color="black", linestyle="--", linewidth=1)
    if everything.size and everything.min() > 0:
        axes.set_xscale("log")
        ticks = (
            LogLocator(subs=(1, 1.5, 2, 3, 5, 7))
            if everything.max() < 30 * everything.min()
            else LogLocator()
        )
        axes.xaxis.set_major_locator(ticks)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(
        range(len(comparison.rows)),
        [f"{short(row.strategy)}  at {row.peak:g}" for row in comparison.rows],
        fontsize=9,
    )
    axes.set_ylim(len(comparison.rows) - 0.4, -0.6)
    seeds = comparison.test_loss.shape[-1]
    axes.set_xlabel(
        f"{comparison.labels[1]}: {seeds} seeds, median and middle half; dashed: the constant "
        "rate\nblue: better than it at 95 %; grey: not told from it",
        fontsize=9,
    )
    axes.tick_params(axis="x", which="both", labelsize=9)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _curves(figure: Figure, comparison: Comparison) -> None:
    rows = -(-len(comparison.names) // _COLUMNS)
    grid = figure.subplots(rows, _COLUMNS, squeeze=False, sharex=True, sharey=True)
    validation = dict(zip(comparison.names, comparison.at_best(comparison.validation), strict=True))
    x = comparison.checks
    steps = np.arange(comparison.total_steps + 1)
    highest = max(comparison.rates(name).max() for name in comparison.names)
    for i, axes in enumerate(grid.flat):
        if i >= len(comparison.rows):
            axes.set_visible(False)
            continue
        name = comparison.rows[i].strategy
        axes.set_title(short(name, 24), fontsize=9, pad=3)
        right = axes.twinx()
        right.stairs(comparison.rates(name), steps, fill=True, color=RATE, alpha=0.35,
                     label="learning rate (right)")  # fmt: skip
        right.set_ylim(0, 1.05 * highest)
        at_end = i % _COLUMNS == _COLUMNS - 1
        right.tick_params(labelsize=8, right=at_end, labelright=at_end)
        axes.set_zorder(right.get_zorder() + 1)
        axes.patch.set_visible(False)
        if comparison.positive:
            axes.set_yscale("log")
        low, middle, high = np.quantile(validation[name], (0, 0.5, 1), axis=0)
        axes.fill_between(x, low, high, color=BETTER, alpha=0.25, linewidth=0)
        axes.plot(x, middle, color=BETTER, linewidth=1.5,
                  label=f"{comparison.labels[0]} (left): median and range of seeds")  # fmt: skip
        axes.plot(x, np.median(validation["constant"], axis=0), color="0.35", linewidth=1,
                  linestyle="--", label="the constant rate's")  # fmt: skip
        axes.tick_params(which="both", labelsize=8)
        axes.set_xlim(0, comparison.total_steps)
        if i + _COLUMNS >= len(comparison.rows):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("step", fontsize=9)
        if i == 0:
            handles = [*axes.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
            figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8.5)
