"""``lr-optax show``."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from lr_optax.cli.reading import Imports, import_modules, read, signature
from lr_optax.cli.terminal import console
from lr_optax.cli.writing import check_file, write

EXAMPLES = (
    'lr-optax show "cosine_decay(0.1, decay_steps=1000)" --total-steps 800',
    'lr-optax show "constant(0.1)" "linear(0.1, transition_steps=1000)" --png both.png',
    'lr-optax show "sine(0.1, period=50)" --import my_schedules',
    "lr-optax show cosine_decay",
)


def command(
    texts: Annotated[
        list[str],
        typer.Argument(metavar="SCHEDULE", help="Such as 'constant(0.1)', or a name alone."),
    ],
    total_steps: Annotated[
        int, typer.Option(min=1, max=2**31 - 1, help="The length of the run.")
    ] = 1000,
    png: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw all of them into one picture: .png, .svg, .pdf, ..."
        ),
    ] = None,
    imports: Imports = None,
) -> None:
    """See schedules: a small picture, key points, and what looks wrong."""
    import_modules(imports)
    if all(calls := [signature(text) for text in texts]):
        print("\n".join(map(str, calls)))
        return
    schedules = read(texts)

    from rich.table import Table

    from lr_optax.inspection._check import check
    from lr_optax.inspection._plot import overview
    from lr_optax.inspection.terminal import key_points, sketch
    from lr_optax.results.figure import picture_format, rendered

    if png is not None:
        picture_format(png)
        check_file(png)
    out = console()
    width = min(64, shutil.get_terminal_size().columns)
    for schedule in schedules.values():
        table = Table("step", "rate", "", box=None, pad_edge=False)
        for step, rate, note in key_points(schedule, total_steps):
            table.add_row(str(step), f"{rate:.6g}", note)
        out.print(repr(schedule), soft_wrap=True)
        out.print(sketch(schedule, total_steps, width))
        out.print(table)
        for warning in check(schedule, total_steps):
            out.print(f"! {warning}", soft_wrap=True)
    if png is not None:
        kind = picture_format(png)
        figure = overview(list(schedules.values()), total_steps)
        write({png: rendered(figure, kind)})
        out.print(f"wrote {png} ({kind})", soft_wrap=True)
