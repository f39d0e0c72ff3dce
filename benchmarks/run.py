"""All measurements, as benchmarks/RESULTS.md, in about ten minutes on two idle cores.

    python benchmarks/run.py                 # prints everything, and writes RESULTS.md
    python benchmarks/run.py --quick         # few repetitions, nothing written
    python benchmarks/run.py training sweep  # some of it, nothing written

The same on any device: the file has a part for each, and a run writes that of its own.
"""

import argparse
import os
import platform
import re
import time
from importlib import import_module, metadata
from pathlib import Path

import jax

HERE = Path(__file__).parent
BENCHMARKS = ("schedules", "training", "memory", "sweep", "foresight")
QUICK, FULL = 3, 64


def processor() -> str:
    """The device's name; for a CPU the model, as Linux has it, and the cores."""
    kind = jax.devices()[0].device_kind
    if jax.default_backend() != "cpu":
        return kind
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return f"{found[1] if found else platform.machine()}, {os.cpu_count()} cores"


def versions() -> str:
    """Of everything that is compared."""
    known = []
    for name in ("lr_optax", "optax", "jax", "torch"):
        try:
            known.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            known.append(f"no {name}")
    return ", ".join([*known, f"Python {platform.python_version()}"])


def introduction(load: float) -> str:
    """What was measured on."""
    return (
        f"## {processor()}\n\n{versions()}; load of the machine {load:.1f} at the beginning, "
        f"{os.getloadavg()[0]:.1f} at the end.\n"
    )


def written(part: str, path: Path) -> None:
    """Put the part of this device into the file, in place of an older one."""
    _, *parts = re.split(r"(?m)^(?=## )", path.read_text()) if path.exists() else [""]
    title = part.partition("\n")[0]
    others = [old.strip() + "\n" for old in parts if old.partition("\n")[0] != title]
    path.write_text("\n".join([(HERE / "NOTES.md").read_text(), *others, part]))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmark", nargs="*", choices=[[], *BENCHMARKS])
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    begin, load = time.monotonic(), os.getloadavg()[0]
    parts = [
        section.measured()
        for name in arguments.benchmark or BENCHMARKS
        for section in import_module(name).sections(QUICK if arguments.quick else FULL)
    ]
    print(f"{introduction(load)}\n{time.monotonic() - begin:.0f} s")
    if not (arguments.quick or arguments.benchmark):
        written("\n".join([introduction(load), *parts]), HERE / "RESULTS.md")


if __name__ == "__main__":
    main()
