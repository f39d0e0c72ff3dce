"""Warn of likely mistakes in a schedule for a run of a given length, before the run."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lr_optax._core.hyperparameters import RateFunction, Size, validated
from lr_optax.results.sampling import LAST_STEP, rates_at, run_steps

# The share of the peak above which an end costs: on 124M-parameter language models, cosine to a
# tenth of the peak ended .018 above cosine to zero (docs/choose.md).
_HIGH_END = 0.05

_LATE = 0.98  # a restart in the last fiftieth of a run has no time to come down again

_BEYOND = 50  # how many run lengths to look ahead for a peak or an end that the run misses
_LOOKS = 400  # steps to look at there: each is within 1% of the next

_SAME = 0.02  # how far a rate may be from the planned one before the difference is a jump


class _View(NamedTuple):
    """The rates of a run, of the first step after it, and of some steps far beyond it."""

    schedule: RateFunction
    total: int
    steps: np.ndarray  # all of a run, or a sample of a long one
    run: np.ndarray
    after: float
    later_steps: np.ndarray
    later: np.ndarray

    @property
    def peak(self) -> float:
        return float(self.run.max())


@validated
def check(
    schedule: RateFunction,
    total_steps: Size,
    *,
    since: RateFunction | None = None,
    at: int | None = None,
) -> list[str]:
    r"""Likely mistakes in a schedule for a run of ``total_steps`` updates.

    Only the rates are examined. The warnings are about rates that are not finite, zero or
    negative; a momentum in place of a rate; a peak that the run does not reach; a horizon shorter
    or longer than the run; upward jumps; an end far above zero; and, when a run continues with
    another schedule, a jump from the old rate to the new.

    Args:
        schedule: any schedule, or another function of the step.
        total_steps: the number of updates in the whole run, >= 1; the last is step
            ``total_steps`` - 1. A run of more than a million steps is sampled.
        since: the schedule that the run has followed so far, if it is to be changed.
        at: with ``since``, the number of updates made so far, >= 0: the first step of the new
            schedule.

    Returns:
        Sentences, the most serious first; empty if nothing looks wrong.

    Raises:
        TypeError: a schedule is not a function that can be compiled.
        ValueError: ``total_steps`` is not a whole number >= 1, ``at`` is not a step of the run, or
            only one of ``since`` and ``at`` is given.

    Example:
        >>> from lr_optax import cosine_decay, linear
        >>> check(linear(0.1, end_value=0.0, transition_steps=1000), 1000)
        []
        >>> print(*check(linear(0.1, end_value=0.0, transition_steps=1000), 800), sep="\n")
        the schedule is longer than the run: it ends at 20% of its peak and falls to 0 later

        A run of 1000 steps is doubled in length after 800:

        >>> old, new = (cosine_decay(0.1, decay_steps=n) for n in (1000, 2000))
        >>> print(*check(new, 2000, since=old, at=800), sep="\n")  # doctest: +ELLIPSIS
        at step 800 the rate jumps from 0.00955 to 0.0655, by a factor of 6.85: ...
    """
    if (since is None) != (at is None):
        raise ValueError(
            "check: `since` and `at` must be given together: the schedule and the step"
        )
    if at is not None and (not 0 <= at < total_steps or at % 1):
        raise ValueError(f"check: `at` must be a step from 0 to {total_steps - 1}, got {at}")
    view = _view(schedule, total_steps)
    for rule in _ALONE:
        if warnings := [*rule(view)]:
            return warnings
    jump = [] if since is None or at is None else _handover(since, schedule, at)
    return [*jump, *(warning for rule in _RULES for warning in rule(view))]


def _view(schedule: RateFunction, total_steps: int) -> _View:
    steps, far = run_steps(total_steps), _BEYOND * total_steps
    run, after = rates_at(schedule, steps), float(rates_at(schedule, np.array(total_steps)))
    later_steps, later = _looks_until(schedule, total_steps, far)
    if (later == run[-1]).all() and far < LAST_STEP:  # a milestone may lie still farther away
        later_steps, later = _looks_until(schedule, total_steps, LAST_STEP)
    return _View(schedule, total_steps, steps, run, after, later_steps, later)


def _looks_until(schedule: RateFunction, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps from the first to the last, in equal ratios, and the rates there."""
    steps = np.geomspace(first, last, _LOOKS).astype(np.int64)
    steps = np.unique(np.minimum(steps, LAST_STEP))
    return steps, rates_at(schedule, steps)


def _handover(old: RateFunction, new: RateFunction, at: int) -> Iterator[str]:
    """The new schedule does not continue from the rate that the run has come to."""
    due, now = (float(rates_at(schedule, np.array(at))) for schedule in (old, new))
    if abs(now - due) <= _SAME * max(now, due):
        return
    jump = f"at step {at} the rate jumps from {due:.3g} to {now:.3g}"
    if due == 0 or now == 0:
        yield f"{jump}; shift(new, steps={at}) starts the new schedule from its beginning"
    else:
        yield (
            f"{jump}, by a factor of {now / due:.3g}: scale(new, factor={due / now:.6g}) continues "
            f"from the old rate, and extend(old, begin={at}, steps=...) lengthens a run without a "
            "jump"
        )


def _not_finite(view: _View) -> Iterator[str]:
    bad = np.flatnonzero(~np.isfinite(view.run))
    if bad.size:
        yield f"the rate is {view.run[bad[0]]} at step {view.steps[bad[0]]}: the weights are lost"


def _negative(view: _View) -> Iterator[str]:
    bad = np.flatnonzero(view.run < 0)
    if bad.size:
        yield (
            f"the rate is {view.run[bad[0]]:.3g} at step {view.steps[bad[0]]}: below 0, updates "
            "raise the loss"
        )


def _zero(view: _View) -> Iterator[str]:
    if view.peak == 0:
        yield "the rate is 0 at every step: nothing is learned"


def _momentum(view: _View) -> Iterator[str]:
    """High, low in the middle, high again, and never small."""
    low = view.run.min()
    # Momentum is cycled below 1, by default between 0.85 and 0.95, and highest at both ends.
    if 0.5 <= low < min(view.run[0], view.run[-1]) and view.peak < 1:
        yield (
            f"it stays between {low:.3g} and {view.peak:.3g} and is lowest in the middle: "
            "that looks like a momentum, not a rate"
        )


def _peak(view: _View) -> Iterator[str]:
    highest = int(view.later.argmax())
    # Within 0.1% the run only stops a step short of its peak, as with a warm-up as long as the run.
    if view.later[highest] > 1.001 * view.peak:
        yield (
            f"the run does not reach the peak: its highest rate is {view.peak:.3g}, and "
            f"{view.later[highest]:.3g} comes at about step {view.later_steps[highest]}"
        )
    elif view.total > 1 and view.run[-1] == view.peak > view.run[0]:
        yield "the rate still rises at the last step: the warm-up is as long as the run"


def _zeros(view: _View) -> Iterator[str]:
    for first, last in _stretches(view.run == 0):
        if last > first:
            begin, end = view.steps[first], view.steps[last]
            yield f"the rate is 0 from step {begin} to {end}: {end - begin + 1} updates do nothing"


def _too_short(view: _View) -> Iterator[str]:
    """A smooth decay that ends before the run; staircases hold their last rate by design."""
    changes = np.diff(view.run) != 0
    if not changes.any() or view.run[-1] == 0 or (view.later != view.run[-1]).any():
        return
    end = int(np.flatnonzero(changes)[-1]) + 1
    held = view.total - view.steps[end]
    # A smooth decay changes at each of its last four steps; a staircase does not.
    if held > 0.01 * view.total and changes[max(end - 4, 0) : end].all():
        yield (
            f"the schedule is shorter than the run: it holds {view.run[-1]:.3g} for the last "
            f"{held} of {view.total} steps"
        )


def _too_long(view: _View) -> Iterator[str]:
    last, settled = view.run[-1], view.later[-1]
    is_settled = (view.later[-50:] == settled).all()  # what is periodic still changes there
    falls = (np.diff(np.append(view.run[-2:], view.after)) <= 0).all() and view.after > settled
    if is_settled and falls and last - settled > _HIGH_END * view.peak:
        yield (
            f"the schedule is longer than the run: it ends at {last / view.peak:.0%} of its "
            f"peak and falls to {settled:.3g} later"
        )


def _late_jumps(view: _View) -> Iterator[str]:
    last = max(_jump_steps(view), default=0)
    if last >= _LATE * view.total:
        yield (
            f"the rate restarts at step {last}, {view.total - last} before the end: "
            "the final model comes from a high rate"
        )


def _jumps(view: _View) -> Iterator[str]:
    jumps = [step for step in _jump_steps(view) if step < _LATE * view.total]
    if len(jumps) == 1:
        rate = rates_at(view.schedule, np.array(jumps[0]))
        yield f"the rate jumps up at step {jumps[0]}, to {rate:.3g}"
    elif jumps:
        at_least = "" if len(view.steps) == view.total else "at least "
        yield f"the rate jumps up {at_least}{len(jumps)} times, first at step {jumps[0]}"


def _jump_steps(view: _View) -> list[int]:
    """Steps where the rate rises by a tenth of the peak, out of line with the steps around it."""
    rise = np.diff(view.run)
    # Within a warm-up, however short, the rate rises as much at the neighboring steps.
    around = np.maximum(np.abs(np.append(rise[1:], 0)), np.abs(np.insert(rise[:-1], 0, 0)))
    sudden = np.flatnonzero((rise > 0.1 * view.peak) & (rise > 3 * around))
    before, at = view.steps[sudden], view.steps[sudden + 1]
    while (at - before > 1).any():  # a sample jumps where the rate only rises: look closer
        middle = (before + at) // 2
        low, half, high = (rates_at(view.schedule, t) for t in (before, middle, at))
        first = half - low > high - half
        before, at = np.where(first, before, middle), np.where(first, middle, at)
    rises = rates_at(view.schedule, at) - rates_at(view.schedule, before)
    return [int(step) for step in at[rises > 0.1 * view.peak] if step > 1]


def _high_end(view: _View) -> Iterator[str]:
    share = view.run[-1] / view.peak
    if share > _HIGH_END and not [*_too_long(view), *_peak(view), *_late_jumps(view)]:
        yield f"the rate ends at {share:.0%} of its peak: decaying to near zero is usually better"


def _stretches(mask: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


_ALONE = (_not_finite, _negative, _zero, _momentum)  # one of these makes all others pointless
_RULES = (_peak, _zeros, _too_short, _too_long, _late_jumps, _jumps, _high_end)
