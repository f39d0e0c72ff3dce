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


def _quantile(n: int) -> float:
    return float(stdtrit(n - 1, 0.5 + LEVEL / 2))


def _enough(mean: float, spread: float) -> int | None:
    n = np.arange(2, _MOST + 1)
    detectable = (stdtrit(n - 1, 0.5 + LEVEL / 2) + stdtrit(n - 1, _POWER)) * spread / np.sqrt(n)
    tells = np.flatnonzero(detectable <= abs(mean))
    return int(n[tells[0]]) if tells.size and mean else None
