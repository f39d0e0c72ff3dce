"""The same run on one device, on eight, and on two processes with two each."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lr_optax

SCRIPT = Path(__file__).with_name("run_on_devices.py")


def start(devices, *arguments):
    environment = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(Path(lr_optax.__file__).parents[1]),
    }
    return subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def results(*processes):
    """What each printed; none outlives the test."""
    try:
        outputs = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors
    return [json.loads(out.splitlines()[-1]) for out, _ in outputs]


def assert_same(seen, expected, replicas):
    """All replicas alike, with the rates of one device and, but for rounding, its parameters."""
    assert len(seen) == replicas
    assert all(replica == seen[0] for replica in seen)
    np.testing.assert_array_equal(seen[0][1], expected[1])
    np.testing.assert_allclose(seen[0][0], expected[0], rtol=1e-5)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


CHECKED = ("jit", "shard_map", "shard_map without check")


@pytest.fixture(scope="module")
def layouts():
    """What one device, eight, and two processes with two each made of all layouts, at once."""
    port = free_port()
    return results(
        start(1, "one", "sweep"),
        start(8, *CHECKED, "pmap", "sweep"),
        *(start(2, *CHECKED, "sweep", "--process", i, 2, port) for i in range(2)),
    )


def of_layouts(seen, *, swept):
    return [value for name, value in seen.items() if name.startswith("sweep ") == swept]


@pytest.fixture
def expected(layouts):
    ((expected,),) = of_layouts(layouts[0], swept=False)
    params, rates = map(np.array, expected)
    # There is something to agree on: rates rise and fall, and each scale takes many values.
    assert all(len(set(column)) > 4 for column in rates.T)
    assert np.isfinite(params).all()
    return expected


def test_defect_21_eight_devices_give_the_rates_of_one_and_never_part(layouts, expected):
    seen = of_layouts(layouts[1], swept=False)
    assert len(seen) == 8
    for history in seen:
        assert_same(history, expected, replicas=8)


def test_two_processes_with_two_devices_each(layouts, expected):
    for process in layouts[2:]:
        seen = of_layouts(process, swept=False)
        assert len(seen) == 3
        for history in seen:
            assert_same(history, expected, replicas=2)


def test_a_sweep_is_the_same_on_any_devices_and_processes(layouts):
    one, eight, first, second = (np.array(of_layouts(seen, swept=True)) for seen in layouts)
    assert one.shape == (1, 5, 3, 40)
    assert first.tolist() == second.tolist()
    # Each device has fewer lanes than the one, and sums in another order.
    for seen in (*eight, *first):
        np.testing.assert_allclose(seen, one[0], rtol=1e-5)
