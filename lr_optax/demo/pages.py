"""What the page of a comparison shows besides its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lr_optax.demo.picture import colour, gain
from lr_optax.results import panels as charts
from lr_optax.results.page import Section
from lr_optax.results.panels import Curve, Panel, Span

if TYPE_CHECKING:
    from lr_optax.demo.comparison import Comparison

_SHOWN = 3
"""How many strategies, besides the constant rate, are shown before anything is toggled."""


def sections(comparison: Comparison) -> tuple[Section, ...]:
    """Its table, every seed, and the curves of every strategy at its best peak."""
    return (
        Section("", comparison._repr_html_()),
        Section("Every seed", panels=[_ranking(comparison)]),
        Section(
            "Rates and losses",
            "<p>A click on a name in the legend shows or hides a strategy, a double click shows it "
            "alone.</p>",
            _curves(comparison),
        ),
    )


def _ranking(comparison: Comparison) -> Panel:
    losses = dict(zip(comparison.names, comparison.at_best(comparison.test_loss), strict=True))
    curves, spans = [], []
    for place, row in enumerate(comparison.rows):
        seeds, color = losses[row.strategy], colour(row)
        middle, low, high = row.test_loss
        said = f"peak {row.peak:g}, gain {gain(row)}"
        says = [f"{loss:.4f}, seed {i}<br>{said}" for i, loss in enumerate(seeds)]
        heights = np.full(len(seeds), place)
        curves.append(Curve([low, high], [place, place], color=color))
        curves.append(Curve(seeds, heights, color=color, form="dots", says=says))
        curves.append(Curve([middle], [place], color=color, form="bars", says=[said]))
        if row.strategy == "constant" and np.isfinite(middle):
            spans.append(Span(middle, middle, "the constant rate", "black"))
    names = tuple(row.strategy for row in comparison.rows)
    log = "x" if comparison.positive else ""
    return Panel(
        comparison.labels[1], "", tuple(curves), tuple(spans), log, rows=names, height=0.25
    )


def _curves(comparison: Comparison) -> tuple[Panel, Panel]:
    validation = dict(zip(comparison.names, comparison.at_best(comparison.validation), strict=True))
    rates, losses = [], []
    for place, row in enumerate(comparison.rows):
        constant = row.strategy == "constant"
        medians = np.median(validation[row.strategy], axis=0)
        look = {
            "name": row.strategy,
            "color": "black" if constant else charts.color(place),
            "shown": constant or place < _SHOWN,
        }
        every = comparison.rates(row.strategy)
        rates.append(Curve(np.arange(len(every)), every, form="steps", **look))
        losses.append(Curve(comparison.checks, medians, **look))
    return (
        Panel("step", "learning rate", tuple(rates), limits=(0, None), height=1),
        Panel(
            "step",
            f"{comparison.labels[0]} (median of seeds)",
            tuple(losses),
            log="y" if comparison.positive else "",
        ),
    )
