# SPDX-License-Identifier: GPL-2.0
"""Versions: of the tools in use, and whether the host's own are good enough."""

import re
import shutil

import stage
from outcome import Fail, Outcome

def versions(built):
    """The versions of what builds and what boots."""
    names = [built.arch.compiler, "rustc", "bindgen", built.arch.emulator]
    script = "for tool in \"$@\"; do echo \"$tool $($tool --version | tr '\\n' ' ')\" || exit; done"
    found = {}
    for line in built.tools.output("sh", "-ec", script, "sh", *names).splitlines():
        name, _, said = line.partition(" ")
        found[name] = number(said)
    return found


def number(said):
    match = re.search(r"\d+\.\d+(\.\d+)?", re.sub(r"\([^)]*\)", "", said))
    return match[0] if match else ""


def check(built):
    """Check the host's tools against what the tree asks for; the versions."""
    tools = built.tools
    # The tree says what it needs of these; of the others, any will do.
    needed = {**built.arch.needs, "rustc": "rustc", "bindgen": "bindgen"}
    others = ["make", "bison", "flex", "bc", "perl", "cpio", "depmod", *([] if built.arch.debian else ["busybox", "bash-static"]), built.arch.emulator]
    rows, bad = [], []
    for tool in [*needed, *others]:
        least = tools.output(f"{tools.src}/scripts/min-tool-version.sh", needed[tool]).strip() if tool in needed else "any"
        found = "none"
        if shutil.which(tool):
            found = number(tools.output(tool, "--version")) if tool in needed else "there"
        good = found != "none" and (least == "any" or version(found) >= version(least))
        rows.append(f"  {tool:20} found {found:10} needed {least:10} {'' if good else '<-- ' + ('missing' if found == 'none' else 'too old')}".rstrip())
        if not good:
            bad.append(tool)
    if bad:
        raise Fail(Outcome.TOOL, f"this machine's tools do not do: {', '.join(bad)}", "\n".join(rows), "install them, or leave out --host-tools")
    with stage.Stage("host tools", built.obj / "log/host-tools") as here:
        here.say("\n" + "\n".join(rows))
        # The tree's own word on the rest: libclang, the source of the standard library.
        here.run(built.make("-s", "rustavailable"), "these tools cannot build Rust code in the kernel", Outcome.TOOL)
    return versions(built)


def version(text):
    return [int(part) for part in re.findall(r"\d+", text)]
