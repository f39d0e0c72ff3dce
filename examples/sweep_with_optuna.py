"""How do I search over families of schedules with Optuna, and stop bad runs early?

A trial draws a family and its numbers, and stores the schedule as text, which is all that a study
in a database or a worker on another machine needs. After each check, a trial that is worse than the
median of the others stops. One program trains all trials of a family, and the results become a
``Sweep``.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optuna
from sklearn.datasets import load_digits

from lr_optax import Sweep, cosine_decay, multistep_decay, parse, warmup_linear_decay

images, labels = map(jnp.asarray, load_digits(return_X_y=True))
images = images / 16
STEPS, CHECKS = 600, 6
KEYS = jax.random.split(jax.random.key(0), 5)

FAMILIES = {
    "cosine": lambda trial, peak: cosine_decay(peak, decay_steps=STEPS),
    "multistep": lambda trial, peak: multistep_decay(
        peak, decay_rate=trial.suggest_float("cut", 0.1, 0.5), boundaries=(STEPS // 2, STEPS - 100)
    ),
    "warm-up": lambda trial, peak: warmup_linear_decay(
        peak, warmup_steps=trial.suggest_int("warmup", 0, 200), total_steps=STEPS
    ),
}


def loss(params, rows):
    logits = images[rows] @ params["w"] + params["b"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels[rows]).mean()


def start(schedule):
    params = {"w": jnp.zeros((64, 10)), "b": jnp.zeros(10)}
    return params, optax.sgd(schedule, momentum=0.9).init(params)


@jax.jit
def go_on(schedule, seeds, check):
    """Train up to the next check, for all seeds at once."""
    tx = optax.sgd(schedule, momentum=0.9)

    def step(carry, key):
        params, state = carry
        grads = jax.grad(loss)(params, jax.random.randint(key, (16,), 0, 1000))
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

    def part(carry, key):
        keys = jax.random.split(jax.random.fold_in(key, check), STEPS // CHECKS)
        carry, _ = jax.lax.scan(step, carry, keys)
        return carry, loss(carry[0], slice(1000, None))

    return jax.vmap(part)(seeds, KEYS)


def objective(trial):
    family = FAMILIES[trial.suggest_categorical("family", list(FAMILIES))]
    text = repr(family(trial, trial.suggest_float("peak", 0.001, 3.0, log=True)))
    trial.set_user_attr("schedule", text)
    schedule = parse(text)  # on another machine, the worker does this
    seeds = jax.vmap(lambda _: start(schedule))(KEYS)
    history = []
    for check in range(CHECKS):
        seeds, losses = go_on(schedule, seeds, check)
        history.append(losses.tolist())
        trial.set_user_attr("history", history)
        trial.report(float(losses.mean()), check)
        if trial.should_prune():
            raise optuna.TrialPruned
    return float(losses.mean())


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(
    sampler=optuna.samplers.TPESampler(seed=0),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
)
study.optimize(objective, n_trials=30)

result = Sweep.from_runs(
    (
        (trial.user_attrs["schedule"], seed, {"loss": losses})
        for trial in study.trials
        for seed, losses in enumerate(np.transpose(trial.user_attrs["history"]))
    ),
    "loss",
)
print(result)
assert result.texts[result.best] == study.best_trial.user_attrs["schedule"]
assert 0 < (~result.finished).sum() < result.finished.size
