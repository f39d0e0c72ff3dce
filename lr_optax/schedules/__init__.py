"""The catalogue: every schedule, by family.

Importing it registers all of them, so that a name of theirs is taken before a user's own schedule
can ask for it.
"""

from lr_optax._core.schedule import catalogue as catalogue
from lr_optax._core.schedule import schedule as schedule
from lr_optax.schedules import anytime as anytime
from lr_optax.schedules import combine as combine
from lr_optax.schedules import cycles as cycles
from lr_optax.schedules import decay as decay
from lr_optax.schedules import inner as inner
from lr_optax.schedules import noiseless as noiseless
from lr_optax.schedules import recipes as recipes
from lr_optax.schedules import retime as retime
from lr_optax.schedules import stages as stages
from lr_optax.schedules import steps as steps
from lr_optax.schedules import tables as tables
from lr_optax.schedules import warmups as warmups
