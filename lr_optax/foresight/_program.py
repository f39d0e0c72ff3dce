"""The one compiled program that all runs of a sweep go through."""

import functools
import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from lr_optax._core.clock import default_float
from lr_optax._core.hyperparameters import show
from lr_optax._core.schedule import Schedule
from lr_optax.schedules.combine import from_function, switch

Tree: TypeAlias = Any
"""A pytree of the user's own: a candidate, or metrics."""

Train: TypeAlias = Callable[[Any, Array], Tree]
"""``(candidate, key) -> metrics``, a pure function that JAX can trace."""


def stack(candidates: Sequence[Tree]) -> Tree:
    """All candidates as one pytree, each of its leaves with a new leading axis.

    Schedules of one kind are stacked as they are. Those of several kinds become a
    :func:`~lr_optax.switch` over one stack for each kind, in which a candidate of another kind
    has a stand-in: its rate is computed and not chosen. So each schedule is exact at every step,
    and none needs a horizon.

    Args:
        candidates: schedules, or pytrees with schedules and numbers in them, all of one structure;
            a schedule may be any function of the step. Not empty.

    Raises:
        TypeError: something is neither a number nor a schedule, such as a text or a transform.
        ValueError: the candidates differ in structure, or in the shape of an array.
    """
    flat = [jax.tree.flatten_with_path(candidate, is_leaf=_is_opaque) for candidate in candidates]
    for i, (_, structure) in enumerate(flat):
        if structure != flat[0][1]:
            raise ValueError(
                "sweep: candidates may differ in their schedules and numbers, not in structure: "
                f"the first is {show(candidates[0])}, number {i + 1} is {show(candidates[i])}"
            )
    stacked = []
    for column in zip(*(leaves for leaves, _ in flat), strict=True):
        path = f"candidate{jax.tree_util.keystr(column[0][0])}"
        stacked.append(stacked_leaves(path, [leaf for _, leaf in column]))
    return jax.tree.unflatten(flat[0][1], stacked)


def stacked_leaves(path: str, leaves: Sequence[Tree]) -> Tree:
    """What the candidates have at one place, with a leading axis."""
    if any(map(_is_transform, leaves)):
        raise TypeError(
            f"sweep: {path} is an Optax transform or a schedule with feedback, which cannot "
            "be stacked: let candidates hold its settings, as in (schedule, {'factor': 0.5, "
            "'patience': 3}), and build it inside `train`"
        )
    if not any(map(callable, leaves)):
        return stacked_numbers(path, leaves)
    if not all(map(callable, leaves)):
        raise TypeError(
            f"sweep: {path} is a schedule in one candidate and a number in another; a fixed rate "
            "is constant(0.1)"
        )
    return stacked_schedules(path, leaves)


def stacked_schedules(path: str, schedules: Sequence[Tree]) -> Tree:
    """One schedule whose numbers have a leading axis."""
    # A function that is a pytree, such as a module, stays as it is where all are alike.
    if len(set(map(_kind, schedules))) > 1 or jax.tree_util.all_leaves(schedules):
        schedules = [s if isinstance(s, Schedule) else from_function(s) for s in schedules]
    kinds = [_kind(schedule) for schedule in schedules]
    stacks = []
    for kind in (distinct := list(dict.fromkeys(kinds))):
        stand_in = schedules[kinds.index(kind)]
        members = [s if k == kind else stand_in for s, k in zip(schedules, kinds, strict=True)]
        stacks.append(jax.tree.map(lambda *leaves: stacked_numbers(path, leaves), *members))
    if len(distinct) == 1:
        return stacks[0]
    return switch(tuple(stacks), index=np.array([distinct.index(kind) for kind in kinds]))


def stacked_numbers(path: str, leaves: Sequence[object]) -> np.ndarray:
    """Numbers or arrays of one shape as one array, in a type that JAX has."""
    arrays = list(map(np.asarray, leaves))
    for leaf, array in zip(leaves, arrays, strict=True):
        if not (array.dtype == bool or jnp.issubdtype(array.dtype, jnp.number)):
            raise TypeError(
                f"sweep: {path} must be a number, an array or a schedule, got {show(leaf)}; what "
                "is the same for all belongs into `train`"
            )
    if len({array.shape for array in arrays}) > 1:
        shapes = sorted({array.shape for array in arrays})
        raise ValueError(f"sweep: {path} has another shape in every candidate: {shapes}")
    table = np.stack(arrays)
    dtype = jax.dtypes.canonicalize_dtype(table.dtype)
    # A whole number beyond the integer type would wrap around.
    if jnp.issubdtype(dtype, jnp.integer) and not np.array_equal(table.astype(dtype), table):
        dtype = default_float()
    with np.errstate(over="ignore"):
        return table.astype(dtype)


def _is_opaque(node: object) -> bool:
    return callable(node) or _is_transform(node)


def _is_transform(node: object) -> bool:
    return hasattr(node, "init") and hasattr(node, "update")


def _kind(tree: Tree) -> Hashable:
    return jax.tree.structure(tree), tuple(np.shape(leaf) for leaf in jax.tree.leaves(tree))


def names_of(candidates: Sequence[Tree]) -> tuple[str, ...]:
    """A text for each candidate, no two alike: a schedule's own text, which ``parse`` reads."""

    def named(node: object) -> object:
        return node if isinstance(node, Schedule) or not callable(node) else FunctionName(node)

    counts: Counter[str] = Counter()
    names = []
    for candidate in candidates:
        text = " ".join(repr(jax.tree.map(named, candidate, is_leaf=callable)).split())
        counts[text] += 1
        names.append(text if counts[text] == 1 else f"{text} #{counts[text]}")
    return tuple(names)


class FunctionName:
    """Stands for a function in a text, without the address that differs from run to run."""

    def __init__(self, function: Callable[..., object]):
        self.text = getattr(function, "__qualname__", type(function).__qualname__)

    def __repr__(self) -> str:
        return self.text


CPU_RUNS = 32
"""Runs at once on a CPU: enough to fill a core. Larger batches are no faster there, and report
progress later."""

CPU_BATCHES = 10
"""Batches on a CPU at most: a sweep of thousands of small runs stops this often, not hundreds of
times, to hand over results and report progress."""

DEVICE = "jax_default_device"

CONFIG = (DEVICE, "jax_enable_x64", "jax_default_matmul_precision")
"""JAX's settings that change what is compiled."""


class ProgramKey(NamedTuple):
    """All that a program depends on: with the same key, it is not compiled again."""

    train: Train
    fingerprint: str  # of what it does, which a changed global or attribute changes
    structure: Any  # of the stacked candidates
    leaves: tuple[tuple[tuple[int, ...], np.dtype], ...]  # their shapes and types
    key_shape: tuple[int, ...]  # of the random keys' data
    key_impl: object  # of the random keys; None for keys of the old style
    mesh: Mesh
    config: tuple[object, ...]


class SweepProgram:
    """The runs of a sweep: every candidate with the first key, then with the second, and so on.

    Runs are spread over all devices, those of other processes included, as one axis of a mesh;
    they exchange nothing.

    Args:
        train: ``(candidate, key) -> metrics``.
        stacked: the candidates, each leaf with a leading axis.
        candidates: how many there are.
        keys: random keys, one axis of them.
        batch_size: how many runs at once; None for as many as the devices have room for.
    """

    def __init__(
        self, train: Train, stacked: Tree, candidates: int, keys: Array, batch_size: int | None
    ):
        typed = jnp.issubdtype(keys.dtype, jax.dtypes.prng_key)
        key_data = np.asarray(jax.random.key_data(keys) if typed else keys)
        mesh = mesh_of_runs()
        # On the devices, they have types that JAX has.
        self._data = jax.device_put((stacked, key_data), NamedSharding(mesh, P()))
        leaves, structure = jax.tree.flatten(self._data[0])
        self.count = candidates * len(keys)
        self._candidates = candidates
        self.key = ProgramKey(
            train if type(train).__hash__ is not None else functools.partial(train),
            fingerprint_of(train, self._data[0], keys),
            structure,
            tuple((leaf.shape, leaf.dtype) for leaf in leaves),
            key_data.shape,
            jax.random.key_impl(keys) if typed else None,
            mesh,
            tuple(getattr(jax.config, name) for name in CONFIG),
        )
        self._bounded = batch_size is not None
        self._size = self._even(batch_size or self._usual_size())

    def metrics(self) -> Tree:
        """What one batch returns, as shapes and types: traced, not compiled."""
        return traced(self.key, self._size).out_info

    def batches(self) -> Iterator[Tree]:
        """The metrics of all runs, in order, a batch at a time, as NumPy arrays."""
        start = 0
        while start < self.count:
            try:
                metrics = self._batch(start)
            except jax.errors.JaxRuntimeError as error:
                # What fits is known to the device alone, so it is asked by trying.
                if self._bounded or self._size <= self.key.mesh.size or not _no_room(error):
                    raise
                self._size = self._even(self._size // 2)
                continue
            stop = min(start + self._size, self.count)
            yield jax.tree.map(lambda x, n=stop - start: x[:n], metrics)
            start = stop

    def compiled(self) -> jax.stages.Compiled:
        """The program for a batch."""
        return compiled(self.key, self._size)

    def _batch(self, start: int) -> Tree:
        # The last batch repeats its last run, so that all have one shape and one program.
        run = np.minimum(np.arange(start, start + self._size), self.count - 1)
        key, candidate = np.divmod(run.astype(np.int32), np.int32(self._candidates))
        metrics = self.compiled()(*self._data, *map(self._spread, (candidate, key)))
        if jax.process_count() > 1:
            everywhere = NamedSharding(self.key.mesh, P())
            metrics = jax.jit(lambda tree: tree, out_shardings=everywhere)(metrics)
        # Waiting inside JAX would not hear Ctrl-C.
        while not all(leaf.is_ready() for leaf in jax.tree.leaves(metrics)):
            time.sleep(0.005)
        return jax.device_get(metrics)

    def _spread(self, index: np.ndarray) -> Array:
        sharding = NamedSharding(self.key.mesh, P("runs"))
        return jax.make_array_from_callback(index.shape, sharding, lambda part: index[part])

    def _usual_size(self) -> int:
        devices = self.key.mesh.devices
        if devices.flat[0].platform != "cpu":
            return self.count
        return max(CPU_RUNS * devices.size, -(-self.count // CPU_BATCHES))

    def _even(self, size: int) -> int:
        """Batches of one size as even as can be, each a multiple of the devices."""
        batches = -(-self.count // size)
        n = self.key.mesh.size
        return -(-self.count // (batches * n)) * n


def mesh_of_runs() -> Mesh:
    """All devices of all processes in a row, or the default device that the user has chosen."""
    chosen = getattr(jax.config, DEVICE) is not None
    devices = list(jnp.zeros(()).devices()) if chosen else jax.devices()
    return Mesh(np.array(devices), ("runs",))


def _no_room(error: Exception) -> bool:
    # Several processes would have to choose the same smaller size.
    return "RESOURCE_EXHAUSTED" in str(error) and jax.process_count() == 1


@functools.lru_cache(maxsize=4)
def compiled(key: ProgramKey, size: int) -> jax.stages.Compiled:
    """The program for so many runs at once."""
    return traced(key, size).lower().compile()


@functools.lru_cache(maxsize=4)
def traced(key: ProgramKey, size: int) -> jax.stages.Traced:
    """The same, not yet compiled."""
    leaves = [jax.ShapeDtypeStruct(*leaf) for leaf in key.leaves]
    candidates = jax.tree.unflatten(key.structure, leaves)
    key_data = jax.ShapeDtypeStruct(key.key_shape, np.uint32)
    index = jax.ShapeDtypeStruct((size,), np.int32)
    return many_runs(key).trace(candidates, key_data, index, index)


def many_runs(key: ProgramKey) -> Any:
    """The program as a jitted function of candidates, keys, and which of both each run takes."""

    def run(candidates: Tree, key_data: Array, candidate: Array, index: Array) -> Tree:
        random_key = key_data[index]
        if key.key_impl is not None:
            random_key = jax.random.wrap_key_data(random_key, impl=key.key_impl)
        return key.train(jax.tree.map(lambda leaf: leaf[candidate], candidates), random_key)

    runs = jax.shard_map(
        jax.vmap(run, in_axes=(None, None, 0, 0)),
        mesh=key.mesh,
        in_specs=(P(), P(), P("runs"), P("runs")),
        out_specs=P("runs"),
        check_vma=False,  # else a scan's constant carry would have to be marked as varying
    )
    everywhere, spread = NamedSharding(key.mesh, P()), NamedSharding(key.mesh, P("runs"))
    return jax.jit(runs, in_shardings=(everywhere, everywhere, spread, spread))


UNTRACEABLE = (  # what JAX raises for a function that asks for values
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.UnexpectedTracerError,
)

_pure_fingerprints: set[str] = set()


def fingerprint_of(train: Train, stacked: Tree, keys: Array) -> str:
    """What ``train`` does to one candidate and key, as a hash of its operations and constants.

    Raises:
        TypeError: ``train`` cannot be traced.
        ValueError: it is not pure, uses several devices itself, or an integer is too large.
    """
    first = jax.tree.map(lambda leaf: leaf[0], stacked)

    def fingerprint() -> str:
        # A new function each time, since JAX remembers what it has traced.
        program = jax.make_jaxpr(lambda candidate, key: train(candidate, key))(first, keys[0])
        return hashlib.sha256(b"".join(contents(program))).hexdigest()

    try:
        current = fingerprint()
        pure = current in _pure_fingerprints or fingerprint() == current
    except UNTRACEABLE as error:
        raise TypeError(
            "sweep: `train` must be a pure function that JAX can trace, with jax.numpy in place of "
            "numpy, jax.lax.cond or jnp.where in place of `if`, and shapes that do not depend on "
            f"values: {str(error).splitlines()[0]}"
        ) from error
    except OverflowError as error:
        raise ValueError(f"sweep: `train` must return large integers as floats: {error}") from error
    if not pure:
        raise ValueError(
            "sweep: `train` must be a pure function, and does something else each time it is "
            "traced: it draws from `random` or `numpy.random`, or reads a clock, where all runs "
            "would get the same numbers: draw with jax.random from its key"
        )
    _pure_fingerprints.add(current)
    return current


def contents(program: Any) -> Iterator[bytes]:
    """The operations of a traced function without addresses in memory, and all constants."""
    # Of a function that an operation carries, the text holds the address, which says nothing.
    yield re.sub(r"0x[0-9a-f]+", "", str(program.jaxpr)).encode()
    for constant in program.consts:
        yield np.asarray(constant).tobytes()
    for operation in program.jaxpr.eqns:
        if operation.primitive.name in ("shard_map", "xla_pmap"):
            raise ValueError(
                "sweep: `train` must run on one device, since sweep spreads the runs over all "
                "devices: leave jax.pmap and jax.shard_map out of it"
            )
        for parameter in jax.tree.leaves(list(operation.params.values()), is_leaf=_has_jaxpr):
            if _has_jaxpr(parameter):
                yield from contents(parameter)


def _has_jaxpr(value: object) -> bool:
    return hasattr(value, "jaxpr") and hasattr(value, "consts")
