"""Figures of other libraries: how they are sampled, kept and compared."""

import json
import random
from pathlib import Path

import numpy as np

HOME = Path(__file__).parent
PER_CASE = 40


def steps_of_interest(rng: random.Random, ends: list[float]) -> list[int]:
    """Some 40 steps: the first ones, those around the ends of phases, far past the last, others."""
    around = {round(end) + d for end in ends for d in (-1, 0, 1)}
    last = max(8, round(max(ends, default=0)))
    chosen = {0, 1, 2, 3, 2 * last, 2 * last + 1, 3 * last + 1}
    chosen |= set(sorted(step for step in around if step >= 0)[: PER_CASE - len(chosen)])
    others = [step for step in range(3 * last) if step not in chosen]
    return sorted(
        chosen | set(rng.sample(others, max(0, min(PER_CASE - len(chosen), len(others)))))
    )


def write(library: str, version: str, cases: dict[str, list[dict]]) -> None:
    """Keep cases, ``{"args": ..., "steps": ..., "rates": ...}`` by name, as one compact file."""
    short = {
        name: [{**case, "rates": [float(f"{r:.8g}") for r in case["rates"]]} for case in group]
        for name, group in cases.items()
    }
    text = json.dumps({"version": version, "cases": short}, separators=(",", ":"))
    path = HOME / f"{library}.json"
    path.write_text(text.replace('],"', '],\n"').replace("}],", "}],\n") + "\n")


def read(library: str) -> dict[str, list[dict]]:
    """The cases of a library, by the name of the call."""
    return json.loads((HOME / f"{library}.json").read_text())["cases"]


def assert_agrees(build, group: list[dict]) -> None:
    """Every case's rates are those of the schedule built from its arguments, also under jit."""
    import jax

    schedules = [build(**case["args"]) for case in group]
    # Of one shape, so that what runs eagerly is compiled once for all of them.
    most = max(len(case["steps"]) for case in group)
    steps = [np.resize(np.asarray(case["steps"], np.int32), most) for case in group]
    eager = [s(t) for s, t in zip(schedules, steps, strict=True)]
    jitted = jax.jit(lambda: [s(t) for s, t in zip(schedules, steps, strict=True)])()
    for rates in (eager, jitted):
        for case, got in zip(group, rates, strict=True):
            expected = np.asarray(case["rates"])
            np.testing.assert_allclose(
                got[: len(expected)],
                expected,
                rtol=1e-6,
                atol=1e-6 * expected.max(),
                err_msg=str(case["args"]),
            )
