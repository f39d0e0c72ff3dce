"""Record what Keras's ReduceLROnPlateau does with random metrics, in keras_plateau.npz.

Run with keras and a backend: ``python tests/reference_values/make_keras_plateau.py``. The same
figures every time.
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from reference_values.make_plateau import (
    FAMILIES,
    LENGTH,
    draw_metrics,
    f32,
    metric_decides,
    rate_decides,
)

os.environ.setdefault("KERAS_BACKEND", "torch")  # before keras is imported anywhere

EACH = 26  # sequences of each family and mode


def draw_settings(rng: np.random.Generator) -> dict[str, float]:
    base = f32(10 ** rng.uniform(-5, 1))
    return {
        "base": base,
        "factor": f32(rng.uniform(0.5, 0.95)),  # 80 cuts do not underflow
        "patience": int(rng.integers(0, 5)),
        "min_delta": f32(rng.choice([0.0, 1e-4, 10 ** rng.uniform(-4, -0.3)])),
        "cooldown": int(rng.integers(0, 5)),
        "min_lr": f32(rng.choice([0.0, base * 10 ** rng.uniform(-4, -0.3), 2 * base])),
    }


def keras_rates(metrics: np.ndarray, base: float, **settings) -> list[float]:
    """Keras's rate after each metric; the callback asks its model for an optimizer only."""
    import keras

    callback = keras.callbacks.ReduceLROnPlateau("loss", **settings)
    optimizer = SimpleNamespace(learning_rate=np.float32(base))
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    callback.on_train_begin()
    rates = []
    for epoch, metric in enumerate(metrics):
        callback.on_epoch_end(epoch, {"loss": metric})
        optimizer.learning_rate = np.float32(optimizer.learning_rate)
        rates.append(float(optimizer.learning_rate))
    return rates


def draw(rng: np.random.Generator, family: str, mode: str) -> dict:
    """A sequence of metrics, settings, and Keras's rate after each metric."""
    while True:
        metrics, settings = draw_metrics(rng, family, mode), draw_settings(rng)
        if rng.random() < 0.3:
            metrics[0] = rng.choice([np.nan, np.inf, -np.inf])
        if metric_decides(metrics, settings["min_delta"], "abs") and rate_decides(
            settings["base"], settings["factor"], settings["min_lr"], eps=0.0
        ):
            break
    rates = keras_rates(metrics, mode=mode, **settings)
    return {"metrics": metrics, "rates": rates, "mode": mode} | settings


def rows(seed: int, each: int) -> list[dict]:
    """Sequences of every family, in both modes."""
    rng = np.random.default_rng(seed)
    return [draw(rng, family, mode) for family in FAMILIES * each for mode in ("min", "max")]


def main() -> None:
    found = rows(20260202, EACH)
    columns = {name: np.array([row[name] for row in found]) for name in found[0]}
    path = Path(__file__).with_name("keras_plateau.npz")
    np.savez_compressed(path, keras_version=version("keras"), **columns)
    print(f"{len(found)} sequences of {LENGTH} metrics, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
