"""How do I warm up, decay along a cosine to 10% of the peak, and stay there?

``warmup_cosine_decay`` holds its end value forever; write a percentage of the peak as a product.
Its ``total_steps`` include the warm-up, so the last 100 of the 1,000 updates here have a constant
rate.
"""

import optax

from lr_optax import check, warmup_cosine_decay

peak = 0.01
schedule = warmup_cosine_decay(peak, warmup_steps=100, total_steps=900, end_value=0.1 * peak)
optimizer = optax.adamw(schedule)

for step in (0, 50, 100, 500, 900, 999):
    print(f"step {step:3d}  rate {schedule(step):.5f}")
print(*check(schedule, 1000), sep="\n")  # likely mistakes, for a run of that length
assert [round(float(schedule(t)), 9) for t in (0, 100, 900, 999)] == [0, 0.01, 0.001, 0.001]
