"""`farola snmp walk`: what an agent says below a name, with names that people read."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collectors.access_options import AccessOptions, access_options
from farola.errors import DeviceError
from farola.options import NumberRange
from farola.output import json_option, note, plain, print_json

if TYPE_CHECKING:
    from collectors.snmp.model import Target
    from collectors.snmp.names import Names, Node, Reading

MOST_ROWS = 10_000


@click.command()
@click.argument("host", metavar="HOST[:PORT]")
@click.argument("name")
@access_options
@click.option(
    "--mibs", "mibs", multiple=True, metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder of text MIBs whose names are known too.",
)  # fmt: skip
@click.option(
    "--max", "most", type=click.IntRange(1, 10_000_000), default=MOST_ROWS, show_default=True,
    help="Stop after so many values, and say so on stderr; the exit code stays 0.",
)  # fmt: skip
@click.option(
    "--timeout", "timeout_s", type=NumberRange(0.1, 60), default=2.0, show_default=True,
    help="Seconds to wait for each answer, of which two are asked again.",
)  # fmt: skip
@json_option
def walk(
    *, host: str, name: str, how: AccessOptions, mibs: tuple[Path, ...], most: int,
    timeout_s: float, as_json: bool,
) -> None:  # fmt: skip
    """Show what HOST says below NAME: ifDescr, IF-MIB::ifTable, sysDescr.0, 1.3.6.1.2.1.2 …

    Names come from the MIBs of the IETF that are installed with Farola, and from --mibs.
    """
    from collectors.access_target import target_of
    from collectors.snmp.names import Names

    target = target_of(host, how, timeout_s, retries=2)
    rows: list[Reading] = []

    def show(row: Reading) -> None:
        if as_json:
            rows.append(row)
        else:
            click.echo(plain(f"{row.name} = {row.text}"))

    with ExitStack() as stack:
        extra = stack.enter_context(tempfile.TemporaryDirectory(prefix="farola-mibs-"))
        names = Names([_compiled(mibs, name, Path(extra))] if mibs else [])
        node = names.resolve(name)
        count, stopped = asyncio.run(_walk(target, how, node, names, most=most, show=show))
    if as_json:
        print_json(
            {"name": node.name, "oid": ".".join(map(str, node.oid)), "count": count,
             "complete": not stopped, "rows": [asdict(row) for row in rows]}
        )  # fmt: skip
    if stopped == "max":
        note(f"stopped after {most:,} value{'s' * (most > 1)}, there are more; --max allows more")
    elif stopped:
        raise DeviceError(stopped)
    elif not count:
        raise DeviceError(f"{host}: answers, but has nothing at {name}")


async def _walk(
    target: Target, how: AccessOptions, node: Node, names: Names, *, most: int,
    show: Callable[[Reading], None],
) -> tuple[int, str]:  # fmt: skip
    """How many values there were, and why it stopped before the end: `max`, an error, or empty."""
    from collectors.access_target import unanswered
    from collectors.snmp.names_walk import UnansweredError
    from collectors.snmp.names_walk import walk as values

    count = 0
    try:
        async with aclosing(values(target, node.oid, node.may_be_value)) as found:
            async for oid, value in found:
                if count == most:
                    return count, "max"
                show(names.read(oid, value))
                count += 1
    except UnansweredError as silence:
        error = unanswered(target, how, str(silence), silence.figures)
        if not count:
            raise error from None
        return count, str(error)
    except DeviceError as refusal:
        if not count:
            raise
        return count, str(refusal)
    return count, ""


def _compiled(folders: Sequence[Path], name: str, target: Path) -> Path:
    """Compile what `name` needs of the text MIBs in `folders`: all of them for a number."""
    from collectors.snmp.names_compile import compile_modules, modules_defining, text_modules

    texts: dict[str, Path] = {}
    for folder in folders:
        texts = text_modules(folder) | texts
    module, has_module, rest = name.partition("::")
    symbol = (rest if has_module else name).partition(".")[0]
    if has_module:
        wanted = [module] if module in texts else []
    elif symbol.isdigit() or not symbol:
        wanted = list(texts)
    else:
        wanted = modules_defining(symbol, texts)
    compile_modules(wanted, texts, target, lambda text: note(f"MIB not read: {text}"))
    return target
