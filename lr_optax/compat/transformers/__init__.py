"""The schedules of ``transformers.get_scheduler``, with the values of Transformers 5.23.

``get_scheduler("cosine", optimizer, ...)`` becomes ``get_scheduler("cosine", 0.1, ...)``, and so
for the functions behind the names: ``base_lr`` stands where the optimizer stood. Unless said
otherwise the rate rises along a straight line from 0 at step 0 to the base rate at step
``num_warmup_steps``, so that the first update changes nothing.

Deliberate differences:

* The cycles of ``cosine_with_restarts`` begin on time. A rounded quotient there ends some of them
  a step late: with 49 cycles in 49 steps the rate is 0 at many steps where it should be the base
  rate.
* ``get_wsd_schedule`` refuses a warm-up and a decay that do not fit into ``num_training_steps``;
  there the decay then begins in the middle, or the warm-up never ends.
* ``num_warmup_steps`` of at least ``num_training_steps`` makes ``polynomial`` end at once, where
  the original divides by zero.
* ``reduce_lr_on_plateau`` and ``greedy`` are transforms behind an optimizer whose rate is
  ``base_lr``. With a relative threshold they take the margin of a negative metric in the direction
  of improvement, and ``greedy`` needs ``min_lr <= base_lr <= max_lr``.
"""

from lr_optax.compat.transformers.by_name import get_scheduler as get_scheduler
from lr_optax.compat.transformers.cosine import (
    get_cosine_schedule_with_warmup as get_cosine_schedule_with_warmup,
)
from lr_optax.compat.transformers.cosine import (
    get_cosine_with_hard_restarts_schedule_with_warmup as get_cosine_with_hard_restarts_schedule_with_warmup,  # noqa: E501
)
from lr_optax.compat.transformers.cosine import (
    get_cosine_with_min_lr_schedule_with_warmup as get_cosine_with_min_lr_schedule_with_warmup,
)
from lr_optax.compat.transformers.cosine import (
    get_cosine_with_min_lr_schedule_with_warmup_lr_rate as get_cosine_with_min_lr_schedule_with_warmup_lr_rate,  # noqa: E501
)
from lr_optax.compat.transformers.cosine import (
    transformers_cosine_restarts as transformers_cosine_restarts,
)
from lr_optax.compat.transformers.decay import get_constant_schedule as get_constant_schedule
from lr_optax.compat.transformers.decay import (
    get_constant_schedule_with_warmup as get_constant_schedule_with_warmup,
)
from lr_optax.compat.transformers.decay import (
    get_inverse_sqrt_schedule as get_inverse_sqrt_schedule,
)
from lr_optax.compat.transformers.decay import (
    get_linear_schedule_with_warmup as get_linear_schedule_with_warmup,
)
from lr_optax.compat.transformers.decay import (
    get_polynomial_decay_schedule_with_warmup as get_polynomial_decay_schedule_with_warmup,
)
from lr_optax.compat.transformers.decay import get_wsd_schedule as get_wsd_schedule
from lr_optax.compat.transformers.metric import get_greedy_schedule as get_greedy_schedule
from lr_optax.compat.transformers.metric import (
    get_reduce_on_plateau_schedule as get_reduce_on_plateau_schedule,
)
