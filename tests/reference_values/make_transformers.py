"""Write transformers.json: rates of Transformers' schedules. Needs transformers and torch."""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from reference_values.agreement import steps_of_interest, write

SETS = 30


def cases(seed, sets=SETS):
    """Random cases of every schedule by name; the arguments are those of ``get_scheduler``."""
    import torch
    from transformers import get_scheduler

    rng = random.Random(seed)
    weight = torch.nn.Parameter(torch.zeros(1))

    def draw(*choices):
        return lambda: rng.choice(choices)

    def real(low, high):
        return lambda: round(rng.uniform(low, high), 3)

    def stages():
        given = rng.choice([{}, {"num_stable_steps": rng.randint(0, 30)}])
        return {
            "num_decay_steps": rng.randint(1, 20),
            "warmup_type": rng.choice(["linear", "cosine", "1-sqrt"]),
            "decay_type": rng.choice(["linear", "cosine", "1-sqrt"]),
            "min_lr_ratio": rng.choice([0.0, real(0, 1)()]),
            "num_cycles": rng.choice([0.5, 0.5, 1.5, 0.8]),
            **given,
        }

    def lowest():
        name = rng.choice(["min_lr", "min_lr_rate"])
        value = round(rng.uniform(0, 1e-4), 7) if name == "min_lr" else real(0, 1)()
        return {name: value, "num_cycles": rng.choice([0.5, 0.5, 1.0, real(0.2, 3)()])}

    specific = {
        "linear": dict,
        "cosine": lambda: {"num_cycles": rng.choice([0.5, 0.5, 1.0, 2.5, real(0.2, 3)()])},
        "cosine_with_restarts": lambda: {"num_cycles": rng.randint(1, 7)},
        "polynomial": lambda: {"lr_end": draw(0.0, 1e-7, 5e-5)(), "power": real(0.3, 3)()},
        "constant": dict,
        "constant_with_warmup": dict,
        "inverse_sqrt": lambda: {"timescale": rng.choice([None, rng.randint(1, 300)])},
        "cosine_with_min_lr": lowest,
        "cosine_warmup_with_min_lr": lambda: {
            **lowest(),
            "warmup_lr_rate": rng.choice([None, real(0, 1)()]),
        },
        "warmup_stable_decay": stages,
    }
    found = {}
    for name, more in specific.items():
        found[name] = []
        for _ in range(sets):
            kwargs = more()
            warm = rng.choice([0, 1, 2, rng.randint(3, 30)])
            whole = warm + rng.randint(30, 90)
            args = {
                "name": name,
                "base_lr": round(10 ** rng.uniform(-3.9, 0), 6),
                "num_warmup_steps": warm,
                "num_training_steps": whole,
                "scheduler_specific_kwargs": kwargs,
            }
            theirs = {k: v for k, v in args.items() if k != "base_lr"}
            optimizer = torch.optim.SGD([weight], lr=args["base_lr"])
            scale = get_scheduler(optimizer=optimizer, **theirs).lr_lambdas[0]
            steps = steps_of_interest(rng, [warm, whole])
            if name == "cosine_with_restarts":
                cycles = (whole - warm, kwargs["num_cycles"])
                steps = [s for s in steps if not (begins(s - warm, *cycles) and scale(s) < 0.5)]
            rates = [args["base_lr"] * scale(step) for step in steps]
            found[name].append({"args": args, "steps": steps, "rates": rates})
    return found


def begins(step, length, cycles):
    """Whether a cycle begins at a step; a rounded quotient may put it at the end of the last."""
    return 0 < step < length and step * cycles % length == 0


if __name__ == "__main__":
    from importlib.metadata import version

    write("transformers", version("transformers"), cases(seed=0))
