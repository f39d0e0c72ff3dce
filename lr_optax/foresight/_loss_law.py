"""From a few logged runs, how a schedule that nobody has run will end, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from scipy.stats import t as student

from lr_optax._core.schedule import Schedule
from lr_optax.foresight import _fit as fitting
from lr_optax.foresight import _laws as laws
from lr_optax.foresight._laws import LAWS, Changes, Points
from lr_optax.foresight._log import Log, every_rate
from lr_optax.foresight._program import names_of
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import GRAY, Curve, Panel, interval_panel, palette_color, rate_curve
from lr_optax.schedules.combine import AsSchedule

LawName = Literal["multi_power", "functional", "tissue"]

_QUANTILE = 0.9  # of what the spread holds

_PARTS = 1000  # of the peak, to which changes of the rate are merged

_SHOWN = 100  # points of a curve

_LEVEL = 0.2  # of a run, which has to be level before a fall for the law to be identified

_STRUCTURE = 1e-3  # of the loss, from which on residuals of one sign are worth a word


@dataclass(frozen=True, eq=False)
class Prediction(Result):
    """The curve that a law predicts for a schedule.

    Attributes:
        schedule: what was asked about.
        total_steps: the length of its run.
        steps: ascending, the last of the run at the end.
        losses: predicted at ``steps``.
        spread: half the width of the interval that holds 90%, at ``steps``.
        warnings: why not to trust it.
    """

    schedule: Any
    total_steps: int
    steps: np.ndarray
    losses: np.ndarray
    spread: np.ndarray
    warnings: tuple[str, ...] = ()

    @property
    def final(self) -> float:
        """The loss after the last step."""
        return float(self.losses[-1])

    @property
    def final_spread(self) -> float:
        """Half the width of the interval of the final loss that holds 90%."""
        return float(self.spread[-1])

    def table(self) -> Table:
        """The loss at tenths of the run."""
        at = np.searchsorted(self.steps, np.linspace(0.1, 1, 10) * self.steps[-1])
        rows = zip(
            self.steps[at].astype(int).tolist(),
            self.losses[at].tolist(),
            (self.losses - self.spread)[at].tolist(),
            (self.losses + self.spread)[at].tolist(),
            strict=True,
        )
        return Table(("step", "loss", "90% from", "to"), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """See :class:`~lr_optax.results._result.Result`."""
        return self.warnings

    def panels(self) -> Sequence[Panel]:
        """The curve with its spread, and the rates below it."""
        return curves_of({f"final {self.final:.4g}": self})


def curves_of(
    predictions: Mapping[str, Prediction], logs: Sequence[Log] = ()
) -> tuple[Panel, Panel]:
    """Predicted curves with their spreads beside the runs of logs, and the rates below them.

    Args:
        predictions: by name.
        logs: of runs.
    """
    curves = [Curve(log.steps, log.losses, log.name, GRAY, "dots") for log in logs]
    rates, shown = [], []
    for place, (name, it) in enumerate(predictions.items()):
        low, high = it.losses - it.spread, it.losses + it.spread
        color = palette_color(place)
        curves.append(Curve(it.steps, it.losses, name, color, band=(low, high)))
        rates.append(rate_curve(it.schedule, it.total_steps, name, color))
        shown.append(_window(low, high, it.steps))
    bottoms, tops = zip(*shown, strict=True)
    return (
        Panel("step", "predicted loss", tuple(curves), limits=(min(bottoms), max(tops))),
        Panel("step", "learning rate", tuple(rates), limits=(0, None), height=1),
    )


@dataclass(frozen=True, eq=False)
class Ranking(Result):
    """Candidates by their predicted final losses, and which of the differences count.

    Attributes:
        names: of the candidates, in the order they were given, as all fields are.
        losses: their final losses.
        spreads: half the width of the interval that holds 90%, of each loss.
        difference_spreads: the same of every difference of two losses, of shape (n, n).
        warnings: why not to trust them.
    """

    names: tuple[str, ...]
    losses: np.ndarray
    spreads: np.ndarray
    difference_spreads: np.ndarray
    warnings: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[int, ...]:
        """The candidates' numbers, lowest loss first."""
        return tuple(int(i) for i in np.argsort(self.losses, kind="stable"))

    @property
    def best(self) -> str:
        """The name of the one with the lowest loss."""
        return self.names[self.order[0]]

    def differs(self, a: str, b: str) -> bool:
        """Whether two candidates' losses differ by more than the spread of their difference."""
        i, j = self.names.index(a), self.names.index(b)
        return bool(abs(self.losses[i] - self.losses[j]) > self.difference_spreads[i, j])

    def table(self) -> Table:
        """Best first, with the distance to the best and whether it exceeds its spread."""
        first = self.order[0]
        rows = []
        for i in self.order:
            behind = float(self.losses[i] - self.losses[first])
            spread = float(self.difference_spreads[i, first])
            told = "" if i == first else "yes" if behind > spread else "no"
            loss, own = float(self.losses[i]), float(self.spreads[i])
            rows.append((self.names[i], loss, own, behind, spread, told))
        return Table(("candidate", "loss", "±", "behind", "± of that", "exceeds it"), tuple(rows))

    def notes(self) -> tuple[str, ...]:
        """See :class:`~lr_optax.results._result.Result`."""
        return self.warnings

    def panels(self) -> Sequence[Panel]:
        """The losses with their spreads, best on top."""
        order = [*self.order]
        names = tuple(self.names[k] for k in order)
        told = [not i or self.differs(name, self.best) for i, name in enumerate(names)]
        colors = [palette_color(0) if it else GRAY for it in told]
        words = "predicted final loss, 90% (grey: not told apart from the best)"
        return (interval_panel(words, names, self.losses[order], self.spreads[order], colors),)


@dataclass(frozen=True, eq=False)
class LossLaw(Result):
    """A law with its parameters, and what they were found from.

    Published parameters make one as well: ``LossLaw("tissue", {"L0": 2.628, ...})``; it has no
    ensemble, and so no spread. Called on the rates of all steps it gives the loss after the last:
    an array of one number for the best fit and one for each of the ensemble's, in O(steps) each,
    differentiable in the rates.

    Attributes:
        law: its name.
        parameters: by name, in units of the logs' losses and rates.
        members: those of the ensemble, of shape (members, parameters).
        discrepancy: what the law itself gets wrong, a standard deviation of the logarithm of the
            loss: as it was at the ends of the runs when these were hidden, and along them.
        logs: the runs it was fitted to.
        count_warmup: whether the rise of a warm-up counts as drops below zero.

    Raises:
        ValueError: there is no such law, or the parameters are not those it has.

    Example:
        >>> from lr_optax import warmup_stable_decay
        >>> law = LossLaw("tissue", {"L0": 2.6, "A": 0.4, "alpha": 0.5, "C": 0.4, "lambda": 0.999})
        >>> schedule = warmup_stable_decay(2e-4, total_steps=20000, cooldown_steps=4000)
        >>> print(f"{law.predict(schedule, 20000).final:.4f}")
        2.7504
    """

    law: LawName
    parameters: dict[str, float]
    members: np.ndarray = None  # type: ignore[assignment]
    discrepancy: float = 0.0
    logs: tuple[Log, ...] = ()
    count_warmup: bool = False

    def __post_init__(self) -> None:
        _check_law(self.law)
        names = tuple(LAWS[self.law].typical)
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
        take = len(self.members) if members is None else min(members, len(self.members))
        some = np.linspace(0, len(self.members), take, endpoint=False).astype(int)
        every = jnp.asarray(self._every[[0, *(some + 1)]], rates.dtype)
        last = partial(
            laws.last_loss, self.law, rates=rates, count_warmup=self.count_warmup, stride=stride
        )
        return jax.vmap(lambda p: last(tuple(p)))(every)

    @cached_property
    def _every(self) -> np.ndarray:
        return np.vstack([[*self.parameters.values()], self.members])

    @cached_property
    def peaks(self) -> tuple[float, ...]:
        """The highest rate of each run it was fitted to."""
        return tuple(float(log.rates_until(int(log.steps[-1]) + 1).max()) for log in self.logs)

    @property
    def horizon(self) -> int:
        """The length of the longest run it was fitted to, in steps; 0 without runs."""
        return max((int(log.steps[-1]) + 1 for log in self.logs), default=0)

    def _losses(self, rates: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Of the best fit and every member, at steps, of shape (1 + members, steps)."""
        few = laws.few_changes(rates, steps, count_warmup=self.count_warmup, parts=_PARTS)
        room = -(-len(few.step) // 256) * 256 - len(few.step)
        fills = (0.0, 0.0, float(rates.max()), 0.0)
        padded = [
            np.pad(of, (0, room), constant_values=fill) for of, fill in zip(few, fills, strict=True)
        ]
        at = Points(steps.astype(np.float64), np.cumsum(rates)[steps])
        with jax.enable_x64(new_val=True):
            return np.asarray(_curves(self.law, self._every, at, Changes(*padded)))

    def _spread(self, best: np.ndarray, members: np.ndarray, share: Any = 1.0) -> np.ndarray:
        """Half the width of the interval around the best that holds 90%."""
        from_fit = np.zeros_like(best)
        if len(members):
            from_fit = np.quantile(np.abs(members - best), _QUANTILE, axis=0)
        deviations = student.ppf((1 + _QUANTILE) / 2, max(len(self.logs), 1))
        return np.hypot(from_fit, deviations * self.discrepancy * share)

    def predict(self, schedule: Schedule, total_steps: int) -> Prediction:
        """The curve of a run that need not exist, with the spread of its losses.

        The spread has two parts: how the ensemble's members differ, and what the law itself gets
        wrong: ``discrepancy``, in the t-distribution of as many numbers as there were runs.

        Args:
            schedule: any function of the step.
            total_steps: the length of the run in steps, >= 2.

        Returns:
            A :class:`Prediction`; its ``final`` is the loss after the last step.

        Raises:
            TypeError: ``schedule`` is no function of the step.
            ValueError: ``total_steps`` is below 2, or a rate is negative, not finite, or all are 0.
        """
        schedule = _as_schedule("predict", schedule)
        rates = _rates_of("predict", schedule, total_steps)
        begin = int(np.argmax(rates > 0))
        steps = np.unique(np.linspace(begin, total_steps - 1, _SHOWN).round().astype(int))
        curves = self._losses(rates, steps)
        spread = self._spread(curves[0], curves[1:], curves[0])
        warnings = self.doubts({"the schedule": rates})
        return Prediction(schedule, total_steps, steps, curves[0], spread, warnings)

    def rank(
        self, candidates: Mapping[str, Schedule] | Sequence[Schedule], total_steps: int
    ) -> Ranking:
        """Candidates by their predicted final losses, and which differences exceed the spread.

        The spread of a difference is that of the members' differences, and what the law gets
        wrong: two schedules share it as far as their rates agree. If they differ by q of the peak
        in the mean, it counts √(2q) times, at most √2.

        Args:
            candidates: schedules, by name or without.
            total_steps: the length of the runs in steps, >= 2.

        Returns:
            A :class:`Ranking`.

        Raises:
            TypeError: the candidates are no schedules, or are not in a list or by name.
            ValueError: there are no candidates, ``total_steps`` is below 2, or rates are no rates.
        """
        if not isinstance(candidates, Mapping | Sequence) or isinstance(candidates, str):
            raise TypeError(
                f"rank: `candidates` must be schedules in a list or by name, got {candidates!r}"
            )
        if not candidates:
            raise ValueError("rank: `candidates` must hold at least one schedule, got none")
        if not isinstance(candidates, Mapping):
            candidates = dict(zip(names_of(candidates), candidates, strict=True))
        every = {
            name: _rates_of(f"rank: {name}", _as_schedule(f"rank: {name}", s), total_steps)
            for name, s in candidates.items()
        }
        last = np.array([total_steps - 1])
        finals = np.concatenate([self._losses(r, last) for r in every.values()], axis=1)
        best = finals[0]
        rates = np.stack([*every.values()])
        apart = np.stack([np.mean(np.abs(rates - row), axis=1) for row in rates]) / rates.max()
        shares = np.sqrt(np.minimum(2 * apart, 2.0)) * best[:, None]
        gaps = finals[:, :, None] - finals[:, None, :]
        return Ranking(
            tuple(candidates),
            best,
            self._spread(best, finals[1:], best),
            self._spread(gaps[0], gaps[1:], shares),
            self.doubts(every),
        )

    def doubts(self, every: Mapping[str, np.ndarray]) -> tuple[str, ...]:
        """Why not to trust what the law says of runs with these rates, by name."""
        if not self.logs:
            return ("the law was not fitted to runs here: there is no spread",)
        low, high = min(self.peaks), max(self.peaks)
        found = [*self._identification()]
        for name, rates in every.items():
            if not 0.99 * low <= rates.max() <= 1.01 * high:
                found.append(
                    f"{name} has the peak {rates.max():.4g}, the law was fitted at "
                    f"{_range(low, high)}: its parameters hold for one peak only, so log runs "
                    "with this one"
                )
            if len(rates) > 2 * self.horizon:
                found.append(
                    f"{name} has {len(rates)} steps, more than twice the longest run of the fit "
                    f"({self.horizon}): that is extrapolation, log a longer run"
                )
        return tuple(found)

    def _identification(self) -> tuple[str, ...]:
        every = [log.rates_until(int(log.steps[-1]) + 1) for log in self.logs]
        if any(_falls_from_a_level(rates) for rates in every):
            return ()
        steps, peak = max(self.horizon // 2, 10), float(f"{max(self.peaks):.6g}")
        tenth = max(steps // 10, 1)
        return (
            "no run falls from a level rate, so the effect of a fall is not identified and the "
            f"law may be far off; two short runs would do: constant({peak}) for {steps} steps, "
            f"and warmup_stable_decay({peak}, total_steps={steps}, cooldown_steps={2 * tenth}, "
            f"warmup_steps={tenth})",
        )

    def residuals(self, log: Log) -> tuple[np.ndarray, np.ndarray]:
        """Steps of a log, and by how much its losses there lie above the law's.

        A long log is averaged over windows; what lies in the warm-up or the first 5% is left out.
        """
        steps, values = fitting.thinned(log, fitting.first_step(self.logs or (log,), log))
        at = steps.astype(int)
        fitted = self._losses(log.rates_until(int(log.steps[-1]) + 1), at)[0]
        return at, np.exp(values) - fitted

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
        notes = [*self._identification()] if self.logs else []
        if self.logs and max(self.peaks) > 1.01 * min(self.peaks):
            notes.append(
                f"the runs' peaks go from {min(self.peaks):.4g} to {max(self.peaks):.4g}: "
                "the law's parameters hold for one peak only"
            )
        worst = max(map(self._structure, self.logs), key=lambda found: found[0], default=(0.0, ""))
        return (*notes, *([worst[1]] if worst[0] else []))

    def _structure(self, log: Log) -> tuple[float, str]:
        """The part of a run where the law is off for long: by how much, and in words."""
        steps, residuals = self.residuals(log)
        noise = np.std(np.diff(residuals)) / np.sqrt(2) if len(steps) > 2 else np.inf
        blocks = [b for b in np.array_split(np.arange(len(steps)), 8) if len(b)]
        means = np.array([residuals[b].mean() for b in blocks])
        sure = 4 * noise / np.sqrt([len(b) for b in blocks])
        means[np.abs(means) < np.maximum(sure, _STRUCTURE * log.losses.min())] = 0
        worst = int(np.argmax(np.abs(means)))
        a, b = steps[blocks[worst][0]], steps[blocks[worst][-1]]
        side = "above" if means[worst] > 0 else "below"
        words = (
            f"residuals have structure: from step {a} to {b} the loss of {log.name} lies "
            f"{abs(means[worst]):.2g} {side} the law"
        )
        return float(abs(means[worst])), words

    def panels(self) -> Sequence[Panel]:
        """The runs and the law over them, and the residuals."""
        losses, off = [], []
        for place, log in enumerate(self.logs):
            first, color = fitting.first_step(self.logs, log), palette_color(place)
            kept = log.steps >= first
            at = np.unique(np.linspace(first, log.steps[-1], _SHOWN).astype(int))
            fitted = self._losses(log.rates_until(int(log.steps[-1]) + 1), at)[0]
            losses.append(Curve(at, fitted, log.name, color))
            losses.append(Curve(log.steps[kept], log.losses[kept], log.name, color, "dots"))
            off.append(Curve(*self.residuals(log), log.name, color))
        return (
            Panel("step", f"loss, and the {self.law} law", tuple(losses)),
            Panel("step", "measured − law", tuple(off), height=1),
        )


def fit_loss_law(
    logs: Log | Sequence[Log],
    law: LawName = "multi_power",
    *,
    count_warmup: bool = False,
    end_weight: float = 0.5,
    fixed: Mapping[str, float] | None = None,
    members: int = 48,
    seed: int = 0,
) -> LossLaw:
    r"""Fit a law that says the loss of any schedule, from a few runs under some.

    With S(t) = Σ_{i≤t} η_i and Δ_k = η_{k−1} − η_k all laws read
    L(t) = L0 + A·S(t)^−α − Σ_k Δ_k·R_k(t), and differ in what a drop of the rate brings::

        multi_power  R_k = B·(1 − (1 + C·η_k^−γ·(S(t) − S(k−1)))^−β)
        functional   R_k = B·(D + S(k−1)^−α)·(1 − (1 + C·(S(t) − S(k−1)))^−β)
        tissue       R_k = C·(1 − λ^(t−k+1))/(1 − λ)

    The fit is Huber's on the logarithm of the loss, from 8 starts at once, with weak beliefs about
    every parameter. The ensemble weights the runs anew at random, and draws the beliefs. Long logs
    are averaged over windows; the warm-up and the first 5% of the longest run do not count.

    Args:
        logs: of one run or several, with one peak rate and one loss (such as the validation loss).
        law: "multi_power", "functional" or "tissue".
        count_warmup: whether the rise of a warm-up counts as drops below zero.
        end_weight: the share of a run's weight that lies on its last tenth, in (0, 1): the final
            loss is what counts. At 0.1 all steps count alike, as in the papers.
        fixed: parameters that are not fitted: of alpha, beta, gamma and lambda those it has.
        members: of the ensemble, >= 1.
        seed: of its random numbers.

    Returns:
        A :class:`LossLaw`: it predicts, ranks, and is what ``optimize_schedule`` takes.

    Raises:
        TypeError: something else than a log is among the logs.
        ValueError: there are no logs, a log is too short, there is no such law, ``fixed`` holds
            what it does not have, or a number is outside of its range.

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
        When runs are dear: log one with a level rate and one or two with falls at a short horizon,
        then rank schedules, or look for a better one, at the long horizon. What the runs do not
        show the law cannot know: other peaks, other batch sizes, instabilities.

    Reference:
        K. Luo et al., "A Multi-Power Law for Loss Curve Prediction Across Learning Rate Schedules",
        2025, arXiv:2503.12811; B. Li et al., "Functional Scaling Laws in Kernel Regression: Loss
        Dynamics and Learning Rate Schedules", 2025, arXiv:2509.19189; H. Tissue et al., "Scaling
        Law with Learning Rate Annealing", 2024, arXiv:2408.11029.
    """
    logs = (logs,) if isinstance(logs, Log) else tuple(logs)
    _check_law(law)
    if not logs:
        raise ValueError("fit_loss_law: `logs` must hold at least one log, got none")
    for log in logs:
        if not isinstance(log, Log):
            raise TypeError(f"fit_loss_law: `logs` must be logs, as of read_log, got {log!r}")
    names = LAWS[law].typical
    pure = [name for name in laws.PURE if name in names]
    for name, value in (fixed or {}).items():
        if name not in pure:
            raise ValueError(
                f"fit_loss_law: `fixed` may hold {', '.join(pure)} for {law!r}, got {name!r}"
            )
        if not (0 < value < 1 if name in LAWS[law].bounded else 0 < value < np.inf):
            raise ValueError(f"fit_loss_law: `fixed` {name!r} is out of its range, got {value!r}")
    if members < 1:
        raise ValueError(f"fit_loss_law: `members` must be a whole number >= 1, got {members!r}")
    if not 0 < end_weight < 1:
        raise ValueError(f"fit_loss_law: `end_weight` must be in (0, 1), got {end_weight!r}")
    data = fitting.prepare(logs, end_weight, count_warmup=count_warmup)
    found = fitting.fit(law, data, fixed=fixed or {}, members=members, seed=seed)
    parameters = dict(zip(names, found.best.tolist(), strict=True))
    return LossLaw(law, parameters, found.members, found.discrepancy, logs, count_warmup)


@partial(jax.jit, static_argnames="law")
def _curves(law: str, every: Any, at: Points, changes: Changes) -> Array:
    return jax.lax.map(lambda p: laws.losses(law, tuple(p), at, changes), every)


def _check_law(law: object) -> None:
    if law not in LAWS:
        raise ValueError(f"there is no law {law!r}; there are {', '.join(LAWS)}")


def _as_schedule(where: str, schedule: Any) -> Schedule:
    try:
        return AsSchedule().accept(schedule)
    except TypeError as error:
        raise TypeError(f"{where}: `schedule` {error}") from None


def _rates_of(where: str, schedule: Any, total_steps: int) -> np.ndarray:
    if total_steps != int(total_steps) or total_steps < 2:
        raise ValueError(f"{where}: `total_steps` must be a whole number >= 2, got {total_steps!r}")
    rates = every_rate(schedule, int(total_steps))
    if not np.all(np.isfinite(rates) & (rates >= 0)) or not rates.any():
        raise ValueError(f"{where}: rates must be finite and >= 0, and not all 0")
    return rates


def _falls_from_a_level(rates: np.ndarray) -> bool:
    """Whether the rate was at its peak for a good part of a run, and then fell clearly."""
    level = np.flatnonzero(rates >= 0.999 * rates.max())
    return len(level) >= _LEVEL * len(rates) and bool(rates[level[-1] :].min() < 0.7 * rates.max())


def _range(low: float, high: float) -> str:
    return f"{low:.4g}" if high <= 1.01 * low else f"{low:.4g} to {high:.4g}"


def _window(low: np.ndarray, high: np.ndarray, steps: np.ndarray) -> tuple[float, float]:
    """What to show of a curve that begins far above the rest: all but its first twentieth."""
    rest = steps >= steps[0] + 0.05 * (steps[-1] - steps[0])
    bottom, top = float(low[rest].min()), float(high[rest].max())
    return bottom - 0.05 * (top - bottom), top + 0.05 * (top - bottom)
