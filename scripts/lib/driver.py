# SPDX-License-Identifier: GPL-2.0
"""Drivers out of the tree: each built for the kernel under test. ci/guest/drivers loads and judges them.

What is built is a copy, below the kernel's own directory: nothing is written to the
user's, and one driver can be built for several kernels. A file of the copy gets a
new time when its content changes, and only then.
"""

import errno
import os
import pathlib
import re
import shlex
import shutil
import typing

import kernel
import stage
from outcome import Fail, Outcome

MAKEFILES = "Kbuild", "Makefile"
# What a build leaves behind, of another kernel perhaps; nothing of it is copied.
MADE = re.compile(r".*\.(o|ko|a|linked|mod|mod\.c|order|symvers|rmeta)|Module\.symvers|modules\.order|rust-project\.json")
BUILD_ERROR = "rust_build_error"  # what build_error!() calls, and nothing defines
MOST = 64 << 20  # bytes of source: more is no driver, but somebody's home directory


class Module(typing.NamedTuple):
    """A module that was made, and what it says of itself."""

    path: pathlib.Path
    name: str
    needs: list  # names of modules
    aliases: list  # its device table


def name_of(directory):
    """The name of the copy; make takes no space in it."""
    return re.sub(r"[^\w.+-]", "_", directory.resolve().name)


def check(directories):
    """What is wrong with the directories that were given, in words; or nothing."""
    for directory in directories:
        if not any((directory / name).is_file() for name in MAKEFILES):
            return f"{directory} has no Makefile, nor a Kbuild: scripts/new-driver makes a driver to begin with"
    names = [name_of(directory) for directory in directories]
    return next((f"two directories are named {name}" for name in names if names.count(name) > 1), "")


def sources(directory):
    """The files of a driver, relative to its directory: {path: content}."""
    found, size = {}, 0
    for place, directories, names in os.walk(directory):
        directories[:] = sorted(name for name in directories if name[0] != ".")
        for name in sorted(names):
            path = pathlib.Path(place, name)
            if name[0] != "." and not MADE.fullmatch(name) and path.is_file():
                size += path.stat().st_size
                if size > MOST:
                    raise Fail(Outcome.USAGE, f"--driver: {directory} has more than {MOST >> 20} MiB of files", advice="put the driver into a directory of its own")
                found[path.relative_to(directory)] = path.read_bytes()
    return found


def copy(directory, place):
    """Make `place` have the driver's files as they are now, beside what was made of them."""
    files, listed = sources(directory), place.with_name(f"{place.name}.files")
    for name in listed.read_text().split("\0") if listed.exists() else []:
        if name and pathlib.Path(name) not in files:
            (place / name).unlink(missing_ok=True)
    place.mkdir(parents=True, exist_ok=True)
    # First of all: what is copied from here on is known to the next run.
    listed.write_text("\0".join(map(str, files)))
    for name, content in files.items():
        path = place / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return list(files)


def build(built, directories, checked):
    """Build the drivers in some directories; with `checked`, Clippy and rustfmt must be content with them. Their modules, in order."""
    for tool in ("clippy-driver", "rustfmt") if checked and not built.tools.root else ():
        if not shutil.which(tool):
            raise Fail(Outcome.TOOL, f"{tool} is not installed", advice="install it, or leave out --host-tools")
    return ordered([module for directory in directories for module in build_one(built, directory, checked)])


def ordered(modules):
    """The modules, what another needs before it."""
    names, made = {each.name: each for each in modules}, []

    def put(each):
        if each not in made:
            for need in each.needs:
                if need in names:
                    put(names[need])
            made.append(each)

    for each in modules:
        put(each)
    return made


def build_one(built, directory, checked):
    name = name_of(directory)
    place, inside = built.obj / "drivers" / name, f"{built.tools.obj}/drivers/{name}"
    log = built.obj / f"log/driver-{name}"
    with stage.Stage(f"driver {name}", log) as here:
        here.shown = lambda line: shown(line, inside, directory)
        files = copy(directory, place)
        rust = [f"{inside}/{path}" for path in files if path.suffix == ".rs"]
        advice = f"all of its output: less {shlex.quote(str(log))}"
        try:
            here.run(built.make("--no-print-directory", f"M={inside}", *(["CLIPPY=1"] if checked else []), "modules"), f"the driver in {directory} does not build", Outcome.DRIVER, advice)
        except Fail as fail:
            if fail.outcome == Outcome.DRIVER and "clippy::" in fail.detail:
                raise Fail(Outcome.CHECK, f"Clippy finds fault with {directory}", fail.detail, advice) from None
            if fail.outcome == Outcome.DRIVER and BUILD_ERROR in fail.detail:
                lines = [shown(line, inside, directory) for line in build_errors(built, here, place, inside)]
                raise Fail(Outcome.DRIVER, f"the driver in {directory} does not build", "\n".join(lines) or fail.detail, advice) from None
            raise
        if checked and rust:
            again = f"rustfmt --edition 2021 {' '.join(shlex.quote(str(directory / path)) for path in files if path.suffix == '.rs')}"
            style = ["rustfmt", "--check", "--color=never", "--edition", "2021", "--config-path", f"{built.tools.src}/.rustfmt.toml", *rust]
            here.run(built.tools.command(*style), f"{directory} is not formatted as rustfmt has it", Outcome.CHECK, f"do what these lines say, or: {again}")
        modules = [module(built, place, line) for line in (place / "modules.order").read_text().split("\n") if line]
        if not modules:
            raise Fail(Outcome.DRIVER, f"{directory} makes no module", advice="its Makefile has to name one: obj-m := NAME.o")
        return modules


def build_errors(built, here, place, inside):
    """Where the driver does what build_error!() and build_assert!() refuse, in words. The linker alone has seen it, and names no line."""
    llvm = "LLVM=1" in built.arch.make
    linker, addr2line = ("ld.lld", "llvm-addr2line") if llvm else ("ld", "addr2line")
    # Once more, with debug information, which a build does without, and up to a module.
    again = built.make("--no-print-directory", f"M={inside}", "KRUSTFLAGS=-Cdebuginfo=1", "KBUILD_MODPOST_WARN=1", "modules")
    here.run(again, "the driver does not build with debug information either", Outcome.DRIVER)
    found = []
    for line in (place / "modules.order").read_text().split():
        module = f"{inside}/{relative(built, place, line).with_suffix('')}"
        linked = f"{module}.linked"
        built.tools.output(linker, "-q", "--unresolved-symbols=ignore-all", "-e", "0", "-o", linked, f"{module}.o")
        for address in re.findall(rf"^(\w+) .* {BUILD_ERROR}\b", built.tools.output("readelf", "-rW", linked), re.M):
            frames = built.tools.output(addr2line, "-i", "-e", linked, f"0x{address}").split("\n")
            # What it is inlined into, up to the driver's own line.
            own = [at for at, frame in enumerate(frames) if not frame.startswith(f"{built.tools.src}/")]
            at = own[0] if own else 0
            lines = [f"error: {frames[at].partition(' ')[0]}: a check when compiling fails here: a constant offset or index that is out of range?"]
            lines += [f"  checked in {frame.removeprefix(f'{built.tools.src}/').partition(' ')[0]}" for frame in frames[:at]]
            found += [line for line in lines if line not in found]
    return found


def shown(line, inside, directory):
    """A line of what make and the compilers say, with the names by which the user knows the files."""
    # Since 6.13, they work in the driver's own directory.
    line = re.sub(r"^(\s*--> )?(?=[\w.-][\w./-]*\.(?:rs|c|h):\d+:)", lambda found: f"{found[0]}{inside}/", line)
    return line.replace(f"{inside}/", f"{directory}/").replace(inside, str(directory))


def relative(built, place, line):
    """The path of a module in the driver's directory, by a line of modules.order."""
    path = pathlib.PurePath(line).with_suffix(".ko")
    if path.is_absolute():  # up to 6.12
        path = path.relative_to(f"{built.tools.obj}/drivers/{place.name}")
    return path


def module(built, place, line):
    """A module, by its line in modules.order."""
    path = relative(built, place, line)
    found = {"name": [], "depends": [], "alias": []}
    for entry in built.tools.output("modinfo", "-0", f"{built.tools.obj}/drivers/{place.name}/{path}").split("\0"):
        key, _, value = entry.partition("=")
        found.get(key, []).append(value)
    return Module(place / path, "".join(found["name"]), [need for needs in found["depends"] for need in needs.split(",") if need], found["alias"])


def listed(modules):
    """The modules as ci/guest/drivers reads of them."""
    lines = [[f"module {each.name}", *(f"needs {need}" for need in each.needs), *(f"alias {alias}" for alias in each.aliases)] for each in modules]
    return "".join(f"{line}\n" for some in lines for line in some)


# The verdict ------------------------------------------------------------------

# The tests of ci/guest/drivers, by name, and what it means when one fails.
MEANS = (
    (r"drivers: \S+: load$", Outcome.LOAD),
    (r"unload: ", Outcome.LOAD),
    (r"drivers: \S+: probe of ", Outcome.PROBE),
    (r"drivers: \S+: is bound to ", Outcome.UNBOUND),
)


def outcome(name):
    """What a test that failed says of a driver; nothing, where it is about something else."""
    return next((outcome for pattern, outcome in MEANS if re.match(pattern, name)), None)


def words(name):
    """The name of such a test, with that of its error."""
    return re.sub(r"error -(\d+)$", lambda found: f"error -{found[1]} ({errno.errorcode.get(int(found[1]), 'of the kernel alone')})", name.partition(": ")[2])
