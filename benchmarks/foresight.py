"""The cost of the tools that look ahead: fits, predictions, optimization, the bound."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from measuring import Section

from lr_optax import (
    Log,
    LossLaw,
    constant,
    cosine_decay,
    fit_loss_law,
    last_iterate_bound,
    optimize_schedule,
    refine,
    warmup_cosine_decay,
    warmup_stable_decay,
)
from lr_optax.foresight.laws import LAW_NAMES

STEPS, PEAK = 24_000, 3e-4
PARAMETERS = {
    # Luo et al. (2025), multi-power law, 25M parameters
    "L0": 3.04045406,
    "A": 0.52468604,
    "alpha": 0.50786857,
    "B": 363.78751622,
    "C": 2.06560812,
    "beta": 0.58279013,
    "gamma": 0.64142257,
}


def logs() -> list[Log]:
    """Three runs as the published law has them, with noise."""
    law = LossLaw("multi_power", PARAMETERS)
    noise = np.random.default_rng(0)
    steps = np.arange(2_500, STEPS, 100)
    schedules = (
        constant(PEAK),
        warmup_cosine_decay(PEAK, total_steps=STEPS, warmup_steps=2_160),
        warmup_stable_decay(PEAK, total_steps=STEPS, warmup_steps=2_160, cooldown_steps=4_000),
    )
    curves = [law.predict(s, STEPS) for s in schedules]
    return [
        Log(steps, np.interp(steps, c.steps, c.losses) + noise.normal(0, 2e-3, len(steps)), s)
        for s, c in zip(schedules, curves, strict=True)
    ]


def seconds(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Of the clock and of all cores, for one call with what it compiles, and its result."""
    jax.clear_caches()
    start = time.perf_counter(), time.process_time()
    result = jax.block_until_ready(call())
    return time.perf_counter() - start[0], time.process_time() - start[1], result


def rows() -> Iterator[str]:
    """Every tool once."""
    runs = logs()
    published = LossLaw("multi_power", PARAMETERS)
    calls: dict[str, Callable[[], Any]] = {
        f"fit_loss_law, {law}": lambda law=law: fit_loss_law(runs, law=law) for law in LAW_NAMES
    }
    calls |= {
        "predict": lambda: published.predict(cosine_decay(PEAK, decay_steps=STEPS), STEPS).losses,
        "optimize_schedule": lambda: (
            optimize_schedule(published, STEPS, PEAK, warmup_steps=2_160).losses
        ),
        "last_iterate_bound, a million steps": lambda: last_iterate_bound(
            cosine_decay(1.0, decay_steps=10**6), 10**6
        ),
        "refine, 100,000 norms": lambda: refine(np.ones(10**5)),
    }
    for name, call in calls.items():
        clock, cores, _ = seconds(call)
        yield f"| `{name}` | {clock:.1f} | {cores:.1f} |"


def sections(repeat: int) -> Iterator[Section]:
    """The table."""
    del repeat
    yield Section(
        "Looking ahead",
        f"Seconds, compilation included: three logged runs of {STEPS:,} steps.",
        "| call | clock, s | cores, s |",
        rows(),
    )
