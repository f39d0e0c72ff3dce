"""Several candidates as one pytree with a leading axis, whatever kinds their schedules are of."""

import functools
import math
import pickle
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from lr_optax._core.clock import default_float
from lr_optax._core.hyperparameters import show
from lr_optax._core.schedule import Schedule
from lr_optax.schedules.combine import from_function, switch


def stack(candidates: Sequence[Any]) -> Any:
    """All candidates as one pytree, each of its leaves with a new leading axis.

    Schedules of one kind are stacked as they are. Those of several become a
    :func:`~lr_optax.switch` over one stack for every kind, in which a candidate of another kind
    has a copy: its rate is computed and not chosen. So each is exact at every step, and none has a
    horizon.

    Args:
        candidates: schedules, or pytrees with schedules and numbers in them, all of one structure;
            a schedule may be any function of the step. Not empty.

    Raises:
        TypeError: something is neither a number nor a schedule, such as a text or a transform.
        ValueError: they differ in structure, or in the shape of an array.
    """
    flat = [jax.tree.flatten_with_path(c, is_leaf=_is_whole) for c in candidates]
    for i, (_, structure) in enumerate(flat):
        if structure != flat[0][1]:
            raise ValueError(
                "sweep: candidates may differ in their schedules and numbers, not in structure: "
                f"the first is {show(candidates[0])}, number {i + 1} is {show(candidates[i])}"
            )
    columns = zip(*(leaves for leaves, _ in flat), strict=True)
    stacked = [_column(_where(column[0][0]), [leaf for _, leaf in column]) for column in columns]
    return jax.tree.unflatten(flat[0][1], stacked)


def names_of(candidates: Sequence[Any]) -> tuple[str, ...]:
    """A text for each candidate, no two alike: of a schedule its own, which ``parse`` reads."""
    texts = [" ".join(repr(_named(candidate)).split()) for candidate in candidates]
    seen: Counter[str] = Counter()
    names = []
    for text in texts:
        seen[text] += 1
        names.append(text if seen[text] == 1 else f"{text} #{seen[text]}")
    return tuple(names)


def _is_transform(node: object) -> bool:
    return hasattr(node, "init") and hasattr(node, "update")


def _is_whole(node: object) -> bool:
    return callable(node) or _is_transform(node)


def _where(path: Any) -> str:
    return f"candidate{jax.tree_util.keystr(path)}"


def _column(where: str, leaves: list[Any]) -> Any:
    """What all candidates have at one place."""
    for leaf in leaves:
        if _is_transform(leaf):
            raise TypeError(
                f"sweep: {where} is an Optax transform or a schedule with feedback, which cannot "
                "be stacked: let candidates hold its settings, as in (schedule, {'factor': 0.5, "
                "'patience': 3}), and build it inside `train`"
            )
    if not any(map(callable, leaves)):
        return _numbers(where, leaves)
    if not all(map(callable, leaves)):
        raise TypeError(
            f"sweep: {where} is a schedule in one candidate and a number in another; a fixed rate "
            "is constant(0.1)"
        )
    return _schedules(where, leaves)


def _schedules(where: str, schedules: list[Any]) -> Any:
    # A function that is a pytree, such as a module, stays itself where all are alike.
    if len(set(map(_form, schedules))) > 1 or jax.tree_util.all_leaves(schedules):
        schedules = [s if isinstance(s, Schedule) else from_function(s) for s in schedules]
    forms = [_form(schedule) for schedule in schedules]
    kinds = list(dict.fromkeys(forms))
    stacks = []
    for kind in kinds:
        stand_in = schedules[forms.index(kind)]
        members = [s if f == kind else stand_in for s, f in zip(schedules, forms, strict=True)]
        stacks.append(jax.tree.map(lambda *leaves: _numbers(where, list(leaves)), *members))
    if len(kinds) == 1:
        return stacks[0]
    return switch(tuple(stacks), index=np.array([kinds.index(form) for form in forms]))


def _form(tree: Any) -> Any:
    return jax.tree.structure(tree), tuple(np.shape(leaf) for leaf in jax.tree.leaves(tree))


def _numbers(where: str, leaves: list[Any]) -> np.ndarray:
    arrays = []
    for leaf in leaves:
        array = np.asarray(leaf)
        if not (array.dtype == bool or jnp.issubdtype(array.dtype, jnp.number)):
            raise TypeError(
                f"sweep: {where} must be a number, an array or a schedule, got {show(leaf)}; what "
                "is the same for all belongs into `train`"
            )
        arrays.append(array)
    if len({array.shape for array in arrays}) > 1:
        shapes = sorted({array.shape for array in arrays})
        raise ValueError(f"sweep: {where} has another shape in every candidate: {shapes}")
    table = np.stack(arrays)
    dtype = jax.dtypes.canonicalize_dtype(table.dtype)
    # A whole number beyond the integer type would wrap around.
    if jnp.issubdtype(dtype, jnp.integer) and not np.array_equal(table.astype(dtype), table):
        dtype = default_float()
    with np.errstate(over="ignore"):
        return table.astype(dtype)


class _Name:
    def __init__(self, function: Any):
        self.text = getattr(function, "__qualname__", type(function).__qualname__)

    def __repr__(self) -> str:
        return self.text


def _named(candidate: Any) -> Any:
    def name(node: Any) -> Any:
        return node if isinstance(node, Schedule) or not callable(node) else _Name(node)

    return jax.tree.map(name, candidate, is_leaf=callable)


_CPU_LANES = 32
"""Enough to fill a core; more at once are no faster there, and tell of themselves later."""

_CPU_BATCHES = 10

_CONFIG = ("default_device", "enable_x64", "default_matmul_precision")


class Shape(NamedTuple):
    """All that a program depends on: with the same, it is not compiled again."""

    train: Callable[[Any, Array], Any]
    structure: Any  # of the stacked candidates
    leaves: tuple[tuple[tuple[int, ...], Any], ...]  # their shapes and types
    keys: tuple[tuple[int, ...], Any]  # the shape of the keys' data, and their implementation
    mesh: Mesh
    config: tuple[Any, ...]


class Lanes:
    """The runs of a sweep: every candidate with the first key, then with the second, and so on.

    Runs are spread over all devices, those of other processes included, as one axis of a mesh;
    they exchange nothing.

    Args:
        train: ``(candidate, key) -> metrics``.
        stacked: the candidates, each leaf with a leading axis.
        candidates: how many there are.
        keys: random keys, one axis of them.
        batch_size: how many runs at once; None for as many as the device has room for.
    """

    def __init__(
        self,
        train: Callable[[Any, Array], Any],
        stacked: Any,
        candidates: int,
        keys: Array,
        batch_size: int | None,
    ):
        typed = jnp.issubdtype(keys.dtype, jax.dtypes.prng_key)
        data = np.asarray(jax.random.key_data(keys) if typed else keys)
        config = {name: getattr(jax.config, f"jax_{name}") for name in _CONFIG}
        chosen = config["default_device"] is not None
        devices = list(jnp.zeros(()).devices()) if chosen else jax.devices()
        mesh = Mesh(np.array(devices), ("lanes",))
        whole = NamedSharding(mesh, P())
        self._data = jax.device_put((stacked, data), whole)  # with the types that JAX has
        leaves, structure = jax.tree.flatten(self._data[0])
        self.count = candidates * len(keys)
        self._candidates = candidates
        self._shape = Shape(
            _hashable(train),
            structure,
            tuple((leaf.shape, leaf.dtype) for leaf in leaves),
            (data.shape, jax.random.key_impl(keys) if typed else None),
            mesh,
            tuple(config.values()),
        )
        self._bounded = batch_size is not None
        self._size = self._rounded(batch_size or self._usual_size())

    def metrics(self) -> Any:
        """What one batch returns, as shapes and types: traced, not compiled."""
        return _traced(self._shape, self._size).out_info

    def run(self) -> Iterator[Any]:
        """The metrics of all runs, in order, a batch at a time, as NumPy arrays."""
        program = self._fitting()
        start = 0
        while start < self.count:
            stop = min(start + self._size, self.count)
            # The last batch repeats its last run, so that all have one shape and one program.
            lane = np.minimum(np.arange(start, start + self._size), self.count - 1)
            key, candidate = np.divmod(lane.astype(np.int32), np.int32(self._candidates))
            try:
                result = self._fetch(program(*self._data, *map(self._spread, (candidate, key))))
            except jax.errors.JaxRuntimeError as error:
                if self._bounded or self._size <= self._shape.mesh.size or not _no_room(error):
                    raise
                self._size = self._rounded(self._size // 2)
                program = _compiled(self._shape, self._size)
                continue
            yield jax.tree.map(lambda x, n=stop - start: x[:n], result)
            start = stop

    def _usual_size(self) -> int:
        devices = self._shape.mesh.devices
        if devices.flat[0].platform != "cpu":
            return self.count
        return max(_CPU_LANES * devices.size, -(-self.count // _CPU_BATCHES))

    def _rounded(self, size: int) -> int:
        """Batches of one size as even as can be, each a multiple of the devices."""
        batches = -(-self.count // size)
        n = self._shape.mesh.size
        return -(-self.count // (batches * n)) * n

    def _fitting(self) -> Any:
        """The program for a size that the devices have room for."""
        program = _compiled(self._shape, self._size)
        needs = program.memory_analysis()
        if self._bounded or needs is None:
            return program
        n = self._shape.mesh.size
        needed = needs.temp_size_in_bytes + needs.output_size_in_bytes
        room = _room(self._shape.mesh)
        if needed > room and self._size > n:
            self._size = self._rounded(max(int(self._size * room / needed) // n * n, n))
            program = _compiled(self._shape, self._size)
        return program

    def _spread(self, lane: np.ndarray) -> Array:
        sharding = NamedSharding(self._shape.mesh, P("lanes"))
        return jax.make_array_from_callback(lane.shape, sharding, lambda index: lane[index])

    def _fetch(self, result: Any) -> Any:
        if jax.process_count() > 1:
            whole = NamedSharding(self._shape.mesh, P())
            result = jax.jit(lambda tree: tree, out_shardings=whole)(result)
        # Waiting inside JAX would not hear Ctrl-C.
        while not all(leaf.is_ready() for leaf in jax.tree.leaves(result)):
            time.sleep(0.005)
        return jax.device_get(result)


def _hashable(train: Callable[[Any, Array], Any]) -> Callable[[Any, Array], Any]:
    return train if type(train).__hash__ is not None else functools.partial(train)


@functools.lru_cache(maxsize=4)
def _traced(shape: Shape, size: int) -> jax.stages.Traced:
    implementation = shape.keys[1]

    def lane(stacked: Any, keys: Array, candidate: Array, key: Array) -> Any:
        one = keys[key]
        if implementation is not None:
            one = jax.random.wrap_key_data(one, impl=implementation)
        return shape.train(jax.tree.map(lambda leaf: leaf[candidate], stacked), one)

    lanes = jax.shard_map(
        jax.vmap(lane, in_axes=(None, None, 0, 0)),
        mesh=shape.mesh,
        in_specs=(P(), P(), P("lanes"), P("lanes")),
        out_specs=P("lanes"),
        check_vma=False,  # else a scan's constant carry would have to be marked as varying
    )
    whole, spread = NamedSharding(shape.mesh, P()), NamedSharding(shape.mesh, P("lanes"))
    program = jax.jit(lanes, in_shardings=(whole, whole, spread, spread))
    leaves = [jax.ShapeDtypeStruct(*leaf) for leaf in shape.leaves]
    index = jax.ShapeDtypeStruct((size,), np.int32)
    before = _host_draws()
    try:
        traced = program.trace(
            jax.tree.unflatten(shape.structure, leaves),
            jax.ShapeDtypeStruct(shape.keys[0], np.uint32),
            index,
            index,
        )
    except (
        jax.errors.ConcretizationTypeError,
        jax.errors.NonConcreteBooleanIndexError,
        jax.errors.TracerArrayConversionError,
        jax.errors.TracerIntegerConversionError,
        jax.errors.UnexpectedTracerError,
    ) as error:
        raise TypeError(
            "sweep: `train` must be a pure function that JAX can trace, with jax.numpy in place of "
            "numpy, jax.lax.cond or jnp.where in place of `if`, and shapes that do not depend on "
            f"values: {str(error).splitlines()[0]}"
        ) from error
    if _host_draws() != before:
        raise ValueError(
            "sweep: `train` must be a pure function, and draws from `random` or `numpy.random`, "
            "where all runs would get the same numbers: draw with jax.random from its key"
        )
    return traced


def _host_draws() -> bytes:
    """A fingerprint of the generators that every library shares; it changes with each number."""
    return pickle.dumps((random.getstate(), np.random.get_state()))


@functools.lru_cache(maxsize=4)
def _compiled(shape: Shape, size: int) -> Any:
    return _traced(shape, size).lower().compile()


def _no_room(error: Exception) -> bool:
    return "RESOURCE_EXHAUSTED" in str(error) and jax.process_count() == 1


def _room(mesh: Mesh) -> float:
    """How many bytes a program may take on each device: half of what is free on the fullest."""
    rooms = [_free(device, len(mesh.local_devices)) / 2 for device in mesh.local_devices]
    room = np.float32(min(rooms))
    # All processes have to choose the same size.
    return float(np.min(multihost_utils.process_allgather(room)))


def _free(device: Any, sharing: int) -> float:
    stats = device.memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return math.inf
    return free * 1024 / sharing
