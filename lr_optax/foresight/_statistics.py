"""Differences between candidates that share their seeds: how large, and whether more than noise."""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95
"""The confidence of every interval."""

_POWER = 0.8

_MOST = 10_000


class Difference(NamedTuple):
    """By how much a candidate's metric exceeds another's with the same seeds.

    Attributes:
        mean: of the differences, seed by seed; NaN if no seed is left.
        margin: the interval is ``mean`` ± this, by Student's t at a confidence of 95 %; NaN for
            fewer than two seeds.
        seeds: how many seeds both finished with a finite metric.
        enough: about how many seeds would tell a true difference of this size from noise, four
            times out of five; None where that is unknown or more than 10,000.
    """

    mean: float
    margin: float
    seeds: int
    enough: int | None

    @property
    def distinct(self) -> bool:
        """Whether the interval excludes 0."""
        return abs(self.mean) > self.margin

    @property
    def words(self) -> str:
        """What it amounts to, if lower is better."""
        if self.seeds == 0:
            return "no seed in common"
        if self.seeds == 1:
            return "one seed does not tell"
        if self.distinct:
            return "worse" if self.mean > 0 else "better"
        if self.mean == 0 and self.margin == 0:
            return "the same"
        many = f"about {self.enough}" if self.enough else f"more than {_MOST:,}"
        return f"within noise; {many} seeds would tell"


def paired(values: np.ndarray, reference: np.ndarray) -> Difference:
    """``values - reference``, seed by seed; what is not finite in either does not count.

    With n differences of mean m and standard deviation s, the margin is t·s/√n, where t is the
    97.5 % quantile of Student's distribution with n - 1 degrees of freedom.

    Args:
        values: a metric for every seed, of shape (n,).
        reference: the metric of what it is compared with, for the same seeds.

    Example:
        >>> d = paired(np.array([1.2, 1.5, 1.1]), np.array([1.0, 1.2, 1.0]))
        >>> print(f"{d.mean:.3f} ± {d.margin:.3f}: {d.words}")
        0.200 ± 0.248: within noise; about 5 seeds would tell
    """
    known = np.isfinite(values) & np.isfinite(reference)
    differences = values[known] - reference[known]
    n = len(differences)
    if n == 0:
        return Difference(np.nan, np.nan, 0, None)
    mean = float(differences.mean())
    if n == 1:
        return Difference(mean, np.nan, 1, None)
    spread = float(differences.std(ddof=1))
    return Difference(mean, _quantile(n) * spread / n**0.5, n, _enough(mean, spread))


class Interval(NamedTuple):
    """A middle value and bounds around it."""

    middle: float
    low: float
    high: float


def shift(values: np.ndarray, reference: np.ndarray) -> Interval:
    """By how much values typically exceed their references: no single seed decides.

    The middle is the median of all means of two differences, a difference with itself included
    (Hodges and Lehmann, "Estimates of location based on rank tests", 1963); the bounds are the
    95 % interval that belongs to Wilcoxon's signed-rank test, the means at the k-th place from
    either end. Where a few differences are far off, as a run that ends on a spike is, both hardly
    move; :func:`paired`, with its mean and Student's t, does.

    Args:
        values: a metric for every seed, of shape (n,).
        reference: the metric of what it is compared with, for the same seeds.

    Returns:
        The middle and the bounds; the bounds are NaN for fewer than six pairs that are finite,
        which no such test can tell from chance at 95 %, and all is NaN for none.

    Example:
        >>> print(shift(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 600.0]), np.zeros(6)))
        Interval(middle=3.5, low=1.0, high=600.0)
    """
    known = np.isfinite(values) & np.isfinite(reference)
    differences = values[known] - reference[known]
    n = len(differences)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan)
    i, j = np.triu_indices(n)
    means = np.sort((differences[i] + differences[j]) / 2)
    middle = float(np.median(means))
    k = int(np.searchsorted(_signed_rank_cdf(n), (1 - LEVEL) / 2, side="right"))
    if k == 0:
        return Interval(middle, np.nan, np.nan)
    return Interval(middle, float(means[k - 1]), float(means[-k]))


def _signed_rank_cdf(n: int) -> np.ndarray:
    """How likely the sum of those of the ranks 1 to n that fall on one side is at most 0, 1, …."""
    likely = np.ones(1)
    for rank in range(1, n + 1):
        likely = (np.pad(likely, (0, rank)) + np.pad(likely, (rank, 0))) / 2
    return np.cumsum(likely)


def _quantile(n: int) -> float:
    return float(stdtrit(n - 1, 0.5 + LEVEL / 2))


def _enough(mean: float, spread: float) -> int | None:
    n = np.arange(2, _MOST + 1)
    detectable = (stdtrit(n - 1, 0.5 + LEVEL / 2) + stdtrit(n - 1, _POWER)) * spread / np.sqrt(n)
    tells = np.flatnonzero(detectable <= abs(mean))
    return int(n[tells[0]]) if tells.size and mean else None
