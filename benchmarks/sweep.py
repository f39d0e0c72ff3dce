"""64 schedules with 3 seeds each on the digits: one program, a compile each, or a loop.

python benchmarks/sweep.py           # a compile each is measured on 6 of the 64, and scaled up
python benchmarks/sweep.py --full    # measured on all 64

All times are wall-clock seconds in a fresh process, compilation included.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np

from lr_optax import sweep, tabulate
from lr_optax.demo import digits
from lr_optax.demo.comparison import ROOTS
from lr_optax.demo.digits import Strategy

STEPS = 2000
SEEDS = 3
SCHEDULES = 64
SAMPLE = 6
PEAKS = (0.01, 0.02, 0.05, 0.1, 0.2)
DEVICES = (1, 2, 4, 8)


def schedules() -> list[Strategy]:
    """Different ones of thirteen sorts; rates set by a metric are another matter."""
    builders = [build for name, build in ROOTS.items() if name != "plateau"]
    return [build(peak, STEPS) for peak in PEAKS for build in builders][:SCHEDULES]


def keys() -> jax.Array:
    """The same for every way."""
    return jax.random.split(jax.random.key(0), SEEDS)


def one_program(strategies: list[Strategy]) -> np.ndarray:
    """All of them with ``sweep``."""
    train = digits.trainer(digits.load(), STEPS)
    return sweep(train, strategies, keys(), metric="test_loss").values


def a_compile_each(strategies: list[Strategy]) -> np.ndarray:
    """The usual way: each schedule is a constant of a program of its own."""
    train = digits.trainer(digits.load(), STEPS)
    losses = []
    for strategy in strategies:
        run = jax.jit(lambda key, strategy=strategy: train(strategy, key).test_loss)
        losses.append([run(key) for key in keys()])
    return np.array(losses)


def a_loop_compiled_once(strategies: list[Strategy]) -> np.ndarray:
    """Each schedule as a table of its rates, so that one program takes them all in turn."""
    run = jax.jit(digits.trainer(digits.load(), STEPS))
    tables = [s._replace(schedule=tabulate(s.schedule, STEPS)) for s in strategies]
    return np.array([[run(table, key).test_loss for key in keys()] for table in tables])


WAYS = {way.__name__: way for way in (one_program, a_compile_each, a_loop_compiled_once)}


def measure(way: str, count: int) -> None:
    """Run one way on the first ``count`` schedules, and print its seconds and its losses."""
    strategies = schedules()[:count]
    digits.load()
    begin = time.perf_counter()
    losses = WAYS[way](strategies)
    print(json.dumps([time.perf_counter() - begin, losses.tolist()]))


def measured(way: str, count: int = SCHEDULES, devices: int = 1) -> tuple[float, np.ndarray]:
    """The same in a process of its own, with so many virtual devices."""
    result = subprocess.run(
        [sys.executable, __file__, "--measure", way, str(count)],
        env=os.environ
        | {
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, losses = json.loads(result.stdout.splitlines()[-1])
    return seconds, np.array(losses)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--measure", nargs=2, metavar=("WAY", "COUNT"))
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure[0], int(arguments.measure[1]))
        return
    print(f"{SCHEDULES} schedules, {SEEDS} seeds, {STEPS} steps, {os.cpu_count()} cores, seconds")
    one, expected = measured("one_program")
    loop, looped = measured("a_loop_compiled_once")
    count = SCHEDULES if arguments.full else SAMPLE
    each, compiled = measured("a_compile_each", count)
    each *= SCHEDULES / count
    scaled = "" if arguments.full else f"  (from {SAMPLE} schedules)"
    rows = (("one program: sweep", one, ""), ("a loop that compiles once", loop, ""),
            ("a compile for each schedule", each, scaled))  # fmt: skip
    for name, seconds, remark in rows:
        print(f"{name:28} {seconds:7.1f}  {seconds / one:5.1f} x{remark}")
    for losses in (looped, compiled):
        off = np.abs(losses / expected[: len(losses)] - 1)
        print(
            f"losses differ from sweep's by {np.median(off):.1e} (median), {off.max():.1e} at most"
        )
    for devices in DEVICES:
        seconds, losses = measured("one_program", devices=devices)
        off = np.abs(losses / expected - 1).max()
        print(
            f"sweep on {devices} virtual devices   {seconds:7.1f}  losses off by {off:.1e} at most"
        )


if __name__ == "__main__":
    main()
