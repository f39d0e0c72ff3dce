"""Results as one page for a browser: no network, pictures to hover, zoom and toggle."""

from __future__ import annotations

import contextlib
import html
import platform
import textwrap
from collections.abc import Iterable, Sequence
from importlib import metadata
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike

from lr_optax.results.panels import Curve, Panel, same_x, short
from lr_optax.results.printable import printable

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_PACKAGES = ("lr_optax", "jax", "optax", "flax", "numpy", "scipy", "scikit-learn")

# All lengths are pixels, found by looking at the pages of every command at 400 and at 1280 pixels.
_UNIT = 200  # a panel of height 1: five ticks with a label fit beside it
_ROW, _TWO_LINES = 34, 46  # a row with its name above it, in one line or two of 11 pixels
_GAP, _GAP_WITH_LABELS = 20, 70  # between panels: ticks and the axis's title take 50
_FRAME, _LEGEND = 80, 8  # above and below the panels; for a name in the legend, a few in a line
_WIDE = 38  # characters of 11 pixels, for which a window of 400 has room

_TRACE_POINTS = 2000  # of a curve: two for each pixel, and a page of a few megabytes stays quick

_TRACES: dict[str, dict[str, Any]] = {
    "line": {"mode": "lines"},
    "dashes": {"mode": "lines", "line_dash": "dash"},
    "steps": {"mode": "lines", "line_shape": "hv"},
    "dots": {"mode": "markers", "marker_size": 5, "marker_opacity": 0.6},
    "discs": {"mode": "markers", "marker_size": 9},
    "bars": {
        "mode": "markers",
        "marker_size": 16,
        "marker_symbol": "line-ns",
        "marker_line_width": 3,
    },
}

_LAYOUT: dict[str, Any] = {
    "template": "simple_white",
    "margin": {"t": 20, "r": 20, "l": 50, "b": 50},
    # The page's own background, light or dark, shows through.
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "legend": {"orientation": "h", "y": 1, "yanchor": "bottom"},
}

_ROW_NAME: dict[str, Any] = {
    "x": 0, "xref": "x domain", "xanchor": "left", "yanchor": "bottom", "yshift": 5,
    "showarrow": False, "font_size": 11, "align": "left", "borderpad": 0,
    "bgcolor": "rgba(255,255,255,0.7)",
}  # fmt: skip

# Whatever the page holds, a browser loads nothing from anywhere for it.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline';\
 style-src 'unsafe-inline'; img-src data: blob:">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  overflow-wrap: break-word }}
h1 {{ line-height: 1.2 }}
.wide {{ overflow-x: auto }}
table {{ border-collapse: collapse; font-size: 0.9rem }}
th, td {{ text-align: left; padding: 0.2rem 1.2rem 0.2rem 0; border-bottom: 1px solid #8884 }}
td {{ font-variant-numeric: tabular-nums; white-space: nowrap }}
td:first-child {{ white-space: normal; min-width: 8rem }}
pre {{ background: #8882; padding: 0.8rem; white-space: pre-wrap; max-height: 16rem;
  overflow-y: auto }}
@media (prefers-color-scheme: dark) {{
  .main-svg {{ background: none !important; filter: invert(1) hue-rotate(180deg) }}
}}
</style>
</head>
<body>
<h1>{title}</h1>
{sections}
<h2>What was run</h2>
{command}
<div class="wide"><table>{facts}</table></div>
</body>
</html>
"""


class Section(NamedTuple):
    """A part of a page: a heading, HTML below it, and a picture below that, each if not empty."""

    heading: str
    body: str = ""
    panels: Sequence[Panel] = ()


def plotly() -> ModuleType:
    """Plotly's figures with several panels.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    try:
        from plotly import subplots
    except ModuleNotFoundError as error:
        error.add_note('The report needs Plotly: pip install "lr_optax[report]"')
        raise
    return subplots


def escaped(text: str) -> str:
    """A text as HTML shows it unchanged."""
    return html.escape(printable(text))


def code(text: str) -> str:
    """A text as it is, in HTML."""
    return f"<pre>{escaped(text)}</pre>"


def page(title: str, sections: Iterable[Section], command: str) -> str:
    """One HTML file that needs nothing else.

    Args:
        title: what it says, in one line.
        sections: what it shows, from top to bottom.
        command: what reproduces it.

    Raises:
        ModuleNotFoundError: Plotly is not installed.
    """
    parts: list[str] = []
    library = True  # it is a few megabytes, and needed once
    for section in sections:
        heading = f"<h2>{escaped(section.heading)}</h2>" if section.heading else ""
        parts += [heading, section.body]
        if section.panels:
            settings = {"displaylogo": False, "responsive": True}
            figure = _figure(section.panels)
            parts.append(figure.to_html(full_html=False, include_plotlyjs=library, config=settings))
            library = False
    facts = [f"<tr><th>{escaped(k)}</th><td>{escaped(v)}</td></tr>" for k, v in _facts().items()]
    return _PAGE.format(
        title=escaped(title),
        sections="\n".join(filter(None, parts)),
        command=code(command),
        facts="".join(facts),
    )


def _facts() -> dict[str, str]:
    installed = {}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed[name] = metadata.version(name)
    device = jax.devices()[0]
    return installed | {
        "Python": platform.python_version(),
        "device": f"{jax.device_count()} × {device.device_kind}",
        "system": platform.platform(),
    }


def _figure(panels: Sequence[Panel]) -> Figure:
    """Panels from top to bottom, with one legend."""
    heights = [
        _UNIT * panel.height + sum(_ROW if len(row) <= _WIDE else _TWO_LINES for row in panel.rows)
        for panel in panels
    ]
    gap = _GAP if same_x(panels) else _GAP_WITH_LABELS
    inner = sum(heights) + gap * (len(panels) - 1)
    figure = plotly().make_subplots(
        rows=len(panels),
        shared_xaxes=same_x(panels),
        row_heights=heights,
        vertical_spacing=gap / inner,
    )
    labeled: set[str] = set()
    for row, panel in enumerate(panels, start=1):
        _fill_subplot(figure, row, panel, labeled)
        if row == len(panels) or not same_x(panels):
            figure.update_xaxes(title=_lines(panel.x), row=row, col=1)
    for axes in (figure.update_xaxes, figure.update_yaxes):
        axes(showgrid=True, automargin=True, tickformat=".6~g", hoverformat=".5~g")
    names = {mark.name for panel in panels for mark in (*panel.curves, *panel.markers) if mark.name}
    return figure.update_layout(height=inner + _FRAME + _LEGEND * len(names), **_LAYOUT)


def _fill_subplot(figure: Figure, row: int, panel: Panel, labeled: set[str]) -> None:
    place: dict[str, Any] = {"row": row, "col": 1}
    for curve in panel.curves:
        _add_trace(figure, curve, named=curve.name not in labeled, **place)
        labeled.add(curve.name)
    for low, high, name, color in panel.markers:
        shared = {"name": escaped(name), "showlegend": True, **place}
        if low == high:
            line = {"color": color, "dash": "dash", "width": 1.5}
            figure.add_vline(low, line=line, opacity=1, **shared)
        else:
            figure.add_vrect(low, high, fillcolor=color, opacity=0.15, line_width=0, **shared)
    axis: dict[str, Any] = {"type": "linear"}
    if "x" in panel.log:
        axis = {"type": "log", "dtick": _log_ticks([curve.x for curve in panel.curves])}
    figure.update_xaxes(**axis, **place)
    figure.update_yaxes(title=_lines(panel.y), **_y_axis(panel), **place)
    for y, name in enumerate(panel.rows):
        # Within the panel: next to it a long name would leave no room in a narrow window.
        figure.add_annotation(y=y, text=_lines(short(name, 2 * _WIDE)), **_ROW_NAME, **place)


def _add_trace(figure: Figure, curve: Curve, *, named: bool, **shared: Any) -> None:
    x, y = np.asarray(curve.x, np.float64), _finite(curve.y)
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), _TRACE_POINTS)).astype(int))
    shared |= {"legendgroup": curve.name, "visible": True if curve.shown else "legendonly"}
    if curve.band:
        low, high = (_finite(end)[kept] for end in curve.band)
        figure.add_scatter(
            x=np.append(x[kept], x[kept][::-1]), y=np.append(low, high[::-1]), showlegend=False,
            fill="toself", fillcolor=curve.color, opacity=0.2, mode="none", hoverinfo="skip",
            **shared,
        )  # fmt: skip
    figure.add_scatter(
        x=x[kept], y=y[kept], text=curve.texts, name=escaped(short(curve.name)),
        showlegend=bool(curve.name) and named, line_color=curve.color,
        marker_color=curve.color, marker_line_color=curve.color, **_TRACES[curve.form], **shared,
    )  # fmt: skip


def _y_axis(panel: Panel) -> dict[str, Any]:
    """What the y axis of a panel shows."""
    if panel.rows:
        count = len(panel.rows)
        return {"range": [count - 0.5, -1], "tickvals": [*range(count)], "showticklabels": False}
    if "y" in panel.log:
        ends = [None if end is None else float(np.log10(end)) for end in panel.limits or ()]
        ticks = _log_ticks([curve.y for curve in panel.curves])
        return {"type": "log", "range": ends or None, "dtick": ticks}
    return {"rangemode": "tozero"} if panel.limits == (0, None) else {"range": panel.limits}


def _lines(text: str) -> str:
    return "<br>".join(map(escaped, textwrap.wrap(text, _WIDE)))


def _log_ticks(values: Sequence[ArrayLike]) -> int | str | None:
    """Plotly's code for ticks that do not run into each other: 1, 10, 100 or 1, 2, 5, 10."""
    numbers = np.concatenate([_finite(x).ravel() for x in values])
    exponents = np.log10(numbers[numbers > 0])
    decades = np.ptp(exponents) if len(exponents) else 0.0
    return 1 if decades > 2.5 else "D2" if decades > 1 else None


def _finite(values: ArrayLike) -> np.ndarray:
    values = np.asarray(values, np.float64)
    return np.where(np.isfinite(values), values, np.nan)
