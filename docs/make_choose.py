"""Print the table of docs/choose.md from published training logs.

    python docs/make_choose.py PATH/TO/slimpajama_124m/runs.csv

The logs are those of fabian-sp/lr-scheduling (MIT): 124M-parameter language models on SlimPajama.
"""

import csv
import sys
from pathlib import Path

NAMES = {"stable": "constant after warm-up", "cos0": "cosine to 0", "cos10": "cosine to 10%"}


def name(schedule: str) -> str:
    """Spell out a schedule's code: wsd0.2s is a 1 - sqrt cooldown over the last fifth."""
    if schedule in NAMES:
        return NAMES[schedule]
    share = float(schedule.removeprefix("wsd").removesuffix("s"))
    shape = "1 − sqrt" if schedule.endswith("s") else "linear"
    return f"{shape} to 0 over the last {share:.0%}"


def main(path: Path, horizon: str = "50000") -> None:
    """Print the final validation losses at one horizon, best first, and the gaps to the best."""
    with path.open() as file:
        runs = [row for row in csv.DictReader(file) if row["horizon"] == horizon]
    runs.sort(key=lambda row: float(row["final_val_loss"]))
    best = float(runs[0]["final_val_loss"])
    print("| schedule | final validation loss | above the best |\n| --- | --- | --- |")
    for row in runs:
        loss = float(row["final_val_loss"])
        print(f"| {name(row['schedule'])} | {loss:.4f} | {loss - best:.4f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
