"""64 schedules with 3 seeds each on the digits: one program, a compile each, or a loop.

All times are seconds in a fresh process, compilation included: of the clock, and of all cores
together, which other programs on the machine disturb less.

    python benchmarks/sweep.py WAY COUNT   # one measurement, for the benchmark itself
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
from measuring import Section

from lr_optax import Schedule, root_strategies, sweep, tabulate
from lr_optax.tasks._digits import digits, load

STEPS = 2000
SEEDS = 3
SCHEDULES = 64
PEAKS = (0.01, 0.02, 0.05, 0.1, 0.2)
DEVICES = (2, 4, 8)
MANY = 1000
BUILDERS = [*root_strategies().values()]


def schedules() -> list[Schedule]:
    """Different ones of thirteen sorts; rates set by a metric are another matter."""
    return [build(peak, STEPS) for peak in PEAKS for build in BUILDERS][:SCHEDULES]


def keys() -> jax.Array:
    """The same for every way."""
    return jax.random.split(jax.random.key(0), SEEDS)


def one_program(schedules: list[Schedule]) -> np.ndarray:
    """All of them with ``sweep``."""
    train = digits(STEPS)
    return sweep(train, schedules, keys(), metric="test_loss").values


def a_compile_each(schedules: list[Schedule]) -> np.ndarray:
    """The usual way: each schedule is a constant of a program of its own."""
    train = digits(STEPS)
    losses = []
    for schedule in schedules:
        run = jax.jit(lambda key, s=schedule: train(s, key)["test_loss"])
        losses.append([run(key) for key in keys()])
    return np.array(losses)


def a_loop_compiled_once(schedules: list[Schedule]) -> np.ndarray:
    """Each schedule as a table of its rates, so that one program takes them all in turn."""
    run = jax.jit(digits(STEPS))
    tables = [tabulate(schedule, STEPS) for schedule in schedules]
    return np.array([[run(table, key)["test_loss"] for key in keys()] for table in tables])


def a_thousand(_: list[Schedule]) -> np.ndarray:
    """Others, with one seed, with ``sweep``."""
    more = [
        build(peak, STEPS) for peak in np.geomspace(1e-3, 0.3, MANY // 13 + 1) for build in BUILDERS
    ]
    train = digits(STEPS)
    return sweep(train, more[:MANY], keys()[:1], metric="test_loss").values


WAYS = {f.__name__: f for f in (one_program, a_compile_each, a_loop_compiled_once, a_thousand)}


def measure(way: str, count: int) -> None:
    """Run one way on the first ``count`` schedules, and print its seconds and its losses."""
    chosen = schedules()[:count]
    load()
    begin = time.perf_counter(), time.process_time()
    losses = WAYS[way](chosen)
    spent = time.perf_counter() - begin[0], time.process_time() - begin[1]
    print(json.dumps([spent, losses.tolist()]))


def measured(way: str, count: int = SCHEDULES, devices: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The same in a process of its own; more than one device are virtual ones of the CPU."""
    several = {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_PLATFORMS": "cpu",
    }
    result = subprocess.run(
        [sys.executable, __file__, way, str(count)],
        env=os.environ
        | {"PYTHONPATH": str(Path(__file__).parents[1])}
        | (several if devices > 1 else {}),
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


def rows(count: int) -> Iterator[str]:
    """Every way; a compile for each schedule is measured on ``count`` of them, and scaled up."""
    one, expected = measured("one_program")
    yield row("one program: `sweep`", one, one, np.stack([expected, expected]))
    loop, looped = measured("a_loop_compiled_once")
    yield row("a loop that compiles once", loop, one, np.stack([expected, looped]))
    each, compiled = measured("a_compile_each", count)
    name = "a compile for each schedule" + (f", from {count} of them" if count < SCHEDULES else "")
    yield row(name, each * SCHEDULES / count, one, np.stack([expected[:count], compiled]))
    if jax.default_backend() == "cpu":
        for devices in DEVICES:
            seconds, losses = measured("one_program", devices=devices)
            name = f"`sweep` on {devices} virtual devices"
            yield row(name, seconds, one, np.stack([expected, losses]))
    (clock, cores), _ = measured("a_thousand")
    yield f"| `sweep`, {MANY} schedules and one seed | {clock:.0f} | | {cores:.0f} | | |"


def sections(repeat: int) -> Iterator[Section]:
    """The table."""
    yield Section(
        "Many schedules in one program",
        f"{SCHEDULES} schedules of thirteen kinds, {SEEDS} seeds, {STEPS} steps on the digits of "
        "`lr_optax/tasks/_digits.py`, each way in a process of its own, compilation included: "
        "seconds of the clock, and of all cores.",
        "| way | clock, s | × | cores, s | × | losses off by (median) |",
        rows(min(SCHEDULES, repeat)),
    )


if __name__ == "__main__":
    measure(sys.argv[1], int(sys.argv[2]))
