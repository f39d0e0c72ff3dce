"""Rules about several hyperparameters at once, as the ``check`` of a schedule.

Each says nothing about values that are not known.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from lr_optax._core.arguments import exceeds, is_known
from lr_optax._core.shapes import needs_positive

Check = Callable[..., None]
"""Takes all hyperparameters by name, raises ``ValueError`` if they do not go together."""


def together(*checks: Check) -> Check:
    """Several rules in turn."""

    def check(**values: Any) -> None:
        for each in checks:
            each(**values)

    return check


def at_most(low: str, high: str) -> Check:
    """One must not be greater than the other, if that is given."""

    def check(**values: Any) -> None:
        if values[high] is not None and exceeds(values[low], values[high]):
            raise ValueError(
                f"`{low}` must not exceed `{high}`, got {values[low]} > {values[high]}"
            )

    return check


def fit(*phases: str, into: str) -> Check:
    """The lengths of some phases must not add up to more than the whole."""

    def check(**values: Any) -> None:
        lengths = [values[phase] for phase in phases]
        if exceeds(sum(lengths[1:], lengths[0]), values[into]):
            named, sizes = (
                " + ".join(f"`{phase}`" for phase in phases),
                " + ".join(map(str, lengths)),
            )
            raise ValueError(f"{named} must fit into `{into}`, got {sizes} > {values[into]}")

    return check


def one_fewer(few: str, many: str) -> Check:
    """Boundaries lie between what they part."""

    def check(**values: Any) -> None:
        if len(values[few]) != len(values[many]) - 1:
            raise ValueError(
                f"`{few}` must be one fewer than `{many}`, "
                f"got {len(values[few])} for {len(values[many])}"
            )

    return check


def positive_ends(*names: str) -> Check:
    """What a ``shape`` leads from or to must be > 0 if its mean is one of positive values."""

    def check(**values: Any) -> None:
        for name in names if needs_positive(values["shape"]) else ():
            if is_known(values[name]) and np.any(np.asarray(values[name]) <= 0):
                raise ValueError(
                    f"`{name}` must be > 0 with the shape {values['shape']!r}, got {values[name]}"
                )

    return check
