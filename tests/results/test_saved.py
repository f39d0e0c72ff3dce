"""A saved result that was edited or damaged is one error that names the field."""

import copy
import json

import numpy as np
import pytest

from lr_optax import (
    Comparison,
    LastIterateBound,
    Log,
    LossLaw,
    OptimizedSchedule,
    Prediction,
    RangeTest,
    Refinement,
    Sweep,
    Tuning,
    constant,
    linear,
)
from lr_optax.foresight._predict import Ranking
from lr_optax.results._result import Result

FALL = linear(0.1, end_value=0.0, transition_steps=9)
LOG = Log([1, 5, 9], [3.0, 2.5, 2.0], FALL, name="a", remarks=("b",))
PARAMETERS = {"L0": 1.9, "A": 0.4, "alpha": 0.5, "C": 0.1, "lambda": 0.9}
LOSSES = np.array([2.0, 3.0])
RESULTS = [
    LOG,
    LossLaw("tissue", PARAMETERS, np.ones((2, 5)), 0.1, (LOG,)),
    Prediction(FALL, 10, np.arange(10), np.ones(10), np.ones(10), ("no",)),
    Ranking(("a", "b"), LOSSES, LOSSES, np.ones((2, 2))),
    OptimizedSchedule(FALL, 10, (constant(0.1), FALL), np.ones(3), np.ones(2)),
    LastIterateBound(*map(np.float64, (3, 1, 2, 2, 1, 0.1)), np.ones(4)),
    Refinement(FALL, 0, 9, np.ones(4)),
    Sweep.from_runs([("a", 0, {"loss": 1.0}), ("b", 0, {"loss": [2.0]})][:1], "loss", baseline="a"),
    Tuning((("rate", 0.1, 1.0),), np.full((3, 1), 0.5), np.ones((3, 2)), "loss", "min", 3, 1, FALL),
    RangeTest(np.geomspace(1e-4, 1, 50), np.linspace(2, 1, 50)[None]),
    Comparison(
        *(("constant", "falls"), ((constant(0.1),), (FALL,)), np.full((2, 1), 0.1)),
        *(np.ones((2, 1, 2, 3)), np.ones((2, 1, 2)), 10),
    ),
]
SPOILED = [
    *(None, True, -1, 0, 0.5, 10**400, "x", [], ["x"], [[1]], {}, {"x": 1}, {"dict": {"x": None}}),
    *({"float": "x"}, {"float": 1}, {"schedule": {"none": {}}}, {"schedule": 1}),
    *({"result": ["None", {}]}, {"result": ["Log", {}]}, {"result": ["Log", [1]]}, {"result": []}),
    *({"array": {"values": [], "dtype": "float64", "shape": shape}} for shape in ([0], [1], 1)),
    *(
        {"array": {"values": values, "dtype": dtype}}
        for values, dtype in (
            ([1.0], "float64"),
            ([1.0, "x"], "float64"),
            ([1.5], "int64"),
            ([1], "U500000000"),
            ([None], "float64"),
            ([[1.0], [1.0, 2.0]], "float64"),
            ([1.0], "nothing"),
            ([300], "int8"),
            (["1"], "bool"),
        )
    ),
    *({"array": {"values": [1.0]}}, {"array": {"values": [1], "dtype": "int8", "x": 1}}),
    {"array": 1},
]


def mutants(fields):
    """The fields with one of them left out, spoiled, or shorter than it was; and its name."""
    for name, value in fields.items():
        yield name, {key: item for key, item in fields.items() if key != name}
        for spoiled in SPOILED:
            yield name, {**fields, name: spoiled}
        if isinstance(value, dict) and isinstance(value.get("array", {}).get("values"), list):
            shorter = {**value["array"], "values": value["array"]["values"][1:]}
            yield name, {**fields, name: {"array": shorter}}
        elif isinstance(value, list):
            yield name, {**fields, name: value[1:]}
            yield name, {**fields, name: [*value, value]}
    yield "another", {**fields, "another": 1}


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_a_malformed_field_is_named(result, tmp_path):
    path, kind = tmp_path / "result.json", type(result)
    result.save(path)
    saved = json.loads(path.read_text())
    assert str(kind.load(path)) == str(result)
    refused = 0
    for field, fields in mutants(saved["result"][1]):
        path.write_text(json.dumps({"result": [kind.__name__, copy.deepcopy(fields)]}))
        try:
            loaded = kind.load(path)
        except ValueError as error:
            refused += 1
            assert str(error).startswith(f"{path} is not a saved result: "), error
            assert f"{kind.__name__}.{field}" in str(error) or f"`{field}`" in str(error), error
        else:  # what fits is shown
            str(loaded)
            loaded.panels()
    assert refused > 20 * len(saved["result"][1])


def test_every_class_is_spoiled():
    kinds = {kind for kind in Result._kinds.values() if kind.__module__.startswith("lr_optax")}
    assert {type(result) for result in RESULTS} == kinds


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, '{"result": 1}', '{"result": ["Log"]}', "\\xff", "1" * 5000, "null"],
)
def test_files_that_hold_no_result(text, tmp_path):
    path = tmp_path / "result.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"result\.json (is not a saved result|holds a)"):
        Log.load(path)
