"""From a few logged runs, how a schedule that was never run will end, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core.hyperparameters import Rule, show, validated
from lr_optax._core.schedule import Schedule
from lr_optax.foresight._law import AsLawName, last_loss, law_named
from lr_optax.foresight._law_notes import fit_warnings
from lr_optax.foresight._log import Log, first_step, windowed
from lr_optax.foresight._predict import (
    SHOWN,
    Prediction,
    Ranking,
    losses_along,
    predict_curve,
    rank_candidates,
)
from lr_optax.foresight._program import names_of
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import Curve, Panel, palette_color
from lr_optax.schedules.combine import AsSchedule, Inner

RunLength = Annotated[
    int, Rule("a whole number >= 2", lambda n: (n >= 2) & (n == np.floor(n)), whole=True)
]
"""The length of a run: a single step has no schedule."""


class _AsCandidates:
    def accept(self, value: object) -> dict[str, Schedule]:
        if not isinstance(value, Mapping | Sequence) or isinstance(value, str):
            raise TypeError(f"must be schedules in a list or by name, got {show(value)}")
        if not value:
            raise ValueError("must hold at least one schedule, got none")
        if not isinstance(value, Mapping):
            value = dict(zip(names_of(value), value, strict=True))
        candidates = {}
        for name, schedule in value.items():
            try:
                candidates[name] = AsSchedule().accept(schedule)
            except TypeError as error:
                raise TypeError(f"must be schedules; {name!r} {error}") from None
        return candidates


@dataclass(frozen=True, eq=False)
class LossLaw(Result):
    """A law with its parameters, and the runs that they were fitted to.

    It can also be made from published parameters: ``LossLaw("tissue", {"L0": 2.628, ...})``. That
    has no ensemble, and so no spread. Called with the rates of all steps it returns the loss after
    the last one: an array with one number for the best fit and one for each member of the
    ensemble, in O(steps) each, differentiable in the rates.

    Attributes:
        law: its name.
        parameters: by name, in units of the logs' losses and rates.
        members: those of the ensemble, of shape (members, parameters).
        discrepancy: what the law itself gets wrong, as a standard deviation of the logarithm of
            the loss: at the ends of the runs when these were hidden, and along them.
        logs: the runs it was fitted to.
        count_warmup: whether the rise of a warm-up counts as drops below zero.

    Raises:
        ValueError: there is no such law, or it has other parameters.

    Example:
        >>> from lr_optax import warmup_stable_decay
        >>> law = LossLaw("tissue", {"L0": 2.6, "A": 0.4, "alpha": 0.5, "C": 0.4, "lambda": 0.999})
        >>> schedule = warmup_stable_decay(2e-4, total_steps=20000, cooldown_steps=4000)
        >>> print(f"{law.predict(schedule, 20000).final:.4f}")
        2.7504
    """

    law: str
    parameters: dict[str, float]
    members: np.ndarray = None  # type: ignore[assignment]
    discrepancy: float = 0.0
    logs: tuple[Log, ...] = ()
    count_warmup: bool = False

    def __post_init__(self) -> None:
        try:
            AsLawName().accept(self.law)
        except ValueError as error:
            raise ValueError(f"LossLaw: `law` {error}") from None
        names = tuple(law_named(self.law).parameters)
        if set(self.parameters) != {*names}:
            raise ValueError(
                f"LossLaw: `parameters` of {self.law!r} must be {', '.join(names)}, "
                f"got {', '.join(self.parameters)}"
            )
        values = {name: float(self.parameters[name]) for name in names}
        members = np.empty((0, len(names))) if self.members is None else np.asarray(self.members)
        if members.ndim != 2 or members.shape[1] != len(names):
            raise ValueError(
                f"LossLaw: `members` must have {len(names)} columns, got shape {members.shape}"
            )
        object.__setattr__(self, "parameters", values)
        object.__setattr__(self, "members", members)

    def __call__(self, rates: ArrayLike, *, members: int | None = None, stride: int = 1) -> Array:
        """The loss after the last rate: of the best fit first, then of the ensemble's members.

        Args:
            rates: η_0, ..., η_{T−1}, >= 0, not all 0.
            members: how many of the ensemble to ask, evenly taken; None for all of it.
            stride: how many steps each rate stands for, >= 1.
        """
        rates = jnp.asarray(rates, jnp.result_type(float))
        count = len(self.members) if members is None else min(members, len(self.members))
        chosen = np.linspace(0, len(self.members), count, endpoint=False).astype(int) + 1
        law, fits = law_named(self.law), jnp.asarray(self.fits[[0, *chosen]], rates.dtype)

        def last(fit: Array) -> Array:
            warmup = self.count_warmup
            return last_loss(law, law.named(fit), rates, count_warmup=warmup, stride=stride)

        return jax.vmap(last)(fits)

    @cached_property
    def fits(self) -> np.ndarray:
        """The parameters of the best fit, then those of the members."""
        return np.vstack([[*self.parameters.values()], self.members])

    @property
    def peaks(self) -> tuple[float, ...]:
        """The highest rate of each run it was fitted to."""
        return tuple(log.peak for log in self.logs)

    @property
    def horizon(self) -> int:
        """The length of the longest run it was fitted to, in steps; 0 without runs."""
        return max((log.total_steps for log in self.logs), default=0)

    @validated
    def predict(self, schedule: Inner, total_steps: RunLength) -> Prediction:
        """The curve of a run that does not have to exist, with the spread of its losses.

        The spread has two parts: how the members of the ensemble differ, and ``discrepancy``, times
        a quantile of the t-distribution with as many degrees of freedom as there were runs.

        Args:
            schedule: any function of the step.
            total_steps: the length of the run in steps, >= 2.

        Raises:
            TypeError: ``schedule`` is not a function of the step.
            ValueError: ``total_steps`` is below 2, or a rate is negative, not finite, or all are 0.
        """
        return predict_curve(self, cast("Schedule", schedule), total_steps)

    @validated
    def rank(
        self,
        candidates: Annotated[Mapping[str, Inner] | Sequence[Inner], _AsCandidates()],
        total_steps: RunLength,
    ) -> Ranking:
        """Candidates by their predicted final losses, and which differences exceed the spread.

        The spread of a difference has two parts: how the members' differences differ, and what
        the law gets wrong, which two schedules share as far as their rates agree. If their rates
        differ by a share q of the peak on average, it counts √(2q) times, at most √2.

        Args:
            candidates: schedules, by name or in a list.
            total_steps: the length of the runs in steps, >= 2.

        Raises:
            TypeError: the candidates are not such.
            ValueError: there are no candidates, or as :meth:`predict`.
        """
        return rank_candidates(self, cast("dict[str, Schedule]", candidates), total_steps)

    def residuals(self, log: Log) -> tuple[np.ndarray, np.ndarray]:
        """Steps of a log, and by how much its losses there exceed the law's.

        A long log is averaged over windows; what lies in the warm-up or the first 5% is left out.
        """
        steps, log_losses = windowed(log, first_step(self.logs or (log,), log))
        steps = steps.astype(int)
        return steps, np.exp(log_losses) - losses_along(self, log.run, steps)[0]

    def table(self) -> Table:
        """The parameters, and the middle 90% of the ensemble's."""
        if not len(self.members):
            return Table(("parameter", "value"), tuple(self.parameters.items()))
        low, high = np.quantile(self.members, (0.05, 0.95), axis=0).tolist()
        rows = zip(self.parameters, self.parameters.values(), low, high, strict=True)
        return Table(("parameter", "value", "90% from", "to"), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """Where the law does not fit, or cannot be known."""
        return fit_warnings(self)

    def panels(self) -> Sequence[Panel]:
        """The runs and the law over them, and the residuals."""
        losses, residuals = [], []
        for i, log in enumerate(self.logs):
            first, color = first_step(self.logs, log), palette_color(i)
            kept = log.steps >= first
            steps = np.unique(np.linspace(first, log.steps[-1], SHOWN).astype(int))
            fitted = losses_along(self, log.run, steps)[0]
            losses.append(Curve(steps, fitted, log.name, color))
            losses.append(Curve(log.steps[kept], log.losses[kept], log.name, color, "dots"))
            residuals.append(Curve(*self.residuals(log), log.name, color))
        return (
            Panel("step", f"loss, and the {self.law} law", tuple(losses)),
            Panel("step", "measured − law", tuple(residuals), height=1),
        )
