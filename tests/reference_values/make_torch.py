"""Write torch.json: rates of PyTorch's schedulers, by stepping them. Needs torch."""

import json
import random
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from reference_values.agreement import steps_of_interest, write

SETS = 30


def rates(make, steps):
    """The rate at each of some steps, of the scheduler that ``make(optimizer)`` makes."""
    import torch

    weight = torch.nn.Parameter(torch.zeros(1))

    def at(base):
        optimizer = torch.optim.SGD([weight], lr=base, momentum=0.9)
        scheduler = make(optimizer)
        wanted, found = set(steps), []
        for step in range(max(steps) + 1):
            if step in wanted:
                found.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            if step < max(steps):
                scheduler.step()
        return found

    return at


def case(rng, name, args, ends, *, last=None):
    """One case of a scheduler of that name; ``last`` is the last step that torch can take."""
    from torch.optim import lr_scheduler, swa_utils

    steps = steps_of_interest(rng, ends)
    steps = [step for step in steps if last is None or step <= last]
    base = args.get("base_lr", 1.0)
    theirs = dict(args) if name == "CyclicLR" else {k: v for k, v in args.items() if k != "base_lr"}
    home = swa_utils if name == "SWALR" else lr_scheduler
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = rates(lambda o: getattr(home, name)(o, **theirs), steps)(base)
    return {"args": args, "steps": steps, "rates": found}


def cases(seed, sets=SETS):
    """Random cases of every scheduler that is made of numbers."""
    rng = random.Random(seed)

    def base():
        return round(10 ** rng.uniform(-4, 0), 6)

    def factor(low=0.3):
        return round(rng.uniform(low, 1), 3)

    def multistep():
        milestones = sorted(rng.choices(range(1, 90), k=rng.randint(0, 5)))
        return {"milestones": milestones, "gamma": factor()}, milestones

    def one_cycle():
        total = rng.randint(8, 120)
        pct = rng.choice([0.0, 1.0, 0.25, *[round(rng.uniform(0.05, 0.48), 3)] * 9])
        args = {
            "max_lr": base(),
            "total_steps": total,
            "pct_start": pct if abs(pct * total - 1) > 1e-9 else 0.3,
            "anneal_strategy": rng.choice(["cos", "linear"]),
            "div_factor": round(rng.uniform(1, 40), 2),
            "final_div_factor": rng.choice([1e4, 100.0, 1.0]),
            "three_phase": rng.random() < 0.4,
        }
        if args["three_phase"]:  # 0 and 1 make torch divide by zero, or end in mid-air
            args["pct_start"] = min(max(args["pct_start"], 0.2), 0.5)
        return args, [args["pct_start"] * total - 1, 2 * args["pct_start"] * total - 2, total - 1]

    def cyclic():
        up, down = rng.randint(1, 20), rng.choice([None, rng.randint(1, 20)])
        mode = rng.choice(["triangular", "triangular2", "exp_range"])
        low = base()
        args = {
            "base_lr": low,
            "max_lr": round(low * rng.uniform(1, 10), 6),
            "step_size_up": up,
            "step_size_down": down,
            "mode": mode,
            "gamma": round(rng.uniform(0.97, 1), 4) if mode == "exp_range" else 1.0,
        }
        period = up + (down or up)
        return args, [up, period, period + up, 2 * period, 3 * period]

    def restarts():
        period, multiplier = rng.randint(1, 12), rng.randint(1, 3)
        low = base()
        ends = [period * sum(multiplier**i for i in range(n)) for n in (1, 2, 3)]
        args = {"T_0": period, "T_mult": multiplier, "eta_min": round(low * rng.random() * 0.5, 7)}
        return {"base_lr": low, **args}, ends

    def with_base(make):
        def made():
            args, ends = make()
            return {"base_lr": base(), **args}, ends

        return made

    def lasting(key, **others):
        def made():
            length = rng.randint(1, 90)
            return {key: length, **{name: draw() for name, draw in others.items()}}, [length]

        return with_base(made)

    makers = {
        "StepLR": lasting("step_size", gamma=factor),
        "MultiStepLR": with_base(multistep),
        "ConstantLR": lasting("total_iters", factor=factor),
        "LinearLR": lasting(
            "total_iters", start_factor=lambda: factor(0.01), end_factor=lambda: factor(0)
        ),
        "ExponentialLR": with_base(lambda: ({"gamma": round(rng.uniform(0.9, 1), 4)}, [20])),
        "PolynomialLR": lasting("total_iters", power=lambda: round(rng.uniform(0.3, 3), 2)),
        "CosineAnnealingLR": lasting("T_max", eta_min=lambda: rng.choice([0.0, 1e-5, 0.01])),
        "CosineAnnealingWarmRestarts": restarts,
        "CyclicLR": cyclic,
        "OneCycleLR": one_cycle,
        "SWALR": lasting(
            "anneal_epochs", swa_lr=base, anneal_strategy=lambda: rng.choice(["cos", "linear"])
        ),
    }
    found = {}
    for name, make in makers.items():
        found[name] = []
        for _ in range(sets):
            args, ends = make()
            last = args["total_steps"] - 1 if name == "OneCycleLR" else None
            found[name].append(case(rng, name, args, ends, last=last))
    found["SequentialLR"] = [composed(rng, "SequentialLR", base()) for _ in range(sets)]
    found["ChainedScheduler"] = [composed(rng, "ChainedScheduler", base()) for _ in range(sets)]
    return found


def composed(rng, name, base):
    """A case of a scheduler made of others, each given as its name and its arguments."""
    from torch.optim import lr_scheduler

    pool = [
        ("LinearLR", {"start_factor": 0.25, "total_iters": rng.randint(1, 9)}),
        ("ConstantLR", {"factor": 0.5, "total_iters": rng.randint(1, 9)}),
        ("ExponentialLR", {"gamma": 0.93}),
        ("StepLR", {"step_size": rng.randint(1, 9), "gamma": 0.7}),
        ("MultiStepLR", {"milestones": [5, 9, 9], "gamma": 0.6}),
        ("PolynomialLR", {"total_iters": rng.randint(10, 40), "power": 1.5}),
    ]
    if name == "SequentialLR":
        pool += [
            ("CosineAnnealingLR", {"T_max": rng.randint(2, 12), "eta_min": 1e-5}),
            ("CosineAnnealingWarmRestarts", {"T_0": rng.randint(2, 9), "T_mult": 2}),
        ]
    parts = rng.sample(pool, rng.randint(1, 4))
    milestones = sorted(rng.sample(range(1, 50), len(parts) - 1))
    steps = steps_of_interest(rng, [5, 9, *milestones])

    def make(optimizer):
        made = [getattr(lr_scheduler, part)(optimizer, **args) for part, args in parts]
        if name == "ChainedScheduler":
            return lr_scheduler.ChainedScheduler(made)
        return lr_scheduler.SequentialLR(optimizer, made, milestones)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = rates(make, steps)(base)
    args = {"base_lr": base, "parts": parts}
    if name == "SequentialLR":
        args["milestones"] = milestones
    return {"args": json.loads(json.dumps(args)), "steps": steps, "rates": found}


if __name__ == "__main__":
    from importlib.metadata import version

    write("torch", version("torch"), cases(seed=0))
