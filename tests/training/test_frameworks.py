"""Each framework's example trains; what is logged can be read back."""

import csv
import struct
from pathlib import Path

import numpy as np
import pytest
from scripts import run_script

from lr_optax import cosine_annealing, observe, reduce_on_plateau

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, *arguments):
    """What an example prints; it ends with an assertion that it has learned."""
    done = run_script(EXAMPLES / f"{name}.py", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("flax_nnx", "flax"),
        ("flax_linen", "flax"),
        ("equinox_module", "equinox"),
        ("plain_functions", "sklearn"),
    ],
)
def test_example_trains_and_its_rate_moves(name, package):
    pytest.importorskip(package, reason=f"{package} is not installed")
    lines = [line.split() for line in run(name).splitlines() if line.startswith("epoch")]
    assert len(lines) in (10, 20)
    losses = [float(line[line.index("loss") + 1]) for line in lines]
    rates = [float(line[-3 if "decay" in line else -1]) for line in lines]
    assert losses[-1] < losses[0]
    assert rates[-1] < rates[0]


def test_flax_bytes_hold_the_counters_and_the_code_the_settings():
    serialization = pytest.importorskip("flax.serialization", reason="flax is not installed")
    before, after = (reduce_on_plateau(0.5, patience=p) for p in (9, 1))
    data = serialization.to_bytes(observe(before.init(None), 1.0))
    state = serialization.from_bytes(after.init(None), data)
    _, state = after.update(None, state)  # every update takes the settings from the code
    for scale in (1, 0.5):
        state = observe(state, 1.0)
        assert state.scale == scale


def events(folder):
    """The numbers in an event file, by name and step: records between a length and checksums."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    (file,) = folder.glob("events*")
    data, numbers, at = file.read_bytes(), {}, 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        event = event_pb2.Event.FromString(data[at + 12 : at + 12 + length])
        numbers |= {(v.tag, event.step): v.simple_value for v in event.summary.value}
        at += 16 + length
    return numbers


def test_event_files_and_csv_tell_the_same(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    printed = run("log_tensorboard", str(tmp_path))
    assert "100%" in printed
    numbers = events(tmp_path)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(500))
    told = {
        (n, int(r["step"])): float(r[n]) for r in rows for n in ("loss", "rate", "metric") if r[n]
    }
    assert told == pytest.approx(numbers, rel=1e-6)
    assert sum(name == "metric" for name, _ in told) == 10
    rate = cosine_annealing(0.5, period=100, min_value=0.01)
    used = [told["rate", t] for t in range(50)]
    np.testing.assert_allclose(used, rate(np.arange(50)), rtol=1e-5)


def test_plateau_of_an_accuracy_warms_up_and_is_cut():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    rates = [float(line.split()[-1]) for line in run("plateau").splitlines()]
    assert len(rates) == 20
    assert rates[0] < rates[1] == 0.05 > rates[-1]


# What they print is tested above, or in a file of their own.
TESTED = {
    *("equinox_module", "flax_linen", "flax_nnx", "log_tensorboard", "plain_functions", "plateau"),
    *("sweep_with_optuna", "sweep_with_ray", "training_runs"),
}


@pytest.mark.parametrize("name", sorted({path.stem for path in EXAMPLES.glob("*.py")} - TESTED))
def test_every_other_example_runs(name):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    run(name)
