"""Train under many schedules at once, in one compiled program."""

import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeVar, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from lr_optax._core.hyperparameters import Size, show, validated
from lr_optax.foresight._program import SweepProgram, Tree, names_of, stack
from lr_optax.foresight._statistics import Difference, paired
from lr_optax.results._result import Result, Table
from lr_optax.results.panels import GRAY, Curve, Marker, Panel, palette_color

Candidate = TypeVar("Candidate")

Mode = Literal["min", "max"]

OnProgress = Callable[[int, int], None] | bool
"""Called with the number of runs done and their total; True for lines on stderr."""

PICTURE_ROWS = 20
"""The candidates that a picture has room for."""

PICTURE_HISTORIES = 5
"""The candidates whose histories can be told apart in one panel; the others are gray."""

NAMED_DIVERGED = 5
"""The diverged candidates that a note names."""


@dataclass(frozen=True, eq=False)
class Sweep(Result):
    """What candidates reached, seed by seed, and what of it is more than noise.

    Attributes:
        names: of the candidates.
        texts: the candidates themselves as text; a schedule's is read by ``parse``.
        metrics: by name, arrays with leading axes candidate and key. What a pytree nests has a
            name with dots; a metric that stands alone is called "metric". Runs that were not
            finished have NaN, or 0 where a type has no NaN.
        finished: which runs were, of shape (candidates, keys).
        metric: the name of the metric that ranks; of a history, its last value does.
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

    def __post_init__(self) -> None:
        check_mode("Sweep", self.mode)

    @classmethod
    def from_runs(
        cls,
        runs: Iterable[tuple[str, int, Mapping[str, ArrayLike]]],
        metric: str,
        *,
        mode: Mode = "min",
        baseline: str | None = None,
    ) -> "Sweep":
        """The result of runs that something else has made, such as a hyperparameter search engine.

        Args:
            runs: for each run its candidate's text, its seed, which may be any number, and its
                metrics. A history that is shorter than the longest of its name is that of a run
                that was stopped early: it is filled up with NaN and does not rank.
            metric: the name of the metric that ranks.
            mode: "min" if lower is better, "max" if higher is.
            baseline: the text of the candidate to compare with.

        Raises:
            ValueError: there are no runs, a run lacks the metric, two runs of a candidate have
                the same seed, the shapes of a metric differ, no candidate is the baseline, or
                ``mode`` is another word.

        Example:
            >>> runs = [("constant(0.1)", 0, {"loss": 0.5}), ("constant(0.2)", 0, {"loss": 0.4})]
            >>> print(Sweep.from_runs(runs, "loss").names)
            ('constant(0.1)', 'constant(0.2)')
        """
        records = [
            RunRecord(candidate, seed, {name: np.asarray(value) for name, value in values.items()})
            for candidate, seed, values in runs
        ]
        check_records(records, metric)
        names = tuple(dict.fromkeys(record.candidate for record in records))
        seeds = list(dict.fromkeys(record.seed for record in records))
        metrics = gathered_metrics(records, names, seeds)
        finished = np.zeros((len(names), len(seeds)), bool)
        for record in records:
            complete = record.metrics[metric].shape == metrics[metric].shape[2:]
            finished[names.index(record.candidate), seeds.index(record.seed)] = complete
        if baseline is not None:
            check_choice("baseline", baseline, names, "the candidates")
        reference = None if baseline is None else names.index(baseline)
        return cls(names, names, metrics, finished, metric, mode, reference)

    @cached_property
    def values(self) -> np.ndarray:
        """The metric that ranks, of shape (candidates, keys); NaN for runs not finished."""
        history = self.metrics[self.metric].reshape(*self.finished.shape, -1)
        return np.where(self.finished, history[..., -1].astype(np.float64), np.nan)

    @cached_property
    def diverged(self) -> np.ndarray:
        """Which runs ended without a finite metric, of shape (candidates, keys)."""
        return self.finished & ~np.isfinite(self.values)

    @cached_property
    def ranking(self) -> tuple[int, ...]:
        """The candidates' numbers, best mean first; those with diverged runs come last."""
        return ranked_candidates(self.values, self.diverged, self.mode)

    @property
    def best(self) -> int | None:
        """The number of the candidate that ranks first; None where every run diverged."""
        return self.ranking[0] if np.isfinite(self.values).any() else None

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
        return sweep_table(self)

    def notes(self) -> tuple[str, ...]:
        """What did not go as planned, and what the intervals mean."""
        return sweep_notes(self)

    @property
    def size(self) -> tuple[float, float]:
        """Of its picture, in inches."""
        return 8, 1.5 + 0.35 * min(len(self.names), PICTURE_ROWS) + 3 * has_histories(self)

    def panels(self) -> Sequence[Panel]:
        """Every seed as a dot, best candidate on top; where the metric is a history, its median."""
        return (seeds_panel(self), *((histories_panel(self),) if has_histories(self) else ()))


class RunRecord(NamedTuple):
    """One run that something else has made."""

    candidate: str
    seed: int
    metrics: dict[str, np.ndarray]


def check_records(records: Sequence[RunRecord], metric: str) -> None:
    """Refuse runs that are none, share a seed, or lack the metric."""
    if not records:
        raise ValueError("Sweep.from_runs: there must be at least one run")
    counts = Counter((record.candidate, record.seed) for record in records)
    for (candidate, seed), count in counts.items():
        if count > 1:
            raise ValueError(
                f"Sweep.from_runs: every run of a candidate must have a seed of its own, "
                f"got {count} of {candidate} with seed {seed}"
            )
    for record in records:
        check_choice("metric", metric, record.metrics, f"the metrics of {record.candidate}")


def gathered_metrics(
    records: Sequence[RunRecord], names: Sequence[str], seeds: Sequence[int]
) -> dict[str, np.ndarray]:
    """By name, the metrics of all runs with leading axes candidate and seed; NaN for gaps."""
    metrics = {}
    for metric in dict.fromkeys(name for record in records for name in record.metrics):
        members = [record for record in records if metric in record.metrics]
        shapes = {record.metrics[metric].shape for record in members}
        check_shapes(metric, shapes)
        table = metrics[metric] = np.full((len(names), len(seeds), *max(shapes)), np.nan)
        for record in members:
            value = record.metrics[metric]
            row, column = names.index(record.candidate), seeds.index(record.seed)
            table[row, column, *map(slice, value.shape)] = value
    return metrics


def check_mode(owner: str, mode: str) -> None:
    """Refuse what does not tell which metric is better."""
    if mode not in get_args(Mode):
        raise ValueError(f"{owner}: `mode` must be 'min' or 'max', got {show(mode)}")


def check_shapes(metric: str, shapes: set[tuple[int, ...]]) -> None:
    """Refuse runs of which a metric differs in more than the length of its history."""
    if len({(len(shape), shape[1:]) for shape in shapes}) > 1:
        raise ValueError(
            f"Sweep.from_runs: the metric {metric!r} may differ in length between runs, not "
            f"otherwise in shape, got {', '.join(map(str, sorted(shapes)))}"
        )


def ranked_candidates(values: np.ndarray, diverged: np.ndarray, mode: Mode) -> tuple[int, ...]:
    """The rows of ``values``, best mean first; those with diverged runs come last."""
    sign = 1 if mode == "min" else -1

    def rank(i: int) -> tuple[bool, int, float, int]:
        finite = np.isfinite(values[i])
        return not finite.any(), int(diverged[i].sum()), sign * _finite_mean(values[i]), i

    return tuple(sorted(range(len(values)), key=rank))


def sweep_table(result: Sweep) -> Table:
    """A row for every candidate: its metric over seeds, and its differences to the references."""
    references = {} if result.best is None else {"best": result.best}
    if result.baseline is not None:
        references["baseline"] = result.baseline
    columns = ["candidate", result.metric, "median", "sd", "diverged"]
    for name in references:
        columns += [f"- {name}", "±", f"compared with the {name}"]
    rows = []
    for i in result.ranking:
        row = [result.names[i], *seed_cells(result.values[i]), int(result.diverged[i].sum())]
        for name, reference in references.items():
            row += comparison_cells(result, i, name, reference)
        rows.append(tuple(row))
    return Table(tuple(columns), tuple(rows))


def seed_cells(values: np.ndarray) -> tuple[float | None, ...]:
    """The mean, the median and the standard deviation over seeds; None where there is none."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None, None, None
    spread = float(finite.std(ddof=1)) if finite.size > 1 else None
    return float(finite.mean()), float(np.median(finite)), spread


def comparison_cells(result: Sweep, i: int, name: str, reference: int) -> tuple[object, ...]:
    """How candidate i differs from a reference: the mean, its margin, and what they mean."""
    if i == reference:
        return None, None, f"the {name}"
    if not result.finished[i].any():
        return None, None, "not finished"
    if result.diverged[i].all():
        return None, None, "diverged"
    difference = paired(result.values[i], result.values[reference])
    words = difference.words
    if result.mode == "max":
        words = {"better": "worse", "worse": "better"}.get(words, words)
    mean, margin = (None if np.isnan(x) else x for x in (difference.mean, difference.margin))
    return mean, margin, words


def sweep_notes(result: Sweep) -> tuple[str, ...]:
    """What did not go as planned, and what the intervals mean."""
    notes = []
    done, planned = int(result.finished.sum()), result.finished.size
    if done < planned:
        notes.append(f"{done} of {planned} runs were finished; the others do not count")
    if result.diverged.sum() == done > 0:
        notes.append("every run diverged: there is no best")
    elif result.diverged.any():
        notes.append(divergence_note(result))
    if result.finished.shape[1] == 1:
        notes.append("one seed cannot tell a difference from noise: give several keys")
    elif len(result.names) > 1:
        notes.append(
            "± is the 95% interval of a difference paired by seed (Student's t), for one pair "
            "alone; the best was chosen on these same runs, so its lead is optimistic"
        )
    return tuple(notes)


def divergence_note(result: Sweep) -> str:
    """Which candidates diverged, and how many of their runs."""
    diverged = [i for i in result.ranking if result.diverged[i].any()]
    named = [f"{result.names[i]} ({result.diverged[i].sum()})" for i in diverged[:NAMED_DIVERGED]]
    more = len(diverged) - len(named)
    names = ", ".join(named) + (f" and {more} more" if more else "")
    return f"diverged, and so ranked last (runs): {names}"


def has_histories(result: Sweep) -> bool:
    """Whether the metric that ranks is a history of several entries."""
    metric = result.metrics[result.metric]
    return metric.ndim == 3 and metric.shape[2] > 1


def seeds_panel(result: Sweep) -> Panel:
    """A row for each of the best candidates: every seed as a dot, their mean as a bar."""
    rows, dots = [], []
    for row, i in enumerate(result.ranking[:PICTURE_ROWS]):
        finite = result.values[i][np.isfinite(result.values[i])]
        lost = len(result.values[i]) - len(finite)
        rows.append(result.names[i] + f" ({lost} without a value)" * (lost > 0))
        color = _row_color(row)
        dots.append(Curve(finite, np.full(len(finite), row), color=color, form="dots"))
        if len(finite):
            dots.append(Curve([finite.mean()], [row], color=color, form="bars"))
    finite = result.values[np.isfinite(result.values)]
    # Beyond a factor of 30 the low values would lie on top of each other on a linear axis.
    log = "x" if len(finite) and 0 < 30 * finite.min() < finite.max() else ""
    left_out = len(result.names) - len(rows)
    scope = f", best {len(rows)} of {len(result.names)}" if left_out else ""
    title = f"{result.metric}: seeds and mean{scope}"
    height = 0.12 * len(rows) + 0.3
    spans = baseline_spans(result)
    return Panel(title, "", tuple(dots), spans, log, rows=tuple(rows), height=height)


def baseline_spans(result: Sweep) -> tuple[Marker, ...]:
    """The mean of the baseline as a line, if it has one."""
    if result.baseline is None or not np.isfinite(result.values[result.baseline]).any():
        return ()
    mean = _finite_mean(result.values[result.baseline])
    return (Marker(mean, mean, "baseline", GRAY),)


def histories_panel(result: Sweep) -> Panel:
    """The median history of each of the best candidates, and the range of its seeds."""
    curves = []
    for row, i in enumerate(result.ranking[:PICTURE_HISTORIES]):
        runs = result.metrics[result.metric][i]
        runs = runs[np.isfinite(runs[:, -1])]
        if np.isfinite(result.values[i]).any():
            x, median = np.arange(1, runs.shape[1] + 1), np.median(runs, axis=0)
            band = runs.min(axis=0), runs.max(axis=0)
            curves.append(Curve(x, median, result.names[i], _row_color(row), band=band))
    title = f"{result.metric}: median and range of seeds"
    return Panel("entry of the history", title, tuple(curves), height=1)


def _row_color(row: int) -> str:
    return palette_color(row) if row < PICTURE_HISTORIES else GRAY


def _finite_mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else 0.0


@validated
def sweep(
    train: Callable[[Candidate, Array], Tree],
    candidates: Sequence[Candidate] | Mapping[str, Candidate],
    keys: Array,
    *,
    metric: str | None = None,
    mode: Mode = "min",
    baseline: int | str | None = None,
    batch_size: Size | None = None,
    progress: OnProgress = False,
) -> Sweep:
    """Run ``train`` under every candidate with every key, in one compiled program.

    Schedules of all kinds can be mixed: at every step each kind is computed by its own formula, and
    a run takes the one that is its own. There is no table and no horizon. Runs are spread over all
    devices, those of other processes of ``jax.distributed`` included.

    A hyperparameter is an argument of the program, as in ``jax.jit(train)(schedule, key)``: a
    float32 number, not a constant that the compiler can fold.

    Args:
        train: a pure function ``(candidate, key) -> metrics`` that JAX can trace; metrics are any
            pytree of arrays, a history as well as a last value. Called again with candidates of
            the same kinds, the sweep is not compiled again, unless what ``train`` reads has
            changed. Random numbers come from the key alone, and one schedule stands for all
            kinds: a branch on its name or its hyperparameters does not see each candidate's.
        candidates: schedules, other functions of the step such as Optax's, or pytrees of one
            structure with schedules and numbers in them, such as ``(schedule, {"factor": 0.5,
            "patience": 3})`` for a plateau that ``train`` builds; or such by name.
        keys: random keys, one for each repetition; all candidates get the same.
        metric: which metric ranks, by name; None where ``train`` returns only one.
        mode: "min" if lower is better, "max" if higher is.
        baseline: a candidate to compare the others with, by its number or name.
        batch_size: how many runs go through the program at once, >= 1, rounded up to a multiple of
            the devices. None for all on an accelerator, halved until its memory suffices, and on
            a CPU for 32 a device, or a tenth of all runs if that is more.
        progress: called with the number of runs done and their total after every batch; True for
            lines on stderr with an estimate of the time left.

    Returns:
        A :class:`Sweep`. Interrupted by Ctrl-C or an error after its first batch, it holds the
        runs that are finished, and says so: all candidates with the first key are run first.

    Raises:
        TypeError: ``train`` cannot be traced, or a candidate holds something else.
        ValueError: no candidates, keys or such metric, or a number out of its range; or ``train``
            draws random numbers without its key, uses ``pmap`` or ``shard_map`` itself, or returns
            an integer beyond the integer type.

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
    if not callable(train):
        raise TypeError(
            f"sweep: `train` must be a function of a candidate and a key, got {show(train)}"
        )
    names, members = named_candidates(candidates)
    check_keys(keys)
    texts = names_of(members)
    names = names or texts
    reference = None if baseline is None else candidate_number(baseline, names)
    program = SweepProgram(train, stack(members), len(members), keys, batch_size)
    metric = ranking_metric(metrics_by_name(program.metrics()), metric)
    metrics, finished = finished_runs(program, len(members), len(keys), progress)
    return Sweep(names, texts, metrics, finished, metric, mode, reference)


def named_candidates(
    candidates: Sequence[Candidate] | Mapping[str, Candidate],
) -> tuple[tuple[str, ...] | None, list[Candidate]]:
    """The names of the candidates, if they have some, and the candidates themselves."""
    if not isinstance(candidates, Mapping | Sequence):
        raise TypeError(
            f"sweep: `candidates` must be a sequence or a mapping, got {show(candidates)}"
        )
    if not candidates:
        raise ValueError("sweep: there must be at least one candidate")
    if isinstance(candidates, Mapping):
        return tuple(map(str, candidates)), list(candidates.values())
    return None, list(candidates)


def finished_runs(
    program: SweepProgram, candidates: int, keys: int, progress: OnProgress
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The metrics of all runs, by candidate and key, and which runs were finished."""
    batches: list[dict[str, np.ndarray]] = []
    done = 0
    try:
        report = _reporter(progress, program.count)
        for batch in map(metrics_by_name, program.batches()):
            batches.append(batch)
            done += len(next(iter(batch.values())))
            report(done)
    except (KeyboardInterrupt, Exception) as error:
        if not batches or jax.process_count() > 1:
            raise
        if isinstance(error, Exception):
            # Where the user calls `sweep`, which is `validated`.
            warnings.warn(f"sweep: stopped by {error!r}", RuntimeWarning, stacklevel=4)
    finished = (np.arange(program.count) < done).reshape(keys, candidates).T
    columns = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    return {name: by_candidate(runs, candidates, keys) for name, runs in columns.items()}, finished


def by_candidate(runs: np.ndarray, candidates: int, keys: int) -> np.ndarray:
    """Runs in the order of a program as an array of shape (candidates, keys, ...)."""
    empty = np.nan if jnp.issubdtype(runs.dtype, jnp.inexact) else 0
    missing = np.full((candidates * keys - len(runs), *runs.shape[1:]), empty, runs.dtype)
    by_key = np.concatenate([runs, missing]).reshape(keys, candidates, *runs.shape[1:])
    return np.ascontiguousarray(np.swapaxes(by_key, 0, 1))


def check_keys(keys: Any) -> None:
    """Refuse what is not one axis of random keys.

    Raises:
        TypeError: they are not keys.
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


def candidate_number(baseline: int | str, names: tuple[str, ...]) -> int:
    """The number of a candidate that is given by number or by name."""
    if isinstance(baseline, str):
        check_choice("baseline", baseline, names, "the candidates")
        return names.index(baseline)
    if type(baseline) is not int or not 0 <= baseline < len(names):
        raise ValueError(
            f"sweep: `baseline` must be the number of a candidate, 0 to {len(names) - 1}, "
            f"got {baseline!r}"
        )
    return baseline


def check_choice(argument: str, name: str, choices: Collection[str], owner: str) -> None:
    """Refuse a name that is not among those there are."""
    if name not in choices:
        raise ValueError(
            f"sweep: `{argument}` must be one of {owner}, {', '.join(choices)}; got {name!r}"
        )


def ranking_metric(metrics: Mapping[str, jax.ShapeDtypeStruct], metric: str | None) -> str:
    """The name of the metric that ranks, which must be a real number or a history of some."""
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
    check_choice("metric", metric, metrics, "what `train` returns")
    check_rankable(metric, metrics[metric])
    return metric


def check_rankable(metric: str, form: jax.ShapeDtypeStruct) -> None:
    """Refuse a metric that has no last real number in each run."""
    _, *shape = form.shape
    if len(shape) > 1 or shape == [0] or jnp.issubdtype(form.dtype, jnp.complexfloating):
        raise ValueError(
            f"sweep: to rank by {metric!r} it must be a real number, or a vector of which the last "
            f"entry ranks, got {form.dtype}{shape}"
        )


def metrics_by_name(metrics: Tree) -> dict[str, Any]:
    """The leaves of metrics by name; a leaf that stands alone is called "metric"."""
    return {
        jax.tree_util.keystr(path, simple=True, separator=".") or "metric": leaf
        for path, leaf in jax.tree.leaves_with_path(metrics)
    }


def _reporter(progress: OnProgress, total: int) -> Callable[[int], None]:
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
