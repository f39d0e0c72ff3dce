"""Comparisons made of given losses, for the tests of compare and of pages."""

import numpy as np

from lr_optax import Comparison, constant, linear

SEEDS = 8
STEPS = 80
CHECKS = 40


def comparison_of(losses):
    """A comparison of one peak, from test losses by name."""
    loss = np.array([*losses.values()])[:, None]
    n = loss.shape[-1]
    curves = np.broadcast_to(np.geomspace(2, 1, CHECKS), (*loss.shape, CHECKS)) * loss[..., None]
    return Comparison(
        task="made up",
        names=tuple(losses),
        candidates=tuple(
            (constant(0.05) if k == "constant" else linear(0.05, transition_steps=STEPS),)
            for k in losses
        ),
        peaks=np.full((len(losses), 1), 0.05),
        history=curves,
        scale=np.ones((len(losses), 1, n, CHECKS)),
        final=loss,
        error=np.full((len(losses), 1, n), 0.1),
        total_steps=STEPS,
        metrics=("validation_loss", "test_loss", "test_error"),
    )


def usual_losses(spread=0.1):
    """Final losses of a constant rate and of one that falls, by name."""
    x = np.random.default_rng(0).normal(size=(2, SEEDS)) * spread
    return {"constant": np.exp(x[0]), "linear": 0.7 * np.exp(x[1])}
