"""Ctrl-C ends the command line at once with 130, whatever it does, and leaves nothing behind."""

import signal
import subprocess
import sys
import time

import pytest

# Whoever runs the tests may have told its children to ignore Ctrl-C.
HEEDS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
BEGIN = f"""
{HEEDS}
import sys, time
from lr_optax.cli.interrupts import exit_at_once, uninterrupted
exit_at_once()
import jax, jax.numpy as jnp
def say(what): print(what, flush=True)
"""

LONG = {
    "compiling": """
def deep(x):
    for _ in range(3000):
        x = jnp.sin(jnp.cumsum(x)) @ jnp.cos(x)[:, None] + x
    return x
lowered = jax.jit(deep).lower(jnp.ones(64))
say("begun")
lowered.compile()
""",
    "running": """
step = lambda _, x: jnp.sin(x @ x)
run = jax.jit(lambda x: jax.lax.fori_loop(0, 10**8, step, x))
program = run.lower(jnp.ones((64, 64))).compile()
say("begun")
program(jnp.ones((64, 64))).block_until_ready()
""",
    "in a callback": """
def told(x):
    say("begun")
    time.sleep(30)
    return x
like = jax.ShapeDtypeStruct((), jnp.float32)
jax.jit(lambda x: jax.pure_callback(told, like, x))(1.0).block_until_ready()
""",
    "writing where nobody reads": """
with uninterrupted():
    say("begun")
    time.sleep(30)
""",
}


def started(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize("what", LONG)
def test_while(what):
    with started(f"{BEGIN}{LONG[what]}say('ended')") as process:
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert rest == ""  # it was in the midst of it
    assert errors.endswith("lr-optax: interrupted\n")
    assert "Traceback" not in errors


def test_files_that_are_being_written_are_written():
    writing = """
with uninterrupted():
    say("begun")
    time.sleep(0.1)
    say("written")
time.sleep(30)
say("ended")
"""
    with started(BEGIN + writing) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert (process.returncode, rest, errors) == (130, "written\n", "lr-optax: interrupted\n")


@pytest.mark.parametrize("seconds", [0.3, 1.0, 3.0, 6.0])
def test_compare_leaves_nothing(seconds, tmp_path):
    code = f"{HEEDS}; from lr_optax.cli import main; main()"
    with started(code, "compare", "--out", "a/b", cwd=tmp_path) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    # Before Python has started it is the signal itself that ends it.
    assert process.returncode in (130, -signal.SIGINT), errors
    assert output == ""
    assert "Fatal" not in errors
    assert not list(tmp_path.iterdir())


def test_a_program_told_to_ignore_it_does():
    ignores = BEGIN.replace("default_int_handler", "SIG_IGN")
    with started(f"{ignores}say('begun'); time.sleep(0.5); say('ended')") as it:
        assert it.stdout.readline() == "begun\n"
        it.send_signal(signal.SIGINT)
        assert it.communicate(timeout=60)[0] == "ended\n"
    assert it.returncode == 0
