"""The same run on one device, on eight, and on two processes with two each."""

import functools
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np

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


@functools.cache
def one_device():
    (seen,) = results(start(1, "one"))
    ((expected,),) = seen.values()
    params, rates = map(np.array, expected)
    # There is something to agree on: rates rise and fall, and each scale takes many values.
    assert all(len(set(column)) > 4 for column in rates.T)
    assert np.isfinite(params).all()
    return expected


def test_defect_21_eight_devices_give_the_rates_of_one_and_never_part():
    expected = one_device()
    (seen,) = results(start(8, "jit", "pmap", "shard_map", "shard_map without check"))
    assert len(seen) == 8
    for history in seen.values():
        assert_same(history, expected, replicas=8)


def test_two_processes_with_two_devices_each():
    expected = one_device()
    port = free_port()
    layouts = ("jit", "shard_map", "shard_map without check")
    for seen in results(*(start(2, *layouts, "--process", i, 2, port) for i in range(2))):
        assert len(seen) == 3
        for history in seen.values():
            assert_same(history, expected, replicas=2)


def test_a_sweep_is_the_same_on_any_devices_and_processes():
    port = free_port()
    processes = [start(1, "sweep"), start(8, "sweep")]
    processes += [start(4, "sweep", "--process", i, 2, port) for i in range(2)]
    one, eight, first, second = (np.array(list(r.values())) for r in results(*processes))
    assert one.shape == (1, 5, 3, 40)
    assert first.tolist() == second.tolist()
    # Each device has fewer lanes than the one, and sums in another order.
    for seen in (*eight, *first):
        np.testing.assert_allclose(seen, one[0], rtol=1e-5)
