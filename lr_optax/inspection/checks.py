"""Say what looks wrong with a schedule for a run of a given length, before the run."""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from lr_optax._core.schedule import Schedule

# The share of the peak above which an end costs: on 124M-parameter language models, cosine to a
# tenth of the peak ended .018 above cosine to zero (docs/choose.md).
_HIGH_END = 0.05
_LATE = 0.98  # a restart in the last fiftieth of a run has no time to come down again
_BEYOND = 50  # how many run lengths to look ahead for what the run will not see


class _View(NamedTuple):
    """The rates of a run, of the first step after it, and of some steps far behind it."""

    run: np.ndarray
    after: float
    later_steps: np.ndarray
    later: np.ndarray

    @property
    def peak(self) -> float:
        return float(self.run.max())

    @property
    def total(self) -> int:
        return len(self.run)


def check(schedule: Schedule, total_steps: int) -> list[str]:
    r"""What cannot be meant about a schedule in a run of ``total_steps`` updates.

    Looks at the rates alone, so that any schedule can be checked: zero rates, a peak that the run
    does not reach, a horizon shorter or longer than the run, jumps upward, an end far above zero.

    Args:
        schedule: any schedule, or another function of the step.
        total_steps: how many updates the run makes, >= 1; the last is step ``total_steps`` - 1.

    Returns:
        Sentences, the gravest first; none if nothing looks wrong.

    Raises:
        ValueError: ``total_steps`` is below 1.

    Example:
        >>> from lr_optax import cosine_decay, linear, warmup
        >>> check(linear(0.1, end_value=0.0, transition_steps=1000), 1000)
        []
        >>> print(*check(linear(0.1, end_value=0.0, transition_steps=1000), 800), sep="\n")
        the schedule is longer than the run: it ends at 20% of its peak and falls to 0 later
        >>> print(*check(warmup(cosine_decay(0.1, decay_steps=90), warmup_steps=10), 100), sep="\n")
        the first update changes nothing: the rate at step 0 is 0
    """
    if total_steps < 1:
        raise ValueError(f"check: `total_steps` must be a whole number >= 1, got {total_steps}")
    steps = np.arange(total_steps + 1)
    later = np.unique(np.geomspace(total_steps, _BEYOND * total_steps, 400).astype(np.int64))
    rates, beyond = (np.asarray(jax.jit(schedule)(t), np.float64) for t in (steps, later))
    view = _View(rates[:-1], float(rates[-1]), later, beyond)
    if view.peak <= 0:
        return ["the rate is 0 at every step: nothing is learned"]
    return [warning for rule in _RULES for warning in rule(view)]


def _peak(view: _View) -> Iterator[str]:
    highest = int(view.later.argmax())
    if view.later[highest] > 1.001 * view.peak:
        yield (
            f"the run does not reach the peak: its highest rate is {view.peak:.3g}, and "
            f"{view.later[highest]:.3g} comes at about step {view.later_steps[highest]}"
        )
    elif view.total > 1 and view.run[-1] == view.peak > view.run[0]:
        yield "the rate still rises at the last step: the warm-up is as long as the run"


def _zeros(view: _View) -> Iterator[str]:
    for begin, end in _stretches(view.run == 0):
        if end - begin > 1:
            yield f"the rate is 0 from step {begin} to {end - 1}: {end - begin} updates do nothing"


def _too_short(view: _View) -> Iterator[str]:
    """A smooth fall that is over before the run is; staircases hold their last rate by design."""
    changes = np.diff(view.run) != 0
    if not changes.any() or view.run[-1] == 0 or (view.later != view.run[-1]).any():
        return
    end = int(np.flatnonzero(changes)[-1]) + 1
    if end < 0.99 * view.total and changes[max(end - 4, 0) : end].all():
        yield (
            f"the schedule is shorter than the run: it holds {view.run[-1]:.3g} for the last "
            f"{view.total - end} of {view.total} steps"
        )


def _too_long(view: _View) -> Iterator[str]:
    last, settled = view.run[-1], view.later[-1]
    is_settled = (view.later[-50:] == settled).all()
    falls = (np.diff(np.append(view.run[-2:], view.after)) <= 0).all() and view.after > settled
    if is_settled and falls and last - settled > _HIGH_END * view.peak:
        yield (
            f"the schedule is longer than the run: it ends at {last / view.peak:.0%} of its "
            f"peak and falls to {settled:.3g} later"
        )


def _late_jumps(view: _View) -> Iterator[str]:
    for step in _jump_steps(view):
        if step >= _LATE * view.total:
            yield (
                f"the rate restarts at step {step}, {view.total - step} before the end: "
                f"the final model comes from a high rate"
            )


def _jumps(view: _View) -> Iterator[str]:
    jumps = [step for step in _jump_steps(view) if step < _LATE * view.total]
    if len(jumps) == 1:
        yield f"the rate jumps up at step {jumps[0]}, to {view.run[jumps[0]]:.3g}"
    elif jumps:
        yield f"the rate jumps up {len(jumps)} times, first at step {jumps[0]}"


def _jump_steps(view: _View) -> list[int]:
    """Steps where the rate rises by a tenth of the peak, out of line with the steps around it."""
    rise = np.diff(view.run)
    around = np.maximum(np.abs(np.append(rise[1:], 0)), np.abs(np.insert(rise[:-1], 0, 0)))
    sudden = (rise > 0.1 * view.peak) & (rise > 3 * around)
    return [int(step) + 1 for step in np.flatnonzero(sudden) if step > 0]


def _first(view: _View) -> Iterator[str]:
    if view.run[0] == 0 and not (view.run[:2] == 0).all():
        yield "the first update changes nothing: the rate at step 0 is 0"


def _high_end(view: _View) -> Iterator[str]:
    share = view.run[-1] / view.peak
    if share > _HIGH_END and not [*_too_long(view), *_peak(view), *_late_jumps(view)]:
        yield f"the rate ends at {share:.0%} of its peak: a fall to near zero usually gains"


def _stretches(mask: np.ndarray) -> list[tuple[int, int]]:
    """Where the mask is true, as half-open intervals."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


_RULES = (_peak, _zeros, _too_short, _too_long, _late_jumps, _jumps, _first, _high_end)
