"""Every call of another library has its arguments and defaults: see make_signatures.py."""

import importlib.util
import json

import pytest
from reference_values import make_signatures

import lr_optax.compat

THEIRS = json.loads(make_signatures.FILE.read_text())

# What stands for a state, an optimizer, a device or a log there.
LEFT_OUT = {
    "torch": "optimizer last_epoch cycle_momentum base_momentum max_momentum",
    "keras": "name verbose custom_objects",
    "transformers": "optimizer last_epoch verbose",
    "timm": "optimizer t_in_epochs initialize noise noise_range_t noise_type noise_pct noise_std "
    "noise_seed",
    "optax": "",
}
OURS = {
    "torch": "base_lr total_steps",
    "keras": "base_lr",
    "transformers": "base_lr",
    "timm": "base_lr",
    "optax": "",
}
BEHIND = {
    "get_greedy_schedule": "GreedyLR",
    "get_reduce_on_plateau_schedule": None,  # torch's
}


def calls(library):
    """The functions of a compat module that stand for one of the library's calls, by name."""
    module = getattr(lr_optax.compat, library, None)
    if module is None:
        return {}
    return {
        name: call
        for name, call in vars(module).items()
        if name in THEIRS[library]["calls"]
        and getattr(call, "__module__", "").startswith(module.__name__)
    }


CALLS = [(library, name) for library in THEIRS for name in calls(library)]


def test_there_are_many():
    assert len(CALLS) > 50
    assert THEIRS.keys() == make_signatures.LIBRARIES.keys()


@pytest.mark.parametrize(("library", "name"), CALLS)
def test_arguments_and_defaults(library, name):
    theirs = THEIRS[library]["calls"][BEHIND.get(name, name) or "get_reduce_on_plateau_schedule"]
    ours = make_signatures.signature(calls(library)[name])
    assert ours.keys() - theirs.keys() <= set(OURS[library].split())
    assert theirs.keys() - ours.keys() <= set(LEFT_OUT[library].split())
    common = {argument: theirs[argument] for argument in theirs if argument in ours}
    assert [a for a in ours if a in common] == list(common)
    defaults = {argument: ours[argument] for argument in common}
    assert defaults == common


@pytest.mark.parametrize("library", THEIRS)
def test_the_record_is_what_the_installed_library_says(library):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed; its record is compared above")
    recorded = make_signatures.recorded(library)
    if recorded["version"].split(".")[:2] != THEIRS[library]["version"].split(".")[:2]:
        pytest.skip(f"another version of {library} is recorded")
    assert recorded["calls"] == THEIRS[library]["calls"]
