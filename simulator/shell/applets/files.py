"""Commands that make, copy, move and remove files."""

from __future__ import annotations

import errno
import re
import secrets
import stat

from simulator.flash import fault
from simulator.shell.applets.options import options
from simulator.shell.commands import Applet, Call


async def _cat(call: Call) -> int:
    status = 0
    for name in [arg for arg in call.args if arg == "-" or not arg.startswith("-")] or ["-"]:
        try:
            call.out_bytes(await call.input(name))
        except OSError as error:
            if error.filename is None:
                raise
            call.err(f"can't open '{name}': {error.strerror}")
            status = 1
    return status


async def _tee(call: Call) -> int:
    found = options(call, "ai")
    if found is None:
        return 1
    flags, names = found
    data = await call.stdin.read()
    call.out_bytes(data)
    for name in names:
        call.flash.write(call.path(name), data, append="a" in flags)
    return 0


def _touch(call: Call) -> int:
    found = options(call, "cr:d:t:")
    if found is None:
        return 1
    for name in found[1]:
        if "c" not in found[0] or call.flash.exists(call.path(name)):
            call.flash.touch(call.path(name))
    return 0


def _mkdir(call: Call) -> int:
    found = options(call, "pm:")
    if found is None:
        return 1
    flags, names = found
    status = 0
    for name in names:
        try:
            if "p" in flags:
                make_folders(call, name)
            else:
                call.flash.mkdir(call.path(name))
            if "m" in flags:
                call.flash.chmod(call.path(name), int(flags["m"], 8))
        except OSError as error:
            status = call.err(f"can't create directory '{name}': {error.strerror}")
        except ValueError:
            return call.err(f"invalid mode '{flags['m']}'")
    return status


def make_folders(call: Call, name: str) -> None:
    """Make a folder and those above it, where they are missing."""
    path = ""
    for part in call.path(name).split("/"):
        path += f"/{part}" if part else ""
        if path and not call.flash.is_dir(path):
            call.flash.mkdir(path)


def _rmdir(call: Call) -> int:
    status = 0
    for name in [arg for arg in call.args if not arg.startswith("-")]:
        try:
            call.flash.rmdir(call.path(name))
        except OSError as error:
            status = call.err(f"'{name}': {error.strerror}")
    return status


def _rm(call: Call) -> int:
    found = options(call, "fiRr")
    if found is None:
        return 1
    flags, names = found
    status = 0
    for name in names:
        path = call.path(name)
        try:
            if path.rstrip("/").endswith(("/.", "/..")):
                raise fault(errno.EINVAL, path)
            is_folder = stat.S_ISDIR(call.flash.stat(path, follow=False).st_mode)
            if is_folder and not {"r", "R"} & set(flags):
                status = call.err(f"'{name}' is a directory")
            elif is_folder:
                remove_tree(call, path)
            else:
                call.flash.remove(path)
        except OSError as error:
            if "f" not in flags or error.errno != errno.ENOENT:
                status = call.err(f"can't remove '{name}': {error.strerror}")
    return status


def remove_tree(call: Call, path: str) -> None:
    """Remove a folder with all that is in it; links are removed, not followed."""
    for name in call.flash.names(path):
        below = f"{path.rstrip('/')}/{name}"
        if stat.S_ISDIR(call.flash.stat(below, follow=False).st_mode):
            remove_tree(call, below)
        else:
            call.flash.remove(below)
    call.flash.rmdir(path)


def _destination(call: Call, source: str, target: str) -> str:
    path = call.path(target)
    if call.flash.is_dir(path):
        return f"{path.rstrip('/')}/{source.rstrip('/').rpartition('/')[2]}"
    return path


def _cp(call: Call) -> int:
    found = options(call, "adfipPrRLHTu")
    if found is None:
        return 1
    flags, names = found
    if len(names) < 2:
        return call.err("missing operand")
    *sources, target = names
    if len(sources) > 1 and not call.flash.is_dir(call.path(target)):
        return call.err(f"target '{target}' is not a directory")
    deep = bool({"r", "R", "a"} & set(flags))
    status = 0
    for source in sources:
        try:
            if call.flash.is_dir(call.path(source)) and not deep:
                status = call.err(f"omitting directory '{source}'")
                continue
            follow = not {"a", "d", "P"} & set(flags)
            copy(call, call.path(source), _destination(call, source, target), follow=follow)
        except OSError as error:
            status = _cannot(call, "stat" if error.errno == errno.ENOENT else "copy", source, error)
    return status


def _cannot(call: Call, verb: str, name: str, error: OSError) -> int:
    return call.err(f"can't {verb} '{name}': {error.strerror}")


def copy(call: Call, source: str, target: str, *, follow: bool) -> None:
    """Copy a file, a link or a folder with all in it."""
    flash = call.flash
    found = flash.stat(source, follow=follow)
    if stat.S_ISLNK(found.st_mode):
        if flash.exists(target, follow=False):
            flash.remove(target)
        flash.symlink(flash.readlink(source), target)
    elif stat.S_ISDIR(found.st_mode):
        if (flash.resolve(target) + "/").startswith(flash.resolve(source) + "/"):
            raise fault(errno.EINVAL, source)  # into itself
        if not flash.is_dir(target):
            flash.mkdir(target)
        for name in flash.names(source):
            copy(call, f"{source}/{name}", f"{target}/{name}", follow=follow)
    else:
        if flash.resolve(source) == flash.resolve(target):
            raise fault(errno.EEXIST, source)
        flash.write(target, flash.read(source))
        if flash.computed(target) is None:
            flash.chmod(target, found.st_mode)


def _mv(call: Call) -> int:
    found = options(call, "finT")
    if found is None:
        return 1
    names = found[1]
    if len(names) < 2:
        return call.err("missing operand")
    *sources, target = names
    if len(sources) > 1 and not call.flash.is_dir(call.path(target)):
        return call.err(f"target '{target}' is not a directory")
    status = 0
    for source in sources:
        try:
            goal = call.path(target) if "T" in found[0] else _destination(call, source, target)
            _move(call, call.path(source), goal)
        except OSError as error:
            status = _cannot(call, "rename", source, error)
    return status


def _move(call: Call, source: str, target: str) -> None:
    """Rename; between memory and flash that is a copy and a removal, as on any machine."""
    try:
        call.flash.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy(call, source, target, follow=False)
        if stat.S_ISDIR(call.flash.stat(source, follow=False).st_mode):
            remove_tree(call, source)
        else:
            call.flash.remove(source)


def _ln(call: Call) -> int:
    found = options(call, "sfnT")
    if found is None:
        return 1
    flags, names = found
    if not names:
        return call.err("missing operand")
    *sources, target = names if len(names) > 1 else [*names, names[0].rpartition("/")[2]]
    for source in sources:
        path = call.path(target) if "n" in flags else _destination(call, source, target)
        try:
            if "f" in flags and call.flash.exists(path, follow=False):
                call.flash.remove(path)
            if "s" in flags:
                call.flash.symlink(source, path)
            else:
                call.flash.link(call.path(source), path)
        except OSError as error:
            return call.err(f"{target}: {error.strerror}")
    return 0


_SYMBOLIC = re.compile(r"([ugoa]*)([-+=])([rwxX]*)\Z")


def changed_mode(mode: int, spec: str) -> int:
    """`mode` after chmod's `spec`, octal or symbolic; ValueError for neither."""
    if re.fullmatch(r"[0-7]{1,4}", spec):
        return int(spec, 8)
    for part in spec.split(","):
        match = _SYMBOLIC.match(part)
        if match is None:
            raise ValueError(spec)
        who, op, what = match.groups()
        bits = sum({"r": 4, "w": 2, "x": 1, "X": 1}[char] for char in set(what))
        mask = 0
        for place, shift in (("u", 6), ("g", 3), ("o", 0)):
            if not who or "a" in who or place in who:
                mask |= bits << shift
        mode = {"+": mode | mask, "-": mode & ~mask, "=": mask}[op]
    return mode


def _chmod(call: Call) -> int:
    args = [arg for arg in call.args if arg not in {"-R", "-f", "-v"}]
    status = 0
    for name in args[1:]:
        try:
            found = call.flash.stat(call.path(name))
            call.flash.chmod(call.path(name), changed_mode(stat.S_IMODE(found.st_mode), args[0]))
        except ValueError:
            return call.err(f"invalid mode '{args[0]}'")
        except OSError as error:
            status = call.err(f"{name}: {error.strerror}")
    return status


def _mktemp(call: Call) -> int:
    found = options(call, "dqtup:")
    if found is None:
        return 1
    flags, rest = found
    template = rest[0] if rest else "/tmp/tmp.XXXXXX"  # noqa: S108 - on the pretend device
    if "t" in flags or "p" in flags:
        template = f"{flags.get('p') or '/tmp'}/{template}"  # noqa: S108
    stem = template.rstrip("X")
    if len(template) - len(stem) < 6:
        return call.err(f"{template}: Invalid argument")
    name = stem + secrets.token_hex(8)[: len(template) - len(stem)]
    if "u" not in flags:
        if "d" in flags:
            call.flash.mkdir(call.path(name))
        else:
            call.flash.write(call.path(name), b"")
            call.flash.chmod(call.path(name), 0o600)
    call.out(name + "\n")
    return 0


def _sync(call: Call) -> int:
    status = 0
    names = [arg for arg in call.args if not arg.startswith("-")]
    if not names:
        call.flash.sync()
    for name in names:
        try:
            call.flash.sync(call.path(name))
        except OSError as error:
            status = call.err(f"{name}: {error.strerror}")
    return status


async def _dd(call: Call) -> int:
    given = dict(arg.partition("=")[::2] for arg in call.args)
    data = await call.input(given.get("if"))
    size = int(given.get("bs", "512").rstrip("kKM") or 512)
    size *= {"k": 1024, "K": 1024, "M": 1024**2}.get(given.get("bs", "0")[-1:], 1)
    data = data[int(given.get("skip", 0)) * size :]
    if "count" in given:
        data = data[: int(given["count"]) * size]
    if "of" in given:
        call.flash.write(call.path(given["of"]), data)
    else:
        call.out_bytes(data)
    return 0


APPLETS: dict[str, Applet] = {
    "cat": _cat, "tee": _tee, "touch": _touch, "mkdir": _mkdir, "rmdir": _rmdir, "rm": _rm,
    "cp": _cp, "mv": _mv, "ln": _ln, "chmod": _chmod, "mktemp": _mktemp, "sync": _sync,
    "fsync": _sync, "dd": _dd, "chown": lambda _call: 0,
}  # fmt: skip
