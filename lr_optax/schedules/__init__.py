"""The catalogue: every schedule, by family.

Importing it registers all of them, so that a name of theirs is taken before a user's own schedule
can ask for it. It also registers with ``jax.export`` how they are saved.
"""

from lr_optax._core import export as export
from lr_optax._core.schedule import Schedule as Schedule
from lr_optax._core.schedule import catalogue as catalogue
from lr_optax._core.schedule import schedule as schedule
from lr_optax.schedules import combine as combine
from lr_optax.schedules import cycles as cycles
from lr_optax.schedules import decays as decays
from lr_optax.schedules import tables as tables
from lr_optax.schedules import warmups as warmups
