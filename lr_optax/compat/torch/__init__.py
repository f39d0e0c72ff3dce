"""The schedulers of ``torch.optim.lr_scheduler`` and ``SWALR``, with the values of PyTorch 2.13.

``StepLR(optimizer, step_size=30)`` becomes ``StepLR(0.1, step_size=30)``: ``base_lr`` stands where
the optimizer stood. ``CyclicLR`` and ``OneCycleLR`` have rates of their own and lose the optimizer
only, as do ``SequentialLR`` and ``ChainedScheduler``, which take schedules. The step of a schedule
is ``last_epoch``.

Deliberate differences:

* Nothing is recursive: a schedule has no state that an edit of the rate or a resume could upset.
* ``OneCycleLR`` holds its last rate from ``total_steps - 1`` on, where torch rises again, falls
  below zero or raises; a warm-up of one step, ``pct_start * total_steps == 1``, is over at once,
  where torch divides by zero.
* ``LinearLR``, ``ConstantLR`` and ``PolynomialLR`` with ``total_iters=0`` are over at once, where
  torch stays at the first value for ever; ``ConstantLR`` with ``factor=0`` and ``LinearLR`` with
  ``start_factor=0`` work.
* ``CosineAnnealingWarmRestarts`` finds its cycle by exact arithmetic; torch's ``step(epoch)``
  takes the wrong one at some restarts (its ``step()`` is right). Its floor must not exceed the
  base rate, nor ``CyclicLR``'s lowest rate the highest.
* ``SequentialLR`` starts every schedule from that schedule's own base rate, so that a later stage
  can go on where the last one ended; in torch all of them start from the optimizer's.
* ``ChainedScheduler`` multiplies; see there.
* ``MultiplicativeLR`` needs to know how many steps to tabulate.
* ``ReduceLROnPlateau`` takes the margin of a negative metric in the direction of improvement.
* There is one rate, not a list for parameter groups, and momentum is not scheduled along;
  :func:`torch_one_cycle` can make OneCycleLR's.
"""

from lr_optax.compat.torch.combine import ChainedScheduler as ChainedScheduler
from lr_optax.compat.torch.combine import LambdaLR as LambdaLR
from lr_optax.compat.torch.combine import MultiplicativeLR as MultiplicativeLR
from lr_optax.compat.torch.combine import SequentialLR as SequentialLR
from lr_optax.compat.torch.cyclic import CosineAnnealingLR as CosineAnnealingLR
from lr_optax.compat.torch.cyclic import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from lr_optax.compat.torch.cyclic import CyclicLR as CyclicLR
from lr_optax.compat.torch.cyclic import OneCycleLR as OneCycleLR
from lr_optax.compat.torch.cyclic import torch_one_cycle as torch_one_cycle
from lr_optax.compat.torch.decay import SWALR as SWALR
from lr_optax.compat.torch.decay import ConstantLR as ConstantLR
from lr_optax.compat.torch.decay import ExponentialLR as ExponentialLR
from lr_optax.compat.torch.decay import LinearLR as LinearLR
from lr_optax.compat.torch.decay import MultiStepLR as MultiStepLR
from lr_optax.compat.torch.decay import PolynomialLR as PolynomialLR
from lr_optax.compat.torch.decay import ReduceLROnPlateau as ReduceLROnPlateau
from lr_optax.compat.torch.decay import StepLR as StepLR
