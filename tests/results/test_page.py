"""The page of every command, as a browser shows it without a network."""

import html
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest
from comparisons import comparison_of, usual_losses
from typer.testing import CliRunner

import lr_optax
from lr_optax.cli.app import app
from lr_optax.cli.output import one_line
from lr_optax.results import page as pages
from lr_optax.results.panels import Curve, Panel

pytest.importorskip("plotly", reason="the report needs Plotly: pip install lr_optax[report]")
HOSTILE = "</script><script>document.title = 'broken'</script><b>"
LINEAR, CONSTANT = "linear(0.1, transition_steps=100)", "constant(0.1)"
ROWS = [f"{n},{2 + 9 / (n + 9)},0.1,{2 - n / 100}\n" for n in range(100)]

COMMANDS = {
    "compare": "--seeds 8 --peaks 0.05 --total-steps 80",
    "find": "--task own:train --metric loss --total-steps 100 --seeds 2",
    "optimize": "level.csv --total-steps 100 --peak 0.1",
    "predict": f"level.csv --total-steps 100 --candidate '{LINEAR}' --candidate '{CONSTANT}'",
    "refine": "level.csv --total-steps 100 --peak 0.1",
}
# Of each picture, one after another: its curves, and the rows of the table above it
SHOWN = {
    "compare": ([3 * 3 + 2 * 3], [3]),
    "find": ([2 + 3 + 1, 2 + 2], [1, 8]),
    "optimize": ([2 + 2 * 5, 3], [5, 5]),
    "predict": ([2 * 2, 3 + 2 + 2, 3], [2, 5]),
    "refine": ([2], [11]),
}


def train(schedule, key):
    """Noisy gradient descent on x²/2."""

    def step(x, t):
        noise = jax.random.normal(jax.random.fold_in(key, t))
        return x - schedule(t) * (x + noise), 0.5 * x**2

    return {"loss": jax.lax.scan(step, jnp.float32(9), jnp.arange(100))[1]}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The page of every command, by its name."""
    folder = tmp_path_factory.mktemp("pages")
    tissue = {"L0": 2.0, "A": 0.1, "alpha": 0.5, "C": 0.4, "lambda": 0.99}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setitem(sys.modules, "own", SimpleNamespace(train=train))
        patch.setattr(
            lr_optax,
            "compare",
            lambda *_, **__: comparison_of(usual_losses() | {HOSTILE: usual_losses()["linear"]}),
        )
        patch.setattr(
            lr_optax,
            "fit_loss_law",
            lambda logs, law: lr_optax.LossLaw("tissue", tissue, logs=tuple(logs)),
        )
        Path("level.csv").write_text("".join(["step,loss,lr,grad_norm\n", *ROWS]))
        for name, words in COMMANDS.items():
            arguments = [name, *shlex.split(words), "--report", f"new/{name}.html"]
            patch.setattr(sys, "argv", ["lr-optax", *arguments])
            done = CliRunner().invoke(app, arguments)
            assert done.exit_code == 0, done.output
            assert f"wrote new/{name}.html" in done.output
    return {name: folder / "new" / f"{name}.html" for name in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_it_is_one_file_that_loads_nothing(name, written):
    text = written[name].read_text("utf-8")
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)\s*=", text)
    assert "default-src 'none'" in text
    assert text.count("plotly.js v") == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_it_says_how_to_do_it_again(name, written):
    (last,) = re.findall(
        r"<h2>What was run</h2>\s*<pre>(.*?)</pre>", written[name].read_text("utf-8")
    )
    words = shlex.split(html.unescape(last))
    given = [*shlex.split(COMMANDS[name]), "--report", f"new/{name}.html"]
    assert words == ["lr-optax", name, *given]


def test_names_are_text_not_markup(written):
    assert HOSTILE not in written["compare"].read_text("utf-8")


def test_without_plotly_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(ModuleNotFoundError) as failure:
        pages.plotly()
    assert 'pip install "lr_optax[report]"' in one_line(failure.value)


@pytest.mark.parametrize("path", ["/dev/full", ".", "/proc/new/r.html"])
def test_a_page_that_cannot_be_written_is_one_line(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "level.csv").write_text("".join(["step,loss,lr,grad_norm\n", *ROWS]))
    done = CliRunner().invoke(app, ["refine", "level.csv", "--report", path])
    assert done.exit_code == 2
    assert done.stderr.startswith("lr-optax: cannot write")
    assert len(done.stderr.splitlines()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["level.csv"]


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium (Debian's package of that name)")
    with sync_api.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_browser_without_a_network_shows_tables_and_pictures(name, written, browser):
    problems, asked = [], []
    look = {"viewport": {"width": 400, "height": 900}, "color_scheme": "dark"}
    tab = browser.new_context(offline=True, **look).new_page()
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(written[name].as_uri())
    curves, rows = SHOWN[name]
    pictures = tab.locator(".js-plotly-plot").all()
    assert [p.locator(".scatterlayer .trace").count() for p in pictures] == curves
    tables = tab.locator("table:has(thead)").all()
    assert [table.locator("tbody tr").count() for table in tables] == rows
    assert "jax" in tab.locator("table").last.inner_text()
    assert "broken" not in tab.title()
    assert tab.evaluate("document.documentElement.scrollWidth") == 400
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert not problems
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    if name == "compare":
        assert HOSTILE in tables[0].locator("td:first-child").all_inner_texts()
        assert pictures[0].locator(".points path").count() == 3 * (8 + 1)
        tab.locator(".legendtoggle").nth(1).click()  # the best strategy's rate and losses
        tab.wait_for_timeout(600)
        assert pictures[0].locator(".scatterlayer .trace").count() == curves[0] - 2
    tab.context.close()


def test_a_level_rate_is_drawn_at_its_height(browser, tmp_path):
    panel = Panel("step", "rate", (Curve([0, 9], [2e-4, 2e-4]),), limits=(0, None))
    path = tmp_path / "level.html"
    path.write_text(pages.page("level", [pages.Section("", panels=[panel])], "none"), "utf-8")
    tab = browser.new_page()
    tab.goto(path.as_uri())
    low, high = tab.evaluate("document.querySelector('.js-plotly-plot').layout.yaxis.range")
    assert low == 0
    assert 2e-4 <= high < 4e-4
