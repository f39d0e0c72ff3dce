"""The calls people know from other libraries, with those libraries' exact values.

One module per library: :mod:`lr_optax.compat.torch`, :mod:`lr_optax.compat.keras`,
:mod:`lr_optax.compat.transformers`, :mod:`lr_optax.compat.timm`, :mod:`lr_optax.compat.deepspeed`
and :mod:`lr_optax.compat.optax`. Names and arguments are those of the library, except that the base
rate stands where the optimizer stood, and that nothing keeps a state: ``last_epoch`` is the step a
schedule is called with. What comes back is an ordinary :class:`lr_optax.Schedule`, equal to the
library step by step, past the end included. The few deliberate differences are listed in each
module; none of them needs the other library.

A length counts calls of the scheduler there, and steps of the schedule here. If you stepped once an
epoch of n updates, read the schedule at ``step // n``: ``from_function(lambda t: s(t // n))``.
Lengths multiplied by n would give a rate that also changes within an epoch. Where a library takes
fractions of a step, so do its calls here: 2.4 steps are followed as 12/5, exactly. A period whose
fraction needs a numerator above 2³⁰ is followed by the nearest one that does not.
"""

from lr_optax.compat import deepspeed as deepspeed
from lr_optax.compat import keras as keras
from lr_optax.compat import optax as optax
from lr_optax.compat import timm as timm
from lr_optax.compat import torch as torch
from lr_optax.compat import transformers as transformers
