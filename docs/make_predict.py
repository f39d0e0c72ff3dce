"""Write docs/predict.md and its pictures: loss laws on a published study, and on small tasks.

    python docs/make_predict.py PATH/TO/slimpajama_124m

The logs are those of fabian-sp/lr-scheduling (MIT): 124M-parameter language models on SlimPajama.
"""

import csv
import sys
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from scipy.stats import rankdata

from lr_optax import (
    Log,
    LossLaw,
    constant,
    fit_loss_law,
    optimize_schedule,
    read_log,
    root_strategies,
    sweep,
    warmup,
    warmup_cosine_decay,
    warmup_stable_decay,
)
from lr_optax.foresight.laws import LAW_NAMES
from lr_optax.results import figure
from lr_optax.tasks._task import Task, load_task

HERE = Path(__file__).parent
PICTURES = HERE / "predict"
STUDIED = ("stable 50k", "wsd0.2 25k", "cos10 25k")
LOGGED = ("constant", "multistep decay", "cosine to zero")


class Own(NamedTuple):
    """A task of our own, and the peak that suits most of the strategies of ``compare``."""

    task: Task
    peak: float
    seeds: int


OWN = {
    "Digits": Own(load_task("digits"), 0.05, seeds=16),
    "Text": Own(load_task("text"), 0.0055, seeds=32),
}


def study(folder: Path) -> dict[str, Log]:
    """The runs of the study, each with its schedule."""
    logs = {}
    with (folder / "runs.csv").open() as file:
        for row in csv.DictReader(file):
            kind, total, peak = row["schedule"], int(row["horizon"]), float(row["peak_lr"])
            rise = int(row["warmup_steps"])
            if kind == "stable":
                schedule = warmup(constant(peak), warmup_steps=rise)
            elif kind.startswith("cos"):
                end = 1e-7 if kind == "cos0" else peak / 10
                schedule = warmup_cosine_decay(
                    peak, total_steps=total, warmup_steps=rise, end_value=end
                )
            else:
                fall = round(float(kind[3:].rstrip("s")) * total)
                schedule = warmup_stable_decay(
                    peak,
                    total_steps=total,
                    cooldown_steps=fall,
                    warmup_steps=rise,
                    shape="1-sqrt" if kind.endswith("s") else "linear",
                )
            name = f"{kind} {total // 1000}k"
            logs[name] = read_log(folder / row["file"], schedule=schedule, name=name)
    return logs


def own_logs(own: Own) -> dict[str, Log]:
    """The validation losses of a task under the strategies of ``compare``, at one peak."""
    total = own.task.total_steps
    schedules = {name: build(own.peak, total) for name, build in root_strategies().items()}
    keys = jax.random.split(jax.random.key(0), own.seeds)
    runs = sweep(own.task.train(total), schedules, keys, metric="test_loss")
    curves = runs.metrics["validation_loss"].mean(axis=1)
    every = total // curves.shape[-1]
    steps = np.arange(every - 1, total, every)
    return {
        name: Log(steps, curve, schedule, name=name)
        for (name, schedule), curve in zip(schedules.items(), curves, strict=True)
    }


class Trial:
    """A law fitted to some logs, and its predictions of the others."""

    def __init__(self, logs: dict[str, Log], fitted: tuple[str, ...], law: str = "multi_power"):
        begin = time.process_time()
        self.law: LossLaw = fit_loss_law([logs[name] for name in fitted], law=law)
        self.seconds = time.process_time() - begin
        self.logs = {name: log for name, log in logs.items() if name not in fitted}
        self.predictions = {
            name: self.law.predict(log.rates, int(log.steps[-1]) + 1)
            for name, log in self.logs.items()
        }

    def arrays(self, names: list[str] | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Final losses of the named runs, as measured and as predicted, and the spreads."""
        names = list(self.logs) if names is None else names
        measured = np.array([self.logs[name].losses[-1] for name in names])
        predicted = np.array([self.predictions[name].final for name in names])
        spread = np.array([self.predictions[name].final_spread for name in names])
        return measured, predicted, spread

    def summary(self, among: list[str]) -> tuple[float, float, float, float]:
        """Mean error, share within the spread, and Spearman and regret among some runs."""
        measured, predicted, spread = self.arrays()
        truth, forecast, _ = self.arrays(among)
        rank = np.corrcoef(rankdata(truth), rankdata(forecast))[0, 1]
        regret = truth[np.argmin(forecast)] - truth.min()
        error = np.abs(predicted - measured)
        return float(error.mean()), float(np.mean(error <= spread)), rank, float(regret)

    def picture(self, path: Path) -> None:
        """Predicted against measured final losses."""
        picture = figure.new_figure(5, 4.5)
        axes = picture.add_subplot()
        measured, predicted, spread = self.arrays()
        axes.errorbar(measured, predicted, yerr=spread, fmt="o", markersize=3, linewidth=0.7)
        ends = [measured.min(), measured.max()]
        axes.plot(ends, ends, color="0.5", linewidth=1)
        axes.set(xlabel="measured final loss", ylabel="predicted, 90%")
        axes.grid(alpha=0.3)
        figure.write(picture, path)


def rows(trial: Trial, names: list[str]) -> str:
    """A table of runs, best first."""
    lines = [
        "| schedule | measured | predicted | ± 90% | error |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in sorted(names, key=lambda name: trial.logs[name].losses[-1]):
        (measured,), (predicted,), (spread,) = trial.arrays([name])
        error = predicted - measured
        lines.append(f"| {name} | {measured:.4f} | {predicted:.4f} | {spread:.4f} | {error:+.4f} |")
    return "\n".join(lines)


def summaries(trials: dict[str, Trial], among: list[str]) -> str:
    """A table of laws."""
    lines = [
        "| law | mean error | within the spread | Spearman | regret | CPU seconds to fit |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, trial in trials.items():
        error, within, rank, regret = trial.summary(among)
        lines.append(
            f"| {name} | {error:.4f} | {within:.0%} | {rank:.3f} | {regret:.4f} | "
            f"{trial.seconds:.0f} |"
        )
    return "\n".join(lines)


def page(folder: Path) -> str:
    """Make the whole page, and write its pictures."""
    logs = study(folder)
    trials = {law: Trial(logs, STUDIED, law) for law in LAW_NAMES}
    trial = trials["multi_power"]
    long = [name for name in trial.logs if name.endswith("50k")]
    trial.law.plot(PICTURES / "law.png")
    trial.picture(PICTURES / "study.png")
    ranking = trial.law.rank({name: logs[name].rates for name in long}, 49801)
    ranking.plot(PICTURES / "ranking.png")
    best = optimize_schedule(trial.law, 50000, 1e-3, warmup_steps=300)
    best.plot(PICTURES / "optimized.png")
    return TEXT.format(
        law=trial.law,
        study=rows(trial, long),
        laws=summaries(trials, long),
        ranking=ranking,
        best=best,
        cost=f"{best.cost:.4f}",
        nearest=repr(best.nearest),
        logged=", ".join(LOGGED),
        own="\n".join(closed_loop(title, own) for title, own in OWN.items()),
    )


def closed_loop(title: str, own: Own) -> str:
    """The section of a task of our own."""
    logs = own_logs(own)
    trials = {law: Trial(logs, LOGGED, law) for law in LAW_NAMES}
    trial, name = trials["multi_power"], own.task.name
    trial.picture(PICTURES / f"{name}.png")
    trial.law.plot(PICTURES / f"{name}_law.png")
    others = list(trial.logs)
    return SECTION.format(
        title=title,
        name=name,
        summary=own.task.summary[0].upper() + own.task.summary[1:],
        steps=own.task.total_steps,
        peak=own.peak,
        seeds=own.seeds,
        laws=summaries(trials, others),
        rows=rows(trial, others),
    )


SECTION = """### {title}

{summary}.
{steps} steps, peak {peak}, mean validation loss of {seeds} seeds.

{laws}

{rows}

![predicted and measured losses of the {name}](predict/{name}.png)

![the law on the {name}](predict/{name}_law.png)
"""


TEXT = """# Predicting losses

A loss law is fitted to a few logged runs. It predicts the final loss under any other schedule, with
a spread, and finds the schedule with the lowest predicted loss. `docs/make_predict.py` makes
everything on this page.

```python
from lr_optax import fit_loss_law, optimize_schedule, read_log

law = fit_loss_law([read_log("level.csv"), read_log("falls.csv")])
law.predict(schedule, total_steps=50_000).final  # and .final_spread, .plot("curve.png")
law.rank({{"cosine": a, "trapezoid": b}}, total_steps=50_000)
optimize_schedule(law, total_steps=50_000, peak=1e-3).schedule
```

The same from the command line:

```sh
lr-optax predict level.csv falls.csv --candidate TEXT --total-steps 50000
lr-optax optimize level.csv falls.csv --total-steps 50000
```

What to log: one run at a constant rate, and one or two that decay from it. They should have at
least half the length you ask about, and the peak you mean to use. A single smooth curve (cosine,
linear) fits well but identifies little: the effect of decay cannot be separated from that of more
steps, and the fit warns about it.

## Language models of 124M parameters

SlimPajama, AdamW, peak rate 1e-3: 33 runs published by F. Schaipp and A. Hägele (repository
fabian-sp/lr-scheduling, MIT). The laws are fitted to three of them: constant for 50,000 steps, and
a trapezoid with a cooldown of 20% and a cosine to 10%, both over 25,000 steps. They predict the
last logged validation losses of the other thirty, which have 15,000 to 50,000 steps. Spearman's
rank correlation and regret are for the nine schedules of 50,000 steps. Regret is how far the
schedule with the lowest prediction ends above the best one.

{laws}

The default law, and its residuals. It follows the ends of the runs, which carry half of the weight,
and misses the middle of the cosine by 0.01.

```
{law}
```

![the law and its runs](predict/law.png)

{study}

![predicted and measured losses](predict/study.png)

Which of these differences are significant? `law.rank(...)` shows it:

```
{ranking}
```

![the ranking](predict/ranking.png)

The schedule with the lowest predicted loss of all, found by gradients through the law:

```
{best}
```

![the optimized schedule](predict/optimized.png)

The optimum is flat: `{nearest}`
costs {cost} more, which is less than the law can resolve.

## Tasks of our own

These are the tasks of `lr-optax compare`. Every strategy has the same peak, the one that suits most
of them. The laws are fitted to three of the strategies
({logged}) and predict the others.
A plateau has no schedule, so it has no prediction. Regret is among the predicted strategies.

{own}
## How the spread is made

Half of its width is √(a² + b²).

- a is the uncertainty of the parameters. The law is fitted many times to the same runs, each time
  with random weights and a different prior; 90% of these fits lie within a.
- b is the error of the law itself: the root mean square of the errors along the runs, and of those
  at their ends when the last tenth of each is hidden and predicted, times the 95% quantile of a
  t-distribution with as many degrees of freedom as there are runs. It is at least 0.15%, which the
  laws' authors report on unseen runs. For the difference between two schedules, b counts to
  the extent that their rates differ.

The spread rests on few runs and is not a guarantee. On both tasks of our own that of the default
law covers fewer than nine in ten; see also the published curves below.

## What the laws cannot do

- **Another peak.** The parameters hold for one peak rate. For another one, the laws answer with a
  warning. `last_iterate_bound` shows how the best peak depends on the cooldown and the horizon.
- **Another task, batch size, optimizer or weight decay.** Nothing carries over: log new short runs.
- **Far extrapolation.** Beyond twice the longest run, the laws warn. On the published curves of 25M
  and 100M models (multi-power law, fitted at 24,000 steps), the cosine of 72,000 steps ends 0.02
  above the prediction, outside of the spread. Within the horizon, the ends are off by 0.001 to
  0.011.
- **Instabilities, divergence, overfitting.** The laws fall towards L0 forever, and cannot describe
  a loss that rises while the rate is constant.
- **Warm-up.** The laws do not say how long it should be. Its rise is ignored, or counted as
  negative drops (`count_warmup`).
- **Rates that rise again.** None of the papers fitted restarts or cycles. The laws treat a rise as
  a negative drop; see the cyclical strategies in the tables of our own tasks.
- **Early decay.** On both tasks of our own, the multi-power law ranks the best strategy first and
  the others roughly in order. But nearly all of its losses are too high, and those of exp_range and
  the exponential decay, which fall early, by more than the spread. The law knows only the kinds of
  schedules that were logged: log one that resembles what you ask about.
- **Which law?** No law is best everywhere. The functional law has the smallest errors on the text
  and the largest on the digits; Tissue's ranks the text best, and has the largest errors there.
- **The Tissue law's optimum** is always to hold the peak until the last steps, whatever the data.
  Fit another law to optimize a schedule.
- **One run.** The spread then rests only on the hidden end of that run, and is wide.
"""


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    (HERE / "predict.md").write_text(page(Path(sys.argv[1])))
