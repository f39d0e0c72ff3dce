"""A comparison as one page for a browser: no network, pictures to hover, zoom and toggle."""

from __future__ import annotations

import html
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from lr_optax.demo.picture import colour, gain, message, short

if TYPE_CHECKING:
    from lr_optax.demo.comparison import Comparison

_PACKAGES = ("lr_optax", "jax", "optax", "flax", "numpy", "scikit-learn")
_POINTS = 1000
_SHOWN = 3
"""How many strategies, besides the constant rate, are shown before anything is toggled."""

# Whatever the page holds, a browser loads nothing from anywhere for it.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline';\
 style-src 'unsafe-inline'; img-src data: blob:">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; font-size: 0.9rem }}
th, td {{ text-align: left; padding: 0.2rem 1.2rem 0.2rem 0; border-bottom: 1px solid #ddd }}
td {{ font-variant-numeric: tabular-nums }}
pre {{ background: #f4f4f4; padding: 0.8rem; white-space: pre-wrap }}
</style>
</head>
<body>
<h1>{title}</h1>
{table}
<h2>Every seed</h2>
{ranking}
<h2>Rates and losses</h2>
<p>A click on a name in the legend shows or hides a strategy, a double click shows it alone.</p>
{curves}
<h2>What was run</h2>
<pre>{command}</pre>
<table>{facts}</table>
</body>
</html>
"""


def plotly() -> Any:
    """Plotly's graph objects.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    try:
        from plotly import graph_objects
    except ModuleNotFoundError as error:
        error.add_note('The report needs Plotly: pip install "lr_optax[report]"')
        raise
    return graph_objects


def page(comparison: Comparison, command: str) -> str:
    """A comparison as one HTML file that needs nothing else.

    Args:
        comparison: what to report.
        command: what reproduces it.

    Raises:
        ModuleNotFoundError: Plotly is not installed.
    """
    facts = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in _facts().items()
    )
    return _PAGE.format(
        title=html.escape(message(comparison)),
        table=comparison._repr_html_(),
        ranking=_embedded(_ranking(comparison), "ranking", library=True),
        curves=_embedded(_curves(comparison), "curves", library=False),
        command=html.escape(command),
        facts=facts,
    )


def _facts() -> Mapping[str, str]:
    versions = {name: metadata.version(name) for name in _PACKAGES}
    device = jax.devices()[0]
    return versions | {
        "Python": platform.python_version(),
        "device": f"{jax.device_count()} × {device.device_kind}",
        "system": platform.platform(),
    }


def _embedded(figure: Any, name: str, *, library: bool) -> str:
    return figure.to_html(
        full_html=False,
        include_plotlyjs=library,
        div_id=name,
        config={"displaylogo": False, "responsive": True},
    )


def _ranking(comparison: Comparison) -> Any:
    go = plotly()
    losses = dict(zip(comparison.names, comparison.at_best(comparison.test_loss), strict=True))
    figure = go.Figure()
    for row in reversed(comparison.rows):
        seeds = losses[row.strategy]
        figure.add_box(
            x=np.where(np.isfinite(seeds), seeds, np.nan),
            name=html.escape(short(row.strategy)),
            marker_color=colour(row),
            boxpoints="all",
            pointpos=0,
            jitter=0,
            text=[f"seed {i}" for i in range(len(seeds))],
            hovertemplate=f"%{{x:.4f}}, %{{text}}<br>peak {row.peak:g}, gain {gain(row)}",
        )
    constant = next(row for row in comparison.rows if row.strategy == "constant")
    if np.isfinite(constant.test_loss.middle):
        figure.add_vline(constant.test_loss.middle, line_dash="dash", line_width=1)
    return figure.update_layout(
        template="simple_white",
        showlegend=False,
        height=140 + 34 * len(comparison.rows),
        margin={"t": 20, "r": 20},
        xaxis={"title": "test loss", "type": "log", "tickformat": ".3~g", "showgrid": True},
        yaxis={"automargin": True},
    )


def _curves(comparison: Comparison) -> Any:
    go = plotly()
    validation = dict(zip(comparison.names, comparison.at_best(comparison.validation), strict=True))
    steps = np.unique(np.linspace(0, comparison.total_steps - 1, _POINTS).astype(int))
    figure = go.Figure()
    for place, row in enumerate(comparison.rows):
        constant = row.strategy == "constant"
        losses = np.median(validation[row.strategy], axis=0)
        x = np.arange(1, len(losses) + 1) * (comparison.total_steps // len(losses))
        color = "black" if constant else _COLOURS[place % len(_COLOURS)]
        shared: dict[str, Any] = {
            "mode": "lines",
            "legendgroup": str(place),
            "name": html.escape(short(row.strategy)),
            "visible": True if constant or place < _SHOWN else "legendonly",
        }
        figure.add_scatter(
            x=steps,
            y=comparison.rates(row.strategy)[steps],
            yaxis="y2",
            showlegend=False,
            line={"color": color, "shape": "hv"},
            **shared,
        )
        y = np.where(np.isfinite(losses), losses, np.nan)
        figure.add_scatter(x=x, y=y, line={"color": color}, **shared)
    return figure.update_layout(
        template="simple_white",
        height=640,
        margin={"t": 20, "r": 20},
        hovermode="x unified",
        xaxis={"title": "step", "range": [0, comparison.total_steps], "anchor": "y"},
        yaxis={
            "title": "validation loss (median of seeds)",
            "type": "log",
            "domain": [0, 0.55],
            "showgrid": True,
        },
        yaxis2={
            "title": "learning rate",
            "domain": [0.62, 1],
            "rangemode": "tozero",
            "showgrid": True,
        },
    )


# Okabe and Ito's, without black and yellow
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
