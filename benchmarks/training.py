"""The cost of a training step with each kind of rate, compared with a constant rate.

All ways take turns in one process. A difference is the median, over turns, of a way's time over
the constant rate's in the same turn, with the quartiles of these ratios: the noise. "Passes" are
kernels of the compiled step that write an array of a parameter's size, "scalar" the others.
"""

import random
import re
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from measuring import Section

from lr_optax import (
    cosine_annealing,
    cosine_decay,
    reduce_on_plateau,
    warmup,
    with_feedback,
    with_hyperparams,
)

STEPS = 10_000
RATE = warmup(cosine_decay(1e-3, decay_steps=STEPS), warmup_steps=500)
Step = Callable[..., Any]


def cycles(n: int) -> Any:
    """Optax's schedule of n restarts."""
    cycle = {"init_value": 1e-3, "peak_value": 1e-3, "warmup_steps": 0, "decay_steps": 10}
    return optax.sgdr_schedule([cycle] * n)


def restarts() -> dict[str, Callable[[int], Any]]:
    """Adam with n restarts, in each way; ours has no end."""
    ours = cosine_annealing(1e-3, period=10)
    return {
        "lr_optax: adam(schedule)": lambda _: optax.adam(ours),
        "lr_optax: with_hyperparams": lambda _: with_hyperparams(optax.adam, learning_rate=ours),
        "optax: adam(schedule)": lambda n: optax.adam(cycles(n)),
        "optax: inject_hyperparams": lambda n: optax.inject_hyperparams(optax.adam)(
            learning_rate=cycles(n)
        ),
    }


WAYS: dict[str, Callable[[], Any]] = {
    "constant rate": lambda: optax.adam(1e-3),
    "schedule": lambda: optax.adam(RATE),
    "with_hyperparams": lambda: with_hyperparams(optax.adam, learning_rate=RATE),
    "optax.inject_hyperparams": lambda: optax.inject_hyperparams(optax.adam)(
        learning_rate=optax.warmup_cosine_decay_schedule(0.0, 1e-3, 500, STEPS)
    ),
    "with_feedback(plateau)": lambda: with_hyperparams(
        optax.adam, learning_rate=with_feedback(RATE, reduce_on_plateau(0.5, accumulation_size=100))
    ),
    "chain(..., plateau)": lambda: optax.chain(
        with_hyperparams(optax.adam, learning_rate=RATE),
        reduce_on_plateau(0.5, accumulation_size=100),
    ),
    "optax.contrib.reduce_on_plateau": lambda: optax.chain(  # by `cond`, where ours is by `where`
        optax.adam(1e-3), optax.contrib.reduce_on_plateau(0.5, accumulation_size=100)
    ),
}


def many_leaves() -> Any:
    """200 leaves of 1,000 numbers."""
    return {str(i): jnp.zeros((20, 50)) for i in range(200)}


def mlp(*widths: int) -> Any:
    """Layers of a multilayer perceptron."""
    keys = jax.random.split(jax.random.key(0), len(widths))
    return [
        (jax.random.normal(key, (a, b)) / a**0.5, jnp.zeros(b))
        for key, a, b in zip(keys, widths, widths[1:], strict=False)
    ]


def loss(params: Any, x: jax.Array) -> jax.Array:
    """Of a perceptron that has to find its own input's mean."""
    h = x
    for weights, bias in params[:-1]:
        h = jax.nn.relu(h @ weights + bias)
    weights, bias = params[-1]
    return jnp.mean((h @ weights + bias - x.mean(axis=1, keepdims=True)) ** 2)


def updater(tx: Any) -> Step:
    """One update of the parameters by given gradients."""
    tx = optax.with_extra_args_support(tx)

    def step(params: Any, state: Any, grads: Any) -> Any:
        updates, state = tx.update(grads, state, params, value=jnp.float32(1))
        return optax.apply_updates(params, updates), state

    return step


def trainer(tx: Any) -> Step:
    """One training step on a batch."""
    update = updater(tx)

    def step(params: Any, state: Any, x: Any) -> Any:
        return update(params, state, jax.grad(loss)(params, x))

    return step


_RESULT = re.compile(r"^  (?:ROOT )?%?[\w.-]+ = (.*?) ([a-z-]+)\(")
_FREE = {"parameter", "tuple", "get-tuple-element", "constant", "bitcast"}


def kernels(program: str, size: int) -> tuple[int, int]:
    """Kernels that write an array of so many numbers or more, and the others."""
    entry = program[program.index("\nENTRY") :]
    entry = entry[: entry.index("\n}")]
    large = small = 0
    for line in entry.splitlines():
        found = _RESULT.match(line)
        if not found or found[2] in _FREE:
            continue
        shapes = re.findall(r"\w+\[([\d,]*)\]", found[1])
        wide = any(np.prod([int(d) for d in s.split(",") if d]) >= size for s in shapes)
        large, small = large + wide, small + (not wide)
    return large, small


def compiled(step: Step, *args: Any) -> tuple[Any, float]:
    """The program, and the seconds to trace and compile it."""
    start = time.perf_counter()
    program = jax.jit(step, donate_argnums=(0, 1)).lower(*args).compile()
    return program, time.perf_counter() - start


def restart_rows() -> Iterator[str]:
    """Adam over 200 leaves, under 10, 100 and 1,000 restarts."""
    params = many_leaves()
    for n in (10, 100, 1000):
        for name, make in restarts().items():
            if n == 1000 and name.startswith("optax"):
                continue  # the chain of 1,000 is compiled into the kernel of every leaf
            tx = make(n)
            program, seconds = compiled(updater(tx), params, tx.init(params), params)
            text = program.as_text()
            size = sum(" = " in line for line in text.splitlines())
            large, small = kernels(text, 1000)
            yield f"| {n} restarts | {name} | {size} | {large} | {small} | {seconds * 1e3:.0f} |"


def turns(
    programs: dict[str, tuple[Any, Any, Any]], arg: Any, n: int, inner: int
) -> dict[str, list[float]]:
    """Seconds for a step in each of n turns; states move on, as in training."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    carried = {name: (params, state) for name, (_, params, state) in programs.items()}
    for _ in range(n):
        for name in random.sample([*programs], len(programs)):
            program, params, state = programs[name][0], *carried[name]
            start = time.perf_counter()
            for _ in range(inner):
                params, state = program(params, state, arg)
            jax.block_until_ready(params)
            times[name].append((time.perf_counter() - start) / inner)
            carried[name] = params, state
    return times


MODELS: dict[str, tuple[Callable[[], Any], int, int, int]] = {
    # parameters, rows of a batch, steps in a turn, size of the smallest weights
    "MLP, 0.4 million": (lambda: mlp(256, 512, 512, 1), 64, 20, 512),
    "MLP, 25 million": (lambda: mlp(2048, 4096, 4096, 1), 64, 1, 4096),
}


def step_rows(repeat: int) -> Iterator[str]:
    """A training step of two models in each way."""
    for model, (make, rows, inner, size) in MODELS.items():
        x = jax.random.normal(jax.random.key(1), (rows, make()[0][0].shape[0]))
        programs, counts = {}, {}
        for name, way in WAYS.items():
            tx, params = way(), make()
            state = jax.jit(tx.init)(params)
            program, _ = compiled(trainer(tx), params, state, x)
            counts[name] = kernels(program.as_text(), size)
            programs[name] = program, params, state
        turns(programs, x, 2, inner)
        programs = {
            name: (program, make(), jax.jit(WAYS[name]().init)(make()))
            for name, (program, _, _) in programs.items()
        }
        times = turns(programs, x, repeat, inner)
        base = times["constant rate"]
        for name, own in times.items():
            ratios = [a / b - 1 for a, b in zip(own, base, strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            yield (
                f"| {model} | {name} | {counts[name][0]} | {counts[name][1]} | "
                f"{statistics.median(own) * 1e3:.2f} | {middle:+.1%} | {low:+.1%} to {high:+.1%} |"
            )


def sections(repeat: int) -> Iterator[Section]:
    """All tables."""
    yield Section(
        "Adam over 200 leaves",
        "Instructions; kernels that write a leaf, and scalar ones; milliseconds to trace and "
        "compile. 1,000 restarts of Optax take minutes and are left out.",
        "| schedule | way | instr. | passes | scalar | ms |",
        restart_rows(),
    )
    yield Section(
        "A training step",
        "Milliseconds, and the difference from the constant rate in the same turn, with its "
        "quartiles.",
        "| model | Adam with | passes | scalar | ms | difference | quartiles |",
        step_rows(repeat),
    )
