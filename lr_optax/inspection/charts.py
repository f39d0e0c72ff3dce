"""Pictures as data: said once, drawn by matplotlib into files and by Plotly into pages."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from lr_optax.inspection import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")
GREY = "#999999"
_FORMS = {"line": "-", "dashes": "--", "steps": "-", "dots": ".", "discs": "o", "bars": "|"}
_SIZES = {"dots": 5, "discs": 7, "bars": 13}


class Curve(NamedTuple):
    """A line or dots; what is no number is a gap.

    Attributes:
        x: where.
        y: the heights there.
        name: in the legend; curves of one name are toggled together. Empty for no place there.
        color: as in CSS.
        form: of the line, or of the dots.
        band: the lower and upper end of what is shaded around it.
        says: a text for each point, where a pointer rests on it.
        shown: whether it is before anything is toggled.
    """

    x: Any
    y: Any
    name: str = ""
    color: str = PALETTE[0]
    form: Literal["line", "dashes", "steps", "dots", "discs", "bars"] = "line"
    band: tuple[Any, Any] | None = None
    says: Sequence[str] | None = None
    shown: bool = True


class Span(NamedTuple):
    """A part of the x axis from bottom to top; a dashed line where it has no width."""

    low: float
    high: float
    name: str
    color: str


class Panel(NamedTuple):
    """One pair of axes. In a picture panels with the same ``x`` share it, as do those of ``y``.

    Attributes:
        x: what the axis means.
        y: the same.
        curves: what is on it.
        spans: what is marked.
        log: the logarithmic axes: "", "x", "y" or "xy".
        limits: of the y axis; None for what shows everything, None inside for a free end.
        rows: names for the heights 0, 1, ..., from top to bottom, instead of numbers.
        height: beside the other panels'; on a page 1 is some 200 pixels.
    """

    x: str
    y: str
    curves: tuple[Curve, ...]
    spans: tuple[Span, ...] = ()
    log: Literal["", "x", "y", "xy"] = ""
    limits: tuple[float | None, float | None] | None = None
    rows: tuple[str, ...] = ()
    height: float = 2


def rates(schedule: plots.Curve, total_steps: int, name: str = "", color: str = GREY) -> Curve:
    """The rates of a run as a curve."""
    return Curve(*plots.points(schedule, total_steps), name, color)


def ranked(
    x: str, names: tuple[str, ...], values: Any, spreads: Any, colors: Sequence[str]
) -> Panel:
    """A panel of values with their spreads, one in each row.

    Args:
        x: what the values are.
        names: of the rows, from top to bottom.
        values: of each row.
        spreads: half the width of its interval.
        colors: of each row.
    """
    curves = []
    for y, (value, spread, color) in enumerate(zip(values, spreads, colors, strict=True)):
        curves.append(Curve([value - spread, value + spread], [y, y], color=color))
        said = f"{value:.5g} ± {spread:.2g}"
        curves.append(Curve([value], [y], color=color, form="discs", says=[said]))
    return Panel(x, "", tuple(curves), rows=names, height=0.5)


def color(place: int) -> str:
    """A colour of its own for each of a few."""
    return PALETTE[place % len(PALETTE)]


def draw(figure: Figure, panels: Sequence[Panel]) -> None:
    """Draw panels with matplotlib, on an empty figure."""
    below, beside = same_x(panels), len({panel.y for panel in panels}) == 1
    if below or not beside:
        heights = [panel.height for panel in panels]
        every = figure.subplots(len(panels), 1, sharex=below, height_ratios=heights, squeeze=False)
    else:
        every = figure.subplots(1, len(panels), sharey=True, squeeze=False)
    told: set[str] = set()
    for axes, panel in zip(every.flat, panels, strict=True):
        _fill(axes, panel, told)
        if below or beside:
            axes.label_outer()


def same_x(panels: Iterable[Panel]) -> bool:
    """Whether panels share their x axis."""
    return len({panel.x for panel in panels}) == 1


def _fill(axes: Axes, panel: Panel, told: set[str]) -> None:
    for curve in (curve for curve in panel.curves if curve.shown):
        label = None if curve.name in told else short(curve.name, 60) or None
        told.add(curve.name)
        axes.plot(curve.x, curve.y, _FORMS[curve.form], color=curve.color, label=label,
                  drawstyle="steps-post" if curve.form == "steps" else "default",
                  markersize=_SIZES.get(curve.form),
                  markeredgewidth=2 if curve.form == "bars" else 0)  # fmt: skip
        if curve.band:
            axes.fill_between(curve.x, *curve.band, color=curve.color, alpha=0.2, linewidth=0)
    for span in panel.spans:
        if span.low == span.high:
            axes.axvline(span.low, color=span.color, linestyle="--", label=span.name)
        else:
            axes.axvspan(span.low, span.high, color=span.color, alpha=0.15, label=span.name)
    axes.set(xlabel=panel.x, ylabel=panel.y)
    if "x" in panel.log:
        axes.set_xscale("log")
    if "y" in panel.log:
        axes.set_yscale("log")
    if panel.rows:
        axes.set_yticks(
            range(len(panel.rows)),
            [textwrap.fill(short(row, 60), 32) for row in panel.rows],
            fontsize=7,
        )
        axes.set_ylim(len(panel.rows) - 0.5, -0.5)
    elif panel.limits:
        axes.set_ylim(*panel.limits)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=8)


def short(text: str, width: int = 34) -> str:
    """A text, cut in its middle if it is long."""
    half = width // 2
    return text if len(text) <= width else f"{text[: width - half - 1]}…{text[-half:]}"
