"""Pictures, with matplotlib: ``pip install "lr_optax[plot]"``."""

from __future__ import annotations


from lr_optax.results.panels import Panel
from lr_optax.results.panels import same_x
from lr_optax.results.panels import short
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
import jax
import numpy as np
from lr_optax.results.files import write_whole
from lr_optax._core.schedule import Schedule


_FORMS = {"line": "-", "dashes": "--", "steps": "-", "dots": ".", "discs": "o", "bars": "|"}


_SIZES = {"dots": 5, "discs": 7, "bars": 13}




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
