"""Choose a schedule before the compute is spent."""

from lr_optax.foresight.bounds import LastIterateBound as LastIterateBound
from lr_optax.foresight.bounds import bound_terms as bound_terms
from lr_optax.foresight.bounds import last_iterate_bound as last_iterate_bound
from lr_optax.foresight.logs import Log as Log
from lr_optax.foresight.logs import read_log as read_log
from lr_optax.foresight.logs import read_norms as read_norms
from lr_optax.foresight.merging import average_checkpoints as average_checkpoints
from lr_optax.foresight.merging import merge_weights as merge_weights
from lr_optax.foresight.merging import merged_schedule as merged_schedule
from lr_optax.foresight.optimizing import OptimizedSchedule as OptimizedSchedule
from lr_optax.foresight.optimizing import optimize_schedule as optimize_schedule
from lr_optax.foresight.predicting import LossLaw as LossLaw
from lr_optax.foresight.predicting import Prediction as Prediction
from lr_optax.foresight.predicting import Ranking as Ranking
from lr_optax.foresight.predicting import fit_loss_law as fit_loss_law
from lr_optax.foresight.range_testing import RangeTest as RangeTest
from lr_optax.foresight.range_testing import range_test as range_test
from lr_optax.foresight.refining import Refinement as Refinement
from lr_optax.foresight.refining import refine as refine
from lr_optax.foresight.refining import refined_rates as refined_rates
from lr_optax.foresight.runs import training_run as training_run
from lr_optax.foresight.sweeping import Sweep as Sweep
from lr_optax.foresight.sweeping import sweep as sweep
from lr_optax.foresight.tuning import Tuning as Tuning
from lr_optax.foresight.tuning import tune as tune
