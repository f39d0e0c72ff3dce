"""The sweep: the same results as a loop, in one program, and what it says of them."""

import _thread
import math
import os
import random
import signal
import threading
import time

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from lr_optax import (
    Schedule,
    Sweep,
    constant,
    cosine_decay,
    exponential_decay,
    greedy,
    linear,
    multistep_decay,
    parse,
    reduce_on_plateau,
    sweep,
    with_hyperparams,
)
from lr_optax.foresight import _program
from lr_optax.foresight._program import SweepProgram, stack
from lr_optax.foresight._statistics import paired

KEYS = jax.random.split(jax.random.key(0), 3)
STEPS = 20


def train(schedule, key):
    """Noisy gradient descent on x²/2."""

    def step(x, t):
        x = x - schedule(t) * (x + jax.random.normal(jax.random.fold_in(key, t)))
        return x, x**2

    x, history = jax.lax.scan(step, jnp.float32(1), jnp.arange(STEPS))
    return {"last": x**2, "history": history}


ALIKE = [cosine_decay(p, decay_steps=STEPS) for p in (0.1, 0.3, 0.5)]
MIXED = [
    constant(0.1),
    ALIKE[0],
    multistep_decay(0.1, decay_rate=0.5, boundaries=(5, 9)),
    constant(0.2),
    multistep_decay(0.1, decay_rate=0.5, boundaries=(5, 9, 12)),
    optax.linear_schedule(0.1, 0.0, STEPS),
    optax.linear_schedule(0.2, 0.0, STEPS),
]


@pytest.mark.parametrize(
    ("schedules", "batch_size"),
    [(ALIKE, None), (ALIKE, 1), (ALIKE, 4), (ALIKE, 100), (MIXED, 4)],
)
def test_equals_a_loop(schedules, batch_size):
    result = sweep(train, schedules, KEYS, metric="last", batch_size=batch_size)
    assert result.metrics["last"].shape == (len(schedules), 3)
    assert result.metrics["history"].shape == (len(schedules), 3, STEPS)
    assert result.finished.all()
    for i, schedule in enumerate(schedules):
        single = jax.jit(lambda key, s=schedule: train(s, key))
        for j, key in enumerate(KEYS):
            one = single(key)
            np.testing.assert_allclose(
                result.metrics["history"][i, j], one["history"], rtol=1e-5, atol=1e-9
            )


def test_several_kinds_are_exact_at_every_step_with_no_horizon():
    def rates(schedule, key):
        return jax.vmap(schedule)(steps)

    steps = jnp.array([0, 1, 7, 10**6, 2**31 - 1])
    schedules = [
        linear(0.1, end_value=0.0, transition_steps=10**6),
        exponential_decay(0.1, decay_rate=0.5, decay_steps=10**5),
        multistep_decay(0.1, decay_rate=0.5, boundaries=(1, 10**6)),
    ]
    result = sweep(rates, schedules, KEYS)
    for schedule, row in zip(schedules, result.metrics["metric"][:, 0], strict=True):
        np.testing.assert_allclose(row, jax.jit(jax.vmap(schedule))(steps), rtol=2e-6)


def test_what_train_gets_is_a_schedule_to_everything_that_takes_one():
    def train(schedule, key):
        assert isinstance(schedule, Schedule)
        params = jnp.ones(())
        grads = jnp.ones(())
        results = []
        for tx in (
            optax.sgd(schedule),
            optax.inject_hyperparams(optax.sgd)(learning_rate=schedule),
            with_hyperparams(optax.sgd, learning_rate=schedule),
        ):
            state = tx.init(params)
            for _ in range(3):
                updates, state = tx.update(grads, state, params)
            results.append(updates)
        return jnp.stack(results)

    result = sweep(train, MIXED, KEYS)
    for schedule, row in zip(MIXED, result.metrics["metric"], strict=True):
        np.testing.assert_allclose(row, np.full((3, 3), -schedule(2)), rtol=1e-6)


def test_settings_of_feedback_are_candidates():
    values = jnp.array([1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5])

    def run(candidate, key):
        schedule, settings = candidate
        tx = optax.chain(optax.sgd(schedule), reduce_on_plateau(**settings), greedy(0.9))
        state = tx.init(jnp.ones(()))

        def step(state, value):
            update, state = tx.update(jnp.ones(()), state, jnp.ones(()), value=value)
            return state, update

        return jax.lax.scan(step, state, values)[1]

    candidates = [
        (schedule, {"factor": factor, "patience": patience})
        for schedule in (constant(0.1), linear(0.1, end_value=0.0, transition_steps=7))
        for factor, patience in ((0.5, 0), (0.1, 2), (0.9, 9))
    ]
    result = sweep(run, candidates, KEYS[:1])
    for candidate, row in zip(candidates, result.metrics["metric"][:, 0], strict=True):
        np.testing.assert_allclose(row, jax.jit(run)(candidate, KEYS[0]), rtol=1e-6)
    assert len(np.unique(result.values)) >= 4


def test_whole_numbers_beyond_the_integer_type_do_not_wrap():
    lengths = (100, 10**10)
    stacked = stack([linear(1.0, end_value=0.0, transition_steps=n) for n in lengths])
    np.testing.assert_allclose(jax.vmap(lambda s: s(50))(stacked), [0.5, 1.0])


def test_is_compiled_once_for_all_batches_and_for_later_sweeps():
    # Traced twice to see that it is pure, once for the program, and once for each later sweep.
    few = chex.assert_max_traces(train, n=4)
    before = _program.compiled.cache_info().misses
    first = sweep(few, MIXED, KEYS, metric="last", batch_size=2)
    others = [s.replace(value=0.3) if s == constant(0.1) else s for s in MIXED]
    second = sweep(few, others, KEYS, metric="last", batch_size=2)
    assert _program.compiled.cache_info().misses == before + 1
    assert not np.array_equal(first.values[0], second.values[0])
    np.testing.assert_array_equal(first.values[1:], second.values[1:])


def test_tells_how_far_it_is(capsys):
    calls = []
    sweep(
        train,
        ALIKE,
        KEYS,
        metric="last",
        batch_size=4,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(3, 9), (6, 9), (9, 9)]
    assert capsys.readouterr().err == ""
    sweep(train, ALIKE, KEYS, metric="last", batch_size=4, progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" runs")[0] for line in lines] == [f"sweep: {n} of 9" for n in (3, 6, 9)]
    assert lines[-1].endswith("about 0 s left")


def test_finished_batches_survive_an_interruption():
    def stop(done, total):
        if done >= 6:
            raise KeyboardInterrupt

    result = sweep(train, ALIKE, KEYS, metric="last", batch_size=3, progress=stop)
    whole = sweep(train, ALIKE, KEYS, metric="last", batch_size=3)
    np.testing.assert_array_equal(result.finished, [[True, True, False]] * 3)
    np.testing.assert_array_equal(result.values[:, :2], whole.values[:, :2])
    assert np.isnan(result.values[:, 2]).all()
    assert "6 of 9 runs were finished" in str(result)


def test_a_program_is_asked_for_types_that_jax_has():
    """For others, as 64-bit integers usually are, newer versions of JAX warn."""
    stacked = {"n": np.arange(3), "x": np.linspace(0.0, 1.0, 3)}
    program = SweepProgram(lambda candidate, key: candidate["x"], stacked, 3, KEYS, None)
    assert {dtype for _, dtype in program.key.leaves} == {np.dtype("int32"), np.dtype("float32")}


@pytest.fixture
def heard():
    """Ctrl-C as Python has it, which a process in the background is started without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_is_heard_while_a_batch_runs():
    def long(schedule, key):
        return jax.lax.fori_loop(0, 3_000_000, lambda t, x: jnp.sin(x + schedule(t)), 0.0)

    def interrupt(done, total):
        if done == 1:
            threading.Timer(0.01, _thread.interrupt_main).start()

    result = sweep(long, ALIKE, KEYS, batch_size=1, progress=interrupt)
    assert 1 <= result.finished.sum() < 9


def test_finished_batches_survive_an_error():
    def broken(done, total):
        if done >= 6:
            raise OSError("no room for the log")

    with pytest.warns(RuntimeWarning, match=r"sweep: stopped by OSError\('no room for the log'\)"):
        result = sweep(train, ALIKE, KEYS, metric="last", batch_size=3, progress=broken)
    assert "6 of 9 runs were finished" in str(result)


def test_batches_are_halved_until_the_memory_suffices(monkeypatch):
    def hungry(schedule, key):
        noise = jax.random.normal(key, (1000, 50))
        return (jnp.sort(noise * schedule(3), axis=0) ** 2).sum()

    sizes, done = [], []
    keys = jax.random.split(jax.random.key(0), 16)
    at_once = sweep(hungry, ALIKE, keys, progress=lambda d, _: done.append(d))
    assert done == [24, 48]
    compiled = _program.compiled

    def with_little_memory(key, size):
        sizes.append(size)
        if size > 6:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating")
        return compiled(key, size)

    monkeypatch.setattr(_program, "compiled", with_little_memory)
    done.clear()
    halved = sweep(hungry, ALIKE, keys, progress=lambda d, _: done.append(d))
    assert (sizes[:3], done) == ([24, 12, 6], list(range(6, 49, 6)))
    np.testing.assert_allclose(halved.values, at_once.values, rtol=1e-6)
    for batch_size in (8, 48):  # a size that is asked for is not changed
        with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE_EXHAUSTED"):
            sweep(hungry, ALIKE, keys, batch_size=batch_size)


def score(candidate, key):
    """A metric that is known: the candidate plus what the key says."""
    noise = jax.random.normal(key)
    return {"score": candidate["at"] + candidate["noise"] * noise}


def test_pairs_seeds():
    candidates = {
        "a": {"at": 1.0, "noise": 1.0},
        "b": {"at": 1.1, "noise": 1.0},
        "c": {"at": 1.05, "noise": -1.0},
    }
    keys = jax.random.split(jax.random.key(1), 8)
    result = sweep(score, candidates, keys, baseline="b")
    assert result.names[result.ranking[0]] == "a" or result.values.mean(1)[2] < 1
    to_a = result.compared_with(0)
    # Noise that both share cancels: .1 is far below the spread of each, and distinct.
    assert result.values[0].std() > 0.3
    assert to_a[1].distinct
    assert to_a[1].words == "worse"
    assert to_a[1].enough == 2
    assert not to_a[2].distinct
    reference = stats.ttest_rel(result.values[2], result.values[0]).confidence_interval(0.95)
    np.testing.assert_allclose(
        [to_a[2].mean - to_a[2].margin, to_a[2].mean + to_a[2].margin], list(reference)
    )
    assert "seeds needed to tell" in to_a[2].words
    assert "better" in str(result)


def test_so_many_seeds_are_needed_to_tell():
    """A power of 80%, by simulation."""
    random = np.random.default_rng(0)
    sample = random.normal(0.5, 1, 12)
    n = paired(sample, np.zeros(12)).enough
    truth = sample.mean(), sample.std(ddof=1)
    draws = random.normal(*truth, (4000, n))
    told = stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05
    assert 0.76 < told.mean() < 0.86


@pytest.mark.parametrize(
    ("values", "reference", "words"),
    [
        ([1.0], [2.0], "unknown (one seed)"),
        ([np.nan, 1.0], [1.0, np.inf], "no seed in common"),
        ([1.0, 2.0], [1.0, 2.0], "the same"),
        ([1.0, 2.0], [2.0, 3.0], "better"),
        ([1.0, -1.0], [0.0, 0.0], "within noise (more than 10,000 seeds needed to tell)"),
    ],
)
def test_words(values, reference, words):
    assert paired(np.array(values), np.array(reference)).words == words


def test_those_that_diverge_come_last_and_are_named():
    candidates = {n: {"at": at, "noise": 0.1} for n, at in
                  (("worst", 9.0), ("lost", np.nan), ("best", 1.0), ("gone", -np.inf))}  # fmt: skip
    result = sweep(score, candidates, KEYS)
    assert [result.names[i] for i in result.ranking] == ["best", "worst", "lost", "gone"]
    assert "diverged, and so ranked last (runs): lost (3), gone (3)" in result.notes()
    upward = sweep(score, candidates, KEYS, mode="max")
    assert [upward.names[i] for i in upward.ranking] == ["worst", "best", "lost", "gone"]
    (words,) = (row[-1] for row in upward.table().rows if row[0] == "best")
    assert words == "worse"
    lost = sweep(score, [candidates["lost"]], KEYS)
    assert "every run diverged: there is no best" in lost.notes()


def test_is_saved_and_drawn_and_read_back(tmp_path):
    result = sweep(train, MIXED, KEYS, metric="history", baseline=2)
    result.save(tmp_path / "sweep.json")
    back = Sweep.load(tmp_path / "sweep.json")
    assert str(back) == str(result)
    for name, values in result.metrics.items():
        np.testing.assert_array_equal(back.metrics[name], values)
        assert back.metrics[name].dtype == values.dtype
    result.save(tmp_path / "sweep.csv")
    assert (tmp_path / "sweep.csv").read_text().count("\n") == 1 + len(MIXED)
    result.plot(tmp_path / "sweep.png")
    assert "<table>" in result.section().body
    assert parse(result.texts[0]) == MIXED[0]


def test_names_are_never_alike():
    result = sweep(train, [*MIXED[-2:], MIXED[0], MIXED[0]], KEYS, metric="last")
    assert result.names[:2] == tuple(
        f"polynomial_schedule.<locals>.schedule{n}" for n in ("", " #2")
    )
    assert result.names[2:] == ("constant(0.1)", "constant(0.1) #2")


def test_runs_from_elsewhere_come_back_as_the_same():
    runs = [
        ("constant(0.1)", 0, {"loss": [3.0, 2.0]}),
        ("constant(0.1)", 1, {"loss": [3.0, 2.5]}),
        ("constant(0.2)", 0, {"loss": [3.0, 1.0]}),
        ("constant(9.0)", 0, {"loss": [3.0]}),
    ]
    result = Sweep.from_runs(runs, "loss", baseline="constant(0.1)")
    assert result.metrics["loss"].shape == (3, 2, 2)
    np.testing.assert_array_equal(result.finished, [[True, True], [True, False], [False, False]])
    assert result.ranking == (1, 0, 2)
    assert "3 of 6 runs were finished" in str(result)
    assert [row[-1] for row in result.table().rows][-1] == "not finished"
    for bad, message in (
        ({"runs": []}, "at least one run"),
        ({"runs": [*runs, runs[0]]}, r"got 2 of constant\(0.1\) with seed 0"),
        ({"mode": "minimize"}, "Sweep: `mode` must be 'min' or 'max', got 'minimize'"),
        (
            {"runs": [*runs, ("a", 0, {"loss": 1})]},
            r"not otherwise in shape, got \(\), \(1,\), \(2,\)",
        ),
        ({"metric": "los"}, "`metric` must be one of"),
        ({"baseline": "linear(0.1)"}, "`baseline` must be one of the candidates"),
    ):
        with pytest.raises(ValueError, match=message):
            Sweep.from_runs(**{"runs": runs, "metric": "loss", **bad})


def test_seeds_are_names():
    runs = [("a", 20_240_101, {"loss": 1.0}), ("b", -7, {"loss": 3.0})]
    runs += [("b", 20_240_101, {"loss": 2.0}), ("a", -7, {"loss": 0.5})]
    result = Sweep.from_runs(runs, "loss")
    np.testing.assert_array_equal(result.values, [[1.0, 0.5], [2.0, 3.0]])
    assert result.finished.all()


def test_no_candidate_is_best_where_every_run_diverged():
    result = sweep(lambda s, key: jnp.nan * s(0), ALIKE, KEYS)
    assert result.best is None
    assert result.table().columns == ("candidate", "metric", "median", "sd", "diverged")
    assert "every run diverged: there is no best" in str(result)


class Factor:
    """Trains with a number that is an attribute."""

    def __init__(self):
        self.weights = np.ones(3, np.float32)

    def train(self, schedule, key):
        return schedule(0) * jax.lax.scan(lambda x, w: (x + w, None), 0.0, self.weights)[0]


FACTOR = 1.0


def test_what_train_reads_is_read_again(monkeypatch):
    """An attribute, an array that is changed in place, and a global."""
    model = Factor()
    assert sweep(model.train, [constant(0.5)], KEYS).values[0, 0] == 1.5
    model.weights[1] = 5
    assert sweep(model.train, [constant(0.5)], KEYS).values[0, 0] == 3.5

    def scaled(schedule, key):
        return schedule(0) * FACTOR

    assert sweep(scaled, [constant(0.5)], KEYS).values[0, 0] == 0.5
    monkeypatch.setitem(globals(), "FACTOR", 4.0)
    assert sweep(scaled, [constant(0.5)], KEYS).values[0, 0] == 2


def test_unfinished_runs_of_any_float_type_are_nan():
    def stop(done, total):
        raise KeyboardInterrupt

    def half(schedule, key):
        return schedule(0).astype(jnp.bfloat16)

    result = sweep(half, ALIKE, KEYS, batch_size=3, progress=stop)
    assert np.isnan(result.metrics["metric"][:, 1:].astype(np.float32)).all()


TX = reduce_on_plateau(0.5)


@pytest.mark.parametrize(
    ("candidates", "keys", "options", "error", "message"),
    [
        ([], KEYS, {}, ValueError, "there must be at least one candidate"),
        (MIXED[0], KEYS, {}, TypeError, "`candidates` must be a sequence or a mapping"),
        ([MIXED[0], (MIXED[0], 1.0)], KEYS, {}, ValueError, "not in structure"),
        ([MIXED[0], 0.1], KEYS, {}, TypeError, "a fixed rate is constant"),
        ([TX], KEYS, {}, TypeError, "let candidates hold its settings"),
        ([("a", 0.1)], KEYS, {}, TypeError, "what is the same for all belongs into `train`"),
        ([np.ones(2), np.ones(3)], KEYS, {}, ValueError, "another shape in every candidate"),
        (ALIKE, KEYS, {"batch_size": 0}, ValueError, "`batch_size` must be a whole number >= 1"),
        (ALIKE, KEYS, {"mode": "low"}, ValueError, "`mode` must be 'min' or 'max', got 'low'"),
        (ALIKE, KEYS, {"metric": None}, ValueError, "say which one ranks, as in metric='history'"),
        (ALIKE, KEYS, {"metric": "los"}, ValueError, "must be one of what `train` returns"),
        (ALIKE, KEYS, {"batch_size": 2.5}, ValueError, "`batch_size` must be a whole number >= 1"),
        (ALIKE, KEYS, {"batch_size": "2"}, TypeError, "`batch_size` must be a whole number >= 1"),
        (ALIKE, KEYS, {"baseline": 3}, ValueError, "0 to 2, got 3"),
        (ALIKE, KEYS, {"baseline": True}, ValueError, "0 to 2, got True"),
        (ALIKE, KEYS, {"baseline": "linear"}, ValueError, "`baseline` must be one of the candi"),
        (ALIKE, KEYS[0], {}, ValueError, "`keys` must be several"),
        (ALIKE, jax.random.PRNGKey(0), {}, ValueError, "`keys` must be several"),
        (ALIKE, KEYS[:0], {}, ValueError, "one axis of random keys"),
        (ALIKE, 8, {}, TypeError, "`keys` must be an array of random keys"),
    ],
)
def test_errors(candidates, keys, options, error, message):
    with pytest.raises(error, match=message):
        sweep(train, candidates, keys, **{"metric": "last", **options})


@pytest.mark.parametrize(
    "bad",
    [
        lambda s, k: 1.0 if s(0) > 0.1 else 0.0,
        lambda s, k: math.sqrt(s(0)),
        lambda s, k: np.asarray(s(0)),
        lambda s, k: jnp.nonzero(s(jnp.arange(4)) > 0.1)[0],
        lambda s, k: sum(range(s(0).astype(int))),
    ],
    ids=["if", "math", "numpy", "changing shape", "index"],
)
def test_a_train_that_cannot_be_traced(bad):
    with pytest.raises(TypeError, match="`train` must be a pure function that JAX can trace"):
        sweep(bad, MIXED, KEYS)


@pytest.mark.parametrize(
    "draw",
    [
        random.random,
        np.random.rand,
        lambda: float(np.random.default_rng().normal()),
        lambda: int.from_bytes(os.urandom(3)),
        time.perf_counter,
        lambda: np.random.default_rng().normal(size=(2, 500)).astype(np.float32).sum(),
    ],
    ids=["random", "numpy.random", "default_rng", "urandom", "clock", "array"],
)
def test_a_train_that_draws_on_the_host(draw):
    with pytest.raises(ValueError, match="draws from `random` or"):
        sweep(lambda s, k: s(0) + draw(), MIXED, KEYS)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda s, k: jax.pmap(lambda x: 2 * x)(s(0)[None])[0], "must run on one device"),
        (lambda s, k: {"loss": s(0), "n": 2**40}, "must return large integers as floats"),
    ],
)
def test_a_train_that_sweep_cannot_spread(bad, message):
    with pytest.raises(ValueError, match=message):
        sweep(bad, ALIKE, KEYS, metric="loss")


def test_what_is_no_train():
    with pytest.raises(TypeError, match="`train` must be a function of a candidate and a key"):
        sweep(0.1, MIXED, KEYS)
    with pytest.raises(TypeError, match="must return arrays of numbers, got key<fry> for 'key'"):
        sweep(lambda s, k: {"key": k, "loss": s(0)}, MIXED, KEYS, metric="loss")


def test_metrics_that_cannot_rank():
    with pytest.raises(ValueError, match="at least one metric"):
        sweep(lambda s, k: {}, MIXED, KEYS)
    with pytest.raises(ValueError, match="it must be a real number, or a vector"):
        sweep(lambda s, k: jnp.ones((2, 2)) * s(0), MIXED, KEYS)


def test_old_keys_do_too():
    keys = jax.random.split(jax.random.PRNGKey(0), 3)
    result = sweep(train, ALIKE, keys, metric="last")
    np.testing.assert_allclose(
        result.values, sweep(train, ALIKE, KEYS, metric="last").values, rtol=1e-6
    )
