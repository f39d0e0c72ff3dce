"""Annotations for the hyperparameters of your own schedules, and the names of shapes."""

from lr_optax._core.hyperparameters import (
    Boundaries,
    Count,
    Fraction,
    Growth,
    NonNegative,
    Offset,
    Period,
    Positive,
    Rate,
    Rates,
    Real,
    Shrinking,
    Steps,
)
from lr_optax._core.shapes import Shape
from lr_optax.schedules.combine import Inner, Inners

__all__ = [
    "Boundaries",
    "Count",
    "Fraction",
    "Growth",
    "Inner",
    "Inners",
    "NonNegative",
    "Offset",
    "Period",
    "Positive",
    "Rate",
    "Rates",
    "Real",
    "Shape",
    "Shrinking",
    "Steps",
]
