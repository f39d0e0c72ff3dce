"""Write deepspeed.json: rates of DeepSpeed's schedules, by the one file they are in.

Needs torch, and DeepSpeed or its unpacked source on the path, none of which is imported but the
file.
"""

import importlib.util
import logging
import random
import sys
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from reference_values.agreement import steps_of_interest, write

SETS = 12


def deepspeed_schedules():
    """The module deepspeed.runtime.lr_schedules, without what DeepSpeed itself imports."""
    home = Path(importlib.util.find_spec("deepspeed").origin).parent
    utils = types.ModuleType("deepspeed.utils")
    utils.logger = logging.getLogger("deepspeed")
    utils.logger.setLevel(logging.ERROR)
    spec = importlib.util.spec_from_file_location(
        "deepspeed_lr_schedules", home / "runtime" / "lr_schedules.py"
    )
    module = importlib.util.module_from_spec(spec)
    kept = sys.modules.get("deepspeed.utils")
    sys.modules["deepspeed.utils"] = utils
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules.pop("deepspeed.utils")
        if kept is not None:
            sys.modules["deepspeed.utils"] = kept
    return module


def cases(seed, sets=SETS):
    """Random cases of every schedule, with the rate of update t after t steps of the scheduler."""
    import torch

    deepspeed = deepspeed_schedules()
    rng = random.Random(seed)
    weight = torch.nn.Parameter(torch.zeros(1))
    found = {}
    for name, make in makers(rng).items():
        found[name] = []
        for _ in range(sets):
            args, ends = make()
            theirs = {n: value for n, value in args.items() if n != "base_lr"}
            optimizer = torch.optim.SGD([weight], lr=args.get("base_lr", 1.0))
            if name == "OneCycle":
                theirs["cycle_momentum"] = False
            there = getattr(deepspeed, name)(optimizer, **theirs)
            steps = steps_of_interest(rng, ends)
            rates = []
            while len(rates) <= max(steps):
                rates.append(optimizer.param_groups[0]["lr"])
                there.step()
            found[name].append({"args": args, "steps": steps, "rates": [rates[t] for t in steps]})
    return found


def makers(rng):
    """A maker of arguments, and of the ends of phases, for every schedule."""

    def rate():
        return round(10 ** rng.uniform(-4, 0), 6)

    def range_test():
        size = rng.randint(1, 30)
        return {
            "lr_range_test_min_lr": rate(),
            "lr_range_test_step_size": size,
            "lr_range_test_step_rate": round(rng.uniform(0.1, 5), 2),
            "lr_range_test_staircase": rng.random() < 0.5,
        }, [size, 2 * size, 3 * size]

    def one_cycle():
        first, second = rng.randint(1, 40), rng.choice([None, rng.randint(0, 40)])
        end = first + (first if second is None else second)
        return {
            "cycle_min_lr": rate() / 10,
            "cycle_max_lr": rate(),
            "decay_lr_rate": rng.choice([0.0, round(rng.uniform(0.1, 3), 2)]),
            "cycle_first_step_size": first,
            "cycle_second_step_size": second,
            "cycle_first_stair_count": rng.choice([0, 1, 3, 7, rng.randint(1, 50)]),
            "cycle_second_stair_count": rng.choice([None, 0, 4]),
            "decay_step_size": rng.choice([0, 1, rng.randint(1, 20)]),
        }, [first, end]

    def rise():
        kind = rng.choice(["log", "linear"])
        return {"warmup_num_steps": rng.randint(1, 20), "warmup_type": kind}

    def warmup():
        args = {"base_lr": rate(), "warmup_min_lr": rng.choice([0.0, 1e-5]), **rise()}
        args |= {"warmup_max_lr": rng.choice([None, rate()])}
        return args, [args["warmup_num_steps"]]

    def warmup_decay():
        args = {"total_num_steps": rng.randint(10, 60), "warmup_min_lr": rng.choice([0.0, 1e-5])}
        args |= {"warmup_max_lr": rate(), **rise()}
        return args, [args["warmup_num_steps"], args["total_num_steps"]]

    def warmup_cosine():
        args = {"base_lr": rate(), "total_num_steps": rng.randint(10, 60), **rise()}
        args |= {"warmup_min_ratio": rng.choice([0.0, 0.1]), "cos_min_ratio": rng.choice([0, 1e-4])}
        return args, [args["warmup_num_steps"], args["total_num_steps"]]

    return {
        "LRRangeTest": range_test,
        "OneCycle": one_cycle,
        "WarmupLR": warmup,
        "WarmupDecayLR": warmup_decay,
        "WarmupCosineLR": warmup_cosine,
    }


if __name__ == "__main__":
    from importlib.metadata import version

    write("deepspeed", version("deepspeed"), cases(seed=0))
