"""How ``jax.export`` saves a program that takes or returns a schedule."""

import json
from importlib import import_module

from jax.export import register_pytree_node_serialization

from lr_optax._core.schedule import REGISTRY, Schedule, Structure


def to_bytes(structure: Structure) -> bytes:
    """The structure as JSON, without functions, which have no form there."""
    kind, names, static = structure
    for name, value in static:
        if callable(value):
            raise TypeError(
                f"{kind.name}: a program that takes a function as `{name}` cannot be saved; make "
                "the function a schedule with @schedule, or tabulate it"
            )
    return json.dumps([kind.name, kind.factory.__module__, names, static]).encode()


def from_bytes(data: bytes) -> Structure:
    """The structure, of a schedule that the reading program has, too."""
    name, module, names, static = json.loads(data)
    if name not in REGISTRY and module.startswith("lr_optax."):
        import_module(module)
    if name not in REGISTRY:
        raise ValueError(f"there is no schedule {name!r}; import {module}, which defines it, first")
    kind = REGISTRY[name]
    if {*names, *dict(static)} != kind.parameters.hints.keys():
        raise ValueError(f"{name} had other hyperparameters when this program was saved: {names}")
    return kind, tuple(names), tuple((field, value) for field, value in static)


register_pytree_node_serialization(
    Schedule,
    serialized_name="lr_optax.Schedule",
    serialize_auxdata=to_bytes,
    deserialize_auxdata=from_bytes,
)
