"""A program that takes a schedule is saved by jax.export and read again, also elsewhere."""

import subprocess
import sys

import chex
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from cases import TEXTUAL

from lr_optax import cosine_decay, from_function, parse, schedule, warmup
from lr_optax._core.export import from_bytes, to_bytes
from lr_optax._core.schedule import _flatten

pytest.importorskip("flatbuffers", reason="jax.export serializes with flatbuffers")
STEPS = np.arange(20, dtype=np.int32)


def saved_and_read(f, *args):
    exported = jax.export.export(jax.jit(f))(*args)
    return jax.export.deserialize(exported.serialize())


def test_a_program_with_a_schedule_as_its_argument():
    s = warmup(cosine_decay(0.1, decay_steps=30), warmup_steps=10)
    program = saved_and_read(lambda s, t: s(t), s, STEPS)
    for other in (
        s,
        s.replace(warmup_steps=5),
        s.replace(schedule=s.schedule.replace(end_value=0.05)),
    ):
        np.testing.assert_allclose(program.call(other, STEPS), other(STEPS), rtol=1e-5, atol=1e-8)
    with pytest.raises(ValueError, match=r"metadata \(warmup, .*'shape', 'cosine'"):
        program.call(s.replace(shape="cosine"), STEPS)


def test_every_schedule_goes_in_and_out_of_a_saved_program():
    back = saved_and_read(lambda cases: cases, TEXTUAL).call(TEXTUAL)
    chex.assert_trees_all_equal(back, jax.tree.map(jnp.asarray, TEXTUAL))


def test_a_users_schedule_joins_by_being_registered():
    @schedule
    def exported_one(step, init_value, *, every, mode="stairs"):
        time = step // every if mode == "stairs" else step
        return init_value / (1 + time.astype(float))

    for s in (exported_one(0.1, every=3), exported_one(0.1, every=3, mode="smooth")):
        program = saved_and_read(lambda s, t: s(t), s, STEPS)
        np.testing.assert_allclose(program.call(s, STEPS), s(STEPS), rtol=1e-6)


def test_a_function_cannot_be_saved_and_says_what_can():
    s = warmup(from_function(lambda t: 0.1), warmup_steps=3)
    with pytest.raises(TypeError, match=r"from_function: .* `function` cannot be saved; make"):
        saved_and_read(lambda s, t: s(t), s, STEPS)


def test_what_reads_it_must_know_the_schedule():
    _, structure = _flatten(cosine_decay(0.1, decay_steps=30))
    data = to_bytes(structure)
    assert from_bytes(data) == structure
    with pytest.raises(ValueError, match="no schedule 'cosine_wane'; import lr_optax"):
        from_bytes(data.replace(b"cosine_decay", b"cosine_wane"))
    with pytest.raises(ValueError, match="cosine_decay had other hyperparameters"):
        from_bytes(data.replace(b"end_value", b"last_value"))


WAVE = "compat.cosine_wave(0.1, half_period=10)"
READ = f"""
import sys
import jax.export
from lr_optax import Schedule, parse
program = jax.export.deserialize(open(sys.argv[1], "rb").read())
print(program.call(parse({WAVE!r}), 3))
"""


def test_another_process_reads_it(tmp_path):
    """Formulas of other libraries' too, which are imported when they are asked for."""
    s = parse(WAVE)
    exported = jax.export.export(jax.jit(lambda s, t: s(t)))(s, np.int32(3))
    (tmp_path / "program").write_bytes(exported.serialize())
    command = [sys.executable, "-c", READ, tmp_path / "program"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    np.testing.assert_allclose(float(run.stdout), s(3), rtol=1e-6)
