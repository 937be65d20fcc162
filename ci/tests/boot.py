# SPDX-License-Identifier: GPL-2.0
"""What the tests of boot-test share: running it, and the kernel that it built."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import arch
import kernel
import root

SCRIPT = root.TOP / "scripts/boot-test"
LINUX = kernel.BUILD / "v6.12.38/linux"


def boot_test(*arguments, **environment):
    """Run boot-test without a terminal; its exit status, and all it printed."""
    ran = subprocess.run(
        [SCRIPT, *map(str, arguments)], env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", timeout=5000,
    )  # fmt: skip
    return ran.returncode, ran.stdout


def left(build):
    """Processes that still have a hand in a build directory."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if process.name != str(os.getpid()) and any(f"{build}/" in word for word in words):
                found.append(words)
    return found


class Case(unittest.TestCase):
    def ends(self, outcome, *arguments, says=(), **environment):
        """boot-test ends with an outcome, in these words, and never with a traceback; its output."""
        status, output = boot_test(*arguments, **environment)
        self.assertEqual(status, outcome, output)
        self.assertNotIn("Traceback", output)
        self.assertNotIn("\033", output, "control characters, without a terminal")
        for words in says:
            self.assertIn(words, output)
        return output


class Module:
    """A module in a directory of its own, beside the kernel that the boot test built."""

    OBJ = kernel.BUILD / "v6.12.38/x86_64"

    def __init__(self, test, directory, name, source, obj=OBJ, linux=LINUX, machine="x86_64"):
        """Of a text, or a directory, which is copied. Goes away with the test, or the class of tests."""
        self.obj, self.directory, self.name, self.machine = obj, obj / directory, name, machine
        shutil.rmtree(self.directory, ignore_errors=True)
        (test.addClassCleanup if isinstance(test, type) else test.addCleanup)(shutil.rmtree, self.directory)
        if isinstance(source, pathlib.Path):
            shutil.copytree(source, self.directory)
        else:
            self.directory.mkdir(parents=True)
            (self.directory / f"{name}.rs").write_text(source)
            (self.directory / "Makefile").write_text(f"obj-m := {name}.o\n")
        self.tools = kernel.tools(linux, self.obj)
        self.inside = f"{self.tools.obj}/{directory}"

    def make(self, *targets):
        """Whether it could be made, and all that was said."""
        built = kernel.Kernel(None, self.machine, arch.ARCHES[self.machine], self.tools, 2)
        return self.run(*built.make(f"M={self.inside}", *targets))

    def ko(self):
        """The module, made."""
        made, said = self.make("modules")
        if not made:
            raise AssertionError(said)
        return self.directory / f"{self.name}.ko"

    def rustfmt(self):
        return self.run(*self.tools.command("rustfmt", "--check", "--edition", "2021", f"{self.inside}/{self.name}.rs"))

    def run(self, *command):
        ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return ran.returncode == 0, ran.stdout


class Elsewhere(Case):
    """Tests with a build directory of their own; it borrows the build root."""

    def setUp(self):
        self.build = pathlib.Path(tempfile.mkdtemp(prefix="boot-test-"))
        self.addCleanup(shutil.rmtree, self.build)
        (self.build / "root").symlink_to(kernel.BUILD / "root")

    def ends(self, outcome, *arguments, **more):
        return super().ends(outcome, *arguments, RUST_DMA_BUILD=str(self.build), **more)
