"""lr_optax and Optax in one process: program size, compile time, evaluation, accuracy.

Times are medians over repetitions in which the libraries, and a bare multiply, take turns in random
order; a ratio is the median of the turns' ratios, ours over theirs: below 1 is faster.
"""

import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
from measuring import Section, in_turns, median, ratios, timer

import lr_optax

Rate = Callable[[Any], Any]
Pair = tuple[str, Rate, Rate]
MILLION = np.arange(10**6, dtype=np.int32)


def pairs() -> list[Pair]:
    """The same schedule from both libraries."""
    boundaries = {250_000: 0.1, 500_000: 0.1, 750_000: 0.1}
    cycles = [{"init_value": 1.0, "peak_value": 1.0, "warmup_steps": 0, "decay_steps": 10**5}] * 10
    return [
        ("constant", lr_optax.constant(0.1), optax.constant_schedule(0.1)),
        (
            "linear",
            lr_optax.linear(0.1, end_value=0.0, transition_steps=10**6),
            optax.linear_schedule(0.1, 0.0, 10**6),
        ),
        (
            "polynomial, power 0.9",
            lr_optax.polynomial(0.1, end_value=0.0, power=0.9, transition_steps=10**6),
            optax.polynomial_schedule(0.1, 0.0, 0.9, 10**6),
        ),
        (
            "cosine",
            lr_optax.cosine_decay(0.1, decay_steps=10**6),
            optax.cosine_decay_schedule(0.1, 10**6),
        ),
        (
            "exponential",
            lr_optax.exponential_decay(0.1, decay_rate=0.96, decay_steps=1000),
            optax.exponential_decay(0.1, 1000, 0.96),
        ),
        (
            "staircase",
            lr_optax.exponential_decay(0.1, decay_rate=0.96, decay_steps=1000, staircase=True),
            optax.exponential_decay(0.1, 1000, 0.96, staircase=True),
        ),
        (
            "3 boundaries",
            lr_optax.multistep_decay(0.1, decay_rate=0.1, boundaries=tuple(boundaries)),
            optax.piecewise_constant_schedule(0.1, boundaries),
        ),
        (
            "warm-up and cosine",
            lr_optax.warmup(lr_optax.cosine_decay(0.1, decay_steps=9 * 10**5), warmup_steps=10**5),
            optax.warmup_cosine_decay_schedule(0.0, 0.1, 10**5, 10**6),
        ),
        (
            "10 restarts",
            lr_optax.cosine_annealing(1.0, period=10**5),
            optax.sgdr_schedule(cycles),
        ),
    ]


def growing(n: int) -> list[Pair]:
    """Schedules of n pieces."""
    boundaries = {1000 * (i + 1): 0.99 for i in range(n)}
    cycle = {"init_value": 1.0, "peak_value": 1.0, "warmup_steps": 0, "decay_steps": 1000}
    return [
        (
            f"{n} boundaries",
            lr_optax.multistep_decay(0.1, decay_rate=0.99, boundaries=tuple(boundaries)),
            optax.piecewise_constant_schedule(0.1, boundaries),
        ),
        (
            f"{n} restarts",
            lr_optax.cosine_annealing(1.0, period=1000),
            optax.sgdr_schedule([cycle] * n),
        ),
    ]


def instructions(schedule: Rate) -> int:
    """How many instructions the optimized program for one step has."""
    program = jax.jit(lambda step: schedule(step)).lower(jnp.int32(0)).compile().as_text()
    return sum(" = " in line for line in (program or "").splitlines())


def build_seconds(schedule: Rate) -> float:
    """Trace and compile, from nothing."""
    start = time.perf_counter()
    jax.jit(lambda step: schedule(step)).lower(jnp.int32(0)).compile()
    return time.perf_counter() - start


def evaluator(schedule: Rate) -> Callable[[], float]:
    """Seconds for a million steps in one call, compiled before."""
    program = jax.jit(jax.vmap(schedule))
    steps = jax.device_put(MILLION)
    jax.block_until_ready(program(steps))
    return timer(lambda: program(steps))


def worst_error(schedule: Rate, exact: Callable[[int], Any], horizon: int) -> float:
    """Largest relative error under jit over 2,000 steps, the last ones among them."""
    spread = np.linspace(0, horizon - 1, 1500)
    last = horizon - 1 - np.arange(min(500, horizon))
    steps = np.unique(np.concatenate([spread, last]).astype(np.int64))
    rates = jax.jit(jax.vmap(schedule))(jnp.asarray(steps, jnp.int32))
    errors = [
        abs(mpmath.mpf(float(r)) / exact(int(t)) - 1) for t, r in zip(steps, rates, strict=True)
    ]
    return float(max(errors))


def size_rows(repeat: int) -> Iterator[str]:
    """Program size, and a million steps, of single schedules."""
    for name, ours, theirs in pairs():
        size = instructions(ours), instructions(theirs)
        turns = in_turns(repeat, *map(evaluator, (ours, theirs, bare_multiply)))
        low, middle, high = statistics.quantiles(ratios(turns, 0, 1), n=4)
        a, b = median(turns, 0) * 1e3, median(turns, 1) * 1e3
        yield (
            f"| {name} | {size[0]} | {size[1]} | {a:.2f} | {b:.2f} | {middle:.2f} | "
            f"{low:.2f} to {high:.2f} | {median(turns, 0, 2):.1f} |"
        )


def growth_rows() -> Iterator[str]:
    """Program size and build time of many pieces."""
    for n in (10, 100, 1000):
        for name, ours, theirs in growing(n):
            repeat = 5 if n < 1000 else 1
            turns = in_turns(repeat, partial(build_seconds, ours), partial(build_seconds, theirs))
            yield (
                f"| {name} | {instructions(ours)} | {instructions(theirs)} | "
                f"{median(turns, 0) * 1e3:.0f} | {median(turns, 1) * 1e3:.0f} | "
                f"{median(turns, 0, 1):.3f} |"
            )


def cost_rows(repeat: int) -> Iterator[str]:
    """What a schedule costs outside of a compiled program."""
    text = "warmup(cosine_decay(0.1, decay_steps=90), warmup_steps=10)"
    ours, theirs = lr_optax.parse(text), optax.warmup_cosine_decay_schedule(0.0, 0.1, 10, 100)
    jitted = jax.jit(ours), jax.jit(theirs)
    many = np.arange(0, 10**7, 100)
    make_torch, step_torch = torch_calls() if importlib.util.find_spec("torch") else (None, None)
    rows: list[tuple[str, int, list[Callable[[], Any] | None]]] = [
        (
            "make a warm-up and cosine",
            100,
            [
                lambda: lr_optax.warmup(
                    lr_optax.cosine_decay(0.1, decay_steps=90), warmup_steps=10
                ),
                lambda: optax.warmup_cosine_decay_schedule(0.0, 0.1, 10, 100),
                make_torch,
            ],
        ),
        ("print it", 100, [lambda: repr(ours)]),
        ("parse it", 100, [lambda: lr_optax.parse(text)]),
        ("ask it for a rate", 10, [lambda: ours(3), lambda: theirs(3), step_torch]),
        ("ask `jax.jit` of it", 100, [lambda: jitted[0](3), lambda: jitted[1](3)]),
        ("make 100,000 boundaries, array", 1, [lambda: drops(many)]),
        ("make 100,000 boundaries, tuple", 1, [partial(drops, tuple(many.tolist()))]),
    ]
    for name, n, calls in rows:
        timed = [timer(call, n) for call in calls if call]
        for once in timed:
            once()
        turns = in_turns(repeat, *timed)
        medians = [f"{median(turns, i) * 1e3:.3f}" for i in range(len(timed))]
        yield f"| {name} | " + " | ".join(medians + [""] * (3 - len(medians))) + " |"
    for name, what in (("import it", ""), ("import Optax, and a schedule", "optax; from ")):
        ours_imported = f"{what}lr_optax" + (" import cosine_decay" if what else "")
        turns = in_turns(max(repeat // 2, 3), *map(fresh_import, (ours_imported, "optax")))
        yield f"| {name} | {median(turns, 0) * 1e3:.0f} | {median(turns, 1) * 1e3:.0f} | |"


def torch_calls() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """What PyTorch does for a warm-up and cosine: make it, and move it a step on."""
    torch = import_module("torch")  # a type checker need not find it
    lr_scheduler = torch.optim.lr_scheduler

    def make() -> Any:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        rise = lr_scheduler.LinearLR(optimizer, start_factor=1e-9, total_iters=10)
        fall = lr_scheduler.CosineAnnealingLR(optimizer, T_max=90)
        scheduler = lr_scheduler.SequentialLR(optimizer, [rise, fall], milestones=[10])
        optimizer.step()  # torch wants it before the scheduler's first
        return scheduler

    return make, make().step


def drops(boundaries: Any) -> Any:
    """A schedule of many boundaries."""
    return lr_optax.multistep_decay(0.1, decay_rate=0.9999, boundaries=boundaries)


def fresh_import(names: str) -> Callable[[], float]:
    """Seconds to import something in a new process."""
    command = [
        sys.executable,
        "-c",
        f"import time; t = time.perf_counter(); import {names}\nprint(time.perf_counter() - t)",
    ]
    return lambda: float(subprocess.check_output(command, text=True))


def bare_multiply(step: Any) -> Any:
    """The least that any rate costs: read a step, make it a float, multiply, write."""
    return jnp.float32(step) * 0.1


def error_rows() -> Iterator[str]:
    """Worst relative error by horizon."""
    mpmath.mp.dps = 50
    for power in (3, 4, 5, 6, 7, 9):
        T = 10**power
        cases: list[tuple[str, Rate, Rate, Callable[[int], Any]]] = [
            (
                "linear",
                lr_optax.linear(1.0, end_value=0.0, transition_steps=T),
                optax.linear_schedule(1.0, 0.0, T),
                lambda t, T=T: mpmath.mpf(T - t) / T,
            ),
            (
                "cosine",
                lr_optax.cosine_decay(1.0, decay_steps=T),
                optax.cosine_decay_schedule(1.0, T),
                lambda t, T=T: (1 + mpmath.cos(mpmath.pi * t / T)) / 2,
            ),
            (
                "exponential, to 1e-6",
                lr_optax.exponential_decay(1.0, decay_rate=1e-6, decay_steps=T),
                optax.exponential_decay(1.0, T, 1e-6),
                lambda t, T=T: mpmath.mpf(1e-6) ** (mpmath.mpf(t) / T),
            ),
            (
                "exponential, by step",
                lr_optax.exponential_decay(1.0, decay_rate=1 - 1 / T, decay_steps=1),
                optax.exponential_decay(1.0, 1, 1 - 1 / T),
                lambda t, T=T: mpmath.mpf(1 - 1 / T) ** t,
            ),
        ]
        for name, ours, theirs, exact in cases:
            a, b = worst_error(ours, exact, T), worst_error(theirs, exact, T)
            yield f"| {name} | 1e{power} | {a:.1e} | {b:.1e} |"


def sections(repeat: int) -> Iterator[Section]:
    """All tables."""
    yield Section(
        "One schedule",
        "Instructions for one step; milliseconds for a million steps, the ratio with its "
        "quartiles, and our time as a multiple of a bare multiplication of a million numbers.",
        "| schedule | instr. | Optax | ms | Optax | ratio | quartiles | × multiply |",
        size_rows(repeat),
    )
    yield Section(
        "Outside of a program",
        "Milliseconds for each task.",
        "| to | ms | Optax | torch |",
        cost_rows(repeat),
    )
    yield Section(
        "Many pieces",
        "Instructions, and milliseconds to trace and compile.",
        "| schedule | instr. | Optax | ms | Optax | ratio |",
        growth_rows(),
    )
    yield Section(
        "Accuracy",
        "Worst relative error under jit over steps 0 to T - 1, against 50 digits.",
        "| schedule | T | lr_optax | Optax |",
        error_rows(),
    )
