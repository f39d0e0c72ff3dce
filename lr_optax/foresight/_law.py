"""What a loss law is, and the loss that it gives for the rates of a run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from lr_optax._core.hyperparameters import Number, show
from lr_optax.foresight import laws
from lr_optax.foresight._log import RunRates

LawParameters = Mapping[str, Array]
"""The parameters of a law, by name."""

# A rate below this share of the peak counts as this share: the multi-power law has η^-γ in it,
# which is infinite at 0.
_LOWEST_RATE = 1e-6

_ROUNDING = 1e-6  # of the peak: float32 is off by a tenth of it


class Changes(NamedTuple):
    """Where the rate changes: the step, the drop, the rate from then on, and S before it."""

    step: Array | np.ndarray
    drop: Array | np.ndarray
    rate: Array | np.ndarray
    before: Array | np.ndarray


class Points(NamedTuple):
    """Where the loss is wanted: the step, and S there, that step's rate included."""

    step: Array | np.ndarray
    total: Array | np.ndarray


class Units(NamedTuple):
    """What parameters are measured in: a peak rate, a length in steps and a loss."""

    peak: float
    total_steps: float
    loss: float

    @property
    def distance(self) -> float:
        """What a run at the peak travels."""
        return self.peak * self.total_steps


class Parameter(NamedTuple):
    """What is known of a law's parameter before any run.

    Attributes:
        usual: its usual value where peak rate, length of the run and lowest loss are 1.
        width: how far it may be from that: one standard deviation of its logarithm, or of its log
            odds if it is bounded.
        bounded: whether it lies in (0, 1); otherwise it is positive.
        unit: its unit, given all parameters and the units of the runs; None for a pure number,
            which is the same in all units and may be fixed in a fit.
    """

    usual: float
    width: float
    bounded: bool = False
    unit: Callable[[LawParameters, Units], Number] | None = None


POWER_LAW = {
    "L0": Parameter(0.88, 0.2, unit=lambda p, run: run.loss),
    "A": Parameter(0.06, 1.0, unit=lambda p, run: run.loss * run.distance ** p["alpha"]),
    "alpha": Parameter(0.5, 0.5),
}
"""The parameters that all laws have."""


@dataclass(frozen=True, eq=False)
class Law:
    """A law.

    Attributes:
        response: R_k, what each drop brings: of the parameters, the changes, the distance
            traveled since each change, and the steps since.
        parameters: by name, ``POWER_LAW`` first.
        not_to_optimize: why a schedule should not be optimized under it; empty if it may.
    """

    response: Callable[[LawParameters, Changes, Array, Array], Array]
    parameters: dict[str, Parameter]
    not_to_optimize: str = ""

    def named(self, values: Iterable[Number]) -> dict[str, Array]:
        """A vector of parameters by name."""
        return dict(zip(self.parameters, values, strict=True))  # type: ignore[arg-type]

    def in_units(self, values: LawParameters, units: Units) -> dict[str, Number]:
        """Parameters that hold where peak, length and loss are 1, in the units of the runs."""
        scales = {
            name: 1.0 if parameter.unit is None else parameter.unit(values, units)
            for name, parameter in self.parameters.items()
        }
        # In the law's order: JAX returns dictionaries with their keys sorted.
        return {name: values[name] * scale for name, scale in scales.items()}


class AsLawName:
    """An annotation: the name of a law."""

    def accept(self, value: object) -> object:
        if value not in laws.LAW_NAMES:
            raise ValueError(f"must be {' or '.join(map(repr, laws.LAW_NAMES))}, got {show(value)}")
        return value


def law_named(name: str) -> Law:
    """The law in the file of that name."""
    module: ModuleType = import_module(f"{laws.__name__}.{name}")
    return module.LAW


def law_losses(law: Law, parameters: LawParameters, points: Points, changes: Changes) -> Array:
    """The law's loss at every point; needs memory for points x changes."""
    changes = Changes(*(jnp.asarray(field)[None] for field in changes))
    steps = points.step[:, None] - changes.step
    # Before a change there is no distance: what is masked below must be finite for gradients.
    traveled = jnp.where(steps >= 0, points.total[:, None] - changes.before, 0.0)
    response = law.response(parameters, changes, traveled, jnp.maximum(steps, 0.0))
    gained = jnp.sum(jnp.where(steps >= 0, changes.drop * response, 0.0), axis=1)
    return parameters["L0"] + parameters["A"] * points.total ** -parameters["alpha"] - gained


def last_loss(
    law: Law,
    parameters: LawParameters,
    rates: Array,
    *,
    count_warmup: bool,
    stride: int,
) -> Array:
    """The loss after the last of the rates, in O(steps), differentiable in the rates.

    Each rate stands for ``stride`` steps.
    """
    changes = every_change(jnp, rates, stride, count_warmup=count_warmup)
    last = Points(changes.step[-1:] + (stride - 1), jnp.sum(rates)[None] * stride)
    return law_losses(law, parameters, last, changes)[0]


def every_change(
    xp: ModuleType, rates: Array | np.ndarray, stride: int = 1, *, count_warmup: bool
) -> Changes:
    """What happens to the rate at every step, in arrays of NumPy or of JAX.

    The rise of a warm-up counts as drops below zero only if ``count_warmup``; otherwise changes
    count from the first fall on.
    """
    drop = -xp.diff(rates, prepend=rates[:1])
    if not count_warmup:
        fallen = xp.cumsum((drop > 0).astype(drop.dtype)) > 0
        drop = xp.where(fallen, drop, 0.0)
    steps = xp.arange(len(rates)).astype(rates.dtype) * stride
    lowest = _LOWEST_RATE * xp.max(rates)
    return Changes(steps, drop, xp.maximum(rates, lowest), (xp.cumsum(rates) - rates) * stride)


def merged_changes(run: RunRates, ends: np.ndarray, *, count_warmup: bool, parts: int) -> Changes:
    """The same, with neighboring small changes of one sign taken together, for speed.

    Those between two of ``ends`` (the steps at which the loss is wanted) are merged until they
    add up to the peak over ``parts``, each group at its middle.
    """
    changes = every_change(np, run.values, run.stride, count_warmup=count_warmup)
    kept = np.flatnonzero(changes.drop)
    if len(kept) == 0:
        return Changes(np.zeros(1), np.zeros(1), np.full(1, run.peak), np.zeros(1))
    step, drop, rate, before = (field[kept] for field in changes)
    weights = np.abs(drop)
    parts_passed = np.floor(np.cumsum(weights) * parts / run.peak)
    # Rounding moves a level rate up and down: such changes must not end a group at every step.
    sign = np.where(weights > _ROUNDING * run.peak, np.sign(drop), 0)
    key = np.stack([parts_passed, np.searchsorted(ends, step), sign])
    first = np.flatnonzero(np.any(np.diff(key, axis=1, prepend=np.nan) != 0, axis=0))
    step, rate, before = (
        np.add.reduceat(field * weights, first) / np.add.reduceat(weights, first)
        for field in (step, rate, before)
    )
    return Changes(step, np.add.reduceat(drop, first), rate, before)
