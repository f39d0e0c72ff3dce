"""The language model of the text task: its text is there, it sees no future, and it learns."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from lr_optax import constant
from lr_optax.tasks import _text as text


def test_the_text_is_python_and_each_file_is_in_one_part():
    data = text.load()
    assert len(data.train) > 500_000
    some = "".join(text.CHARACTERS[i] for i in np.asarray(data.train[:200_000]))
    assert "\n    def " in some
    assert data.validation.shape == data.test.shape == (text.EVALUATED, text.CONTEXT + 1)


def test_a_prediction_depends_on_nothing_later():
    model = text.Model(nnx.Rngs(0))
    line = jnp.arange(text.CONTEXT)[None] % len(text.CHARACTERS)
    place = text.CONTEXT // 2
    other = line.at[0, place:].set(5)
    before, after = model(line)[0], model(other)[0]
    assert np.array_equal(before[:place], after[:place])
    assert not np.allclose(before[place], after[place])


@jax.numpy_dtype_promotion("standard")  # as Optax's adamw needs it
def test_it_learns_and_is_the_same_a_second_time():
    train = jax.jit(text.text(400))
    run = train(constant(0.01), jax.random.key(0))
    assert run["validation_loss"][0] < np.log(len(text.CHARACTERS))
    assert run["test_loss"] < 2.9  # the frequencies of single characters alone give 3.3
    assert 0.5 < run["test_error"] < 0.85
    again = train(constant(0.01), jax.random.key(0))
    assert np.array_equal(again["validation_loss"], run["validation_loss"])
