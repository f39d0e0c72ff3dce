"""Loss laws, one file each: the loss of a run as a function of its rates.

All laws have one form. With S(t) = Σ_{i<=t} η_i and the drops Δ_k = η_{k-1} - η_k,

    L(t) = L0 + A·S(t)^-α - Σ_{k<=t} Δ_k·R_k(t),

a power law of the distance traveled, minus what each drop of the rate brings as its effect
unfolds. A law is its response R_k, and a file here: its docstring has the formula, when to use it
and the paper; ``LAW`` has the response and the parameters. The file's name is the law's name, and
nothing else needs to be changed: ``fit_loss_law``, the command line and the pages find it.
"""

from pkgutil import iter_modules

LAW_NAMES = tuple(module.name for module in iter_modules(__path__))
"""The names of all laws; reading them imports none."""
