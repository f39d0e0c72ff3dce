"""What a comparison says and shows: no seed decides, and the rounds close in on the best peak."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from lr_optax import constant, linear
from lr_optax.cli.app import app
from lr_optax.demo import digits, picture
from lr_optax.demo.comparison import Comparison, compare
from lr_optax.demo.training import CHECKS, Run, Strategy
from lr_optax.foresight._statistics import typical_difference

SEEDS = 8
STEPS = 80


def made(losses):
    """A comparison of one peak, from test losses by name."""
    loss = np.array([*losses.values()])[:, None]
    n = loss.shape[-1]
    curves = np.broadcast_to(np.geomspace(2, 1, CHECKS), (*loss.shape, CHECKS)) * loss[..., None]
    return Comparison(
        task="made up",
        names=tuple(losses),
        candidates=tuple(
            (constant(0.05) if k == "constant" else linear(0.05, transition_steps=STEPS),)
            for k in losses
        ),
        peaks=np.full((len(losses), 1), 0.05),
        validation=curves,
        scale=np.ones((len(losses), 1, n, CHECKS)),
        test_loss=loss,
        test_error=np.full((len(losses), 1, n), 0.1),
        total_steps=STEPS,
    )


def usual(spread=0.1):
    x = np.random.default_rng(0).normal(size=(2, SEEDS)) * spread
    return {"constant": np.exp(x[0]), "linear": 0.7 * np.exp(x[1])}


@pytest.mark.parametrize(
    ("n", "critical"), [(6, 0), (7, 2), (8, 3), (9, 5), (10, 8), (12, 13), (15, 25), (20, 52)]
)
def test_the_interval_is_that_of_wilcoxons_table(n, critical):
    # Critical values of W for 5 %, two-sided: Wilcoxon, "Individual comparisons", 1945, and since
    x = np.cumsum(2.0 ** -np.arange(n))  # all means of two differ
    means = np.sort([(x[i] + x[j]) / 2 for i in range(n) for j in range(i, n)])
    found = typical_difference(x, np.zeros(n))
    assert found.low == means[critical]
    assert found.high == means[-1 - critical]
    assert found.middle == np.median(means)


def test_what_is_not_finite_does_not_count_and_few_pairs_have_no_bounds():
    x = np.array([1.0, 2.0, np.nan, 3.0, np.inf])
    found = typical_difference(x, np.zeros(5))
    assert found.middle == 2
    assert np.isnan(found.low)
    assert np.isnan(typical_difference(np.array([np.nan]), np.zeros(1)).middle)


def test_no_single_seed_decides_the_gain():
    losses = usual()
    before = {row.strategy: row for row in made(losses).rows}["linear"].gain
    assert before.low < before.middle < before.high
    for seed in range(SEEDS):
        spiked = losses["constant"].copy()
        spiked[seed] *= 10
        after = {r.strategy: r for r in made(losses | {"constant": spiked}).rows}["linear"].gain
        # The means say 1 - 0.7 / (1 + 9 / 8): the gain more than doubles
        assert after.middle - before.middle < 0.05


def test_the_gain_is_a_share_of_the_constant_rates_loss():
    base = usual()["constant"]
    rows = {r.strategy: r for r in made({"constant": base, "linear": 0.75 * base}).rows}
    assert rows["linear"].gain == pytest.approx((0.25, 0.25, 0.25))
    assert rows["constant"].gain == (0, 0, 0)


def test_lost_runs_rank_last_and_are_told():
    result = made(usual() | {"lost": np.full(SEEDS, np.nan)})
    assert result.rows[-1].strategy == "lost"
    assert any("no number" in note and "lost" in note for note in result.notes())
    result.plot()
    nothing = made({name: np.full(SEEDS, np.nan) for name in ("constant", "lost")})
    assert picture.message(nothing) == "Every strategy's test loss is no number"


def test_it_reads_itself(tmp_path):
    result = made(usual())
    result.save(tmp_path / "c.json")
    again = Comparison.load(tmp_path / "c.json")
    assert str(again) == str(result)
    assert again.files() == result.files()


@pytest.fixture
def fake(monkeypatch):
    """A task whose loss says which rate it was, best at 0.05."""

    def trainer(data, total_steps):
        def train(strategy, key):
            loss = 1 + jnp.log(strategy.schedule(0) / 0.05) ** 2
            return Run(jnp.full(CHECKS, loss), jnp.ones(CHECKS), loss, loss / 10, loss[None])

        return train

    return digits.TASK._replace(load=lambda: None, trainer=trainer)


def test_the_second_round_lies_between_the_best_peak_and_its_neighbours(fake):
    strategies = {"constant": lambda peak, n: Strategy(constant(peak))}
    calls = []
    result = compare(
        strategies, task=fake, seeds=2, total_steps=80, progress=lambda *c: calls.append(c)
    )
    assert sorted(result.peaks[0]) == pytest.approx(
        [0.01, 0.014, 0.021, 0.03, 0.045, 0.067, 0.1, 0.3]
    )
    (row,) = result.rows
    assert row.peak == pytest.approx(0.045)
    assert not row.at_edge
    assert calls[0] == (0, 16)
    assert calls[-1] == (16, 16)


def test_one_peak_is_the_only_one_and_beyond_the_edge_is_looked_too(fake):
    strategies = {"constant": lambda peak, n: Strategy(constant(peak))}
    one = compare(strategies, task=fake, peaks=[0.2], seeds=1, total_steps=80)
    assert one.peaks.tolist() == [[0.2]]
    assert not one.rows[0].at_edge
    beyond = compare(strategies, task=fake, peaks=[0.001, 0.002, 0.004], seeds=1, total_steps=80)
    assert beyond.peaks.max() > 0.004
    assert beyond.rows[0].at_edge


def test_the_picture_draws_every_seed_and_rates_as_steps():
    losses = usual()
    figure = made(losses).plot()
    top, bottom = figure.subfigs
    (ranked,) = top.axes
    dots = [line for line in ranked.lines if line.get_marker() == "o"]
    assert sorted(np.concatenate([line.get_xdata() for line in dots])) == pytest.approx(
        sorted(np.concatenate([*losses.values()]))
    )
    assert [label.get_text().split("  ")[0] for label in ranked.get_yticklabels()] == [
        "linear",
        "constant",
    ]
    rights = [axes for axes in bottom.axes if axes.patches]
    assert len({axes.get_ylim() for axes in rights}) == 1
    steps = rights[0].patches[0].get_data()
    assert steps.edges[0] == 0
    assert len(steps.values) == STEPS


def test_a_long_name_is_shortened_in_the_picture():
    name = "join((" + "constant(0.05), " * 40 + "))"
    figure = made(usual() | {name: usual()["linear"]}).plot()
    texts = [label.get_text() for label in figure.subfigs[0].axes[0].get_yticklabels()]
    assert all(len(text) < 60 for text in texts)


OWN = """
import jax
import jax.numpy as jnp


def train(schedule, key):  # noisy gradient descent on x²/2
    def step(x, t):
        noise = jax.random.normal(jax.random.fold_in(key, t))
        return x - schedule(t) * (x + noise), 0.5 * x**2
    x, losses = jax.lax.scan(step, jnp.float32(9), jnp.arange(60))
    return {"loss": losses, "squares": x**2, "below": -x**2}
"""
FEW = ["--total-steps", "60", "--seeds", "6", "--peaks", "0.05,0.5"]


def of_own(tmp_path, monkeypatch, *arguments):
    (tmp_path / "elsewhere.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "elsewhere", raising=False)  # another test's
    return CliRunner().invoke(app, ["compare", "--task", "elsewhere:train", *arguments])


def test_a_function_of_a_file_elsewhere(tmp_path, monkeypatch):
    done = of_own(tmp_path, monkeypatch, "--metric", "loss", *FEW)
    assert done.exit_code == 0, done.output
    found = Comparison.load("results/compare.json")
    assert str(found) in done.stdout
    assert "plateau" not in found.names
    assert found.labels == ("loss", "loss")
    assert "test" not in Path("results/compare.csv").read_text() + str(found)
    header = "strategy,peak,seed,loss\n"
    assert Path("results/runs.csv").read_text().startswith(header)
    # What decides is the last loss, and every run is the user's own
    i = found.names.index("linear to zero")
    keys = jax.random.split(jax.random.key(0), 6)
    scope = {}
    exec(OWN, scope)
    losses = [scope["train"](found.candidates[i][1], key)["loss"] for key in keys]
    np.testing.assert_allclose(found.validation[i, 1], losses, rtol=1e-4)
    np.testing.assert_array_equal(found.test_loss, found.validation[..., -1])
    assert found.checks.tolist() == [*range(1, 61)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (FEW, "say which one ranks, as in metric='below': below, loss, squares"),
        ([*FEW, "--metric", "no"], "one of what `train` returns, below, loss, squares; got 'no'"),
        (FEW[:4], "elsewhere:train needs --total-steps, the length of its runs, and --peaks"),
        ([*FEW, "--metric", "loss", "--task", "digits"], "--metric is for a function of yours"),
        ([*FEW, "--task", "elsewhere:nothing"], "elsewhere has no function 'nothing'"),
    ],
)
def test_what_is_missing_of_an_own_function_is_said(arguments, message, tmp_path, monkeypatch):
    done = of_own(tmp_path, monkeypatch, *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not Path("results").exists()


def test_a_number_below_zero_has_no_share(tmp_path, monkeypatch):
    done = of_own(tmp_path, monkeypatch, "--metric", "below", *FEW)
    assert done.exit_code == 0, done.output
    assert "! a loss is not above 0, and so without a share" in done.stdout
