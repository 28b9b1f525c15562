"""Runs script files, service scripts (`#!/bin/sh /etc/rc.common`) among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.shell.control import Return
from simulator.shell.parse import parse

if TYPE_CHECKING:
    from simulator.shell.interpreter import Shell

RC_COMMON = """
start() { :; }
stop() { :; }
reload() { restart; }
restart() { trap '' TERM; stop "$@"; start "$@"; }
boot() { start "$@"; }
shutdown() { stop; }
status() { :; }
start_service() { :; }
extra_command() { :; }
procd_open_instance() { _procd_argv=; _procd_respawn=; }
procd_set_param() {
	[ "$1" = command ] && { shift; _procd_set=1; pretend-instance define "$initscript" "$@"; }
	return 0
}
procd_append_param() { :; }
procd_add_reload_trigger() { :; }
procd_close_instance() { pretend-instance start "$initscript"; }
enable() {
	disable
	ln -s "../init.d/${initscript##*/}" "/etc/rc.d/S${START:-50}${initscript##*/}"
	[ -z "$STOP" ] || ln -s "../init.d/${initscript##*/}" "/etc/rc.d/K$STOP${initscript##*/}"
}
disable() { rm -f /etc/rc.d/[SK][0-9][0-9]"${initscript##*/}"; }
enabled() { ls /etc/rc.d/S[0-9][0-9]"${initscript##*/}" >/dev/null 2>&1; }
"""
"""What a service script may rely on, in the simulator's own words."""

_RUN_ACTION = """
if [ "$USE_PROCD" = 1 ]; then
	start() { start_service "$@"; }
	stop() { pretend-instance stop "$initscript"; }
	running() { pretend-instance running "$initscript"; }
fi
case "$action" in
	start|stop|restart|reload|boot|shutdown|enable|disable|enabled|status|running) "$action" "$@" ;;
	*) case " $EXTRA_COMMANDS " in
		*" $action "*) "$action" "$@" ;;
		*) echo "Syntax: $initscript [command]"; false ;;
	esac ;;
esac
"""


async def run_script(shell: Shell, name: str, args: list[str]) -> int:
    """Run a script file in a shell of its own; returns its status."""
    text = shell.flash.read(shell.path(name)).decode("utf-8", "surrogateescape")
    first = text.partition("\n")[0]
    if first.startswith("#!") and "sh" not in first:
        shell.complain(f"{name}: not found")  # no such interpreter on the device
        return 127
    if first.startswith("#!") and "/etc/rc.common" in first:
        return await _service(shell, name, text, args)
    return await run_program(shell, name, text, args)


async def run_program(
    shell: Shell, name: str, text: str, args: list[str], command: str = ""
) -> int:
    """Run `text` as a program of its own in the foreground; `command` is what `ps` shows."""
    command = command or " ".join([name, *args])
    takes_over = shell.takes_over and shell.process.shell is shell
    if takes_over:
        process = shell.process
        process.command = command
    else:
        process = shell.device.processes.new(command)
        process.task = shell.process.task
    child = shell.child(process, name)
    child.shell_pid = process.pid
    child.args = args
    child.depth += 1
    try:
        return await _main(child, text)
    finally:
        if not takes_over:
            shell.device.processes.end(process)


async def _main(child: Shell, text: str) -> int:
    from simulator.shell.interpreter import DEPTH
    from simulator.shell.parse import ShellSyntaxError

    if child.depth > DEPTH:
        child.complain("too many nested programs")
        return 2
    try:
        script = parse(text)
    except (ShellSyntaxError, RecursionError) as error:
        child.complain(str(error) or "syntax error: nested too deep")
        return 2
    return await child.main(script)


async def _service(shell: Shell, name: str, text: str, args: list[str]) -> int:
    action, rest = (args[0], args[1:]) if args else ("help", [])
    path = shell.flash.resolve(shell.path(name))
    preamble = f"initscript='{path}'; action='{action.replace(chr(39), '')}'\n"
    body = text.partition("\n")[2]
    return await run_program(shell, name, RC_COMMON + preamble + body + "\n" + _RUN_ACTION, rest)


async def source(shell: Shell, name: str) -> int:
    """Run a file in this shell (`. FILE`)."""
    text = shell.flash.read(shell.path(name)).decode("utf-8", "surrogateescape")
    try:
        return await shell.run_text(text)
    except Return as request:
        return request.status
