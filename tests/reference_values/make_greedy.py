"""Record what Transformers' GreedyLR does with random metrics, in greedy.npz.

Run with torch, transformers and numpy: ``python tests/reference_values/make_greedy.py``. The same
figures every time.
"""

from pathlib import Path

import numpy as np
import torch
import transformers
from transformers.optimization import GreedyLR

FAMILIES = ("falling", "level", "waves", "with NaN", "with inf")
MODES = ("min", "max")
THRESHOLD_MODES = ("rel", "abs")
EACH = 20  # sequences of each family, mode and threshold mode
LENGTH = 120
WIDEST = 7  # of all windows
MARGIN = 1e-5  # decisions nearer than this could differ between float32 and double


def f32(value: float) -> float:
    """A number that float32 holds exactly, so that both sides are given the same."""
    return float(np.float32(value))


def draw_metrics(rng: np.random.Generator, family: str) -> np.ndarray:
    """Positive metrics, as a margin relative to a negative best is another one there and here."""
    t = np.arange(LENGTH)
    if family == "falling":
        walk = np.exp(-t / rng.uniform(10, 60)) + rng.uniform(0, 0.02) * rng.random(LENGTH)
    elif family == "level":
        walk = np.round(rng.random(LENGTH) * rng.integers(1, 4)) + 1
    else:
        walk = 1 + 0.5 * np.sin(t / rng.uniform(3, 20)) + rng.uniform(0, 0.1) * rng.random(LENGTH)
        walk = walk - t * rng.uniform(0, 0.004)
    walk = (walk + 0.1) * 10 ** rng.uniform(-1, 1)
    odd, share = {"with NaN": (np.nan, 0.05), "with inf": (np.inf, 0.05)}.get(family, (0.0, 0.0))
    return np.where(rng.random(LENGTH) < share, odd, walk).astype(np.float32)


def draw_settings(rng: np.random.Generator, family: str) -> dict[str, float]:
    smooth = family in FAMILIES[:3] and rng.random() < 0.4
    settings = {
        "factor": rng.uniform(0.3, 0.95),
        "patience": int(rng.integers(0, 4)),
        "threshold": rng.choice([0.0, 1e-4, 10 ** rng.uniform(-4, -1.5)]),
        "cooldown": int(rng.choice([0, 0, rng.integers(1, 5)])),
        "warmup": int(rng.choice([0, 0, rng.integers(1, 5)])),
        "min_lr": 10 ** rng.uniform(-2, -0.1),
        "max_lr": 10 ** rng.uniform(0.1, 1),
        "eps": rng.choice([1e-8, 10 ** rng.uniform(-4, -2)]),
        "window_size": int(rng.integers(2, WIDEST + 1)) if smooth else 1,
        "reset_start": int(rng.integers(1, 8)),
    }
    return {k: v if isinstance(v, int) else f32(v) for k, v in settings.items()}


def means(metrics: np.ndarray, size: int) -> np.ndarray:
    return np.array([metrics[max(0, i + 1 - size) : i + 1].mean() for i in range(len(metrics))])


def metric_decides(metrics: np.ndarray, settings: dict, threshold_mode: str) -> bool:
    """Whether no mean lies, but for rounding, on the margin around an earlier one."""
    size = settings["window_size"]
    if settings["threshold"] == 0 and size == 1:
        return True  # then the comparison is exact
    seen = means(metrics.astype(np.float64), size)
    seen = seen[np.isfinite(seen)]
    margin = settings["threshold"] * (np.abs(seen) if threshold_mode == "rel" else 1)
    distance = np.abs(np.abs(seen[None, :] - seen[:, None]) - np.reshape(margin, (-1, 1)))
    return bool(np.all(distance[np.triu_indices(len(seen), 1)] > MARGIN * np.abs(seen).max()))


def rate_decides(
    rates: np.ndarray, factor: float, min_lr: float, max_lr: float, eps: float, **_: float
) -> bool:
    """Whether no change was near eps, and no rate at its minimum or maximum but for rounding."""
    changes = np.abs([rates - np.maximum(rates * factor, min_lr),
                      np.minimum(rates / factor, max_lr) - rates])  # fmt: skip
    ends = np.abs([rates / min_lr - 1, rates / max_lr - 1])
    return bool(
        np.all(np.abs(changes - eps) > 1e-3 * eps) and not np.any((ends > 0) & (ends < MARGIN))
    )


def greedy_rates(metrics: np.ndarray, window_size: int, **settings) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = GreedyLR(optimizer, smooth=window_size > 1, window_size=window_size, **settings)
    rates = []
    for metric in metrics.tolist():
        scheduler.step(metric)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def draw(rng: np.random.Generator, family: str, mode: str, threshold_mode: str) -> dict:
    """A sequence of metrics, settings, and the rate after each metric; the first rate is 1."""
    while True:
        metrics, settings = draw_metrics(rng, family), draw_settings(rng, family)
        if mode == "max":
            metrics = (metrics[::-1] if family == "falling" else metrics).copy()
            metrics[np.isinf(metrics)] *= -1
        modes = {"mode": mode, "threshold_mode": threshold_mode}
        rates = greedy_rates(metrics, **settings, **modes)
        clear = metric_decides(metrics, settings, threshold_mode)
        if clear and rate_decides(np.array(rates), **settings):
            break
    return {"family": family, "metrics": metrics, "rates": rates} | modes | settings


def main() -> None:
    rng = np.random.default_rng(20260202)
    rows = []
    for family in FAMILIES * EACH:
        for mode in MODES:
            for threshold_mode in THRESHOLD_MODES:
                rows.append(draw(rng, family, mode, threshold_mode))
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    columns["rates"] = columns["rates"].astype(np.float32)
    path = Path(__file__).with_name("greedy.npz")
    np.savez_compressed(path, transformers_version=transformers.__version__, **columns)
    print(f"{len(rows)} sequences, {path.stat().st_size / 1e3:.0f} kB")
    change = np.diff(columns["rates"], prepend=1)
    print("rises:", np.sum(change > 0), "falls:", np.sum(change < 0))


if __name__ == "__main__":
    main()
