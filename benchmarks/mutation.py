"""Mutation testing: a sample of mutants of the code, each judged by the tests of its room.

python benchmarks/mutation.py           # continues where it stopped; writes benchmarks/MUTATION.md
python benchmarks/mutation.py --again   # judges the survivors by all tests of the library

A mutant is the code with one change by Cosmic Ray: to an operator, a comparison, a number, a
condition, a loop or a caught exception. At most one mutant is taken of each place in the code, and
the places are sampled by a hash of their text, so a change elsewhere keeps the sample. A mutant is
killed if a test fails or takes longer than ``LIMIT``. Left out are annotations and error texts (no
behavior), decorators (every test would notice), and mutants that are not valid Python or mix kinds
of operators (any call would notice).

``equivalent_mutants.json`` gives the reason for each mutant that no test can detect. The first
search for a failing test ends after ``ENOUGH`` seconds; ``--again`` has no limit.
"""

import argparse
import ast
import contextlib
import difflib
import hashlib
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cosmic_ray.ast import Visitor, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

TITLE = "Mutation testing."
HERE = Path(__file__).parent
ROOT = HERE.parent
WORK = ROOT / ".mutation"
RESULTS = WORK / "results.jsonl"
SECONDS = WORK / "seconds.json"
LIMIT = 240.0
ENOUGH = 6.0
SPENT = "the budget is spent"

# Mutants of each room: those of more code are more.
ROOMS = {
    "_core": 66,
    "schedules": 66,
    "feedback": 36,
    "training": 36,
    "text": 26,
    "compat": 70,
}

# The tests that know a file best, by folder and name, after its own doctests; the quickest first.
NEAR = {
    "_core/export": "core/export",
    "_core/operators": "core/operators core/schedule",
    "_core/shapes": "schedules/decays schedules/warmups schedules/combine promises/accuracy",
    "_core/clock": "schedules/decays schedules/warmups promises/overflow promises/accuracy "
    "promises/exact",
    "_core/powers": "schedules/decays schedules/cycles promises/overflow promises/accuracy",
    "_core": "planning/scaling promises/errors core/schedule schedules/from_function "
    "core/hyperparameters core/operators",
    "schedules/warmups": "schedules/warmups promises/errors",
    "schedules/combine": "schedules/combine schedules/from_function promises/errors core/schedule",
    "schedules/tables": "schedules/tables schedules/combine schedules/warmups promises/errors",
    "schedules/cycles": "schedules/cycles schedules/combine promises/errors",
    "schedules": "schedules/decays schedules/cycles schedules/combine schedules/warmups "
    "promises/errors",
    "feedback/_greedy": "feedback/greedy feedback/observe",
    "feedback/_observe": "feedback/observe feedback/plateau",
    "feedback": "feedback/plateau feedback/observe feedback/greedy",
    "training/_read": "training/read training/with_hyperparams",
    "training/_continue_from": "training/resume training/with_hyperparams",
    "training": "training/with_hyperparams training/read training/resume",
    "text": "text core/schedule core/operators",
    "compat/deepspeed": "compat/signatures compat/deepspeed compat/errors compat/calls",
    "compat/keras": "compat/signatures compat/keras compat/keras_plateau compat/errors",
    "compat/optax": "compat/signatures compat/optax compat/errors compat/calls",
    "compat/timm": "compat/signatures compat/timm compat/errors compat/calls",
    "compat/torch": "compat/signatures compat/torch compat/errors compat/calls",
    "compat/transformers": "compat/signatures compat/transformers compat/errors compat/calls",
    "compat": "compat/torch compat/transformers compat/timm compat/keras compat/deepspeed",
}
# What the doctests of its neighbors exercise.
FOUNDATIONS = {"schedule", "clock", "powers", "shapes", "hyperparameters", "operators", "_shared"}
# What else is run for a schedule: the tests of all schedules, for this one.
GENERIC = (
    "promises/promises promises/accuracy core/hyperparameters promises/exact promises/overflow "
    "promises/random_trees"
)
# And for what still lives.
WIDE = (
    f"{GENERIC} core/schedule schedules/from_function core/operators promises/size_of_programs "
    "schedules/decays schedules/cycles schedules/tables schedules/warmups schedules/combine text "
    "promises/errors training/with_hyperparams feedback/plateau feedback/greedy feedback/observe "
    "training/read foresight/grad_norms training/resume results/result inspection/check "
    "compat/torch compat/optax compat/keras compat/timm compat/transformers compat/deepspeed "
    "compat/calls compat/signatures compat/errors"
)

ARITHMETIC = "Add Sub Mul Div FloorDiv Mod Pow"
BITWISE = "BitAnd BitOr BitXor LShift RShift"
ORDER = "Eq NotEq Lt LtE Gt GtE"


class Mutant(NamedTuple):
    """One thing changed in one file."""

    file: str
    function: str
    before: str
    after: str
    operator: str
    occurrence: int

    def name(self) -> str:
        """What it is called in the results."""
        return f"{self.file}::{self.function}: {self.before} -> {self.after}"

    def room(self) -> str:
        """The room its file is in."""
        return self.file.removeprefix("lr_optax/").removesuffix(".py").split("/")[0]


class Judgement(NamedTuple):
    """The judgement of the tests on a mutant: the test that failed, or none."""

    name: str
    by: str
    seconds: float


def operators() -> list[str]:
    """Those of Cosmic Ray that give a program somebody could have written."""

    def sensible(name: str) -> bool:
        change = re.match(r"core/Replace(Binary|Comparison)Operator_(\w+)_(\w+)$", name)
        if change is None:
            return not re.search("RemoveDecorator|NoOp|Variable", name)
        kinds = (ARITHMETIC, BITWISE, ORDER, "Is IsNot")
        return any({change[2], change[3]} <= set(kind.split()) for kind in kinds)

    return [name for name in operator_names() if sensible(name)]


class Places(Visitor):
    """Where each operator has something to change, in the order in which it counts them."""

    def __init__(self):
        self.operators = [(name, get_operator(name)()) for name in operators()]
        self.found: dict[str, list[tuple[tuple[int, int], tuple[int, int]]]] = {}

    def visit(self, node):  # noqa: D102
        for name, operator in self.operators:
            for place in operator.mutation_positions(node):
                self.found.setdefault(name, []).append(place)
        return node


def spans(tree: ast.AST, kind: str) -> Iterator[tuple[tuple[int, int], tuple[int, int], str]]:
    """Where annotations, decorators and raised errors stand, or functions and their names."""
    for node in ast.walk(tree):
        inside: list[tuple[Any, str]]
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and kind == "functions":
            inside = [(node, node.name)]
        elif kind == "silent":
            parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
            parts += getattr(node, "decorator_list", [])
            parts += [node] if isinstance(node, ast.Raise) else []
            inside = [(part, "") for part in parts if part is not None]
        else:
            continue
        for part, name in inside:
            yield (part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset), name


def changed(before: str, after: str) -> tuple[str, str]:
    """The lines that differ."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))

    def of(sign: str) -> str:
        return " ".join(" ".join(line[2:] for line in lines if line.startswith(sign)).split())

    return of("-"), of("+")


def places(path: Path) -> Iterator[tuple[str, Path, str, list[tuple[str, int]]]]:
    """Where a file can be mutated, by its draw: function, and operators with their occurrence."""
    source = path.read_text()
    tree = ast.parse(source)
    silent = list(spans(tree, "silent"))
    functions = list(spans(tree, "functions"))
    visitor = Places()
    visitor.walk(get_ast(source))
    choices: dict[tuple[tuple[int, int], tuple[int, int]], list[tuple[str, int]]] = {}
    for operator, found in visitor.found.items():
        for occurrence, place in enumerate(found):
            choices.setdefault(place, []).append((operator, occurrence))
    for (start, end), found in sorted(choices.items()):
        line = source.splitlines()[start[0] - 1]
        if line[start[1] :].startswith(("*,", "/,")):  # no operator: how arguments are given
            continue
        if any(left <= start and end <= right for left, right, _ in silent):
            continue
        function = [name for left, right, name in functions if left <= start <= right][-1:]
        place = f"{path.name} {function} {line.strip()} {line[: start[1]].strip()}"
        yield (
            draw(place),
            path,
            "".join(function),
            sorted(found, key=lambda choice: draw(f"{place} {choice[0]}")),
        )


def mutated_by(source: str, operator: str, occurrence: int) -> str:
    """The source with one thing changed."""
    return mutate_code(source, get_operator(operator)(), occurrence) or source


def mutant(path: Path, function: str, choices: list[tuple[str, int]]) -> Mutant | None:
    """The first of the operators that gives another program."""
    source = path.read_text()
    for operator, occurrence in choices:
        mutated = mutated_by(source, operator, occurrence)
        with contextlib.suppress(SyntaxError):
            if ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(source)):
                file = str(path.relative_to(ROOT))
                return Mutant(file, function, *changed(source, mutated), operator, occurrence)
    return None


def draw(text: str) -> str:
    """A place in a random order that is the same in every run."""
    return hashlib.sha256(text.encode()).hexdigest()


def sample() -> list[Mutant]:
    """The sample; the rooms take turns, so that a run that is stopped has seen all of them."""
    rooms = []
    for room, size in ROOMS.items():
        folder = ROOT / "lr_optax" / room
        files = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
        found = sorted(place for file in files for place in places(file))
        every: dict[str, Mutant] = {}
        while len(every) < size and found:
            one = mutant(*found.pop(0)[1:])
            if one is not None:
                every[one.name()] = one
        rooms.append(list(every.values()))
    turns = [(place / len(room), one) for room in rooms for place, one in enumerate(room)]
    return [one for _, one in sorted(turns)]


def paths(names: str) -> list[str]:
    """Test files by folder and what they test: core/export is tests/core/test_export.py."""
    files = [
        Path("tests", name).with_name(f"test_{name.split('/')[-1]}.py") for name in names.split()
    ]
    if missing := [file for file in files if not (ROOT / file).exists()]:
        raise FileNotFoundError(f"{missing[0]}: mend NEAR, GENERIC or WIDE in {__file__}")
    return [str(file) for file in files]


def rounds(mutant: Mutant, *, wide: bool) -> list[list[str]]:
    """What pytest is asked, one after the other, until a test fails."""
    inner = mutant.file.removeprefix("lr_optax/").removesuffix(".py")
    near = next(tests for start, tests in NEAR.items() if inner.startswith(start))
    quick = {"_core": "lr_optax/schedules", "compat": "lr_optax/compat"}.get(mutant.room())
    foundation = [quick] if quick and inner.split("/")[-1] in FOUNDATIONS else []
    asked = [[*paths(near), mutant.file, *foundation]]
    if wide and mutant.room() == "schedules":
        asked.append([*paths(GENERIC), "-k", mutant.function])
    if wide:
        asked.append(paths(WIDE))
    return asked


def copy_to(folder: Path) -> None:
    """The files that git knows, where they can be mutated in place."""
    shutil.rmtree(folder, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


class QuickestFirst:
    """Asks pytest for the tests that name a function, then the others, the quickest first."""

    def __init__(self, function: str, budget: float):
        self.function = function
        self.budget = budget
        self.seconds: dict[str, float] = json.loads(SECONDS.read_text()) if SECONDS.exists() else {}

    def pytest_collection_modifyitems(self, items):  # noqa: D102
        def costs(item):
            named = self.function and self.function in item.nodeid
            return not named, self.seconds.get(item.nodeid, 0.1)

        items.sort(key=costs)

    def pytest_runtest_logreport(self, report):  # noqa: D102
        if report.when == "call" and report.passed:
            self.seconds[report.nodeid] = round(report.duration, 2)

    def pytest_runtest_protocol(self, item):  # noqa: D102
        if time.process_time() > self.budget:
            item.session.shouldstop = SPENT

    def pytest_sessionfinish(self):  # noqa: D102
        write = SECONDS.with_suffix(".new")
        write.write_text(json.dumps(self.seconds, indent=0))
        write.replace(SECONDS)


def ask(
    folder: Path,
    args: list[str],
    function: str = "",
    budget: float = math.inf,
    limit: float = LIMIT,
) -> str:
    """Runs pytest in a fork that has JAX imported: the test that failed, or nothing."""
    log = folder / "pytest.log"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX has no threads before its first computation
        child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(folder)
        os.environ["PYTHONPATH"] = str(folder)
        sys.path.insert(0, str(folder))
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        import pytest  # noqa: PLC0415

        plugins = ["-p", "xdist", "-n=0", "-p", "pytest_doctestplus", "-p", "no:cacheprovider"]
        flags = [*plugins, "-x", "-q", "--tb=no", "-rfE"]
        code = pytest.main([*flags, *args], plugins=[QuickestFirst(function, budget)])
        sys.stdout.flush()
        os._exit(int(code))
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            output = log.read_text()
            if code in (0, 5) or SPENT in output:  # 5: no test of this name
                return ""
            failed = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
            if not failed and code > 0:
                sys.exit(f"pytest gave {code} and no failed test; see {log}")
            return failed[1] if failed else f"signal {-code}"
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "time"


def change(path: Path, source: str) -> None:
    """Writes a file, and forgets how Python had compiled it: it looks at time and size alone."""
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()
    path.write_text(source)


def judge(mutant: Mutant, folder: Path, *, wide: bool) -> Judgement:
    """Puts the mutant into the copy, asks the tests, and takes it out again."""
    begun = time.monotonic()
    path = folder / mutant.file
    source = path.read_text()
    budget = math.inf if wide else ENOUGH
    try:
        change(path, mutated_by(source, mutant.operator, mutant.occurrence))
        asked = (
            ask(folder, args, mutant.function or "module", budget)
            for args in rounds(mutant, wide=wide)
        )
        by = next(filter(None, asked), "")
    finally:
        change(path, source)
    return Judgement(mutant.name(), by, round(time.monotonic() - begun, 1))


def known() -> dict[str, Judgement]:
    """The judgements so far, the last one of each mutant."""
    if not RESULTS.exists():
        return {}
    read = [Judgement(**json.loads(line)) for line in RESULTS.read_text().splitlines()]
    return {judgement.name: judgement for judgement in read}


def report(chosen: list[Mutant], judged: dict[str, Judgement], equivalent: dict[str, str]) -> str:
    """The table by room, and every mutant that lives."""
    rows = []
    for room in ROOMS:
        names = [m.name() for m in chosen if m.room() == room and m.name() in judged]
        killed = sum(bool(judged[name].by) for name in names)
        alike = sum(not judged[name].by and name in equivalent for name in names)
        rows.append((room, len(names), killed, alike, len(names) - killed - alike))
    rows.append(("all", *(sum(column) for column in zip(*[row[1:] for row in rows], strict=True))))
    lines = [
        "# Mutation testing",
        "",
        "`python benchmarks/mutation.py` makes this page. Its docstring says what a mutant is.",
        "",
        "| room | mutants | killed | equivalent | survived | killed, of those not equivalent |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for room, number, killed, alike, alive in rows:
        share = f"{100 * killed / max(number - alike, 1):.1f}%"
        lines.append(f"| {room} | {number} | {killed} | {alike} | {alive} | {share} |")
    for title, wanted in (("Equivalent", True), ("Survived", False)):
        found = [
            m
            for m in chosen
            if m.name() in judged and not judged[m.name()].by and (m.name() in equivalent) == wanted
        ]
        lines += ["", f"## {title}", ""] if found else []
        for m in sorted(found):
            why = f": {equivalent[m.name()]}" if wanted else ""
            lines.append(f"- `{m.file}`, `{m.function}`: `{m.before}` → `{m.after}`{why}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Judge what has not been judged, and write the report."""
    parser = argparse.ArgumentParser(description=TITLE)
    parser.add_argument("--again", action="store_true", help="judge survivors again, by more tests")
    again = parser.parse_args().again

    folder = WORK / "copy"
    os.environ |= {
        "JAX_PLATFORMS": "cpu",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        # What a mutant does not change is compiled once for all of them.
        "JAX_COMPILATION_CACHE_DIR": str(WORK / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.01",
    }
    WORK.mkdir(exist_ok=True)
    chosen = sample()
    judged = known()
    todo = [m for m in chosen if m.name() not in judged or (again and not judged[m.name()].by)]
    equivalent = json.loads((HERE / "equivalent_mutants.json").read_text())
    todo = [m for m in todo if not (again and m.name() in equivalent)]
    copy_to(folder)

    # Imported once; every judgement is a fork of this process.
    import chex  # noqa: F401, PLC0415
    import flax  # noqa: F401, PLC0415
    import hypothesis  # noqa: F401, PLC0415
    import jax  # noqa: F401, PLC0415
    import mpmath  # noqa: F401, PLC0415
    import optax  # noqa: F401, PLC0415
    import pytest  # noqa: F401, PLC0415

    # Tests first: a module that registers a type cannot be a doctest before its package is there.
    asked = sorted(
        {arg for m in todo for args in rounds(m, wide=again) for arg in args if "/" in arg},
        reverse=True,
    )
    if asked and (failed := ask(folder, asked, limit=math.inf)):
        sys.exit(f"{failed} fails without a mutant")
    for number, one in enumerate(todo, 1):
        judgement = judge(one, folder, wide=again)
        with RESULTS.open("a") as results:
            results.write(json.dumps(judgement._asdict()) + "\n")
        verdict = f"killed by {judgement.by}" if judgement.by else "SURVIVED"
        print(f"{number}/{len(todo)} {one.name()}: {verdict} ({judgement.seconds} s)", flush=True)
    (HERE / "MUTATION.md").write_text(report(chosen, known(), equivalent))


if __name__ == "__main__":
    main()
