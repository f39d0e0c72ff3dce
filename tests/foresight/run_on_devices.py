"""One training run, laid out over devices in several ways, for test_sweep_devices.

``python run_on_devices.py LAYOUT... [--process I N PORT]`` prints the history of each as JSON: for
every replica the parameters, and at every step the rate and the plateau's scale. The metric is
another one on every device.
"""

import json
import sys
import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from lr_optax import (
    constant,
    cosine_decay,
    greedy,
    read_hyperparams,
    reduce_on_plateau,
    sweep,
    warmup,
    with_feedback,
    with_hyperparams,
)

STEPS, EXAMPLES = 40, 64
RNG = np.random.default_rng(0)
X = RNG.normal(size=(EXAMPLES, 4)).astype(np.float32)
Y = (X @ np.arange(4) + RNG.normal(size=EXAMPLES)).astype(np.float32)
METRICS = RNG.normal(3, 1, size=(EXAMPLES, STEPS)).astype(np.float32)
RATE = warmup(cosine_decay(0.1, decay_steps=STEPS), warmup_steps=5)


def optimizer(axis):
    """All that follows a metric, in one optimizer."""
    rate = with_feedback(RATE, reduce_on_plateau(0.9, patience=1, axis_name=axis))
    return optax.chain(
        with_hyperparams(partial(optax.adamw, b2=0.99), learning_rate=rate),
        reduce_on_plateau(0.8, patience=2, axis_name=axis),
        greedy(0.9, patience=1, window_size=3, axis_name=axis),
    )


def train(x, y, metrics, axis=None):
    """Parameters, and rates and scales at every step, in one scan."""
    tx = optimizer(axis)

    def mean(value):
        return value.mean() if axis is None else lax.pmean(value.mean(), axis)

    def step(carry, metric):
        params, state = carry
        grads = jax.grad(lambda w: mean((x @ w - y) ** 2))(params)
        grads = grads if axis is None else lax.pmean(grads, axis)
        updates, state = tx.update(grads, state, params, value=metric.mean())
        seen = read_hyperparams(state)
        rates = jnp.stack([seen[name] for name in sorted(seen)])
        return (optax.apply_updates(params, updates), state), rates

    params = jnp.zeros(4)
    (params, _), rates = lax.scan(step, (params, tx.init(params)), metrics.T)
    return params, rates


def on(mesh, array):
    """The array on the devices of all processes, its first axis over all of the mesh's."""
    sharding = NamedSharding(mesh, P(mesh.axis_names))
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def replicas(*arrays):
    """The copies that this process holds."""
    return list(
        zip(*([s.data.tolist() for s in a.addressable_shards] for a in arrays), strict=True)
    )


def sharded_jit(mesh):
    out = NamedSharding(mesh, P())
    run = jax.jit(train, out_shardings=out)
    return replicas(*run(*(on(mesh, a) for a in (X, Y, METRICS))))


def shard_map(mesh, *, check_vma):
    names = mesh.axis_names
    # Without the check nothing says that replicas agree: each hands out its own.
    out = P() if check_vma else P(names)
    body = partial(train, axis=names)

    def stacked(*arrays):
        results = body(*arrays)
        return results if check_vma else jax.tree.map(lambda a: a[None], results)

    run = jax.shard_map(stacked, mesh=mesh, in_specs=P(names), out_specs=out, check_vma=check_vma)
    seen = replicas(*jax.jit(run)(*(on(mesh, a) for a in (X, Y, METRICS))))
    return seen if check_vma else [[value[0] for value in replica] for replica in seen]


def pmap(mesh):
    n = mesh.size
    shards = (a.reshape(n, EXAMPLES // n, *a.shape[1:]) for a in (X, Y, METRICS))
    params, rates = jax.pmap(partial(train, axis="data"), axis_name="data")(*shards)
    return list(zip(params.tolist(), rates.tolist(), strict=True))


def swept(mesh):
    """Five candidates of three kinds and three seeds: no multiple of any number of devices."""
    del mesh
    x, y = jnp.asarray(X), jnp.asarray(Y)

    def train(candidate, key):
        schedule, patience = candidate
        tx = optax.chain(optax.adam(schedule), reduce_on_plateau(0.5, patience=patience))

        def step(carry, key):
            params, state = carry
            rows = jax.random.randint(key, (8,), 0, EXAMPLES)
            loss, grads = jax.value_and_grad(lambda w: ((x[rows] @ w - y[rows]) ** 2).mean())(
                params
            )
            updates, state = tx.update(grads, state, params, value=loss)
            return (optax.apply_updates(params, updates), state), loss

        params = jax.random.normal(key, 4)
        return jax.lax.scan(step, (params, tx.init(params)), jax.random.split(key, STEPS))[1]

    schedules = [
        constant(0.1),
        cosine_decay(0.5, decay_steps=STEPS),
        RATE,
        constant(0.3),
        optax.constant_schedule(0.2),
    ]
    candidates = [(schedule, patience) for patience, schedule in enumerate(schedules)]
    result = sweep(train, candidates, jax.random.split(jax.random.key(0), 3))
    assert result.finished.all()
    return result.metrics["metric"].tolist()


LAYOUTS = {
    "one": lambda _: [[a.tolist() for a in jax.jit(train)(X, Y, METRICS)]],
    "jit": sharded_jit,
    "pmap": pmap,
    "shard_map": partial(shard_map, check_vma=True),
    "shard_map without check": partial(shard_map, check_vma=False),
    "sweep": swept,
}


def main(arguments):
    if "--process" in arguments:
        *arguments, _, index, count, port = arguments
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"127.0.0.1:{port}", int(count), int(index))
    warnings.simplefilter("error")
    jax.config.update("jax_numpy_rank_promotion", "raise")
    devices = np.array(jax.devices())
    meshes = [Mesh(devices, ("data",))]
    if devices.size == 8:
        meshes.append(Mesh(devices.reshape(2, 4), ("data", "model")))
    results = {f"{name} {mesh.shape_tuple}": LAYOUTS[name](mesh)
               for name in arguments for mesh in meshes}  # fmt: skip
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1:])
