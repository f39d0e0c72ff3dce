"""From a few logged runs, how a schedule that was never run will end, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core.hyperparameters import Rule, Shrinking, Size, show, validated
from lr_optax._core.schedule import Schedule
from lr_optax.foresight._fit import first_step, fit_law, prepare
from lr_optax.foresight._law import AsLawName, Law, last_loss, law_named
from lr_optax.foresight._law_notes import fit_warnings
from lr_optax.foresight._log import Log
from lr_optax.foresight._predict import (
    SHOWN,
    losses_along,
    predict_curve,
    rank_candidates,
    residuals_of,
)
from lr_optax.foresight._prediction import Prediction, Ranking
from lr_optax.foresight._program import names_of
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import Curve, Panel, palette_color
from lr_optax.schedules.combine import AsSchedule, Inner

RunLength = Annotated[
    int, Rule("a whole number >= 2", lambda n: (n >= 2) & (n == np.floor(n)), whole=True)
]
"""The length of a run: a single step has no schedule."""


class _AsCandidates:
    """An annotation: schedules in a list or by name."""

    def accept(self, value: object) -> dict[str, Schedule]:
        """The schedules by name."""
        if not isinstance(value, Mapping | Sequence) or isinstance(value, str):
            raise TypeError(f"must be schedules in a list or by name, got {show(value)}")
        if not value:
            raise ValueError("must hold at least one schedule, got none")
        if not isinstance(value, Mapping):
            value = dict(zip(names_of(value), value, strict=True))
        return {name: self._schedule(name, schedule) for name, schedule in value.items()}

    def _schedule(self, name: str, value: object) -> Schedule:
        try:
            return AsSchedule().accept(value)
        except TypeError as error:
            raise TypeError(f"must be schedules; {name!r} {error}") from None


class _AsLogs:
    """An annotation: one log or several."""

    def accept(self, value: object) -> tuple[Log, ...]:
        """The logs, as a tuple."""
        logs = tuple(value) if isinstance(value, Iterable) else (value,)
        if not logs:
            raise ValueError("must hold at least one log, got none")
        for log in logs:
            if not isinstance(log, Log):
                raise TypeError(f"must be logs, as from read_log, got {show(log)}")
        return cast("tuple[Log, ...]", logs)


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

        The spread has two parts: how the members of the ensemble differ, and what the law itself
        gets wrong. The second is ``discrepancy``, times a quantile of the t-distribution with as
        many degrees of freedom as there were runs.

        Args:
            schedule: any function of the step.
            total_steps: the length of the run in steps, >= 2.

        Returns:
            A :class:`Prediction`; its ``final`` is the loss after the last step.

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
            candidates: schedules, by name or without.
            total_steps: the length of the runs in steps, >= 2.

        Returns:
            A :class:`Ranking`.

        Raises:
            TypeError: the candidates are not schedules, or are not in a list or by name.
            ValueError: there are no candidates, ``total_steps`` is below 2, or a schedule returns
                invalid rates.
        """
        return rank_candidates(self, cast("dict[str, Schedule]", candidates), total_steps)

    def residuals(self, log: Log) -> tuple[np.ndarray, np.ndarray]:
        """Steps of a log, and by how much its losses there exceed the law's.

        A long log is averaged over windows; what lies in the warm-up or the first 5% is left out.
        """
        return residuals_of(self, log)

    def table(self) -> Table:
        """The parameters, and the middle 90% of the ensemble's."""
        if not len(self.members):
            return Table(("parameter", "value"), tuple(self.parameters.items()))
        low, high = np.quantile(self.members, (0.05, 0.95), axis=0)
        rows = zip(
            self.parameters, self.parameters.values(), low.tolist(), high.tolist(), strict=True
        )
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
            fitted = losses_along(self, log.every_rate, steps)[0]
            losses.append(Curve(steps, fitted, log.name, color))
            losses.append(Curve(log.steps[kept], log.losses[kept], log.name, color, "dots"))
            residuals.append(Curve(*self.residuals(log), log.name, color))
        return (
            Panel("step", f"loss, and the {self.law} law", tuple(losses)),
            Panel("step", "measured − law", tuple(residuals), height=1),
        )


@validated
def fit_loss_law(
    logs: Annotated[Log | Sequence[Log], _AsLogs()],
    law: Annotated[str, AsLawName()] = "multi_power",
    *,
    count_warmup: bool = False,
    end_weight: Shrinking = 0.5,
    fixed: Mapping[str, float] | None = None,
    members: Size = 48,
    seed: int = 0,
) -> LossLaw:
    r"""Fit a law that predicts the loss of any schedule, from a few runs.

    With S(t) = Σ_{i≤t} η_i and Δ_k = η_{k−1} − η_k all laws read::

        L(t) = L0 + A·S(t)^−α − Σ_{k≤t} Δ_k·R_k(t)

    They differ in R_k, what a drop of the rate brings: :mod:`lr_optax.foresight.laws` has a file
    for each, with its formula and its paper.

    The fit minimizes Huber's loss of the logarithm of the loss, from 8 starts at once, with weak
    prior beliefs about every parameter. The ensemble reweights the runs at random, and draws the
    beliefs. Long logs are averaged over windows; the warm-up and the first 5% of the longest run
    do not count.

    Args:
        logs: of one run or several, with one peak rate and one loss (such as the validation loss).
        law: its name: "multi_power", "functional" or "tissue".
        count_warmup: whether the rise of a warm-up counts as drops below zero.
        end_weight: the share of a run's weight on its last tenth, in (0, 1): the final loss is
            what counts. At 0.1 all steps have the same weight, as in the papers.
        fixed: parameters that are not fitted, among those without a unit, such as alpha.
        members: the size of the ensemble, >= 1.
        seed: for its random numbers.

    Returns:
        A :class:`LossLaw`: it predicts and ranks, and ``optimize_schedule`` takes it.

    Raises:
        TypeError: ``logs`` holds something other than logs.
        ValueError: there are no logs, a log is too short, there is no such law, ``fixed`` holds
            something that it does not have, or a number is out of its range.

    Example:
        >>> from lr_optax import LossLaw, Log, constant, warmup_stable_decay, fit_loss_law
        >>> truth = LossLaw("tissue", {"L0": 2.6,
        ...                            "A": 0.4, "alpha": 0.5, "C": 0.4, "lambda": 0.999})
        >>> runs = {"level": constant(2e-4),
        ...         "fall": warmup_stable_decay(2e-4, total_steps=20000, cooldown_steps=4000)}
        >>> logs = []
        >>> for name, schedule in runs.items():
        ...     curve = truth.predict(schedule, 20000)
        ...     logs.append(Log(curve.steps, curve.losses, schedule, name=name))
        >>> law = fit_loss_law(logs, law="tissue")
        >>> longer = warmup_stable_decay(2e-4, total_steps=40000, cooldown_steps=20000)
        >>> error = law.predict(longer, 40000).final - truth.predict(longer, 40000).final
        >>> print(abs(error) < 0.001)
        True

    When to use it:
        When runs are expensive: log one with a level rate and one or two with falls at a short
        horizon, then rank schedules, or look for a better one, at the long horizon. A law cannot
        know what its runs do not show: other peaks, other batch sizes, instabilities.
    """
    runs, form = cast("tuple[Log, ...]", logs), law_named(law)
    fixed = dict(fixed or {})
    _check_fixed(law, form, fixed)
    data, units = prepare(runs, float(end_weight), count_warmup=count_warmup)
    fit = fit_law(form, data, units, fixed=fixed, members=members, seed=seed)
    parameters = dict(zip(form.parameters, fit.best.tolist(), strict=True))
    return LossLaw(law, parameters, fit.members, fit.discrepancy, runs, count_warmup)


def _check_fixed(name: str, law: Law, fixed: Mapping[str, float]) -> None:
    pure = [key for key, parameter in law.parameters.items() if parameter.unit is None]
    for key, value in fixed.items():
        if key not in pure:
            raise ValueError(
                f"fit_loss_law: `fixed` may hold {', '.join(pure)} for {name!r}, got {key!r}"
            )
        if not 0 < value < (1 if law.parameters[key].bounded else np.inf):
            raise ValueError(f"fit_loss_law: `fixed` {key!r} is out of its range, got {value!r}")
