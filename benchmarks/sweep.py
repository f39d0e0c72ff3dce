"""64 schedules with 3 seeds each on the digits: one program, a compile each, or a loop.

python benchmarks/sweep.py           # a compile each is measured on 6 of the 64, and scaled up
python benchmarks/sweep.py --full    # measured on all 64

All times are seconds in a fresh process, compilation included: of the clock, and of all cores
together, which other programs on the machine disturb less.
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
from lr_optax.demo.training import Strategy

STEPS = 2000
SEEDS = 3
SCHEDULES = 64
SAMPLE = 6
PEAKS = (0.01, 0.02, 0.05, 0.1, 0.2)
DEVICES = (2, 8)


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
        # The plateau's factor stays an argument: 1, for no plateau, is refused as a constant.
        schedule, factor = strategy
        run = jax.jit(lambda key, f, s=schedule: train(Strategy(s, f), key).test_loss)
        losses.append([run(key, factor) for key in keys()])
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
    begin = time.perf_counter(), time.process_time()
    losses = WAYS[way](strategies)
    spent = time.perf_counter() - begin[0], time.process_time() - begin[1]
    print(json.dumps([spent, losses.tolist()]))


def measured(way: str, count: int = SCHEDULES, devices: int = 1) -> tuple[np.ndarray, np.ndarray]:
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
    return np.array(seconds), np.array(losses)


def row(name: str, seconds: np.ndarray, one: np.ndarray, losses: np.ndarray) -> str:
    """A line of the table; how far the losses are from the one program's comes last."""
    (clock, cores), (slower, dearer) = seconds, seconds / one
    off = np.median(np.abs(losses[1] / losses[0] - 1))
    return f"| {name} | {clock:.0f} | {slower:.1f} | {cores:.0f} | {dearer:.1f} | {off:.1e} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--measure", nargs=2, metavar=("WAY", "COUNT"))
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure[0], int(arguments.measure[1]))
        return
    count = SCHEDULES if arguments.full else SAMPLE
    print(f"{SCHEDULES} schedules, {SEEDS} seeds, {STEPS} steps, {os.cpu_count()} cores\n")
    print("| way | clock, s | x | cores, s | x | losses off by (median) |\n" + "| --- " * 6 + "|")
    one, expected = measured("one_program")
    print(row("one program: `sweep`", one, one, np.stack([expected, expected])), flush=True)
    loop, looped = measured("a_loop_compiled_once")
    print(row("a loop that compiles once", loop, one, np.stack([expected, looped])), flush=True)
    each, compiled = measured("a_compile_each", count)
    name = "a compile for each schedule" + ("" if arguments.full else f", from {SAMPLE} of them")
    each *= SCHEDULES / count
    print(row(name, each, one, np.stack([expected[:count], compiled])), flush=True)
    for devices in DEVICES:
        seconds, losses = measured("one_program", devices=devices)
        name = f"`sweep` on {devices} virtual devices"
        print(row(name, seconds, one, np.stack([expected, losses])), flush=True)


if __name__ == "__main__":
    main()
