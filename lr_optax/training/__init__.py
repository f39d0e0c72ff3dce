"""A schedule inside an optimizer: attach it, read it, and go on with it in another run."""

from lr_optax.training.attach import HyperparamsState as HyperparamsState
from lr_optax.training.attach import with_hyperparams as with_hyperparams
from lr_optax.training.norms import NormsState as NormsState
from lr_optax.training.norms import read_grad_norms as read_grad_norms
from lr_optax.training.norms import record_grad_norms as record_grad_norms
from lr_optax.training.read import next_hyperparams as next_hyperparams
from lr_optax.training.read import read_hyperparams as read_hyperparams
from lr_optax.training.resume import continue_from as continue_from
