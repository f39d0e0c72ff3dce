"""Write docs/why_exact.md: what common formulas of a rate do at their ends, next to lr_optax.

python docs/make_why_exact.py

Formulas and calls are measured as the page shows them, compiled with their numbers as constants.
"""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp

import lr_optax

HERE = Path(__file__).parent
FUNCTIONS = ("clip", "cos", "floor", "maximum", "minimum", "pi", "where")
NAMES = {name: getattr(jnp, name) for name in FUNCTIONS}
CALLS = {name: getattr(lr_optax, name) for name in dir(lr_optax)}


class Case(NamedTuple):
    """A formula of the step t, the schedule that stands for it, and the steps to look at."""

    formula: str
    call: str
    steps: tuple[int, ...]
    step_type: str = "int32"


END = [
    Case(
        "0.001 * minimum(1, (1000 - t) / 200)",
        "warmup_stable_decay(0.001, total_steps=1000, cooldown_steps=200)",
        (900, 1000, 1001, 1100),
    ),
    Case(
        "0.001 * (0.05 + 0.95 * minimum(1, (1000 - t) / 650))",
        "warmup_stable_decay(0.001, total_steps=1000, cooldown_steps=650, end_value=5e-05)",
        (1000, 1020, 1100),
    ),
    Case(
        "0.001 * (1 - (t // 16) / 50)",
        "from_function(lambda t: linear(0.001, end_value=0.0, transition_steps=50)(t // 16))",
        (799, 800, 816, 1600),
    ),
    Case(
        "0.001 * maximum(0, (1 + cos(pi * t / 1000)) / 2)",
        "cosine_decay(0.001, decay_steps=1000)",
        (1000, 1500, 2000),
    ),
    Case(
        "0.001 * maximum(0, (1 + cos(pi * ((t / 1000) % 1))) / 2)",
        "cosine_decay(0.001, decay_steps=1000)",
        (999, 1000, 1001),
    ),
]
FLOATS = [
    Case(
        "0.001 * (1 - minimum(t, 1000) / 1000) ** 0.9",
        "polynomial(0.001, end_value=0.0, power=0.9, transition_steps=1000)",
        (999, 1000, 1001),
    ),
    Case(
        "0.001 * (1 - minimum(t, 10) / 10)",
        "linear(0.001, end_value=0.0, transition_steps=10)",
        (9, 10, 11),
    ),
    Case(
        "0.001 * 0.1 ** floor(t / 2345)",
        "step_decay(0.001, decay_rate=0.1, decay_steps=2345)",
        (2344, 2345, 2346),
    ),
    Case(
        "0.001 * (1 + cos(pi * t / 1000000)) / 2",
        "cosine_decay(0.001, decay_steps=1000000)",
        (999_500, 999_900, 999_930, 999_999),
    ),
]
INTEGERS = [
    Case(
        "minimum(0.02, 4.6 * 1024 * (t * 1024 * 4096) ** -0.51)",
        "power_law(0.02, batch_size=1024, tokens_per_step=1024 * 4096, amplitude=4.6, "
        "exponent=0.51)",
        (511, 512, 10_000, 10_300),
    ),
    Case(
        "0.001 * (1 - clip(t - 100, 0, 900) / 900)",
        "shift(linear(0.001, end_value=0.0, transition_steps=900), steps=100)",
        (0, 99, 100, 550),
        "uint32",
    ),
]
SHORT = [
    Case(
        "where(t < 99, 0.001 * t / 99, 0.0005 * (1 + cos(pi * (t - 99) / (100 - 99 - 1))))",
        "warmup_cosine_decay(0.001, warmup_steps=99, total_steps=100)",
        (98, 99, 100),
    ),
]


def written(rate: jax.Array) -> str:
    """A rate as the page shows it."""
    return f"{float(rate):.4g}".replace("nan", "NaN")


def rows(case: Case) -> list[str]:
    """A row for each step: the formula's rate, and the schedule's."""
    formula = jax.jit(lambda t: eval(case.formula, NAMES | {"t": t}))
    schedule = jax.jit(eval(case.call, dict(CALLS)))
    lines = []
    names = [f"`{case.formula}`", f"here: `{case.call}`", *[""] * len(case.steps)]
    for name, step in zip(names, case.steps, strict=False):
        t = jnp.asarray(step, case.step_type)
        lines.append(f"| {name} | {step:,} | {written(formula(t))} | {written(schedule(t))} |")
    return lines


def table(cases: list[Case]) -> str:
    """The rows of several cases."""
    head = [
        "| formula, and the schedule that stands for it | t | formula | lr_optax |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *(line for case in cases for line in rows(case))])


TEXT = """# Why exact?

When a schedule goes wrong, it is mostly at its ends: at the last step of a phase, one step later,
in a phase of one step, or at a count that no longer fits into an integer. This page takes formulas
that public training code uses today, each in its plainest form, and compares their rates at such
steps with those of lr_optax. Everything is compiled, as in a training step, with its numbers as
constants. `docs/make_why_exact.py` makes the page; this one is from jax {version} on {device}.
Rounding depends on the device, so on another one some of these formulas fail at other steps.

Most runs never reach these steps. A run does if it lasts longer than planned, if its lengths
change, or if it has many steps or tokens.

## After the end

A formula without a bound continues after its last step. A linear one becomes negative, and a
negative rate raises the loss. A cosine rises again. If the progress is taken modulo 1, so that the
same formula can restart, the full peak comes back at the step where the rate should be 0.

{end}

Here the end value is reached at t = T and held. Only periodic schedules, such as
`cosine_annealing`, rise again.

## Before the end, in floating point

With a constant T, XLA replaces t / T with a multiplication by the rounded 1 / T, and a CPU with FMA
does not round between the product and the difference. So t / T is not quite 1 at t = T. A linear
decay then ends a little below 0 and not at 0, a power of that is NaN, and stairs drop a step late.
In a cosine, 1 and the cosine cancel long before the end: the rate moves in steps, and is 0 for the
last dozens of steps.

{floats}

Here steps are subtracted as integers before anything is rounded, stairs are counted by integer
division, and the end value is chosen by comparing steps. The cosine is computed as a squared sine,
which does not cancel.

## Integers that are too small, or unsigned

Steps are int32 in Optax and uint32 in some training loops. The number of tokens, steps times batch
size times sequence length, does not fit: with 4 million tokens a step it wraps at step 512, and a
power of a negative number is NaN. Where it has wrapped to a positive number, the rate is too high.
With an unsigned step, t − 100 wraps before step 100: a decay that should begin at step 100 is over
before it.

{integers}

Here tokens are multiplied as floating-point numbers, and steps of every type are compared before
they are subtracted. Every step from 0 to 2³¹ − 1 has the right rate.

## Phases of one step

Some decays reach their end value at the last step instead of after it: over T − w − 1 steps after a
warm-up of w. If only one step is left, they divide by 0.

{short}

A phase of any length is allowed here, 0 included.
"""


if __name__ == "__main__":
    device = jax.devices()[0].device_kind
    (HERE / "why_exact.md").write_text(
        TEXT.format(
            version=jax.__version__,
            device="a CPU" if device == "cpu" else device,
            end=table(END),
            floats=table(FLOATS),
            integers=table(INTEGERS),
            short=table(SHORT),
        )
    )
