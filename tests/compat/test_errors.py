"""Errors of another library's calls speak of the function and the arguments that were written."""

import doctest
import importlib
import inspect
import itertools
import pkgutil
import re
import warnings

import pytest

import lr_optax.compat

MODULES = [m.name for m in pkgutil.iter_modules(lr_optax.compat.__path__) if m.name[0] != "_"]


def calls(library):
    """The functions of a compat module that stand for a call of the library, by name."""
    module = importlib.import_module(f"lr_optax.compat.{library}")
    return {
        name: call
        for name, call in vars(module).items()
        if inspect.isfunction(call)
        and call.__module__.startswith(module.__name__)
        and not (name[0] == "_" or "config" in name)
    }


CALLS = {name: call for library in MODULES for name, call in calls(library).items()}


def example(name, call):
    """The arguments of the first call in a docstring's example."""
    found = []

    def noted(*args, **kwargs):
        found.append(inspect.signature(call).bind(*args, **kwargs).arguments)
        return call(*args, **kwargs)

    module = importlib.import_module(call.__module__)
    names = {**vars(module), name: noted}
    for line in doctest.DocTestParser().get_examples(call.__doc__):
        if found:
            break
        exec(line.source.replace("print", ""), names)
    return {**found[0].pop("kwargs", {}), **found[0]}


def said(call, arguments):
    """The error that a call raises, if any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call(**arguments)
        except (TypeError, ValueError) as error:
            return str(error)
    return None


BAD = [object(), "nonsense", -1.0, float("nan"), 2.5, None, [], [3, 1], True, 1j]
ODD = [0, 1, 0.5, 10**6, [2, 4]]


@pytest.mark.parametrize("name", CALLS)
def test_errors_speak_of_what_was_written(name):
    call = CALLS[name]
    right, parameters = example(name, call), inspect.signature(call).parameters
    parameters = [p for p in parameters if p != "kwargs"]
    assert said(call, right) is None
    changes = [{p: value} for p in parameters for value in BAD]
    for pair in itertools.combinations(parameters, 2):
        changes += [dict(zip(pair, two, strict=True)) for two in itertools.product(ODD, ODD)]
    for change in changes:
        message = said(call, {**right, **change})
        if message is None:
            continue
        assert message.startswith(f"{name}:"), (change, message)
        assert set(re.findall(r"`([A-Za-z_]\w*)`", message)) <= {*parameters}, (change, message)
    for parameter in parameters:
        unused = parameter == "decay_fn" and right.get("sched") == "cosine"
        assert unused or said(call, {**right, parameter: object()}) is not None, parameter


@pytest.mark.parametrize("name", CALLS)
def test_what_is_missing_or_unknown_is_named(name):
    call = CALLS[name]
    message = said(call, {**example(name, call), "nonsense": 1})
    assert message is not None
    assert re.match(
        rf"{name}(: there is no|\(\) got an unexpected keyword) argument 'nonsense'", message
    )
