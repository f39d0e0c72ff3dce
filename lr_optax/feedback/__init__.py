"""Rates set by a metric, as Optax transforms with their counters in a pytree."""
