"""Lengths in steps: counted by hand, and against a loop over batches."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lr_optax import Run


@given(
    dataset=st.integers(1, 300),
    batch=st.integers(1, 40),
    accumulation=st.integers(1, 5),
    epochs=st.integers(0, 4),
    drop=st.booleans(),
)
def test_epochs_against_a_loop(dataset, batch, accumulation, epochs, drop):
    if drop and dataset < batch:
        return
    run = Run(
        batch_size=batch, accumulation_steps=accumulation, dataset_size=dataset, drop_last=drop
    )
    batches = 0
    for _ in range(epochs):
        for start in range(0, dataset, batch):
            batches += start + batch <= dataset or not drop
    assert run.steps(epochs=epochs) == -(-batches // accumulation)


def test_every_unit():
    run = Run(batch_size=128, dataset_size=50_000, sample_tokens=1024, total_steps=1000)
    assert run.steps(epochs=1) == 391
    assert run.steps(epochs=0.5) == 196
    assert run.steps(samples=12_800) == 100
    assert run.steps(samples=12_801) == 101
    assert run.steps(tokens=1e9) == 7630
    assert run.steps(fraction=0.03) == 30
    assert run.steps(fraction=0) == 0


def test_rounding_errors_make_no_step():
    run = Run(batch_size=1, dataset_size=30)
    assert [run.steps(epochs=n / 10) for n in range(11)] == list(range(0, 31, 3))


@given(
    length=st.integers(0, 10**20),
    batch=st.integers(1, 10**7),
    accumulation=st.integers(1, 9),
    tokens=st.integers(1, 10**5),
)
def test_whole_lengths_are_exact(length, batch, accumulation, tokens):
    run = Run(
        batch_size=batch,
        accumulation_steps=accumulation,
        sample_tokens=tokens,
        dataset_size=length + 1,
    )
    assert run.steps(samples=length) == -(-length // (batch * accumulation))
    assert run.steps(tokens=length) == -(-length // (batch * accumulation * tokens))
    assert run.steps(epochs=length) == -(-length * run.batches_per_epoch // accumulation)


def test_long_lengths_in_other_types():
    run = Run(batch_size=1)
    for length in (10**9, 2**31 + 1, 10**12 + 1, 2**53 - 1):
        for kind in (int, float, np.int64, np.float64, Fraction):
            assert run.steps(samples=kind(length)) == length
    assert run.steps(samples=2**53 + 1) == 2**53 + 1
    assert run.steps(samples=10**9 + 0.5) == 10**9 + 1
    assert Run(batch_size=1, dataset_size=2 * 10**10 + 1).steps(epochs=0.5) == 10**10 + 1
    assert Run(batch_size=3, dataset_size=10**10).steps(epochs=0.3) == 10**9 + 1
    assert Run(batch_size=1, total_steps=2**53 + 1).steps(fraction=1.0) == 2**53 + 1
    assert Run(batch_size=1, dataset_size=10).steps(epochs=0.1 + 0.2) == 3


def test_accumulation_is_that_of_multi_steps():
    run = Run(batch_size=10, accumulation_steps=4, dataset_size=70)
    zero, one = jnp.zeros(()), jnp.ones(())
    tx = optax.MultiSteps(optax.sgd(1.0), every_k_schedule=4)
    with jax.numpy_dtype_promotion("standard"):
        state = tx.init(zero)
        for _ in range(4 * run.batches_per_epoch):
            _, state = tx.update(one, state, zero)
    assert state.gradient_step == run.steps(epochs=4) == 7
    assert run.samples_per_step == 40


def test_a_run_of_known_length():
    run = Run(batch_size=128, dataset_size=50_000).lasting(epochs=90)
    assert run.total_steps == 35_190
    assert run.steps(fraction=0.1) == 3519
    assert run.steps(epochs=5) == 1955


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Run(batch_size=0), ValueError, "`batch_size` must be a whole number >= 1, got 0"),
        (lambda: Run(batch_size=1.5), ValueError, "`batch_size` must be a whole number"),
        (
            lambda: Run(batch_size=9, dataset_size=8, drop_last=True),
            ValueError,
            "`dataset_size` must be at least `batch_size`, got 8 < 9",
        ),
        (lambda: Run(batch_size=1).steps(), TypeError, "give one of epochs, .* got none"),
        (lambda: Run(batch_size=1).steps(epochs=1, tokens=2), TypeError, "got epochs, tokens"),
        (lambda: Run(batch_size=1).steps(epochs=1), ValueError, "`dataset_size` must be given"),
        (lambda: Run(batch_size=1).steps(tokens=1), ValueError, "`sample_tokens` must be given"),
        (lambda: Run(batch_size=1).steps(fraction=0.1), ValueError, "`total_steps` must be given"),
        (lambda: Run(batch_size=1).steps(fraction=1.1), ValueError, r"in \[0, 1\], got 1.1"),
        (lambda: Run(batch_size=1).steps(samples=-1), ValueError, "finite number >= 0, got -1"),
        (lambda: Run(batch_size=1).steps(samples=float("nan")), ValueError, "got nan"),
    ],
)
def test_errors_say_what_is_missing(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("size", ["8", True, float("inf"), float("nan"), 0, 2.5])
def test_sizes_that_are_none_are_named(size):
    with pytest.raises((TypeError, ValueError), match="Run: `batch_size` must be a whole number"):
        Run(batch_size=size)


@pytest.mark.parametrize("length", ["3", True, [1], 1j])
def test_lengths_that_are_no_numbers_are_named(length):
    with pytest.raises(TypeError, match="steps: `epochs` must be a number"):
        Run(batch_size=8, dataset_size=80).steps(epochs=length)
