"""Record what torch's ReduceLROnPlateau does with random metrics, in plateau.npz.

Run with torch and numpy: ``python tests/reference_values/make_plateau.py``.
The same figures every time.
"""

from pathlib import Path

import numpy as np

FAMILIES = ("positive", "negative", "crossing zero", "with NaN", "with +inf", "with -inf")
MODES = ("min", "max")
THRESHOLD_MODES = ("rel", "abs")
EACH = 54  # sequences of each family, mode and threshold mode
LENGTH = 80
MARGIN = 1e-6  # decisions nearer than this could differ between float32 and double


def f32(value: float) -> float:
    """A number that float32 holds exactly, so that both sides are given the same."""
    return float(np.float32(value))


def draw_metrics(rng: np.random.Generator, family: str, mode: str) -> np.ndarray:
    """A noisy walk with a trend, better or worse, at times on levels so that values repeat."""
    steps = rng.normal(rng.normal(-0.4, 0.6), 1, LENGTH) * rng.random(LENGTH) ** 3
    walk = np.cumsum(steps) * 10 ** rng.uniform(-3, 1) / 4 + rng.normal(0, 0.02, LENGTH)
    if rng.random() < 0.4:
        level = np.ptp(walk) / rng.integers(3, 20)
        walk = np.round(walk / level) * level
    walk = walk if mode == "min" else -walk
    gap = rng.uniform(0.05, 2)
    where = family if family in FAMILIES[:3] else rng.choice(FAMILIES[:3])
    if where == "positive":
        walk += gap - walk.min()
    elif where == "negative":
        walk -= gap + walk.max()
    else:
        walk -= np.quantile(walk, rng.uniform(0.2, 0.8))
    odd, share = {
        "with NaN": (np.nan, 0.1),
        "with +inf": (np.inf, 0.1 if mode == "min" else 0.01),
        "with -inf": (-np.inf, 0.01 if mode == "min" else 0.1),
    }.get(family, (0.0, 0.0))
    return np.where(rng.random(LENGTH) < share, odd, walk).astype(np.float32)


def draw_settings(rng: np.random.Generator) -> dict[str, float]:
    base = 10 ** rng.uniform(-5, 1)
    settings = {
        "base": base,
        "factor": rng.uniform(0.05, 0.95),
        "patience": int(rng.integers(0, 6)),
        "threshold": rng.choice([0.0, 1e-4, 10 ** rng.uniform(-4, -0.3)]),
        "cooldown": int(rng.choice([0, 0, rng.integers(1, 7)])),
        "min_lr": rng.choice([0.0, base * 10 ** rng.uniform(-4, -0.3)]),
        "eps": rng.choice([0.0, 1e-8, base * 10 ** rng.uniform(-5, -1)]),
    }
    if settings["eps"] == settings["min_lr"] == 0:
        settings["factor"] = rng.uniform(0.5, 0.95)  # nothing else keeps it from underflow
    return {k: v if isinstance(v, int) else f32(v) for k, v in settings.items()}


def metric_decides(metrics: np.ndarray, threshold: float, threshold_mode: str) -> bool:
    """Whether no metric lies, but for rounding, on the margin around an earlier one."""
    if threshold == 0:
        return True  # then the comparison is exact
    metrics = metrics[np.isfinite(metrics)].astype(np.float64)
    later, best = metrics[None, :], metrics[:, None]
    margin = threshold * (np.abs(best) if threshold_mode == "rel" else 1)
    distance = np.abs(np.abs(later - best) - margin)
    size = np.maximum(np.maximum(np.abs(best), np.abs(later)), margin)
    return bool(np.all((distance > MARGIN * size)[np.triu_indices(len(metrics), 1)]))


def rate_decides(base: float, factor: float, min_lr: float, eps: float, **_: float) -> bool:
    """Whether no rate on the way lies near min_lr, and no step between rates near eps."""
    rates = base * factor ** np.arange(LENGTH)
    lower = np.maximum(rates * factor, min_lr)
    drops = (rates - lower)[rates > min_lr]
    near_min = np.abs(rates - min_lr) <= 1e-3 * min_lr
    near_eps = np.abs(drops - eps) <= 1e-3 * eps
    return not (near_min.any() or near_eps.any())


def torch_rates(metrics: np.ndarray, base: float, **settings) -> list[float]:
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1)], lr=base)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **settings)
    rates = []
    for metric in metrics.tolist():
        scheduler.step(metric)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def draw(rng: np.random.Generator, family: str, mode: str, threshold_mode: str) -> dict:
    """A sequence of metrics, settings, and torch's rate after each metric."""
    while True:
        metrics, settings = draw_metrics(rng, family, mode), draw_settings(rng)
        clear = metric_decides(metrics, settings["threshold"], threshold_mode)
        if clear and rate_decides(**settings):
            break
    modes = {"mode": mode, "threshold_mode": threshold_mode}
    rates = torch_rates(metrics, **settings, **modes)
    return {"family": family, "metrics": metrics, "rates": rates} | modes | settings


def main() -> None:
    import torch

    rng = np.random.default_rng(20260101)
    rows = []
    for family in FAMILIES * EACH:
        for mode in MODES:
            for threshold_mode in THRESHOLD_MODES:
                rows.append(draw(rng, family, mode, threshold_mode))
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    path = Path(__file__).with_name("plateau.npz")
    np.savez_compressed(path, torch_version=torch.__version__, **columns)
    cuts = (np.diff(columns["rates"], prepend=columns["base"][:, None]) < 0).sum(1)
    print(f"{len(rows)} sequences, {path.stat().st_size / 1e3:.0f} kB, torch {torch.__version__}")
    print("sequences by number of cuts:", np.bincount(cuts).tolist())


if __name__ == "__main__":
    main()
