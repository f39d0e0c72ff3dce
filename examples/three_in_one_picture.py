"""How do I draw several schedules in one picture?

``plot`` takes them in a list or by name, and draws on new axes or on yours.
"""

import sys
from pathlib import Path

from lr_optax import one_cycle, plot, warmup_cosine_decay, warmup_stable_decay

STEPS = 1000
schedules = {
    "cosine": warmup_cosine_decay(0.1, warmup_steps=50, total_steps=STEPS),
    "stable, then down": warmup_stable_decay(
        0.1, warmup_steps=50, total_steps=STEPS, cooldown_steps=200
    ),
    "one cycle": one_cycle(0.1, total_steps=STEPS, warmup_steps=300),
}
path = Path(sys.argv[1] if len(sys.argv) > 1 else "results/schedules.png")
path.parent.mkdir(parents=True, exist_ok=True)
ax = plot(schedules, STEPS)
ax.figure.savefig(path, dpi=150)
print(f"wrote {path}")
