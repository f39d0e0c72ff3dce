"""Pictures with matplotlib: every text is shown as it is."""

import pytest

from lr_optax import constant, plot
from lr_optax.inspection._plot import overview
from lr_optax.results.figure import draw, new_figure, rendered
from lr_optax.results.panels import Curve, Marker, Panel

NAMES = ["$a^{$", "$x$", "_hidden", r"\$5", r"$\frac$", "100%", "{x}", "a\x1b[2J", "x\udcff", "$$"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_no_formula(name):
    figure = new_figure(4, 3)
    panel = Panel(
        name, name, (Curve([1, 2], [0, 1], name),), (Marker(1, 1, name, "red"),), rows=(name,)
    )
    draw(figure, [panel], name)
    (axes,) = figure.axes
    assert len(axes.get_legend().get_texts()) == 2
    # matplotlib takes a text for a formula if it has an even number of dollars without a backslash.
    texts = [text.get_text() for text in (*axes.get_legend().get_texts(), *axes.get_yticklabels())]
    for text in (*texts, axes.get_xlabel(), axes.get_ylabel(), figure.get_suptitle()):
        assert "$" not in text.replace(r"\$", "")
    rendered(figure, "png")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_given_to_plot_is_no_formula(name):
    axes = plot({name: constant(0.1), "other": constant(0.2)}, 10)
    assert len(axes.get_legend().get_texts()) == 2
    rendered(axes.figure, "png")


def test_a_functions_name_is_no_formula():
    def named(step):
        return 0.1

    named.__name__ = "$a^{$"
    rendered(overview([named], 10), "png")
    rendered(overview([named, constant(0.1)], 10), "png")
