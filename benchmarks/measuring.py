"""What every benchmark needs: tables that print as they grow, and times taken in turns."""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax


class Section(NamedTuple):
    """A table of the results."""

    title: str
    remark: str  # what its columns are
    header: str
    rows: Iterator[str]

    def measured(self) -> str:
        """The section in Markdown; a row is printed when it is known."""
        lines = [f"### {self.title}", "", self.remark, "", self.header]
        lines += ["|" + " --- |" * (self.header.count("|") - 1)]
        print(*lines, sep="\n", flush=True)
        for row in self.rows:
            print(row, flush=True)
            lines.append(row)
        print()
        return "\n".join(lines) + "\n"


def in_turns(n: int, *timed: Callable[[], float]) -> list[tuple[float, ...]]:
    """Seconds of n turns, each of all in random order, so that other load affects all alike."""
    turns = []
    for _ in range(n):
        order = random.sample(range(len(timed)), len(timed))
        seconds = {i: timed[i]() for i in order}
        turns.append(tuple(seconds[i] for i in range(len(timed))))
    return turns


def median(turns: list[tuple[float, ...]], i: int, over: int | None = None) -> float:
    """Of one's seconds, or of their ratio to another's."""
    return statistics.median(ratios(turns, i, over))


def ratios(turns: list[tuple[float, ...]], i: int, over: int | None = None) -> list[float]:
    """One's seconds, or their ratio to another's, in every turn."""
    return [t[i] / (1 if over is None else t[over]) for t in turns]


def timer(call: Callable[[], Any], n: int = 1) -> Callable[[], float]:
    """Seconds for one of n calls."""

    def once() -> float:
        start = time.perf_counter()
        for _ in range(n):
            jax.block_until_ready(call())
        return (time.perf_counter() - start) / n

    return once
