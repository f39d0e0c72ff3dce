"""Train under many schedules at once, in one compiled program."""

import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core.hyperparameters import Size, show, validated
from lr_optax.foresight._program import Lanes, names_of, stack
from lr_optax.foresight._statistics import Difference, paired
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import GRAY, Curve, Marker, Panel, palette_color

Candidate = TypeVar("Candidate")

Mode = Literal["min", "max"]

Progress = Callable[[int, int], None] | bool

_ROWS = 20  # of a picture

_CURVES = 5


@dataclass(frozen=True, eq=False)
class Sweep(Result):
    """What candidates reached, seed by seed, and what of it is more than noise.

    Attributes:
        names: of the candidates.
        texts: the candidates themselves as text; a schedule's is read by ``parse``.
        metrics: by name, arrays with leading axes candidate and key. What a pytree nests has a
            name with dots; a metric that stands alone is called "metric". Runs that were not
            finished have NaN, or 0 where a type has none.
        finished: which runs were, of shape (candidates, keys).
        metric: the name of the one that ranks; of a history its last value.
        mode: "min" if lower is better, else "max".
        baseline: the number of the candidate to compare with, besides the best; or None.
    """

    names: tuple[str, ...]
    texts: tuple[str, ...]
    metrics: dict[str, np.ndarray]
    finished: np.ndarray
    metric: str
    mode: Mode = "min"
    baseline: int | None = None

    @classmethod
    def from_runs(
        cls,
        runs: Iterable[tuple[str, int, Mapping[str, ArrayLike]]],
        metric: str,
        *,
        mode: Mode = "min",
        baseline: str | None = None,
    ) -> "Sweep":
        """The result of runs that something else has made, such as an engine for searches.

        Args:
            runs: of each its candidate's text, the number of its seed (from 0) and its metrics. A
                history that is shorter than the longest of its name is one of a run that was
                stopped early: it is filled up with NaN and does not rank.
            metric: the name of the metric that ranks.
            mode: "min" if lower is better, "max" if higher is.
            baseline: the text of the candidate to compare with.

        Raises:
            ValueError: there are no runs, one has no such metric, two of a candidate have one
                seed, the shapes of a metric differ, or none is the baseline's.

        Example:
            >>> runs = [("constant(0.1)", 0, {"loss": 0.5}), ("constant(0.2)", 0, {"loss": 0.4})]
            >>> print(Sweep.from_runs(runs, "loss").names)
            ('constant(0.1)', 'constant(0.2)')
        """
        known = [(name, seed, {k: np.asarray(v) for k, v in m.items()}) for name, seed, m in runs]
        if not known:
            raise ValueError("Sweep.from_runs: there must be at least one run")
        for at, count in Counter((name, seed) for name, seed, _ in known).items():
            if count > 1 or at[1] < 0:
                raise ValueError(
                    f"Sweep.from_runs: every run of a candidate must have a seed of its own, >= 0, "
                    f"got {count} of {at[0]} with seed {at[1]}"
                )
        for name, _, metrics in known:
            _check_choice("metric", metric, metrics, f"the metrics of {name}")
        names = tuple(dict.fromkeys(name for name, _, _ in known))
        seeds = 1 + max(seed for _, seed, _ in known)
        table = {}
        for m in dict.fromkeys(m for *_, metrics in known for m in metrics):
            shapes = {run[m].shape for *_, run in known if m in run}
            if len({(len(shape), shape[1:]) for shape in shapes}) > 1:
                raise ValueError(
                    f"Sweep.from_runs: the metric {m!r} may differ in length between runs, not "
                    f"otherwise in shape, got {', '.join(map(str, sorted(shapes)))}"
                )
            table[m] = np.full((len(names), seeds, *max(shapes)), np.nan)
        finished = np.zeros((len(names), seeds), bool)
        for name, seed, metrics in known:
            at = names.index(name), seed
            for m, values in metrics.items():
                table[m][(*at, *map(slice, values.shape))] = values
            finished[at] = metrics[metric].shape == table[metric].shape[2:]
        if baseline is not None:
            _check_choice("baseline", baseline, names, "the candidates")
        chosen = None if baseline is None else names.index(baseline)
        return cls(names, names, table, finished, metric, mode, chosen)

    @cached_property
    def values(self) -> np.ndarray:
        """The metric that ranks, of shape (candidates, keys); NaN for runs not finished."""
        table = self.metrics[self.metric]
        last = table.reshape(*self.finished.shape, -1)[..., -1].astype(np.float64)
        return np.where(self.finished, last, np.nan)

    @cached_property
    def diverged(self) -> np.ndarray:
        """Which runs ended without a finite metric, of shape (candidates, keys)."""
        return self.finished & ~np.isfinite(self.values)

    @cached_property
    def ranking(self) -> tuple[int, ...]:
        """The candidates' numbers, best mean first; those with diverged runs come last."""
        sign = 1 if self.mode == "min" else -1
        order = [
            (not np.isfinite(row).any(), int(lost.sum()), sign * _mean(row), i)
            for i, (row, lost) in enumerate(zip(self.values, self.diverged, strict=True))
        ]
        return tuple(i for *_, i in sorted(order))

    @property
    def best(self) -> int:
        """The number of the candidate that ranks first."""
        return self.ranking[0]

    def compared_with(self, reference: int) -> tuple[Difference, ...]:
        """Every candidate's metric minus another's, paired by seed.

        Args:
            reference: the number of the candidate to compare with.

        Returns:
            A :class:`Difference` for each candidate; negative where its metric is lower.
        """
        return tuple(paired(row, self.values[reference]) for row in self.values)

    def table(self) -> Table:
        """A row for every candidate, best first."""
        references = {"best": self.best}
        if self.baseline is not None:
            references["baseline"] = self.baseline
        columns = ["candidate", self.metric, "median", "sd", "diverged"]
        for name in references:
            columns += [f"- {name}", "±", f"beside the {name}"]
        differences = [(name, r, self.compared_with(r)) for name, r in references.items()]
        rows = []
        for i in self.ranking:
            known = self.values[i][np.isfinite(self.values[i])]
            row: list[object] = [self.names[i]]
            row += [_mean(known), float(np.median(known))] if known.size else [None, None]
            row += [float(known.std(ddof=1)) if known.size > 1 else None]
            row += [int(self.diverged[i].sum())]
            for name, reference, all_of_them in differences:
                if i == reference:
                    row += [None, None, f"the {name}"]
                elif not self.finished[i].any():
                    row += [None, None, "not finished"]
                elif self.diverged[i].all():
                    row += [None, None, "diverged"]
                else:
                    row += self._cells(all_of_them[i])
            rows.append(tuple(row))
        return Table(tuple(columns), tuple(rows))

    def _cells(self, difference: Difference) -> list[object]:
        words = difference.words
        if self.mode == "max":
            words = {"better": "worse", "worse": "better"}.get(words, words)
        numbers = (difference.mean, difference.margin)
        return [*(None if np.isnan(x) else x for x in numbers), words]

    def notes(self) -> tuple[str, ...]:
        """What did not go as planned, and what the intervals mean."""
        notes = []
        done, planned = int(self.finished.sum()), self.finished.size
        if done < planned:
            notes.append(f"{done} of {planned} runs were finished; the others do not count")
        lost = [i for i in self.ranking if self.diverged[i].any()]
        if self.diverged.sum() == done > 0:
            notes.append("every run diverged: there is no best")
        elif lost:
            some = ", ".join(f"{self.names[i]} ({self.diverged[i].sum()})" for i in lost[:5])
            more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
            notes.append(f"diverged, and so ranked last (runs): {some}{more}")
        if self.finished.shape[1] == 1:
            notes.append("one seed does not tell a difference from noise: give several keys")
        elif len(self.names) > 1:
            notes.append(
                "± is the 95 % interval of a difference paired by seed (Student's t), for one pair "
                "alone; the best was chosen on these same runs, which flatters it"
            )
        return tuple(notes)

    @property
    def size(self) -> tuple[float, float]:
        """Of its picture, in inches."""
        return 8, 1.5 + 0.35 * min(len(self.names), _ROWS) + 3 * self._histories

    def panels(self) -> Sequence[Panel]:
        """Every seed as a dot, best candidate on top; where the metric is a history, its median."""
        shown = self.ranking[:_ROWS]
        colors = [palette_color(n) if n < _CURVES else GRAY for n in range(len(shown))]
        rows, dots, histories, spans = [], [], [], []
        for place, (i, color) in enumerate(zip(shown, colors, strict=True)):
            known = self.values[i][np.isfinite(self.values[i])]
            lost = len(self.values[i]) - len(known)
            rows.append(self.names[i] + f" ({lost} without a value)" * (lost > 0))
            dots.append(Curve(known, np.full(len(known), place), color=color, form="dots"))
            if len(known):
                dots.append(Curve([known.mean()], [place], color=color, form="bars"))
            runs = self.metrics[self.metric][i]
            if self._histories and place < _CURVES and len(known):
                runs = runs[np.isfinite(runs[:, -1])]
                x, middle = np.arange(1, runs.shape[1] + 1), np.median(runs, axis=0)
                band = runs.min(axis=0), runs.max(axis=0)
                histories.append(Curve(x, middle, self.names[i], color, band=band))
        if self.baseline is not None and np.isfinite(self.values[self.baseline]).any():
            mean = _mean(self.values[self.baseline])
            spans.append(Marker(mean, mean, "baseline", GRAY))
        everything = self.values[np.isfinite(self.values)]
        wide = len(everything) and 0 < 30 * everything.min() < everything.max()
        few = "" if len(shown) == len(self.names) else f", best {len(shown)} of {len(self.names)}"
        words = f"{self.metric}: seeds and mean{few}"
        ranked = Panel(words, "", tuple(dots), tuple(spans), "x" if wide else "",
                       rows=tuple(rows), height=0.3)  # fmt: skip
        if not self._histories:
            return (ranked,)
        said = f"{self.metric}: median and range of seeds"
        return ranked, Panel("entry of the history", said, tuple(histories), height=1)

    @property
    def _histories(self) -> bool:
        """Whether the metric is a history of several entries."""
        return self.metrics[self.metric].ndim == 3 and self.metrics[self.metric].shape[2] > 1


@validated
def sweep(
    train: Callable[[Candidate, Array], Any],
    candidates: Sequence[Candidate] | Mapping[str, Candidate],
    keys: Array,
    *,
    metric: str | None = None,
    mode: Mode = "min",
    baseline: int | str | None = None,
    batch_size: Size | None = None,
    progress: Progress = False,
) -> Sweep:
    """Run ``train`` under every candidate with every key, in one compiled program.

    Schedules of any kinds go together: each is computed at every step as it is, as a number among
    numbers, and a run takes its own. There is no table and no horizon. Runs are spread over all
    devices, those of other processes of ``jax.distributed`` included.

    A hyperparameter is an argument of the program, as in ``jax.jit(train)(schedule, key)``: a
    float32 number, not a constant that the compiler can fold.

    Args:
        train: a pure function ``(candidate, key) -> metrics`` that JAX can trace; metrics are any
            pytree of arrays, a history as well as a last value. Called again with candidates of
            the same kinds, the sweep is not compiled again.
        candidates: schedules, other functions of the step such as Optax's, or pytrees of one
            structure with schedules and numbers in them, such as ``(schedule, {"factor": 0.5,
            "patience": 3})`` for a plateau that ``train`` builds; or such by name.
        keys: random keys, one for each repetition; all candidates get the same.
        metric: which metric ranks, by name; None where ``train`` returns only one.
        mode: "min" if lower is better, "max" if higher is.
        baseline: a candidate to compare the others with, by its number or name.
        batch_size: how many runs go through the program at once, >= 1, rounded up to a multiple of
            the devices; None for what half of their free memory holds.
        progress: called with the number of runs done and their total after every batch; True for
            lines on stderr with an estimate of the time left.

    Returns:
        A :class:`Sweep`. Interrupted by Ctrl-C or an error after its first batch, it holds the
        runs that are finished, and says so: all candidates with the first key are run first.

    Raises:
        TypeError: ``train`` cannot be traced, or a candidate holds something else.
        ValueError: no candidates, keys or such metric, or a number out of its range; or ``train``
            draws random numbers without its key.

    Warns:
        RuntimeWarning: an error stopped the sweep after its first batch.

    Example:
        >>> from lr_optax import cosine_decay, linear
        >>> def train(schedule, key):  # gradient descent on x²
        ...     x = jax.random.normal(key)
        ...     for t in range(8):
        ...         x = x - schedule(t) * 2 * x
        ...     return {"loss": x**2}
        >>> schedules = [linear(0.1, end_value=0.0, transition_steps=8),
        ...              cosine_decay(0.1, decay_steps=8)]
        >>> result = sweep(train, schedules, jax.random.split(jax.random.key(0), 3))
        >>> result.metrics["loss"].shape
        (2, 3)
        >>> print(result.names[result.best])
        cosine_decay(0.1, decay_steps=8)

    When to use it:
        To compare schedules, or the settings of one, on a task small enough that many runs fit on
        the device together. Compile time is that of a single run.
    """
    named = isinstance(candidates, Mapping)
    if not named and not isinstance(candidates, Sequence):
        raise TypeError(
            f"sweep: `candidates` must be a sequence or a mapping, got {show(candidates)}"
        )
    if not callable(train):
        raise TypeError(
            f"sweep: `train` must be a function of a candidate and a key, got {show(train)}"
        )
    members = list(candidates.values()) if named else list(candidates)
    if not members:
        raise ValueError("sweep: there must be at least one candidate")
    check_keys(keys)
    texts = names_of(members)
    names = tuple(map(str, candidates)) if named else texts
    chosen = None if baseline is None else _number(baseline, names)
    lanes = Lanes(train, stack(members), len(members), keys, batch_size)
    metric = _ranking_metric(_by_name(lanes.metrics()), metric)
    parts = []
    try:
        report = _reporter(progress, lanes.count)
        for part in lanes.run():
            parts.append(_by_name(part))
            report(sum(map(_length, parts)))
    except (KeyboardInterrupt, Exception) as error:
        if not parts or jax.process_count() > 1:
            raise
        if isinstance(error, Exception):
            warnings.warn(f"sweep: stopped by {error!r}", RuntimeWarning, stacklevel=2)
    done = sum(map(_length, parts))
    shape = len(members), len(keys)

    def gather(name: str) -> np.ndarray:
        whole = np.concatenate([part[name] for part in parts])
        empty = np.nan if np.issubdtype(whole.dtype, np.inexact) else 0
        missing = np.full((lanes.count - done, *whole.shape[1:]), empty, whole.dtype)
        by_key = np.concatenate([whole, missing]).reshape(*shape[::-1], *whole.shape[1:])
        return np.ascontiguousarray(np.swapaxes(by_key, 0, 1))

    return Sweep(
        names,
        texts,
        {name: gather(name) for name in parts[0]},
        (np.arange(lanes.count) < done).reshape(shape[::-1]).T,
        metric,
        mode,
        chosen,
    )


def check_keys(keys: Any) -> None:
    """Refuse what is not one axis of random keys.

    Raises:
        TypeError: they are no keys.
        ValueError: it is one key, or they have another shape.
    """
    typed = isinstance(keys, jax.Array) and jnp.issubdtype(keys.dtype, jax.dtypes.prng_key)
    raw = not typed and getattr(keys, "dtype", None) == np.uint32
    if not (typed or raw):
        raise TypeError(
            "sweep: `keys` must be an array of random keys, as jax.random.split(key, 8), got "
            f"{show(keys)}"
        )
    if keys.ndim == (0 if typed else 1):
        raise ValueError("sweep: `keys` must be several, as jax.random.split(key, 8), got one key")
    if keys.ndim != (1 if typed else 2) or len(keys) == 0:
        raise ValueError(f"sweep: `keys` must be one axis of random keys, got shape {keys.shape}")


def _number(baseline: int | str, names: tuple[str, ...]) -> int:
    if isinstance(baseline, str):
        _check_choice("baseline", baseline, names, "the candidates")
        return names.index(baseline)
    if type(baseline) is not int or not 0 <= baseline < len(names):
        raise ValueError(
            f"sweep: `baseline` must be the number of a candidate, 0 to {len(names) - 1}, "
            f"got {baseline!r}"
        )
    return baseline


def _check_choice(what: str, name: str, known: Iterable[str], of: str) -> None:
    if name not in known:
        raise ValueError(f"sweep: `{what}` must be one of {of}, {', '.join(known)}; got {name!r}")


def _by_name(metrics: Any) -> dict[str, Any]:
    leaves = jax.tree.leaves_with_path(metrics)
    return {
        jax.tree_util.keystr(path, simple=True, separator=".") or "metric": leaf
        for path, leaf in leaves
    }


def _ranking_metric(metrics: Mapping[str, Any], metric: str | None) -> str:
    if not metrics:
        raise ValueError("sweep: `train` must return at least one metric, got none")
    for name, form in metrics.items():
        if jnp.issubdtype(form.dtype, jax.dtypes.extended):
            raise TypeError(
                f"sweep: `train` must return arrays of numbers, got {form.dtype} for {name!r}"
            )
    if metric is None and len(metrics) > 1:
        raise ValueError(
            f"sweep: `train` returns several metrics; say which one ranks, as in "
            f"metric={next(iter(metrics))!r}: {', '.join(metrics)}"
        )
    metric = next(iter(metrics)) if metric is None else metric
    _check_choice("metric", metric, metrics, "what `train` returns")
    _, *shape = metrics[metric].shape
    if len(shape) > 1 or shape == [0] or jnp.issubdtype(metrics[metric].dtype, jnp.complexfloating):
        raise ValueError(
            f"sweep: to rank by {metric!r} it must be a real number, or a vector of which the last "
            f"entry ranks, got {metrics[metric].dtype}{shape}"
        )
    return metric


def _length(metrics: Mapping[str, np.ndarray]) -> int:
    return len(next(iter(metrics.values())))


def _reporter(progress: Progress, total: int) -> Callable[[int], None]:
    if callable(progress):
        return lambda done: progress(done, total)
    begin = time.monotonic()

    def report(done: int) -> None:
        if progress:
            spent = time.monotonic() - begin
            left = spent * (total - done) / done
            print(
                f"sweep: {done} of {total} runs in {spent:.0f} s, about {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )

    return report


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else 0.0
