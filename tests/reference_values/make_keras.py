"""Write keras.json: rates of Keras's schedules in double precision. Needs keras, and a backend."""

import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from reference_values.agreement import steps_of_interest, write

os.environ.setdefault("KERAS_BACKEND", "torch")  # before keras is imported anywhere

SETS = 40


def starts(args):
    """Where the cycles after the first begin; with these growth factors the sums are exact."""
    growth = args["t_mul"]
    return [args["first_decay_steps"] * sum(growth**i for i in range(n)) for n in range(1, 6)]


def takes_the_wrong_cycle(name, args, step, rate):
    """Whether a rounded logarithm has put a step, at which a cycle begins, into the last one."""
    if name != "CosineDecayRestarts" or step not in starts(args):
        return False
    floor = args["alpha"] * args["initial_learning_rate"]
    return abs(rate - floor) < 1e-6 * args["initial_learning_rate"]


def cases(seed, sets=SETS):
    """Random cases of every schedule."""
    import numpy as np
    from keras.optimizers import schedules

    rng = random.Random(seed)

    def base():
        return round(10 ** rng.uniform(-4, 0), 6)

    def decay():
        length = rng.randint(1, 60)
        args = {
            "initial_learning_rate": base(),
            "decay_steps": length,
            "decay_rate": round(rng.uniform(0.3, 1), 3),
            "staircase": rng.random() < 0.5,
        }
        return args, [length, 2 * length, 3 * length]

    def piecewise():
        boundaries = sorted(rng.sample(range(1, 90), rng.randint(1, 5)))
        return {
            "boundaries": boundaries,
            "values": [base() for _ in range(len(boundaries) + 1)],
        }, boundaries

    def polynomial():
        length = rng.randint(1, 40)
        args = {
            "initial_learning_rate": base(),
            "decay_steps": length,
            "end_learning_rate": rng.choice([0.0, 1e-4, 1e-5]),
            "power": rng.choice([1.0, 2.0, 0.5, round(rng.uniform(0.3, 3), 2)]),
            "cycle": rng.random() < 0.6,
        }
        return args, [length, 2 * length, 3 * length]

    def cosine():
        length, rise = rng.randint(1, 60), rng.randint(1, 20)
        args = {
            "initial_learning_rate": base(),
            "decay_steps": length,
            "alpha": rng.choice([0.0, round(rng.random(), 3)]),
            "warmup_target": rng.choice([None, base()]),
            "warmup_steps": rise,
        }
        return args, [rise, length, rise + length]

    def restarts():
        length, growth = rng.randint(1, 12), rng.choice([1.0, 1.5, 2.0, 3.0])
        args = {
            "initial_learning_rate": base(),
            "first_decay_steps": length,
            "t_mul": growth,
            "m_mul": rng.choice([1.0, round(rng.uniform(0.4, 1), 2)]),
            "alpha": rng.choice([0.0, round(rng.random() / 2, 3)]),
        }
        return args, starts(args)

    makers = {
        "ExponentialDecay": decay,
        "InverseTimeDecay": decay,
        "PiecewiseConstantDecay": piecewise,
        "PolynomialDecay": polynomial,
        "CosineDecay": cosine,
        "CosineDecayRestarts": restarts,
    }
    found = {}
    for name, make in makers.items():
        found[name] = []
        for _ in range(sets):
            args, ends = make()
            steps = steps_of_interest(rng, ends)
            theirs = dict(args)
            if "initial_learning_rate" in args:
                theirs["initial_learning_rate"] = np.float64(args["initial_learning_rate"])
            else:
                theirs["values"] = [np.float64(value) for value in args["values"]]
            there = getattr(schedules, name)(**theirs)
            rates = [float(there(np.asarray(step))) for step in steps]
            right = [
                (step, rate)
                for step, rate in zip(steps, rates, strict=True)
                if not takes_the_wrong_cycle(name, args, step, rate)
            ]
            steps, rates = map(list, zip(*right, strict=True))
            found[name].append({"args": args, "steps": steps, "rates": rates})
    return found


if __name__ == "__main__":
    from importlib.metadata import version

    write("keras", version("keras"), cases(seed=0))
