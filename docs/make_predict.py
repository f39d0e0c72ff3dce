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
from lr_optax.foresight._loss_law import LawName
from lr_optax.results import figure
from lr_optax.tasks._task import Task, load_task

HERE = Path(__file__).parent
PICTURES = HERE / "predict"
STUDIED = ("stable 50k", "wsd0.2 25k", "cos10 25k")
LOGGED = ("constant", "multistep decay", "cosine to zero")
LAWS: tuple[LawName, ...] = ("multi_power", "functional", "tissue")


class Own(NamedTuple):
    """A task of our own, and the peak that suits most strategies of ``compare`` there."""

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
    """A law fitted to some logs, and what it says of the others."""

    def __init__(self, logs: dict[str, Log], fitted: tuple[str, ...], law: LawName = "multi_power"):
        begin = time.process_time()
        self.law: LossLaw = fit_loss_law([logs[name] for name in fitted], law=law)
        self.seconds = time.process_time() - begin
        self.logs = {name: log for name, log in logs.items() if name not in fitted}
        self.predictions = {
            name: self.law.predict(log.rates, int(log.steps[-1]) + 1)
            for name, log in self.logs.items()
        }

    def arrays(self, names: list[str] | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of runs by name: final losses, predicted ones, spreads."""
        names = list(self.logs) if names is None else names
        truth = np.array([self.logs[name].losses[-1] for name in names])
        said = np.array([self.predictions[name].final for name in names])
        return truth, said, np.array([self.predictions[name].final_spread for name in names])

    def summary(self, among: list[str]) -> tuple[float, float, float, float]:
        """Mean error, the share within the spread, and Spearman and regret of some runs."""
        truth, said, spread = self.arrays()
        some_truth, some_said, _ = self.arrays(among)
        rank = np.corrcoef(rankdata(some_truth), rankdata(some_said))[0, 1]
        regret = some_truth[np.argmin(some_said)] - some_truth.min()
        error = np.abs(said - truth)
        return float(error.mean()), float(np.mean(error <= spread)), rank, float(regret)

    def picture(self, path: Path) -> None:
        """Predicted against measured final losses."""
        picture = figure.new_figure(5, 4.5)
        axes = picture.add_subplot()
        truth, said, spread = self.arrays()
        axes.errorbar(truth, said, yerr=spread, fmt="o", markersize=3, linewidth=0.7)
        ends = [truth.min(), truth.max()]
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
        (truth,), (said,), (spread,) = trial.arrays([name])
        lines.append(f"| {name} | {truth:.4f} | {said:.4f} | {spread:.4f} | {said - truth:+.4f} |")
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
    """The whole page; its pictures are written on the way."""
    logs = study(folder)
    trials = {law: Trial(logs, STUDIED, law) for law in LAWS}
    trial = trials["multi_power"]
    long = [name for name in trial.logs if name.endswith("50k")]
    trial.law.plot(PICTURES / "law.png")
    trial.picture(PICTURES / "study.png")
    ranking = trial.law.rank({name: logs[name].rates for name in long}, 49801)
    ranking.plot(PICTURES / "ranking.png")
    best = optimize_schedule(trial.law, 50000, 1e-3, warmup_steps=300)
    best.plot(PICTURES / "optimised.png")
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
    """What the laws say of a task of our own."""
    logs = own_logs(own)
    trials = {law: Trial(logs, LOGGED, law) for law in LAWS}
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


TEXT = """# Which schedule, before it is run?

From a few logged runs a loss law says how a run under any other schedule will end, with a spread,
and finds the schedule that ends lowest. Everything below is made by `docs/make_predict.py`.

```python
from lr_optax import fit_loss_law, optimize_schedule, read_log

law = fit_loss_law([read_log("level.csv"), read_log("falls.csv")])
law.predict(schedule, total_steps=50_000).final      # and .final_spread, .plot("curve.png")
law.rank({{"cosine": a, "trapezoid": b}}, total_steps=50_000)
optimize_schedule(law, total_steps=50_000, peak=1e-3).schedule
```

The same from files, `lr-optax predict level.csv falls.csv --candidate TEXT --total-steps 50000` and
`lr-optax optimize level.csv falls.csv --total-steps 50000`.

What to log: one run at a level rate, and one or two that fall from it, of half the length you ask
about or more, all at the peak you mean to use. A single smooth curve (cosine, linear) fits well and
says little: what a fall brings cannot be told there from what the steps bring, and the law warns.

## Language models of 124M parameters

SlimPajama, AdamW, peak rate 1e-3; 33 runs published by F. Schaipp and A. Hägele (repository
fabian-sp/lr-scheduling, MIT). The laws see three: constant for 50,000 steps, a trapezoid with a
cooldown of 20% and a cosine to 10%, both over 25,000 steps. They predict the last logged validation
losses of the other thirty, of 15,000 to 50,000 steps. Spearman and regret are those of the nine
schedules of 50,000 steps: regret is what the one chosen ends above the best.

{laws}

The law that is the default, and its residuals: it follows the ends of runs, on which half of the
weight lies, and misses the middle of the cosine by .01.

```
{law}
```

![the law and its runs](predict/law.png)

{study}

![predicted and measured losses](predict/study.png)

Which of these differences count? `law.rank(...)`:

```
{ranking}
```

![the ranking](predict/ranking.png)

And the best of all schedules, by gradients through the law:

```
{best}
```

![the optimised schedule](predict/optimised.png)

The optimum is flat: `{nearest}`
costs {cost} more, less than the law can tell.

## Tasks of our own

The closed loop: the tasks of `lr-optax compare`, every strategy at one peak, the one that suits
most of them there. The laws see three of the strategies
({logged}) and predict the others.
A plateau has no schedule, and so no prediction. Regret is among those predicted.

{own}
## How the spread is made

Half its width is √(a² + b²). a: 90% of the members of an ensemble lie within; each is fitted to
the same runs with random weights, and with other beliefs about the parameters. b: what the law gets
wrong, the errors along the runs and those at their ends when the last tenth of each is hidden and
predicted, in root mean square, times the 95% quantile of a t-distribution with as many degrees of
freedom as there are runs; at least .15%, which the laws' authors report on unseen runs. For the
difference of two schedules b counts as far as their rates differ.

It rests on few runs and is no guarantee: on both tasks of our own it covers fewer than nine in ten,
and see the published curves below.

## What the laws cannot do

- **Another peak.** Their parameters hold for one peak rate. Asked about another they answer, and
  warn. For how the best peak moves with the cooldown and the horizon there is `last_iterate_bound`.
- **Another task, batch size, optimizer or weight decay.** Nothing carries over; log short runs.
- **Far extrapolation.** Beyond twice the longest run they warn. On the published curves of 25M and
  100M models (multi-power law, fitted at 24,000 steps) the cosine of 72,000 steps ends .02 above
  what is predicted, outside of the spread; within the horizon the ends are off by .001 to .011.
- **Instabilities, divergence, overfitting.** The laws fall for ever towards L0, and know no loss
  that rises while the rate stands still.
- **Warm-up.** They do not say how long it should be: its rise does not count, or counts as drops
  below zero (`count_warmup`).
- **Rates that rise again.** Restarts and cycles were in none of the papers' fits. Drops below zero
  are what the laws make of a rise; see the cyclical strategies in the tables of our own tasks.
- **Early decay.** On both tasks of our own the multi-power law chooses the best strategy, and
  orders the others roughly; but nearly all losses come out too high, and those of exp_range and the
  exponential decay, which fall early, by more than the spread: it knows only the kinds of schedules
  that were logged. Log one that is like what you ask about.
- **Which law?** No law is the best everywhere. On the text the functional law errs least, and on
  the digits most; Tissue's orders the text best, and errs there most.
- **The Tissue law's optimum** is the peak until the last steps, whatever the data: it is no law to
  optimise.
- **One run.** The spread then rests on its own hidden end, and is wide.
"""


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    (HERE / "predict.md").write_text(page(Path(sys.argv[1])))
