"""Figures of matplotlib: ``pip install "lr_optax[plot]"``."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from lr_optax.results.files import write_whole
from lr_optax.results.panels import Curve, Panel, same_x, short
from lr_optax.results.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_FORMS = {"line": "-", "dashes": "--", "steps": "-", "dots": ".", "discs": "o", "bars": "|"}
_SIZES = {"dots": 5, "discs": 7, "bars": 13}  # points: a bar is as tall as a row of small text
_ROW_HEIGHT = 0.12  # of a panel of height 1: two lines of small text, at 200 pixels for 1
_TITLE, _ROW = 84, 32  # characters in a line: what fits into 8 inches, and into a quarter of them


def literal(text: str) -> str:
    r"""A text as matplotlib shows it unchanged: it takes $...$ for a formula, _... for a secret.

    >>> print(literal("$x$"), literal("_x"), sep="|")
    \$x\$| _x
    """
    text = printable(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def draw(figure: Figure, panels: Sequence[Panel], title: str = "") -> None:
    """Draw panels on an empty figure."""
    if title:
        title = literal(textwrap.fill(title, _TITLE))
        figure.suptitle(title, fontsize=12, fontweight="bold")
    labeled: set[str] = set()
    drawn = [*zip(_axes(figure, panels), panels, strict=True)]
    for axes, panel in drawn:
        _fill(axes, panel, labeled)
    for (upper, above), (lower, below) in pairwise(drawn):
        if above.x == below.x:
            lower.sharex(upper)
            upper.set_xlabel("")
            upper.tick_params(labelbottom=False)


def _axes(figure: Figure, panels: Sequence[Panel]) -> list[Axes]:
    """Axes side by side where panels have one y axis and several x axes, else below each other."""
    if not same_x(panels) and len({panel.y for panel in panels}) == 1:
        return list(figure.subplots(1, len(panels), sharey=True, squeeze=False).flat)
    heights = [panel.height + _ROW_HEIGHT * len(panel.rows) for panel in panels]
    return list(figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False).flat)


def _fill(axes: Axes, panel: Panel, labeled: set[str]) -> None:
    for curve in panel.curves:
        if curve.shown:
            _add_curve(axes, curve, "" if curve.name in labeled else short(curve.name, 60))
            labeled.add(curve.name)
    for low, high, name, color in panel.markers:
        if low == high:
            axes.axvline(low, color=color, linestyle="--", label=literal(name))
        else:
            axes.axvspan(low, high, color=color, alpha=0.15, label=literal(name))
    _set_axes(axes, panel)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=8)


def _set_axes(axes: Axes, panel: Panel) -> None:
    axes.set(xlabel=literal(textwrap.fill(panel.x, _TITLE)), ylabel=literal(panel.y))
    if "x" in panel.log:
        axes.set_xscale("log")
        _label_logs(axes.xaxis)
    if "y" in panel.log:
        axes.set_yscale("log")
        _label_logs(axes.yaxis)
    if panel.rows:
        names = [literal(textwrap.fill(short(row, 60), _ROW)) for row in panel.rows]
        axes.set_yticks(range(len(names)), names, fontsize=7)
        axes.set_ylim(len(names) - 0.5, -0.5)
    elif panel.limits:
        axes.set_ylim(*panel.limits)


def _add_curve(axes: Axes, curve: Curve, label: str) -> None:
    axes.plot(
        curve.x,
        curve.y,
        _FORMS[curve.form],
        color=curve.color,
        label=literal(label) or None,
        drawstyle="steps-post" if curve.form == "steps" else "default",
        markersize=_SIZES.get(curve.form),
        markeredgewidth=2 if curve.form == "bars" else 0,
    )
    if curve.band:
        axes.fill_between(curve.x, *curve.band, color=curve.color, alpha=0.2, linewidth=0)


def _label_logs(axis: Axis) -> None:
    """Plain numbers between the powers of ten, where the axis spans few of those."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    low, high = axis.get_view_interval()
    # Over more than one and a half decades the powers of ten are labels enough; over less than a
    # third of one, even these are too few.
    if 0 < low < high < 30 * low:
        few = high < 2 * low
        axis.set_major_locator(MaxNLocator(6) if few else LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:g}")


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
    figure.savefig(picture, format=kind, dpi=120)  # 8 inches fill a page of 960 pixels
    return picture.getvalue()


def picture_format(path: Path) -> str:
    """The kind of picture that a file's ending names; PNG where it has none.

    Raises:
        ValueError: matplotlib writes no such files.
    """
    kinds = new_figure(1, 1).canvas.get_supported_filetypes()
    kind = path.suffix[1:].lower() or "png"
    if kind not in kinds:
        raise ValueError(f"{path}: there are no {path.suffix} pictures; one of {', '.join(kinds)}")
    return kind
