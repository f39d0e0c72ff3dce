"""Right and wrong calls of every public name, for type checkers.

basedpyright and mypy check this file; for both, an ignore that is not needed is an error. A test
checks that every public name is used here.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, assert_type

import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.typing import ArrayLike

import lr_optax as lro
from lr_optax import Schedule, bound_terms, read_norms, refined_rates, schedule, step_decay, warmup
from lr_optax.compat import deepspeed, keras, timm, torch, transformers
from lr_optax.compat import optax as optax_calls
from lr_optax.feedback._with_feedback import FeedbackSchedule

Number = float | Array | np.ndarray


@schedule
def every_so_often(step: Array, init_value: float, *, every: int) -> Array:
    """A user's own schedule."""
    return init_value * 0.5 ** jnp.floor_divide(step, every)


def right_and_wrong_calls() -> Callable[[Array], object]:
    """What a factory takes and returns."""
    assert_type(every_so_often(0.1, every=3), Schedule)
    assert_type(every_so_often(0.1, every=3)(0), Array)
    s = lro.parse("constant(0.1)")
    assert_type(s.replace(value=0.2), Schedule)
    assert_type(2 * s + s / 3 - s * s + 0.1 - jnp.ones(3), Schedule)
    assert_type(1 - s + (lambda step: 0.1), Schedule)

    step_decay(init_value=0.1, decay_rate=jnp.float32(0.5), decay_steps=jnp.arange(3))
    warmup(optax.constant_schedule(0.1), warmup_steps=10)
    lro.join(
        (lro.linear(0.0, end_value=0.1, transition_steps=3), lambda step: 0.1), boundaries=(3,)
    )
    optax.adam(every_so_often(0.1, every=3))

    every_so_often(0.1)  # type: ignore[call-arg]
    every_so_often(0.1, evry=3)  # type: ignore[call-arg]
    every_so_often("0.1", every=3)  # type: ignore[arg-type]
    step_decay(0.1, 0.5, 10)  # type: ignore[call-arg]
    step_decay(0.1, decay_rate=0.5, decay_step=10)  # type: ignore[call-arg]
    step_decay(0.1, decay_rate="0.5", decay_steps=10)  # type: ignore[arg-type]
    warmup(0.1, warmup_steps=10)  # type: ignore[arg-type]
    lro.cyclical(0.01, max_value=0.1, step_size_up=5, mode="square")  # type: ignore[arg-type]
    lro.greedy(0.9, patience="10")  # type: ignore[arg-type]
    lro.sweep(lambda s, key: s(0))  # type: ignore[call-arg]
    s / s  # type: ignore[operator]
    s + "0.1"  # type: ignore[operator]
    return every_so_often(0.1, every=3)


def schedules(s: Schedule) -> Iterator[Schedule]:
    """Everything that makes a schedule, in alphabetical order."""
    yield lro.add((s, s))
    yield lro.budget_aware_decay(0.1, decay_steps=10)
    yield lro.chebyshev(1.0, max_curvature=3.0, doublings=3)
    yield lro.clip(s, min_value=0.01)
    yield lro.constant(0.1)
    yield lro.cooldown_from(s, begin=10, cooldown_steps=5, shape="1-sqrt")
    yield lro.cosine_annealing(0.1, period=10)
    yield lro.cosine_decay(0.1, decay_steps=10)
    yield lro.cyclical(0.01, max_value=0.1, step_size_up=5, mode="triangular2")
    yield lro.exponential_decay(0.1, decay_rate=0.9, decay_steps=10)
    yield lro.extend(s, begin=3, steps=2)
    yield lro.from_dict({"constant": {"value": 0.1}})
    yield lro.from_function(lambda step: 1 / (step + 1))
    yield lro.hyperbolic_decay(0.1, decay_steps=10, upper_bound=20)
    yield lro.infinite(0.1, constant_value=0.05, warmup_steps=3, cooldown_steps=5)
    yield lro.interpolate((0.1, 0.2), boundaries=(0, 10))
    yield lro.inverse_power_decay(0.1, power=0.6, timescale=10)
    yield lro.inverse_sqrt_decay(0.1, timescale=10)
    yield lro.inverse_time_decay(0.1, decay_rate=0.5, decay_steps=10)
    yield lro.join((s, s), boundaries=(10,))
    yield lro.k_decay(0.1, decay_steps=10, k=2)
    yield lro.linear(0.1, transition_steps=10)
    yield lro.linear_cosine_decay(0.1, decay_steps=10)
    yield lro.lookup(np.ones(3))
    yield lro.merged_schedule([0.5, 0.5], peak_value=0.1)
    yield lro.multistep_811(0.1, total_steps=100)
    yield lro.multistep_decay(0.1, decay_rate=0.1, boundaries=(30, 60))
    yield lro.natural_exp_decay(0.1, decay_rate=0.5, decay_steps=10)
    yield lro.noam(1.0, model_size=512, warmup_steps=4000)
    yield lro.one_cycle(0.1, total_steps=10, warmup_steps=3)
    yield lro.one_cycle_momentum(0.95, total_steps=10, warmup_steps=3)
    yield lro.parse("constant(0.1)")
    yield lro.piecewise_constant((0.1, 0.01), boundaries=(5,))
    yield lro.polynomial(0.1, power=2, transition_steps=10)
    yield lro.polynomial_cycles(0.1, power=2, period=10)
    yield lro.power_law(0.1, batch_size=32, tokens_per_step=1e6)
    yield lro.product((s, s))
    yield lro.proportional_weight_decay(s, weight_decay=0.1, peak_value=0.1)
    yield lro.repeat(s, period=10)
    yield lro.scale(s, factor=-1)
    yield lro.shaped_decay(0.1, decay_steps=10, shape="rex")
    yield lro.shift(s, steps=-3)
    yield lro.silver(1.0)
    yield lro.snapshot_cycles(0.1, total_steps=100, cycles=5)
    yield lro.step_decay(0.1, decay_rate=0.5, decay_steps=10)
    yield lro.stretch(s, 2.0)
    yield lro.switch((s, s), index=1)
    yield lro.tabulate(s, 10)
    yield lro.tanh_decay(0.1, decay_steps=10)
    yield lro.tri_stage(0.1, warmup_steps=1, hold_steps=2, cooldown_steps=3)
    yield lro.untuned_warmup(s)
    yield lro.warmup(s, warmup_steps=10, shape="cosine")
    yield lro.warmup_cosine_decay(0.1, warmup_steps=10, total_steps=100)
    yield lro.warmup_linear_decay(0.1, warmup_steps=10, total_steps=100)
    yield lro.warmup_stable_decay(0.1, total_steps=100, cooldown_steps=20)
    yield lro.warmup_stable_decay_cycles(0.1, boundaries=(50, 100), cooldown_steps=10)


def text_and_sight(s: Schedule) -> None:
    """A schedule as data and as a plot."""
    assert_type(lro.catalogue(), dict[str, Callable[..., Schedule]])
    assert_type(lro.check(s, 100), list[str])
    assert_type(lro.to_dict(s), dict[str, Any])
    lro.plot({"mine": s}, 100).set_title("mine")


def metrics(
    plateau: lro.PlateauState, greedy: lro.GreedyState
) -> Iterator[optax.GradientTransformation]:
    """Rates set by a metric."""
    yield lro.greedy(0.95, patience=3)
    yield lro.reduce_on_plateau(0.5, patience=3, mode="max")
    assert_type(lro.observe(plateau, 0.1), lro.PlateauState)
    assert_type(lro.observe(greedy, jnp.float32(0.1)).scale, Array)
    assert_type(lro.with_feedback(lro.constant(0.1), lro.reduce_on_plateau(0.5)), FeedbackSchedule)


def training(
    state: lro.HyperparamsState, norms: lro.NormsState, s: Schedule
) -> Iterator[optax.GradientTransformation]:
    """A schedule inside an optimizer."""
    yield lro.with_hyperparams(optax.adam, learning_rate=s, b1=0.9)
    yield lro.record_grad_norms("l1", capacity=64)
    assert_type(lro.read_hyperparams(state), dict[str, Array])
    assert_type(lro.next_hyperparams(state, {"learning_rate": s}), dict[str, Array])
    assert_type(lro.read_grad_norms(norms), tuple[np.ndarray, int])
    assert_type(lro.continue_from(state, s), Schedule)


def before_a_run(s: Schedule) -> None:
    """Batch sizes, AdamW's related settings, units."""
    assert_type(lro.adamw_timescale(0.1, weight_decay=0.1), Number)
    assert_type(lro.adamw_update_weights(s, weight_decay=0.1, total_steps=10), tuple[Array, Array])
    assert_type(lro.beta_for_batch(0.9, batch_size=512, base_batch_size=256), Number)
    assert_type(lro.beta_half_life(0.999), Number)
    assert_type(lro.linear_scaling(0.1, batch_size=512, base_batch_size=256), Number)
    assert_type(lro.noise_scale_adam(0.1, batch_size=512, noise_scale=1000), Number)
    assert_type(lro.noise_scale_sgd(0.1, batch_size=512, noise_scale=1000), Number)
    assert_type(lro.sqrt_scaling(0.1, batch_size=512, base_batch_size=256), lro.AdamSettings)
    assert_type(lro.Run(batch_size=32, dataset_size=50_000).steps(epochs=90), int)


def foresight(keys: Array, s: Schedule) -> None:
    """Choosing a schedule."""
    train = lro.training_run(
        lambda params, batch, key: jnp.sum(params - batch),
        lambda key: jnp.zeros(3),
        lambda rate: optax.sgd(rate),
        jnp.zeros((10, 3)),
        total_steps=10,
        batch_size=2,
    )
    assert_type(lro.sweep(train, {"mine": s}, keys, mode="max"), lro.Sweep)
    assert_type(lro.sweep(lambda s, key: s(0), [s, s], keys).names, tuple[str, ...])
    assert_type(lro.range_test(train, keys), lro.RangeTest)
    strategies = lro.root_strategies() | {"mine": s}
    compared = lro.compare(train, keys, peaks=[0.1], total_steps=9, strategies=strategies)
    assert_type(compared, lro.Comparison)
    assert_type(compared.rates("mine"), np.ndarray)
    assert_type(lro.tune(train, lro.constant, keys, min_value=1e-3, max_value=1.0), lro.Tuning)
    assert_type(lro.last_iterate_bound(s, 100), lro.LastIterateBound)
    assert_type(lro.refine([1.0, 2.0, 1.0], peak_value=0.1), lro.Refinement)
    assert_type(lro.read_log("run.csv", loss="train"), lro.Log)
    law = lro.fit_loss_law([lro.read_log("run.csv")], law="tissue", fixed={"lambda": 0.999})
    assert_type(law, lro.LossLaw)
    assert_type(law.predict(s, 100), lro.Prediction)
    assert_type(law.rank({"a": s}, 100), lro.Ranking)
    assert_type(lro.optimize_schedule(law, 100, 0.1), lro.OptimizedSchedule)
    assert_type(lro.optimize_schedule(jnp.sum, 100, 0.1).nearest, lro.Schedule)
    assert_type(lro.merge_weights(s, checkpoints=4), np.ndarray)
    assert_type(lro.average_checkpoints([{"w": keys}], [1.0]), dict[str, Array])
    assert_type(bound_terms(np.ones(3), distance=1.0, grad_norms=1.0), tuple[Array, Array])
    assert_type(refined_rates(np.ones(3)), np.ndarray)
    assert_type(read_norms("run.csv"), tuple[np.ndarray, np.ndarray])
    assert_type(lro.Log.load(Path("run.json")), lro.Log)


def others(s: Schedule, rate: Callable[[Any], ArrayLike]) -> Iterator[Schedule]:
    """The calls of other libraries that make schedules."""
    yield keras.CosineDecay(0.1, 1000, alpha=0.1)
    yield keras.CosineDecayRestarts(0.1, 1000)
    yield keras.ExponentialDecay(0.1, 1000, 0.9, staircase=True)
    yield keras.InverseTimeDecay(0.1, 1000, 0.5)
    yield keras.PiecewiseConstantDecay([10, 20], [0.1, 0.01, 0.001])
    yield keras.PolynomialDecay(0.1, 1000)
    yield keras.deserialize({"class_name": "CosineDecay", "config": {}})
    yield optax_calls.constant_schedule(-0.1)
    yield optax_calls.cosine_decay_schedule(0.1, 100)
    yield optax_calls.cosine_onecycle_schedule(100, 0.1)
    yield optax_calls.exponential_decay(0.1, 10, 0.9, staircase=True)
    yield optax_calls.join_schedules([s, rate], [10])
    yield optax_calls.linear_onecycle_schedule(100, 0.1)
    yield optax_calls.linear_schedule(0.1, 0.0, 10)
    yield optax_calls.piecewise_constant_schedule(0.1, {10: 0.5})
    yield optax_calls.piecewise_interpolate_schedule("linear", 0.1, {10: 0.5})
    yield optax_calls.polynomial_schedule(0.1, 0.0, 2, 10)
    yield optax_calls.sgdr_schedule([{"init_value": 0.1, "decay_steps": 10}])
    yield optax_calls.warmup_constant_schedule(0.0, 0.1, 10)
    yield optax_calls.warmup_cosine_decay_schedule(0.0, 0.1, 10, 100)
    yield optax_calls.warmup_exponential_decay_schedule(0.0, 0.1, 10, 100, 0.9)
    yield deepspeed.LRRangeTest(1e-3, 2000, lr_range_test_staircase=True)
    yield deepspeed.OneCycle(0.01, 0.1, cycle_first_stair_count=5)
    yield deepspeed.WarmupCosineLR(0.1, 1000)
    yield deepspeed.WarmupDecayLR(1000)
    yield deepspeed.WarmupLR(0.1, warmup_num_steps=10)
    yield timm.CosineLRScheduler(0.1, 300, warmup_t=5)
    yield timm.MultiStepLRScheduler(0.1, (30, 60), 0.1)
    yield timm.PolyLRScheduler(0.1, 300)
    yield timm.StepLRScheduler(0.1, 30, 0.1)
    yield timm.TanhLRScheduler(0.1, 300)
    yield timm.WSDLRScheduler(0.1, 300, 60)
    yield torch.ChainedScheduler([s, rate])
    yield torch.ConstantLR(0.1)
    yield torch.CosineAnnealingLR(0.1, 10)
    yield torch.CosineAnnealingWarmRestarts(0.1, 10, 2)
    yield torch.CyclicLR(0.01, 0.1, mode="exp_range")
    yield torch.ExponentialLR(0.1, 0.9)
    yield torch.LambdaLR(0.1, lambda step: 0.9**step)
    yield torch.LinearLR(0.1)
    yield torch.MultiStepLR(0.1, [30, 60])
    yield torch.MultiplicativeLR(0.1, lambda step: 0.9, total_steps=10)
    yield torch.OneCycleLR(0.1, total_steps=100)
    yield torch.PolynomialLR(0.1, 10, 2)
    yield torch.SWALR(0.1, 0.01)
    yield torch.SequentialLR([s, rate], [10])
    yield torch.StepLR(0.1, 30)
    yield torch.torch_cyclic_momentum(step_size_up=20)
    yield transformers.get_constant_schedule(0.1)
    yield transformers.get_constant_schedule_with_warmup(0.1, 10)
    yield transformers.get_cosine_schedule_with_warmup(0.1, 10, 100)
    yield transformers.get_cosine_with_hard_restarts_schedule_with_warmup(0.1, 10, 100, 3)
    yield transformers.get_cosine_with_min_lr_schedule_with_warmup(0.1, 10, 100, min_lr=0.01)
    yield transformers.get_cosine_with_min_lr_schedule_with_warmup_lr_rate(
        0.1, 10, 100, min_lr_rate=0.1
    )
    yield transformers.get_inverse_sqrt_schedule(0.1, 10)
    yield transformers.get_linear_schedule_with_warmup(0.1, 10, 100)
    yield transformers.get_polynomial_decay_schedule_with_warmup(0.1, 10, 100)
    yield transformers.get_wsd_schedule(0.1, 10, 20, num_training_steps=100)


def transforms_of_others() -> Iterator[optax.GradientTransformation]:
    """The calls of other libraries that follow a metric."""
    yield keras.ReduceLROnPlateau(0.1, mode="max")
    yield timm.PlateauLRScheduler(0.1, patience_t=3)
    yield torch.ReduceLROnPlateau(0.1, "max")
    yield transformers.get_reduce_on_plateau_schedule(0.1, patience=3)
    yield transformers.get_greedy_schedule(0.1, patience=3)


def either_of_others() -> Iterator[Schedule | optax.GradientTransformationExtraArgs]:
    """The calls of other libraries that make a schedule or a transform, by name."""
    yield timm.create_scheduler_v2(0.1, "cosine", num_epochs=100)[0]
    yield transformers.get_scheduler("cosine", 0.1, 10, 100)
