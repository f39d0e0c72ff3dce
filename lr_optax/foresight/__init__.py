"""Choose a schedule before the compute is spent."""

from lr_optax.foresight.logs import Log as Log
from lr_optax.foresight.logs import read_log as read_log
from lr_optax.foresight.range_testing import RangeTest as RangeTest
from lr_optax.foresight.range_testing import range_test as range_test
from lr_optax.foresight.runs import training_run as training_run
from lr_optax.foresight.sweeping import Sweep as Sweep
from lr_optax.foresight.sweeping import sweep as sweep
