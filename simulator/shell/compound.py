"""`if`, loops and `case`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from simulator.shell import expand
from simulator.shell.control import Break, Continue
from simulator.shell.nodes import Case, For, If, Loop, Sequence
from simulator.shell.patterns import matches

if TYPE_CHECKING:
    from simulator.shell.interpreter import Shell


async def run(shell: Shell, command: If | Loop | For | Case) -> None:
    """Run a compound command; its status is left in the shell."""
    match command:
        case If():
            await _if(shell, command)
        case Loop():
            await _loop(shell, command)
        case For():
            await _for(shell, command)
        case Case():
            await _case(shell, command)


async def _condition(shell: Shell, script: Sequence) -> bool:
    shell.guard += 1
    try:
        await shell.run(script)
    finally:
        shell.guard -= 1
    return shell.status == 0


async def _if(shell: Shell, command: If) -> None:
    for condition, body in command.arms:
        if await _condition(shell, condition):
            await shell.run(body)
            return
    if command.otherwise is not None:
        await shell.run(command.otherwise)
    else:
        shell.status = 0


async def _loop(shell: Shell, command: Loop) -> None:
    status = 0
    while await _condition(shell, command.condition) != command.until:
        done = await _turn(shell, command.body)
        status = shell.status
        if done:
            break
        await asyncio.sleep(0)
    shell.status = status


async def _turn(shell: Shell, body: Sequence) -> bool:
    """One turn of a loop; True where it was the last."""
    try:
        await shell.run(body)
    except Break as request:
        shell.status = 0
        if request.levels > 1:
            raise type(request)(request.levels - 1) from None
        return not isinstance(request, Continue)
    return False


async def _for(shell: Shell, command: For) -> None:
    values = list(shell.args)
    if command.words is not None:
        values = [text for word in command.words for text in await expand.fields(shell, word)]
    if not values:
        shell.status = 0
    for value in values:
        shell.vars[command.name] = value
        if await _turn(shell, command.body):
            break


async def _case(shell: Shell, command: Case) -> None:
    subject = await expand.text_of(shell, command.word)
    for patterns, body in command.arms:
        for pattern in patterns:
            if matches(await expand.pieces_of(shell, pattern), subject):
                if not body.items:
                    shell.status = 0
                await shell.run(body)
                return
    shell.status = 0
