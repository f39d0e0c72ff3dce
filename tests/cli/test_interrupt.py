"""Ctrl-C ends the command line at once with 130, whatever it does, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

# What runs the tests may have made its children ignore Ctrl-C.
HEEDS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
BEGIN = f"""
{HEEDS}
import sys, time
from lr_optax.cli.output import exit_on_interrupt, uninterrupted
exit_on_interrupt()
def say(what): print(what, flush=True)
"""
JAX = "import jax, jax.numpy as jnp"

LONG = {
    "compiling": f"""
{JAX}
def deep(x):
    for _ in range(300):
        x = jnp.sin(jnp.cumsum(x)) @ jnp.cos(x)[:, None] + x
    return x
lowered = jax.jit(deep).lower(jnp.ones(64))
say("begun")
lowered.compile()
""",
    "running": f"""
{JAX}
step = lambda _, x: jnp.sin(x @ x)
run = jax.jit(lambda x: jax.lax.fori_loop(0, 10**8, step, x))
program = run.lower(jnp.ones((64, 64))).compile()
say("begun")
program(jnp.ones((64, 64))).block_until_ready()
""",
    "in a callback": f"""
{JAX}
def wait(x):
    say("begun")
    time.sleep(30)
    return x
like = jax.ShapeDtypeStruct((), jnp.float32)
jax.jit(lambda x: jax.pure_callback(wait, like, x))(1.0).block_until_ready()
""",
    "writing where nobody reads": """
with uninterrupted():
    say("begun")
    time.sleep(30)
""",
}


def started(code, *arguments, **options):
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen([sys.executable, "-c", code, *arguments], **settings)


@pytest.mark.parametrize("what", LONG)
def test_while(what):
    with started(f"{BEGIN}{LONG[what]}say('ended')") as process:
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert output == ""  # nothing after "begun": it had not ended
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
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (130, "written\n", "lr-optax: interrupted\n")


def test_a_terminal_gets_its_cursor_back():
    terminal, stderr = os.openpty()
    with started(f"{BEGIN}say('begun'); time.sleep(30)", stderr=stderr) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert os.read(terminal, 100) == b"\x1b[?25h\r\nlr-optax: interrupted\r\n"
    os.close(terminal)
    os.close(stderr)


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


def test_it_is_ignored_if_the_caller_ignores_it():
    ignores = BEGIN.replace("default_int_handler", "SIG_IGN")
    with started(f"{ignores}say('begun'); time.sleep(0.5); say('ended')") as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[0] == "ended\n"
    assert process.returncode == 0
