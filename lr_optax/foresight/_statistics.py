"""Differences between candidates that share their seeds: how large, and whether more than noise."""

from typing import NamedTuple, TypeVar

import numpy as np
from scipy.special import stdtrit  # scipy.stats has it too, but takes half a second to import

Spread = TypeVar("Spread", float, np.ndarray)

LEVEL = 0.95
"""The confidence of every interval."""

POWER = 0.8
"""How often that many seeds find a true difference: four times out of five, as is customary."""

MOST_SEEDS = 10_000
"""Where the search for enough seeds ends."""


class Difference(NamedTuple):
    """By how much a candidate's metric exceeds another's with the same seeds.

    Attributes:
        mean: of the differences, seed by seed; NaN if no seed is left.
        margin: the interval is ``mean`` ± this, by Student's t at a confidence of 95%; NaN for
            fewer than two seeds.
        seeds: how many seeds both finished with a finite metric.
        enough: about how many seeds are needed to tell a true difference of this size from noise,
            four times out of five; None where that is unknown or more than 10,000.
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
        """What the difference means, if lower is better."""
        if self.seeds == 0:
            return "no seed in common"
        if self.seeds == 1:
            return "unknown (one seed)"
        if self.distinct:
            return "worse" if self.mean > 0 else "better"
        if self.mean == 0 and self.margin == 0:
            return "the same"
        number = f"about {self.enough}" if self.enough else f"more than {MOST_SEEDS:,}"
        return f"within noise ({number} seeds needed to tell)"


def paired(values: np.ndarray, reference: np.ndarray) -> Difference:
    """``values - reference``, seed by seed; seeds where either is not finite do not count.

    With n differences of mean m and standard deviation s, the margin is t·s/√n, where t is the
    97.5% quantile of Student's distribution with n - 1 degrees of freedom.

    Args:
        values: a metric for every seed, of shape (n,).
        reference: the metric to compare with, for the same seeds.

    Example:
        >>> d = paired(np.array([1.2, 1.5, 1.1]), np.array([1.0, 1.2, 1.0]))
        >>> print(f"{d.mean:.3f} ± {d.margin:.3f}: {d.words}")
        0.200 ± 0.248: within noise (about 5 seeds needed to tell)
    """
    differences = finite_differences(values, reference)
    n = len(differences)
    mean = float(differences.mean()) if n else np.nan
    if n < 2:
        return Difference(mean, np.nan, n, None)
    spread = float(differences.std(ddof=1))
    return Difference(mean, float(half_interval(spread, n)), n, enough_seeds(mean, spread))


class Estimate(NamedTuple):
    """A middle value and the bounds of its interval."""

    middle: float
    low: float
    high: float


def typical_difference(values: np.ndarray, reference: np.ndarray) -> Estimate:
    """By how much values typically exceed their references: no single seed decides.

    The middle is the median of all means of two differences, a difference with itself included
    (Hodges and Lehmann, "Estimates of location based on rank tests", 1963); the bounds are the
    95% interval of Wilcoxon's signed-rank test, the means at the k-th place from either end.
    Where a few differences are far off, as for a run that ends on a spike, both hardly move;
    :func:`paired`, with its mean and Student's t, does.

    Args:
        values: a metric for every seed, of shape (n,).
        reference: the metric to compare with, for the same seeds.

    Returns:
        The middle and the bounds; the bounds are NaN for fewer than six finite pairs, which no
        such test can tell from chance at 95%, and everything is NaN for none.

    Example:
        >>> print(typical_difference(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 600.0]), np.zeros(6)))
        Estimate(middle=3.5, low=1.0, high=600.0)
    """
    differences = finite_differences(values, reference)
    if len(differences) == 0:
        return Estimate(np.nan, np.nan, np.nan)
    i, j = np.triu_indices(len(differences))
    means = np.sort((differences[i] + differences[j]) / 2)
    tail = _signed_rank_cdf(len(differences))
    k = int(np.searchsorted(tail, (1 - LEVEL) / 2, side="right"))
    low, high = (float(means[k - 1]), float(means[-k])) if k else (np.nan, np.nan)
    return Estimate(float(np.median(means)), low, high)


def finite_differences(values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """``values - reference`` where both are finite."""
    finite = np.isfinite(values) & np.isfinite(reference)
    return values[finite] - reference[finite]


def half_interval(spread: Spread, n: int) -> Spread:
    """Half the width of the interval of a mean of n >= 2 values with this standard deviation."""
    return stdtrit(n - 1, 0.5 + LEVEL / 2) * spread / n**0.5


def enough_seeds(mean: float, spread: float) -> int | None:
    """The fewest seeds with which a difference is found at ``LEVEL`` with ``POWER``."""
    n = np.arange(2, MOST_SEEDS + 1)
    detectable = (stdtrit(n - 1, 0.5 + LEVEL / 2) + stdtrit(n - 1, POWER)) * spread / np.sqrt(n)
    sufficient = np.flatnonzero(detectable <= abs(mean))
    return int(n[sufficient[0]]) if sufficient.size and mean else None


def _signed_rank_cdf(n: int) -> np.ndarray:
    """How likely those of the ranks 1 to n that fall on one side add up to at most 0, 1, …."""
    probability = np.ones(1)
    for rank in range(1, n + 1):
        probability = (np.pad(probability, (0, rank)) + np.pad(probability, (rank, 0))) / 2
    return np.cumsum(probability)
