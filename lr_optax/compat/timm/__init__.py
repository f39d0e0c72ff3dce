"""The schedulers of ``timm.scheduler``, with the values of timm 1.0.31.

``CosineLRScheduler(optimizer, t_initial=300)`` becomes ``CosineLRScheduler(0.1, t_initial=300)``:
``base_lr`` stands where the optimizer stood. A step is whatever ``t`` counts there: with Optax,
which counts updates, give lengths in updates, or let :func:`create_scheduler_v2` do so with
``step_on_epochs=False``. With ``warmup_prefix=False``, the default of the cyclic ones, the
schedule's clock runs during the warm-up, and the rate jumps at the hand-off.

Milestones act one step early, at m − 1, as in timm, where that is intended
(:func:`lr_optax.multistep_decay` acts at m).

Deliberate differences:

* With ``cycle_mul`` the cycle is found by comparing with its boundaries. A rounded logarithm in
  timm puts some restarts at the end of the last cycle: with ``t_initial=1`` and ``cycle_mul=3``
  the one at step 121.
* There is no noise: its random numbers are torch's. ``noise_*`` arguments are refused.
* ``"none"`` gives a constant rate, where timm gives no scheduler.
* Step 0 has the rate of ``step(0)`` or ``step_update(0)``. timm's training script calls neither:
  it makes its first epoch or update with ``base_lr``, or ``warmup_lr_init`` if there is a warm-up.
  Without a warm-up these two differ for ``TanhLRScheduler``, by a factor of about
  1 − 1/(1 + e^−2lb), for a milestone at 0 or 1, with ``cycle_limit=0``, and below ``lr_min``.
* Where a drop or a cycle falls upon a step by the digits of two fractions, as with ``warmup_t=0.6``
  in front of ``decay_t=2.4``, it begins there as in exact arithmetic; in timm the rounded
  difference of the two decides. Alone, a fraction has timm's steps, every one.
* ``PlateauLRScheduler`` takes a whole warm-up; in timm the rate of one that ends between two checks
  never reaches ``base_lr``.
"""

from lr_optax.compat.timm.cycles import CosineLRScheduler as CosineLRScheduler
from lr_optax.compat.timm.cycles import PolyLRScheduler as PolyLRScheduler
from lr_optax.compat.timm.cycles import TanhLRScheduler as TanhLRScheduler
from lr_optax.compat.timm.decay import MultiStepLRScheduler as MultiStepLRScheduler
from lr_optax.compat.timm.decay import PlateauLRScheduler as PlateauLRScheduler
from lr_optax.compat.timm.decay import StepLRScheduler as StepLRScheduler
from lr_optax.compat.timm.factory import create_scheduler_v2 as create_scheduler_v2
from lr_optax.compat.timm.formulas import timm_cosine as timm_cosine
from lr_optax.compat.timm.formulas import timm_poly as timm_poly
from lr_optax.compat.timm.formulas import timm_step as timm_step
from lr_optax.compat.timm.formulas import timm_tanh as timm_tanh
from lr_optax.compat.timm.formulas import timm_wsd as timm_wsd
from lr_optax.compat.timm.stages import WSDLRScheduler as WSDLRScheduler
