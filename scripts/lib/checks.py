# SPDX-License-Identifier: GPL-2.0
"""The kernel's own checks on patches, run with the tools of the build root.

    tools = Inside(BUILD_ROOT, see=[...], write=[...])   or Inside(None): the host's
    checkpatch(tools, TREE, [patch, ...])                what it says; "" when it is content
    maintainers(tools, TREE, [patch, ...], *options)     the addresses that get_maintainer.pl gives
"""

import os
import pathlib
import re
import subprocess

from outcome import Fail, Outcome

# What get_maintainer.pl takes for the sign of a kernel tree.
TOP = ("Documentation", "arch", "drivers", "fs", "include", "init", "ipc", "kernel", "lib", "scripts")


class Inside:
    """Runs programs of the build root on files that keep their paths.

    Only /usr and /etc are the root's; there is no network and no home directory,
    so that nobody's configuration shows in the result.
    """

    def __init__(self, root, see=(), write=()):
        self.root, self.see, self.write = root, see, write

    def command(self, *argv):
        if not self.root:
            return [*map(str, argv)]
        command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--tmpfs", "/"]
        for each in ("usr", "etc"):
            command += ["--ro-bind", self.root / each, f"/{each}"]
        for each in ("bin", "sbin", "lib", "lib64"):
            command += ["--symlink", f"usr/{each}", f"/{each}"]
        command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--setenv", "PATH", "/usr/bin:/usr/sbin"]
        command += ["--setenv", "HOME", "/tmp", "--setenv", "LC_ALL", "C.UTF-8"]
        for option, paths in (("--ro-bind", self.see), ("--bind", self.write)):
            for path in paths:
                command += [option, path, path]
        return [*map(str, command), "--", *map(str, argv)]

    def run(self, *argv, cwd, env=None, **options):
        """Run a program; the finished process, whatever its status."""
        words = ["env", "-C", str(cwd), *(f"{key}={value}" for key, value in (env or {}).items()), *argv]
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "errors": "replace"}
        try:
            return subprocess.run(self.command(*words), **{**settings, **options})
        except FileNotFoundError as error:
            raise Fail(Outcome.TOOL, f"{error.filename} is not installed", advice="scripts/boot-test   (installs what is missing)") from None


def objects(repository, seen=None):
    """The object directories of a git repository, those that it borrows from too."""
    seen = [] if seen is None else seen
    for path in (pathlib.Path(repository).resolve(),):
        if path not in seen:
            seen.append(path)
            alternates = path / "info/alternates"
            for line in alternates.read_text().splitlines() if alternates.exists() else []:
                objects(path / line, seen)
    return seen


def checkpatch(tools, tree, patches):
    """What checkpatch has to say of patches, each; "" when it has no error, warning or check."""
    said = []
    for patch in patches:
        result = tools.run("perl", "scripts/checkpatch.pl", "--strict", "--codespell", "--no-summary", "--color=never", patch, cwd=tree)
        text = (result.stdout + result.stderr).strip()
        # An exit status of 0 is not enough: it is 0 when checkpatch found nothing to check, too.
        if result.returncode or not re.search(r"has no obvious style problems|^total: 0 errors, 0 warnings, 0 checks", text, re.M) or re.search(r"^(ERROR|WARNING|CHECK):", text, re.M):
            said.append(f"{os.path.basename(patch)}:\n{text}")
    return "\n".join(said)


def maintainers(tools, tree, patches, *options):
    """Addresses for patches, from MAINTAINERS alone."""
    result = tools.run(
        "perl", "scripts/get_maintainer.pl", "--nogit", "--nogit-fallback", "--nogit-chief-penguins", "--norolestats", "--noroles",
        *options, *patches, cwd=tree,
    )  # fmt: skip
    if result.returncode:
        raise Fail(Outcome.TOOL, "get_maintainer.pl failed", result.stderr)
    return [line for line in result.stdout.splitlines() if "@" in line]
