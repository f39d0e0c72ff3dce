"""Going on after a stop: killed at any moment, or with another schedule in the code."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest

import lr_optax
from lr_optax import (
    constant,
    continue_from,
    cosine_decay,
    greedy,
    linear,
    observe,
    parse,
    read_hyperparams,
    reduce_on_plateau,
    shift,
    warmup,
    with_feedback,
    with_hyperparams,
)

PARAMS = {"w": jnp.ones(3)}
RATE = linear(0.8, end_value=0.0, transition_steps=8)


LAST_STEP = 59


class Trainer:
    """The process that forks training runs; see run_to_kill.py."""

    def __init__(self, cache):
        root = Path(lr_optax.__file__).parents[1]
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("run_to_kill.py"), cache],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(root)},
        )

    def start(self, folder, interval=1):
        return self.ask(f"{interval} {folder}")

    def status(self):
        return self.ask("status")

    def ask(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def text(folder):
    return (folder / "log").read_text() if size(folder) else ""


def records(folder):
    """What the log says of each step; a last line may have been cut short."""
    lines = text(folder).splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def size(folder):
    return (folder / "log").stat().st_size if (folder / "log").exists() else 0


def unfinished(folder):
    """Checkpoints that are being written, or were when their process was killed."""
    if not (folder / "checkpoints").exists():
        return set()
    with os.scandir(folder / "checkpoints") as entries:
        return {(entry.name, entry.inode()) for entry in entries if "tmp" in entry.name}


def wait_for(moment, folder, rng):
    """Until a process is at a moment of its life, in which it is to be killed."""
    before, end = size(folder), time.monotonic() + 20  # a step takes long on a busy machine

    def running():
        return time.monotonic() < end and f"\n[{LAST_STEP}, " not in text(folder)

    if moment == "at any time":
        time.sleep(rng.uniform(0, 0.5))
        return
    while size(folder) == before and running():
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.2))
    left = unfinished(folder)
    while moment == "while saving" and not unfinished(folder) - left and running():
        pass


def kill_often(trainer, tmp_path, kills, rng):
    """Folders of finished runs that were killed that many times, and kills during a save."""
    folders, saving = [tmp_path / "run0"], 0
    folders[0].mkdir()
    while kills:
        left = unfinished(folders[-1])
        pid = trainer.start(folders[-1])
        wait_for(rng.choice(["at any time", "while saving", "after a step"]), folders[-1], rng)
        os.kill(pid, signal.SIGKILL)
        if (status := trainer.status()) == 0:
            folders.append(tmp_path / f"run{len(folders)}")
            folders[-1].mkdir()
            continue
        assert status == signal.SIGKILL  # and no failure of its own
        kills, saving = kills - 1, saving + bool(unfinished(folders[-1]) - left)
    trainer.start(folders[-1])
    assert trainer.status() == 0
    return folders, saving


MORE_SEEDS = [pytest.param(seed, marks=pytest.mark.exhaustive) for seed in range(5, 30)]


@pytest.mark.parametrize("seed", [4, *MORE_SEEDS])
def test_killed_runs_end_where_the_uninterrupted_one_does(tmp_path, seed):
    """Bit for bit: parameters and rates of schedules, wrapper, plateau, greedy, and feedback."""
    whole = tmp_path / "whole"
    whole.mkdir()
    with Trainer(tmp_path / "cache") as trainer:
        trainer.start(whole, interval=60)
        assert trainer.status() == 0
        folders, saving = kill_often(trainer, tmp_path, 20, random.Random(seed))
    expected = dict(records(whole))
    assert len(expected) == 60
    rates = [seen[1] for seen in expected.values()]
    assert all(len({seen[name] for seen in rates}) > 2 for name in rates[0])
    repeated = 0
    for folder in folders:
        seen = records(folder)
        assert all(record == expected[t] for t, record in seen)
        assert {t for t, _ in seen} == set(expected)
        repeated += len(seen) - len(expected)
    assert repeated > 0  # steps that were lost and made again
    assert saving > 2


def save(path, tree):
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, tree)
    return path


def restored(path, tx):
    """What the code, with perhaps another schedule, gets back."""
    like = jax.eval_shape(tx.init, PARAMS)
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(path, like)


def run(tx, state, steps=1, **extra):
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(steps):
            updates, state = tx.update(PARAMS, state, PARAMS, **extra)
    return state, updates


SGD = partial(with_hyperparams, optax.sgd)


@pytest.mark.parametrize("x64", [False, True], ids=["x32", "x64"])
@pytest.mark.parametrize(
    ("before", "after"),
    [(1e-3, 1e-4), (1e-3, RATE), (RATE, 1e-4), (RATE, constant(0.5)), (1, 0.5)],
)
def test_defect_9_the_code_holds_after_a_restore(tmp_path, before, after, x64):
    with jax.enable_x64(x64):
        tx = SGD(learning_rate=before)
        state, _ = run(tx, tx.init(PARAMS), 3)
        tx = SGD(learning_rate=after)
        state = restored(save(tmp_path / "c", state), tx)
        assert state.count == 3
        state, updates = run(tx, state)
        expected = after(3) if callable(after) else jnp.asarray(after, float)
        assert state.hyperparams["learning_rate"] == expected
        np.testing.assert_allclose(updates["w"], -expected, rtol=1e-6)
        seen = read_hyperparams(state)
        assert seen == dict.fromkeys(("learning_rate", "effective_learning_rate"), expected)


def test_defect_9_what_is_not_named_is_the_codes_too(tmp_path):
    def adam(b2):
        return with_hyperparams(partial(optax.adam, b2=b2), learning_rate=0.1)

    state, _ = run(adam(0.999), adam(0.999).init(PARAMS), 3)
    path = save(tmp_path / "c", state)
    _, same = run(adam(0.9), state)
    _, back = run(adam(0.9), restored(path, adam(0.9)))
    chex.assert_trees_all_equal(same, back)


def test_another_kind_of_optimizer_is_an_error(tmp_path):
    tx = SGD(learning_rate=0.1)
    path = save(tmp_path / "c", tx.init(PARAMS))
    for other in (optax.chain(tx, reduce_on_plateau()), SGD(learning_rate=0.1, momentum=0.9)):
        with pytest.raises(ValueError, match=r"(?i)tree|structure"):
            restored(path, other)


def test_three_choices_for_a_changed_schedule():
    tx = SGD(learning_rate=RATE)
    state, _ = run(tx, tx.init(PARAMS), 5)
    new = linear(0.5, end_value=0.1, transition_steps=10)
    choices = {
        "same count": (new, new(5)),
        "from its beginning": (shift(new, steps=5), new(0)),
        "from the current rate": (continue_from(state, new), RATE(4)),
    }
    for schedule, rate in choices.values():
        after, _ = run(SGD(learning_rate=schedule), state)
        np.testing.assert_allclose(after.hyperparams["learning_rate"], rate, rtol=1e-6)
    schedule = continue_from(state, new)
    np.testing.assert_allclose(schedule(10), RATE(4) / 0.5 * new(5), rtol=1e-6)
    assert parse(repr(schedule)) == schedule  # so that it can be kept with the run


def test_continue_from_in_a_group_and_its_errors():
    tx = optax.partition({"a": SGD(learning_rate=RATE)}, {"w": "a"})
    state, _ = run(tx, tx.init(PARAMS), 2)
    schedule = continue_from(state, constant(1.0), name="a/learning_rate")
    np.testing.assert_allclose(schedule(2), 0.7, rtol=1e-6)
    with pytest.raises(KeyError, match="no hyperparameter 'learning_rate'; it has a/learning_rate"):
        continue_from(state, constant(1.0))
    with pytest.raises(
        KeyError, match=r"a record of none.*with_hyperparams\(optax.adam, learning_"
    ):
        continue_from(optax.adam(0.1).init(PARAMS), constant(1.0))
    with pytest.raises(TypeError, match=r"continue_from: `schedule` must be.*constant\(0.1\)"):
        continue_from(state, 0.1, name="a/learning_rate")
    with pytest.raises(TypeError, match="values must be known; call it outside of jit"):
        jax.jit(lambda s: continue_from(s, constant(1.0), name="a/learning_rate")(0))(state)
    begun = SGD(learning_rate=warmup(constant(0.1), warmup_steps=3)).init(PARAMS)
    with pytest.raises(ValueError, match=r"was 0 in the last update.*shift\(schedule, steps=0\)"):
        continue_from(begun, constant(1.0))
    with pytest.raises(ValueError, match="must not begin at 0"):
        continue_from(state, linear(0.0, end_value=1.0, transition_steps=3), name="a/learning_rate")


def by_orbax(path, state, like):
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, state)
        checkpointer.wait_until_finished()
        return checkpointer.restore(path, like)


def by_equinox(path, state, like):
    equinox = pytest.importorskip("equinox", reason="equinox is not installed")
    equinox.tree_serialise_leaves(path, state)
    return equinox.tree_deserialise_leaves(path, like)


def by_flax(path, state, like):
    serialization = pytest.importorskip("flax.serialization", reason="flax is not installed")
    path.write_bytes(serialization.to_bytes(state))
    return serialization.from_bytes(like, path.read_bytes())


SETTINGS = {"number": 3, "int32": jnp.int32(3), "int64": np.int64(3)}


@pytest.mark.parametrize("keep", [by_orbax, by_equinox, by_flax])
@pytest.mark.parametrize("before", SETTINGS.values(), ids=SETTINGS.keys())
@pytest.mark.parametrize("feedback", [reduce_on_plateau, greedy])
def test_a_feedback_state_fits_whether_a_setting_was_a_number_or_an_array(
    tmp_path, keep, feedback, before
):
    state = observe(feedback(0.5, patience=before).init(PARAMS), 1.0)
    for after in SETTINGS.values():
        like = feedback(0.5, patience=after).init(PARAMS)
        path = tmp_path / type(after).__name__
        chex.assert_trees_all_equal(keep(path, state, like), state)


@pytest.mark.parametrize("keep", [by_orbax, by_equinox, by_flax])
def test_a_state_with_schedules_fits_whatever_their_numbers_are(tmp_path, keep):
    """Every way to attach one: the schedules are the code's, the state has arrays alone."""

    def tx(peak, steps):
        rate = cosine_decay(peak, decay_steps=steps)
        noted = with_hyperparams(optax.adam, learning_rate=rate, b1=linear(0.9, transition_steps=9))
        return optax.chain(
            optax.inject_hyperparams(optax.adam)(learning_rate=rate),
            noted,
            SGD(learning_rate=with_feedback(rate, reduce_on_plateau(0.5))),
            optax.adam(rate),
        )

    before, after = tx(0.1, 10), tx(jnp.float32(0.1), np.int64(10))
    state, _ = run(before, before.init(PARAMS), 3, value=1.0)
    restored = keep(tmp_path / "state", state, after.init(PARAMS))
    chex.assert_trees_all_equal(restored, state)
    (then, updates), (_, expected) = run(after, restored), run(before, state)
    chex.assert_trees_all_close(updates, expected, rtol=1e-6)
    assert then[1].count == 4


@pytest.mark.parametrize("keep", [by_orbax, by_equinox])
def test_a_schedule_kept_beside_the_state_fits_numbers_and_arrays(tmp_path, keep):
    def rate(peak, steps):
        return {"rate": warmup(cosine_decay(peak, decay_steps=steps), warmup_steps=3)}

    numbers, arrays = rate(0.5, 10), rate(jnp.float32(0.5), jnp.int32(10))
    for i, (before, after) in enumerate([(numbers, arrays), (arrays, numbers), (numbers, numbers)]):
        assert keep(tmp_path / str(i), before, after) == after


@pytest.mark.parametrize("wrap", [lambda tx: tx, lambda tx: optax.MultiSteps(tx, 1)])
def test_defect_5_changed_settings_of_a_plateau_take_effect_at_the_first_update(tmp_path, wrap):
    long, short = (wrap(reduce_on_plateau(0.5, patience=p, accumulation_size=p)) for p in (10, 2))
    state = long.init(PARAMS)
    for _ in range(47):
        state = observe(state, 1.0)
    # Orbax, into the code's structure, or the same by hand, from memory.
    states = [
        restored(save(tmp_path / "c", state), short),
        jax.tree.unflatten(jax.tree.structure(short.init(PARAMS)), jax.tree.leaves(state)),
    ]
    for state in states:
        assert read_hyperparams(run(short, state, value=1.0)[0])["scale"] == 0.5
        assert read_hyperparams(observe(run(short, state)[0], 1.0))["scale"] == 0.5
        assert read_hyperparams(state)["scale"] == 1
