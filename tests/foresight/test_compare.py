"""What a comparison says and shows: no seed decides, and the rounds close in on the best peak."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from comparisons import CHECKS, SEEDS, STEPS, comparison_of, usual_losses
from typer.testing import CliRunner

from lr_optax import Comparison, compare, constant, linear, root_strategies, training_run
from lr_optax.cli.app import app
from lr_optax.foresight._compare import PLATEAU, with_plateau
from lr_optax.foresight._statistics import typical_difference


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
    losses = usual_losses()
    before = {row.strategy: row for row in comparison_of(losses).rows}["linear"].gain
    assert before.low < before.middle < before.high
    for seed in range(SEEDS):
        spiked = losses["constant"].copy()
        spiked[seed] *= 10
        after = {r.strategy: r for r in comparison_of(losses | {"constant": spiked}).rows}[
            "linear"
        ].gain
        # The means say 1 - 0.7 / (1 + 9 / 8): the gain more than doubles
        assert after.middle - before.middle < 0.05


def test_the_gain_is_a_share_of_the_constant_rates_loss():
    base = usual_losses()["constant"]
    rows = {r.strategy: r for r in comparison_of({"constant": base, "linear": 0.75 * base}).rows}
    assert rows["linear"].gain == pytest.approx((0.25, 0.25, 0.25))
    assert rows["constant"].gain == (0, 0, 0)


def test_lost_runs_rank_last_and_are_told():
    result = comparison_of(usual_losses() | {"lost": np.full(SEEDS, np.nan)})
    assert result.rows[-1].strategy == "lost"
    assert "diverged at every peak: lost" in result.notes()
    result.plot()
    nothing = comparison_of({name: np.full(SEEDS, np.nan) for name in ("constant", "lost")})
    assert nothing.title == "Every strategy diverged"


def test_it_reads_itself(tmp_path):
    result = comparison_of(usual_losses())
    result.save(tmp_path / "c.json")
    again = Comparison.load(tmp_path / "c.json")
    assert str(again) == str(result)
    assert again.files() == result.files()


def fake(schedule, key):
    """A run whose loss is that of its rate, best at 0.05."""
    return {"loss": 1 + jnp.log(schedule(0) / 0.05) ** 2}


def constants(peaks, seeds, **options):
    """Only the constant rate, with what is always there."""
    keys = jax.random.split(jax.random.key(0), seeds)
    return compare(fake, keys, peaks=peaks, total_steps=80, strategies={}, **options)


def test_the_second_round_lies_between_the_best_peak_and_its_neighbors():
    calls = []
    result = constants([0.3, 0.01, 0.03, 0.1], 2, progress=lambda *c: calls.append(c))
    assert sorted(result.peaks[0]) == pytest.approx(
        [0.01, 0.014, 0.021, 0.03, 0.045, 0.067, 0.1, 0.3]
    )
    (row,) = result.rows
    assert row.peak == pytest.approx(0.045)
    assert not row.at_edge
    assert calls[0] == (0, 16)
    assert calls[-1] == (16, 16)


def test_one_peak_is_the_only_one_and_beyond_the_edge_is_looked_too():
    one = constants([0.2], 1)
    assert one.peaks.tolist() == [[0.2]]
    assert not one.rows[0].at_edge
    beyond = constants([0.001, 0.002, 0.004], 1)
    assert beyond.peaks.max() > 0.004
    assert beyond.rows[0].at_edge


def test_a_schedule_is_put_at_every_peak():
    keys = jax.random.split(jax.random.key(0), 1)
    falls = linear(2.0, end_value=1.0, transition_steps=80)
    result = compare(fake, keys, peaks=[0.1, 0.2], total_steps=80, strategies={"falls": falls})
    assert result.names == ("constant", "falls")
    for schedule, peak in zip(result.candidates[1], result.peaks[1], strict=True):
        np.testing.assert_allclose(schedule(np.arange(80)).max(), peak, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"peaks": []}, ValueError, "`peaks` must be finite numbers > 0"),
        ({"peaks": [0.1, 0]}, ValueError, r"`peaks` must be finite numbers > 0, got \[0, 0.1\]"),
        ({"total_steps": 0}, ValueError, "`total_steps` must be a whole number >= 1, got 0"),
        ({"strategies": {"a": 0.1}}, TypeError, "'a' of `strategies` must be a schedule or a fun"),
        ({"strategies": {"a": constant(0.0)}}, ValueError, "has no rate above 0 in 80 steps"),
        ({"peak_metric": "no"}, ValueError, "`peak_metric` must be one of what `train` returns, l"),
        ({"error_metric": "no"}, ValueError, "`error_metric` must be one of .* loss; got 'no'"),
        ({"metric": "no"}, ValueError, "one of what `train` returns, loss; got 'no'"),
    ],
)
def test_errors_come_before_the_work(options, error, message):
    arguments = {"peaks": [0.1], "total_steps": 80, "strategies": {}, **options}
    with pytest.raises(error, match=message):
        compare(fake, jax.random.split(jax.random.key(0), 1), **arguments)


def test_a_plateau_is_part_of_a_run_that_reports_a_validation_loss():
    train = training_run(
        lambda w, batch, key: (w - batch).mean() ** 2,
        init=lambda key: jnp.zeros(()),
        optimizer=with_plateau(optax.sgd),
        data=np.ones(4, np.float32),
        total_steps=80,
        batch_size=1,
        validation=-np.ones(4, np.float32),  # it only gets worse, so that the plateau cuts
        checks=40,
    )
    keys = jax.random.split(jax.random.key(0), 2)
    result = compare(train, keys, peaks=[0.01], total_steps=80, strategies=PLATEAU,
                     metric="validation_loss")  # fmt: skip
    flat, cut = (result.rates(name) for name in ("constant", "plateau"))
    assert set(flat.tolist()) == {np.float32(0.01)}
    # The first check is the best; the fifth bad one after it, the sixth, exceeds the patience.
    assert (cut[:12] == flat[:12]).all()
    np.testing.assert_allclose(cut[12:14], 0.001, rtol=1e-6)
    # Plain schedules, without a plateau: the same runs but for rounding.
    plain = compare(train, keys, peaks=[0.01], total_steps=80, strategies={},
                    metric="validation_loss")  # fmt: skip
    assert plain.scale is None
    np.testing.assert_allclose(plain.history[0], result.history[0], rtol=1e-6)


def test_an_own_function_needs_neither_flax_nor_scikit_learn(tmp_path):
    (tmp_path / "elsewhere.py").write_text(OWN)
    code = (
        "import sys; from typer.testing import CliRunner; from lr_optax.cli.app import app\n"
        "done = CliRunner().invoke(app, 'compare --task elsewhere:train --metric loss "
        "--total-steps 60 --seeds 1 --peaks 0.05'.split())\n"
        "assert done.exit_code == 0, done.output\n"
        "print([m for m in ('flax', 'sklearn', 'lr_optax.tasks._digits') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_the_root_strategies_are_a_copy():
    root_strategies().clear()
    assert len(root_strategies()) == 13


def test_the_picture_draws_every_seed_and_rates_as_steps():
    losses = usual_losses()
    ranked, rates, histories = comparison_of(losses).plot().axes
    dots = [line for line in ranked.lines if line.get_marker() == "."]
    assert sorted(np.concatenate([line.get_xdata() for line in dots])) == pytest.approx(
        sorted(np.concatenate([*losses.values()]))
    )
    assert [label.get_text().split(" at ")[0] for label in ranked.get_yticklabels()] == [
        "linear",
        "constant",
    ]
    assert [line.get_drawstyle() for line in rates.lines] == ["steps-post", "steps-post"]
    assert all(len(line.get_xdata()) == STEPS for line in rates.lines)
    assert [len(line.get_xdata()) for line in histories.lines] == [CHECKS, CHECKS]
    assert rates.get_xlim() == histories.get_xlim()


def test_a_long_name_is_shortened_in_the_picture():
    name = "join((" + "constant(0.05), " * 40 + "))"
    figure = comparison_of(usual_losses() | {name: usual_losses()["linear"]}).plot()
    texts = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert all(len(text) < 65 for text in texts)


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
    assert found.metrics == ("loss", "loss")
    assert "test" not in Path("results/compare.csv").read_text() + str(found)
    header = "strategy,peak,seed,loss\n"
    assert Path("results/runs.csv").read_text().startswith(header)
    # What decides is the last loss, and every run is the user's own
    i = found.names.index("linear to zero")
    keys = jax.random.split(jax.random.key(0), 6)
    scope = {}
    exec(OWN, scope)
    losses = [scope["train"](found.candidates[i][1], key)["loss"] for key in keys]
    np.testing.assert_allclose(found.history[i, 1], losses, rtol=1e-4)
    np.testing.assert_array_equal(found.final, found.history[..., -1])
    assert found.checks.tolist() == [*range(1, 61)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (FEW, "say which one ranks, as in metric='below': below, loss, squares"),
        ([*FEW, "--metric", "no"], "one of what `train` returns, below, loss, squares; got 'no'"),
        (FEW[:4], "elsewhere:train needs --total-steps, the length of a run, and --peaks"),
        (
            [*FEW, "--metric", "loss", "--task", "digits"],
            "--metric only applies to your own function",
        ),
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
    assert "! a loss is not above 0, so its seed has no relative gain" in done.stdout
