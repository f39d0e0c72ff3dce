"""How do I compare schedules with Ray Tune, each trial in its own process or on its own machine?

A schedule travels as text, which the worker parses. A trial reports its losses at every check, and
ASHA stops those that fall behind. ``ray.init`` without an address uses only this machine. The
results become a ``Sweep``.
"""

import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import optax
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from sklearn.datasets import load_digits

from lr_optax import Sweep, parse

STEPS, CHECKS, SEEDS = 600, 6, 3


def trial(config):
    """Train all seeds of one schedule at once."""
    images, labels = map(jnp.asarray, load_digits(return_X_y=True))
    images = images / 16
    tx = optax.sgd(parse(config["schedule"]), momentum=0.9)

    def loss(params, rows):
        logits = images[rows] @ params["w"] + params["b"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels[rows]).mean()

    def step(carry, key):
        params, state = carry
        grads = jax.grad(loss)(params, jax.random.randint(key, (16,), 0, 1000))
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

    @jax.jit
    @jax.vmap
    def go_on(run, key):
        """Train up to the next check."""
        run, _ = jax.lax.scan(step, run, jax.random.split(key, STEPS // CHECKS))
        return run, loss(run[0], slice(1000, None))

    params = {"w": jnp.zeros((SEEDS, 64, 10)), "b": jnp.zeros((SEEDS, 10))}
    runs = params, jax.vmap(tx.init)(params)
    for keys in jax.random.split(jax.random.key(0), (CHECKS, SEEDS)):
        runs, losses = go_on(runs, keys)
        tune.report({"loss": float(losses.mean()), "losses": losses.tolist()})


texts = [
    text
    for peak in (0.3, 0.03, 0.003)
    for text in (f"constant({peak})", f"cosine_decay({peak}, decay_steps={STEPS})")
]
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
with tempfile.TemporaryDirectory() as folder:
    results = tune.Tuner(
        trial,
        param_space={"schedule": tune.grid_search(texts)},
        tune_config=tune.TuneConfig(
            metric="loss",
            mode="min",
            scheduler=ASHAScheduler(max_t=CHECKS, grace_period=2),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    ).fit()
ray.shutdown()

result = Sweep.from_runs(
    (
        (run.config["schedule"], seed, {"loss": losses})
        for run in results
        for seed, losses in enumerate(np.transpose(run.metrics_dataframe["losses"].tolist()))
    ),
    "loss",
)
print(result)
assert result.texts[result.best] == results.get_best_result().config["schedule"]
