"""Pictures as data: a panel is described once, and drawn by matplotlib and by Plotly."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from numpy.typing import ArrayLike

from lr_optax._core.hyperparameters import RateFunction
from lr_optax.results.sampling import points

PALETTE = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")
"""Matplotlib's own cycle of colors, without its gray and its olive."""

GRAY = "#999999"
"""For what is not the point of a picture."""


class Curve(NamedTuple):
    """A line or dots; what is not finite is a gap.

    Attributes:
        name: in the legend, "" for none; curves of one name are toggled together.
        color: as in CSS.
        band: the lower and upper end of what is shaded around it.
        texts: what a pointer shows at each point of a page.
        shown: whether it is drawn before anything is toggled.
    """

    x: ArrayLike
    y: ArrayLike
    name: str = ""
    color: str = PALETTE[0]
    form: Literal["line", "dashes", "steps", "dots", "discs", "bars"] = "line"
    band: tuple[ArrayLike, ArrayLike] | None = None
    texts: Sequence[str] | None = None
    shown: bool = True


class Marker(NamedTuple):
    """A part of the x axis from bottom to top; a dashed line where it has no width."""

    low: float
    high: float
    name: str
    color: str


class Panel(NamedTuple):
    """One pair of axes. In a picture panels with the same ``x`` share it, as do those of ``y``.

    Attributes:
        x: what the axis means; so does ``y``.
        log: the logarithmic axes.
        limits: of the y axis; None for what shows everything, None inside for a free end.
        rows: names for the heights 0, 1, ..., from top to bottom, instead of numbers.
        height: relative to the other panels, to which rows add; on a page 1 is some 200 pixels.
    """

    x: str
    y: str
    curves: tuple[Curve, ...]
    markers: tuple[Marker, ...] = ()
    log: Literal["", "x", "y", "xy"] = ""
    limits: tuple[float | None, float | None] | None = None
    rows: tuple[str, ...] = ()
    height: float = 2


def rate_curve(
    schedule: RateFunction, total_steps: int, name: str = "", color: str = GRAY
) -> Curve:
    """The rates of a run as a curve."""
    return Curve(*points(schedule, total_steps), name, color)


def interval_panel(
    x: str,
    names: tuple[str, ...],
    values: Iterable[float],
    spreads: Iterable[float],
    colors: Sequence[str],
) -> Panel:
    """A panel of values ± spreads, one in each row, from top to bottom."""
    curves = []
    for y, (value, spread, color) in enumerate(zip(values, spreads, colors, strict=True)):
        curves.append(Curve([value - spread, value + spread], [y, y], color=color))
        text = f"{value:.5g} ± {spread:.2g}"
        curves.append(Curve([value], [y], color=color, form="discs", texts=[text]))
    return Panel(x, "", tuple(curves), rows=names, height=0.5)


def palette_color(index: int) -> str:
    """A color of its own for each of a few."""
    return PALETTE[index % len(PALETTE)]


def same_x(panels: Iterable[Panel]) -> bool:
    """Whether panels share their x axis."""
    return len({panel.x for panel in panels}) == 1


def short(text: str, width: int = 34) -> str:
    """A text, cut in its middle if it is long."""
    half = width // 2
    return text if len(text) <= width else f"{text[: width - half - 1]}…{text[-half:]}"
