"""The memory of a program apart from its result, as XLA plans it; nothing is run."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from measuring import Section
from sweep import STEPS, schedules

from lr_optax import cosine_annealing, multistep_decay
from lr_optax.foresight._program import SweepProgram, stack
from lr_optax.tasks._digits import digits

MILLION = 10**6


def megabytes(program: Any) -> tuple[float, float]:
    """Of what is kept while it runs, and of its result."""
    memory = program.memory_analysis()
    return memory.temp_size_in_bytes / 1e6, memory.output_size_in_bytes / 1e6


def step_rows() -> Iterator[str]:
    """A million steps at once, under many pieces."""
    steps = jax.ShapeDtypeStruct((MILLION,), jnp.int32)
    for n in (10, 1000):
        boundaries = np.arange(1, n + 1) * (MILLION // (n + 1))
        drops = dict.fromkeys(map(int, boundaries), 0.99)
        for name, schedule in (
            (
                f"lr_optax: {n} boundaries",
                multistep_decay(0.1, decay_rate=0.99, boundaries=boundaries),
            ),
            (f"optax: {n} boundaries", optax.piecewise_constant_schedule(0.1, drops)),
            (
                f"lr_optax: about {n} restarts",
                cosine_annealing(0.1, period=MILLION // n, period_multiplier=1.0001),
            ),
        ):
            kept, result = megabytes(jax.jit(jax.vmap(schedule)).lower(steps).compile())
            yield f"| {name} | {kept:.1f} | {result:.1f} | {kept / result:.1f} |"


def lane_rows() -> Iterator[str]:
    """A sweep's program, compared with the memory of one run times their number."""
    train = digits(STEPS)
    key = jax.random.key(0)
    strategies = schedules()
    one = sum(megabytes(jax.jit(train).lower(strategies[0], key).compile()))
    for n in (1, 8, 32, 64):
        program = SweepProgram(train, stack(strategies), len(strategies), key[None], batch_size=n)
        whole = sum(megabytes(program.compiled()))
        yield f"| {n} | {whole:.2f} | {n * one:.2f} | {whole / (n * one):.2f} |"


def sections(repeat: int) -> Iterator[Section]:
    """All tables."""
    del repeat
    yield Section(
        "Memory of a million steps",
        "Megabytes that the program keeps while it runs, and of its result.",
        "| schedule | kept | result | ratio |",
        step_rows(),
    )
    yield Section(
        "Memory of a sweep",
        "Megabytes of the program and its result for so many runs at a time, and those of one run "
        "as often: 64 schedules of thirteen kinds on the digits.",
        "| runs at a time | sweep | one run, as often | ratio |",
        lane_rows(),
    )
