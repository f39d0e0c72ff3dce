"""Text and plain data: round trips, clear errors, and never an execution."""

import ast
import copy
import enum
import json
import pickle
import re
import string

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import schedules

import lr_optax
from lr_optax import Schedule, constant, from_dict, from_function, parse, to_dict
from lr_optax.text import from_plain, to_plain


@settings(max_examples=100)
@given(schedules(depth=3))
def test_text_and_data_give_the_same_schedule_back(s):
    assert parse(repr(s)) == s
    assert repr(parse(repr(s))) == repr(s)
    assert from_dict(to_dict(s)) == s


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not the text of a schedule"),
        ("cosine_decay(0.1, decay_steps=", "is not the text of a schedule"),
        ("0.1", "is not a schedule; a fixed rate is constant(0.1)"),
        ("'cosine'", "is not a schedule"),
        ("cosine_deca(0.1)", "there is no schedule 'cosine_deca'; did you mean cosine_decay?"),
        ("zzz(0.1)", "there is no schedule 'zzz'; lr_optax.catalogue() has them all"),
        ("cosine_decay(0.1, decay_steps=-1)", "`decay_steps` must be a whole number"),
        ("cosine_decay(0.1, steps=5)", "there is no argument 'steps'"),
        ("constant(0.1)(3)", "column 1: expected a number, a string or name(...)"),
        ("constant(x)", "column 10: expected"),
        ("constant(1 + 1)", "column 10: expected"),
        ("constant(-'a')", "column 10: expected"),
        ("constant(*[0.1])", "column 10: expected"),
        ("constant(**{'value': 0.1})", "column 1: expected"),
        ("constant(open('x'))", "there is no schedule 'open'"),
        ("constant.__class__(0.1)", "column 1: expected"),
        ("constant([x for x in (1,)])", "column 10: expected"),
        ("constant(1e999)", "must be a finite number"),
        ("constant(array([0.1], dtype='object'))", "`dtype` must be the name of a number's type"),
        (
            "constant(array([0.1], dtype='U500000000'))",
            "`dtype` must be the name of a number's type",
        ),
        ("constant(array([0.1]))", "dtype"),
        ("constant(array([0.1], dtype='real'))", "`dtype` must be the name of a number's type"),
        ("constant(array([0.1], dtype=None))", "`dtype` must be the name of a number's type"),
        ("constant(array([1e39], dtype='float32'))", "must be a finite number"),
        ("constant(array([0.1], dtype='float128'))", "an array of real numbers, got one of float"),
        ("constant(array([1.5], dtype='int32'))", "`values` must be whole numbers for int32"),
        ("constant(array([300], dtype='int8'))", "`values` must fit int8"),
        ("constant(array([[1], [1, 2]], dtype='int8'))", "in rows of one length"),
        ("constant(array(['0.1'], dtype='float32'))", "`values` must be numbers for float32"),
        ("constant(" + "9" * 5000 + ")", "is not the text of a schedule"),
        ("constant(-" + "9" * 400 + ")", "must be a finite number"),
        ("constant('\ud800')", "surrogates not allowed"),
        ("constant('\\d')", "must be a finite number"),
        ("-" * 100_000 + "1", "Python's parser cannot hold it"),
        ("1" + "+1" * 50_000, "nested less than 100 deep"),
        ("scale(" * 100 + "constant(0.1)" + ", factor=1.0)" * 100, "nested less than 100 deep"),
        ("add((" * 60 + "constant(0.1)" + ",))" * 60, "nested less than 100 deep"),
        ("constant(b'0')", "column 10: expected"),
        ("constant(0.1, value=0.2)", "multiple values"),
        ("constant(\x00)", "is not the text of a schedule"),
        ("scale(" * 500 + "constant(0.1)" + ", factor=1.0)" * 500, "nested"),
    ],
)
def test_bad_text_gets_a_clear_error(text, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        parse(text)
    assert len(str(error.value)) < 1000


NAMES = [*lr_optax.catalogue(), "array", "eval", "__import__", "os.system", "lambda: 0", "x"]
pieces = st.sampled_from(
    [*NAMES, *"()[]{},=*+-'\"\\\n\t .:@", "0", "1e9", "-1", "1j", "None", "True", "dtype="]
)


@settings(max_examples=500)
@given(
    st.one_of(st.lists(pieces, max_size=14).map("".join), st.text(string.printable, max_size=40))
)
def test_any_text_is_a_schedule_or_a_value_error(text):
    try:
        assert isinstance(parse(text), Schedule)
    except ValueError as error:
        assert str(error)


odd_data = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                st.sampled_from([*lr_optax.catalogue(), "array", "value", "values"]), st.text()
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(odd_data)
def test_any_data_is_a_schedule_or_a_value_error(data):
    try:
        assert isinstance(from_dict(data), Schedule)
    except ValueError as error:
        assert str(error)


@settings(max_examples=200)
@given(schedules(depth=1).map(repr), st.data())
def test_a_text_that_was_damaged_is_a_schedule_or_a_value_error(text, data):
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, min(begin + 3, len(text))))
    other = data.draw(st.one_of(pieces, st.text(max_size=3)))
    try:
        assert isinstance(parse(text[:begin] + other + text[end:]), Schedule)
    except ValueError as error:
        assert str(error)


@settings(max_examples=200)
@given(schedules(depth=1).map(to_dict), odd_data, st.data())
def test_data_that_was_damaged_are_a_schedule_or_a_value_error(plain, odd, data):
    place = plain
    while isinstance(place, dict | list) and place:
        key = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
        )
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = odd
            break
        place = place[key]
    try:
        assert isinstance(from_dict(plain), Schedule)
    except ValueError as error:
        assert str(error)


def test_data_holds_defaults_so_that_they_may_change():
    assert to_dict(lr_optax.cosine_decay(0.1, decay_steps=9)) == {
        "cosine_decay": {"init_value": 0.1, "decay_steps": 9, "end_value": 0.0, "exponent": 1.0}
    }
    assert from_dict({"cosine_decay": {"init_value": 0.1, "decay_steps": 9}}).exponent == 1.0


def test_foreign_functions_have_no_plain_form():
    def mine(step):
        return 0.1

    s = lr_optax.warmup(mine, warmup_steps=3)
    with pytest.raises(
        TypeError,
        match=r"`from_function\.function` = <function .*mine.*> has no form as plain data",
    ):
        to_dict(s)
    with pytest.raises(ValueError, match="is not the text of a schedule"):
        parse(repr(s))
    assert s.schedule == from_function(mine)


ENDLESS = {}
ENDLESS["scale"] = {"schedule": ENDLESS, "factor": 1.0}


def nested(depth):
    data = {"constant": {"value": 0.1}}
    for _ in range(depth):
        data = {"scale": {"schedule": data, "factor": 1.0}}
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ENDLESS, "the data contains itself, or is nested too deeply; a schedule may be nested"),
        (nested(5000), "nested less than 100 deep"),
        (nested(100), "scale: `schedule` must be nested less than 100 deep, got 100"),
        ({"constant": {"value": 10**400}}, "must be a finite number"),
        ({"constant": {"value": 10**5000}}, "must be a finite number >= 0, got a number of int"),
        ({"constant": {"value": float("nan")}}, "must be a finite number"),
        ({"linear": {"init_value": 0.1, "transition_steps": 10**400}}, "`transition_steps` must"),
        (
            {"constant": {"value": {"array": {"values": [10**400], "dtype": "float32"}}}},
            "must fit float32",
        ),
        ({"constant": {"value": {"array": 5}}}, "an array needs `values` and `dtype`, got 5"),
        ({"constant": {"value": {"array": {"values": 1, "dtyp": "int8"}}}}, "array() got an unexp"),
        ({"constant": {1: 2}}, "keywords must be strings"),
        ({1: {}}, "the name of a schedule must be a str, got 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_data_gets_a_clear_error(data, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        from_dict(data)
    assert len(str(error.value)) < 1000


class Phase(enum.IntEnum):
    WARM = 3


class Form(enum.StrEnum):
    SMOOTH = "cosine"


@lr_optax.schedule
def of_anything(step, value):
    return 0.1


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (Phase.WARM, 3),
        (Form.SMOOTH, "cosine"),
        (np.float64(0.1), 0.1),
        (np.str_("a"), "a"),
        (np.bool_(True), True),
        ([[1, 2], [3, [4]]], ((1, 2), (3, (4,)))),
        ((np.float64(0.1), np.int64(3)), (0.1, 3)),
        ((np.bool_(True), Form.SMOOTH, None), (True, "cosine", None)),
        ((constant(0.1), 1, None), (constant(0.1), 1, None)),
        (np.asarray([0.5], ">f4"), np.asarray([0.5], np.float32)),
        (jnp.ones(2, jnp.bfloat16), jnp.ones(2, jnp.bfloat16)),
        (-0.0, -0.0),
        ("\x00\ud800", "\x00\ud800"),
    ],
)
def test_what_is_kept_comes_back_as_it_was(value, kept):
    s = of_anything(value)
    assert s == of_anything(kept)
    back = [
        parse(repr(s)),
        from_dict(json.loads(json.dumps(to_dict(s)))),
        pickle.loads(pickle.dumps(s)),
        jax.jit(lambda s: s)(s),
    ]
    plain = int | float | str | tuple
    for other in back[:-1]:
        assert other == s
        assert repr(other) == repr(s)
        assert hash(other) == hash(s)
        assert type(other.value) is type(kept) or not isinstance(kept, plain)
    assert back[-1](3) == s(3)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("inf"), "must be a finite number, got inf; no limit is None"),
        ((1, float("nan")), "must be a finite number, got nan"),
        (10**400, "must be a finite number"),
        (np.asarray([np.nan]), "must be an array of finite numbers"),
        (np.zeros((2, 0)), r"must be an array with elements, got one of shape \(2, 0\)"),
        (np.asarray([True]), "must be an array of real numbers, got one of bool"),
        (jax.random.key(0), "must be an array of real numbers, got one of key"),
        ((1, "a"), "must be a sequence of numbers, or one of words"),
        ({"a": 1}, "must be a number, an array, a schedule, a string"),
        (1j, "must be a number"),
        (np.longdouble(1), "must be a number"),
    ],
)
def test_what_could_not_come_back_is_refused(value, message):
    with pytest.raises((TypeError, ValueError), match=f"of_anything: `value` {message}"):
        of_anything(value)


@pytest.mark.parametrize("wrap", ["scale({}, factor=0.5)", "add(({},))"])
def test_the_deepest_schedule_there_can_be_survives_everything(wrap):
    deepest = text = "constant(0.1)"
    while True:
        text = wrap.format(text)
        try:
            parse(text)
        except ValueError as error:
            assert "nested less than 100 deep" in str(error)
            break
        deepest = text
    s = parse(deepest)
    assert repr(s) == deepest
    assert from_dict(json.loads(json.dumps(to_dict(s)))) == s
    assert pickle.loads(pickle.dumps(s)) == copy.deepcopy(s) == s
    assert hash(s) == hash(parse(deepest))
    assert np.isfinite(jax.jit(s)(3))


def test_errors_quote_60_characters():
    for size, quoted in ((60, "'" + "x" * 60 + "'"), (61, "'" + "x" * 57 + "...'")):
        with pytest.raises(ValueError, match=re.escape(quoted)):
            parse("x" * size)


def test_parse_wants_text():
    with pytest.raises(TypeError, match="must be a str, got constant"):
        parse(constant(0.1))


def test_plain_data_of_more_than_schedules_needs_a_reader_and_a_writer():
    value = (constant(0.1), (np.asarray([1.0, np.nan]), -np.inf), {"a": 1}, None, True, "x")
    plain = to_plain(value, "v", lambda v, name: {"other": repr(v)})
    assert plain[0] == {"constant": {"value": 0.1}}
    assert plain[1] == [{"array": {"values": [1.0, "nan"], "dtype": "float64"}}, {"other": "-inf"}]
    assert plain[2:] == [{"other": "{'a': 1}"}, None, True, "x"]
    kinds = {
        "other": ast.literal_eval,
        "array": lambda array: np.asarray(array["values"], array["dtype"]),
    }
    plain[1][1] = {"other": "1"}
    back = from_plain(json.loads(json.dumps(plain)), kinds)
    np.testing.assert_array_equal(back[1][0], value[1][0])
    assert back[0] == value[0]
    assert back[1][1:] + back[2:] == (1, {"a": 1}, None, True, "x")
