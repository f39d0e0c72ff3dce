"""The page of a comparison, as a browser shows it without a network."""

import re
import shutil
import sys

import pytest
from test_compare import made, usual

from lr_optax.cli.failures import one_line
from lr_optax.demo import pages

pytest.importorskip("plotly", reason="the report needs Plotly: pip install lr_optax[report]")
COMMAND = "lr-optax compare --schedule 'scale(<linear>, factor=2)'"
HOSTILE = "</script><script>document.title = 'broken'</script><b>"


@pytest.fixture(scope="module")
def page():
    return pages.page(made(usual() | {HOSTILE: usual()["linear"]}), COMMAND)


def test_it_is_one_file_that_loads_nothing(page):
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)\s*=", page)
    assert "default-src 'none'" in page


def test_names_are_text_not_markup(page):
    assert HOSTILE not in page
    assert "&lt;linear&gt;" in page


def test_without_plotly_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(ModuleNotFoundError) as failure:
        pages.plotly()
    assert 'pip install "lr_optax[report]"' in one_line(failure.value)


def test_a_browser_without_a_network_shows_table_and_pictures(page, tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium (Debian's package of that name)")
    path = tmp_path / "report.html"
    path.write_text(page, "utf-8")
    problems, asked = [], []
    with sync_api.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_context(offline=True, viewport={"width": 1100, "height": 900}).new_page()
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(path.as_uri())
        cells = tab.locator("table").first.locator("tbody td:first-child").all_inner_texts()
        assert sorted(cells) == sorted([*usual(), HOSTILE])
        tab.wait_for_selector("#ranking .boxes")
        assert tab.locator("#ranking .points path").count() == 3 * 8
        lines = tab.locator("#curves .scatterlayer .trace")
        before = lines.count()
        assert before == 2 * 3  # a rate and a loss of each
        tab.locator("#curves .legendtoggle").first.click()
        tab.wait_for_timeout(600)
        assert lines.count() == before - 2
        assert "linear" in tab.locator("#ranking").inner_text()
        assert COMMAND in tab.locator("pre").inner_text()
        assert "jax" in tab.locator("table").last.inner_text()
        assert "broken" not in tab.title()
        tab.screenshot(path=tmp_path / "page.png", full_page=True)
        browser.close()
    assert not problems
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
