"""A hundred thousand steps, killed and moved from eight devices to four and to one."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import flax.serialization
import jax

import lr_optax

SCRIPT = Path(__file__).with_name("run_on_fewer_devices.py")
STEPS = 100_000


def start(folder, stop, devices):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, SCRIPT, folder, str(stop)],
        env=os.environ
        | {
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": str(Path(lr_optax.__file__).parents[1]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def saves(folder):
    return sorted(folder.glob("*.msgpack"))


def finished(process):
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors


def test_ends_bit_for_bit_where_an_undisturbed_run_on_one_device_does(tmp_path):
    moved, whole = tmp_path / "moved", tmp_path / "whole"
    undisturbed = start(whole, STEPS, devices=1)
    rng, kills = random.Random(0), 0
    try:
        for stop, devices in ((4_000, 8), (10_000, 4), (STEPS, 1)):
            with start(moved, stop, devices) as process:
                process.stdout.readline()  # it has saved once, and goes on
                time.sleep(rng.uniform(0, 0.03))
                process.kill()
            kills += len(saves(moved)) < stop // 1000
            finished(start(moved, stop, devices))
        finished(undisturbed)
    finally:
        undisturbed.kill()
    assert kills >= 2
    moved, whole = ((folder / f"{STEPS:07}.msgpack").read_bytes() for folder in (moved, whole))
    assert moved == whole
    # It was a run in which all that can happen did.
    end = jax.tree_util.tree_leaves_with_path(flax.serialization.msgpack_restore(whole))
    scales = [float(leaf) for path, leaf in end if path[-1].key == "scale"]
    assert len(scales) == 3
    assert all(0 < scale < 1 for scale in scales), scales
