"""Write timm.json: rates of timm's schedulers. Needs timm and torch, but not torchvision."""

import importlib
import random
import sys
import types
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from reference_values.agreement import steps_of_interest, write

SETS = 30


def timm_scheduler():
    """The package timm.scheduler, without the models that timm itself imports."""
    if "timm" not in sys.modules:
        bare = types.ModuleType("timm")
        bare.__spec__ = find_spec("timm")
        bare.__path__ = list(bare.__spec__.submodule_search_locations)
        sys.modules["timm"] = bare
    return importlib.import_module("timm.scheduler")


def cases(seed, sets=SETS):
    """Random cases of every scheduler class, and of every name of ``create_scheduler_v2``."""
    import torch

    timm = timm_scheduler()
    rng = random.Random(seed)
    weight = torch.nn.Parameter(torch.zeros(1))

    def optimizer(args):
        return torch.optim.SGD([weight], lr=args["base_lr"])

    def without_base(args):
        return {name: value for name, value in args.items() if name != "base_lr"}

    whole = {**classes(rng), **{f"v2 {n}": named(rng, n) for n in NAMES}}
    parts = {
        **{f"{n} in fractions": make for n, make in classes(rng, fractions=True).items()},
        **{f"v2 {n} in fractions": named(rng, n, fractions=True) for n in NAMES},
    }
    found = {}
    for name, make in {**whole, **parts}.items():
        found[name] = []
        share = (3 if name.startswith("v2") else 1) * (4 if name in parts else 1)
        for _ in range(max(sets // share, 2)):
            args, ends = make()
            args = {"base_lr": round(10 ** rng.uniform(-4, 0), 6), **args}
            if name.startswith("v2"):
                there, epochs = timm.create_scheduler_v2(optimizer(args), **without_base(args))
            else:
                kind = getattr(timm, name.removesuffix(" in fractions"))
                there, epochs = kind(optimizer(args), **without_base(args)), None
            steps = steps_of_interest(rng, ends)
            rates = [there._get_lr(step)[0] for step in steps]
            right = [
                (step, rate)
                for step, rate in zip(steps, rates, strict=True)
                if not takes_the_wrong_cycle(args, step, rate)
            ]
            steps, rates = map(list, zip(*right, strict=True))
            case = {"args": args, "steps": steps, "rates": rates}
            found[name].append(case if epochs is None else {**case, "epochs": epochs})
    return found


def starts(args):
    """Where cycles begin; with the growth factors chosen here the sums are exact."""
    growth = args.get("cycle_mul", 1.0)
    length = args.get("t_initial", args.get("num_epochs", 0))
    prefix = args.get("warmup_t", 0) if args.get("warmup_prefix") else 0
    return [prefix + length * sum(growth**i for i in range(n)) for n in range(1, 9)]


def takes_the_wrong_cycle(args, step, rate):
    """Whether a cycle begins at a step that a rounded logarithm has put at the end of the last."""
    begins = step in starts(args)[: args.get("cycle_limit", 1) - 1]
    return begins and args.get("cycle_mul", 1.0) != 1 and rate == args["lr_min"]


def classes(rng, fractions=False):
    """A maker of arguments, and of the ends of phases, for every scheduler class.

    Fractional warm-ups have two places, other fractions one, so that no end of a cycle falls upon
    a step where a rounded difference decides.
    """

    def length(low, high, places=1):
        return in_fractions(rng, low, high, places) if fractions else rng.randint(low, high)

    def warm(prefix=True):
        rise = rng.choice([0, length(1, 15, places=2)])
        args = {"warmup_t": rise, "warmup_lr_init": rng.choice([0.0, 1e-5, 1e-4])}
        return {**args, "warmup_prefix": rng.random() < 0.5} if prefix else args

    def real(low, high):
        return round(rng.uniform(low, high), 3)

    def cycles(**own):
        def made():
            growth = rng.choice([1.0, 1.0, 1.5, 2.0])
            args = {
                "t_initial": length(1, 25, places=1 if growth == 1 else 2),
                "lr_min": rng.choice([0.0, 1e-6, 1e-4]),
                "cycle_mul": growth,
                "cycle_decay": rng.choice([1.0, real(0.3, 1)]),
                "cycle_limit": rng.choice([1, 1, 2, 3, 4]),
                **warm(),
                **{name: draw() for name, draw in own.items()},
            }
            return args, [args["warmup_t"], *starts(args)[: args["cycle_limit"]]]

        return made

    def steps():
        args = {"decay_t": length(1, 30), "decay_rate": real(0.1, 1), **warm()}
        return args, [args["decay_t"], args["decay_t"] + args["warmup_t"], 2 * args["decay_t"]]

    def milestones():
        args = {"decay_t": sorted(length(0, 59) for _ in range(rng.randint(0, 4)))}
        args |= {"decay_rate": real(0.1, 1), **warm()}
        return args, [*args["decay_t"], args["warmup_t"], 40]

    def stages():
        whole = length(1, 60)
        args = {
            "t_initial": whole,
            "decay_t": min(length(1, 60), whole),
            "lr_min": rng.choice([0.0, 1e-5, 3e-4]),
            "stable_fn": rng.choice(["constant", "rsqrt", "power"]),
            "stable_timescale": length(1, 50),
            "stable_power": real(0.1, 2),
            "decay_fn": rng.choice(["linear", "1-sqrt", "cosine", "power", "exp"]),
            "decay_power": real(0.2, 3),
            "decay_ratio": real(0.01, 0.9),
            **warm(prefix=False),
        }
        end = args["warmup_t"] + whole
        return args, [args["warmup_t"], end - args["decay_t"], end]

    def bent():
        return rng.choice([1.0, real(0.4, 3)])

    return {
        "CosineLRScheduler": cycles(k_decay=bent),
        "PolyLRScheduler": cycles(k_decay=bent, power=lambda: real(0.3, 3)),
        "TanhLRScheduler": cycles(lb=lambda: real(-8, -2), ub=lambda: real(-1, 4)),
        "StepLRScheduler": steps,
        "MultiStepLRScheduler": milestones,
        "WSDLRScheduler": stages,
    }


def in_fractions(rng, low, high, places):
    return round(rng.randint(10 * low, 10 * high) / 10 + (0.03 if places == 2 else 0), 2)


NAMES = ("cosine", "tanh", "step", "constant", "multistep", "poly", "wsd", "rsqrt")


def named(rng, sched, fractions=False):
    """A maker of arguments of ``create_scheduler_v2`` for one name."""

    def length(low, high, places=1):
        return in_fractions(rng, low, high, places) if fractions else rng.randint(low, high)

    def made():
        args = {
            "sched": sched,
            "num_epochs": length(12, 30),
            "decay_epochs": rng.choice([0.3, 2.4] if fractions else [None, 5]),
            "decay_milestones": [4.5, 9.2] if fractions else [4, 9],
            "cooldown_epochs": length(0, 3),
            "decay_rate": round(rng.uniform(0.1, 1), 3),
            "min_lr": rng.choice([0.0, 1e-5]),
            "warmup_lr": 1e-5,
            "warmup_epochs": length(1, 4, places=2),
            "warmup_prefix": rng.random() < 0.5,
            "step_on_epochs": rng.random() < 0.5,
            "updates_per_epoch": rng.randint(2, 5),
        }
        if sched in ("cosine", "tanh", "poly"):
            args |= {"cycle_limit": rng.randint(1, 2), "cycle_decay": 0.5}
        unit = 1 if args["step_on_epochs"] else args["updates_per_epoch"]
        ends = [args["warmup_epochs"], 5, args["num_epochs"]]
        return args, [unit * end for end in ends]

    return made


if __name__ == "__main__":
    from importlib.metadata import version

    write("timm", version("timm"), cases(seed=0))
