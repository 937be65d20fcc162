# SPDX-License-Identifier: GPL-2.0
"""The kernel's own checks on patches, run with the tools of the build root.

    tools = Inside(BUILD_ROOT, see=[...], write=[...])   or Inside(None): the host's
    checkpatch(tools, TREE, [patch, ...])                what it says; "" when it is content
    maintainers(tools, TREE, [patch, ...], *options)     the addresses that get_maintainer.pl gives
"""

import concurrent.futures
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


def objects(path):
    """An object directory of git's, and those that it borrows from."""
    found = [pathlib.Path(path).resolve()]
    for each in found:
        alternates = each / "info/alternates"
        for line in alternates.read_text().splitlines() if alternates.exists() else []:
            if (each / line).resolve() not in found:
                found.append((each / line).resolve())
    return found


def licences(tools, tree):
    """Raise Fail unless the check on licences works: checkpatch takes silence for consent, even a crash's."""
    for licence, good in ("GPL-2.0", True), ("No-Such-Licence", False):
        command = f"echo 'SPDX-License-Identifier: {licence}' | scripts/spdxcheck.py -"
        result = tools.run("sh", "-c", command, cwd=tree)
        if result.stderr or bool(result.stdout) == good:
            raise Fail(
                Outcome.TOOL,
                f"scripts/spdxcheck.py of {tree} does not work, so licences cannot be checked",
                result.stdout + result.stderr,
                "with --host-tools: apt-get install python3-git python3-ply codespell; else see what it says",
            )


def checkpatch(tools, tree, patches):
    """What checkpatch has to say of patches, each; "" when it has no error, warning or check."""
    licences(tools, tree)

    def one(patch):
        result = tools.run("perl", "scripts/checkpatch.pl", "--strict", "--codespell", "--no-summary", "--color=never", patch, cwd=tree)
        if result.stderr:  # a dictionary that is missing, a program that crashed
            raise Fail(Outcome.TOOL, "checkpatch.pl cannot make all of its checks", result.stderr, "with --host-tools: apt-get install python3-git python3-ply codespell; else see what it says")
        text = result.stdout.strip()
        # An exit status of 0 is not enough: it is 0 when checkpatch found nothing to check, too.
        good = not result.returncode and "has no obvious style problems" in text and not re.search(r"^(ERROR|WARNING|CHECK):", text, re.M)
        return "" if good else f"{os.path.basename(patch)}:\n{text}"

    # Looking each word up takes it seconds a patch.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return "\n".join(filter(None, pool.map(one, patches)))


def maintainers(tools, tree, patches, *options):
    """Addresses for patches, from MAINTAINERS alone."""
    result = tools.run(
        "perl", "scripts/get_maintainer.pl", "--nogit", "--nogit-fallback", "--nogit-chief-penguins", "--norolestats", "--noroles",
        *options, *patches, cwd=tree,
    )  # fmt: skip
    if result.returncode:
        raise Fail(Outcome.TOOL, "get_maintainer.pl failed", result.stderr)
    return [line for line in result.stdout.splitlines() if "@" in line]
