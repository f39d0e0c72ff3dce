"""Lengths in optimizer steps, from epochs, samples, tokens or a share of the run."""

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real

import numpy as np

from lr_optax._core.hyperparameters import Rule

WHOLE = Rule(
    "a whole number >= 1",
    lambda x: np.isfinite(x) & (x >= 1) & (x == np.floor(x)),
    whole=True,
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a step of a training run is made of.

    Args:
        batch_size: samples in one batch, over all devices together, >= 1.
        accumulation_steps: batches per optimizer step, >= 1; they run on from one epoch into the
            next, as in ``optax.MultiSteps``.
        dataset_size: samples in one epoch, >= 1; needed for epochs.
        drop_last: whether an epoch leaves out its last batch if that is not full.
        sample_tokens: tokens in one sample, >= 1; needed for tokens.
        total_steps: steps of the whole run, >= 1; needed for shares of it.

    Raises:
        TypeError: a value is not a number.
        ValueError: a number is not whole, or below 1, or an epoch holds no full batch.

    Example:
        >>> run = Run(batch_size=128, accumulation_steps=2, dataset_size=50_000)
        >>> run.steps(epochs=1), run.steps(epochs=90), run.steps(samples=1_000_000)
        (196, 17595, 3907)
        >>> run = run.lasting(epochs=90)
        >>> run.steps(fraction=0.05)
        880
    """

    batch_size: int
    accumulation_steps: int = 1
    dataset_size: int | None = None
    drop_last: bool = False
    sample_tokens: int | None = None
    total_steps: int | None = None

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None or field.name == "drop_last":
                continue
            try:
                object.__setattr__(self, field.name, WHOLE.accept(value))
            except (TypeError, ValueError) as error:
                raise type(error)(f"Run: `{field.name}` {error}") from None
        if self.drop_last and self.dataset_size is not None and self.dataset_size < self.batch_size:
            raise ValueError(
                f"Run: with `drop_last`, `dataset_size` must be at least `batch_size`, "
                f"got {self.dataset_size} < {self.batch_size}"
            )

    @property
    def samples_per_step(self) -> int:
        """Samples that one update of the weights has seen."""
        return self.batch_size * self.accumulation_steps

    @property
    def batches_per_epoch(self) -> int:
        """Batches in one pass over the data."""
        full, left_over = divmod(self._needed("dataset_size", "epochs"), self.batch_size)
        return full + (left_over > 0 and not self.drop_last)

    def steps(
        self,
        *,
        epochs: float | None = None,
        samples: float | None = None,
        tokens: float | None = None,
        fraction: float | None = None,
    ) -> int:
        """How many optimizer steps a length is; give it in exactly one unit.

        Args:
            epochs: passes over the data, >= 0; may be a fraction.
            samples: examples seen, >= 0.
            tokens: tokens seen, >= 0.
            fraction: a share of the run, in [0, 1], rounded to the nearest step.

        Returns:
            Whole steps; the last one counts even if it is not full.

        Raises:
            TypeError: no unit is given, or more than one, or a length is not a number.
            ValueError: a length is negative, or the run lacks what the unit needs.
        """
        units = {"epochs": epochs, "samples": samples, "tokens": tokens, "fraction": fraction}
        given = {unit: length for unit, length in units.items() if length is not None}
        if len(given) != 1:
            raise TypeError(
                f"steps: give one of {', '.join(units)}, got {', '.join(given) or 'none'}"
            )
        ((unit, length),) = given.items()
        if isinstance(length, bool) or not isinstance(length, Real):
            raise TypeError(f"steps: `{unit}` must be a number, got {length!r}")
        if not 0 <= length < math.inf or (unit == "fraction" and length > 1):
            rule = "a number in [0, 1]" if unit == "fraction" else "a finite number >= 0"
            raise ValueError(f"steps: `{unit}` must be {rule}, got {length}")
        return self._whole_steps(unit, exact(length))

    def _whole_steps(self, unit: str, length: Fraction) -> int:
        match unit:
            case "epochs":
                return math.ceil(length * self.batches_per_epoch / self.accumulation_steps)
            case "samples":
                return math.ceil(length / self.samples_per_step)
            case "tokens":
                sample_tokens = self._needed("sample_tokens", "tokens")
                return math.ceil(length / (self.samples_per_step * sample_tokens))
            case _:
                return round(length * self._needed("total_steps", "a fraction of the run"))

    def lasting(self, **length: float) -> "Run":
        """The same run with its total length set, as for :meth:`steps`."""
        return dataclasses.replace(self, total_steps=self.steps(**length))

    def _needed(self, name: str, purpose: str) -> int:
        value = getattr(self, name)
        if value is None:
            raise ValueError(f"Run: `{name}` must be given to turn {purpose} into steps")
        return value


def exact(length: float) -> Fraction:
    """The number that a float stands for: 0.1 epochs of 30 steps are 3, not 4."""
    if isinstance(length, np.generic):
        length = length.item()
    value = Fraction(length)
    simple = value.limit_denominator(10**6)
    # Sums of some thousand fractions, such as 0.1 + 0.2, err by less than 1e-12.
    return simple if abs(simple - value) <= value / 10**12 else value
