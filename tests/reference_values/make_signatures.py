"""Write signatures.json: the arguments and defaults of other libraries' schedulers.

Run it with the names of the libraries to record anew, which must be installed; without names it
records all of them: ``python tests/reference_values/make_signatures.py timm``.
"""

import ast
import importlib.util
import inspect
import json
import os
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from reference_values.agreement import HOME
from reference_values.make_timm import timm_scheduler

FILE = HOME / "signatures.json"


def public(module, wanted=lambda name, value: callable(value)):
    """What a module offers, by name."""
    names = getattr(module, "__all__", [name for name in dir(module) if name[0] != "_"])
    return {name: getattr(module, name) for name in names if wanted(name, getattr(module, name))}


def torch():
    """Every scheduler of torch."""
    swa = importlib.import_module("torch.optim.swa_utils")
    return {**public(importlib.import_module("torch.optim.lr_scheduler")), "SWALR": swa.SWALR}


def keras():
    """Every schedule of Keras, and the callbacks that set the rate."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    library = importlib.import_module("keras")
    callbacks = library.callbacks.ReduceLROnPlateau, library.callbacks.LearningRateScheduler
    return {**public(library.optimizers.schedules), **{c.__name__: c for c in callbacks}}


def transformers():
    """Every schedule of Transformers: the functions, and the classes behind some of them."""
    home = importlib.import_module("transformers.optimization")
    return public(
        home,
        lambda name, value: (
            name.startswith("get_")
            or (isinstance(value, type) and value.__module__ == home.__name__ and "LR" in name)
            or name == "AdafactorSchedule"
        ),
    )


def timm():
    """Every scheduler of timm, and the functions that know them by name."""
    return public(timm_scheduler())


def optax():
    """Everything in optax.schedules, and the transform that follows a metric."""
    library = importlib.import_module("optax")
    plateau = library.contrib.reduce_on_plateau
    return {**public(library.schedules), "reduce_on_plateau": plateau}


def fastai():
    """What sets the rate in fastai, read from its text, since importing it needs much else."""
    (home,) = importlib.util.find_spec("fastai").submodule_search_locations
    nodes = ast.parse((Path(home) / "callback/schedule.py").read_text()).body
    public = next(ast.literal_eval(n.value) for n in nodes if ast.unparse(n)[:7] == "__all__")
    of_a_learner = [n.name for n in nodes if ast.unparse(n).startswith("@patch")]
    return [*public, *of_a_learner, "ReduceLROnPlateau"]


LIBRARIES = {f.__name__: f for f in (torch, keras, transformers, timm, optax, fastai)}


def signature(call):
    """Arguments in order: ``[default]``, or ``[]`` for a required one."""
    found = inspect.signature(call).parameters.values()
    named = [p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return {p.name: [] if p.default is p.empty else [plain(p.default)] for p in named}


def plain(value):
    """A default as JSON has it; what it has not, as text."""
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value if isinstance(value, int | float | str | None) else repr(value)


def recorded(library):
    """The signatures of a library that is installed, with its version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calls = LIBRARIES[library]()
    if not isinstance(calls, dict):
        return {"version": version(library), "calls": {name: {} for name in sorted(calls)}}
    found = {}
    for name, call in sorted(calls.items()):
        try:
            found[name] = signature(call)
        except ValueError:  # an enumeration, or a type without a constructor of its own
            found[name] = {}
    return {"version": version(library), "calls": found}


if __name__ == "__main__":
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    for library in sys.argv[1:] or LIBRARIES:
        known[library] = recorded(library)
    lines = (
        f'"{library}": {{"version": "{there["version"]}", "calls": {{\n'
        + ",\n".join(f'"{name}": {json.dumps(call)}' for name, call in there["calls"].items())
        + "\n}}"
        for library, there in known.items()
    )
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
