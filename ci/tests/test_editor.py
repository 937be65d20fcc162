# SPDX-License-Identifier: GPL-2.0
"""What rust-analyzer is given is there, and runs on this machine, without a compiler of this machine's own.

Debian has no rust-analyzer. Where there is one, it is asked for its errors: in the PATH, or named by RUST_ANALYZER. Elsewhere
the program that it has expand macros is asked alone.
"""

import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import boot
import cases
import editor
import kernel


def analyzer():
    """One that runs; rustup has a name that may stand for nothing."""
    found = os.environ.get("RUST_ANALYZER") or shutil.which("rust-analyzer")
    return found if found and subprocess.run([found, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0 else None


ANALYZER = analyzer()

# What the program wants to be told before it does anything.
INTERNAL = {"RUST_ANALYZER_INTERNALS_DO_NOT_USE": "this is unstable", "PATH": "/usr/bin:/bin"}


class Editor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cases.build(cls())

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="boot-test-"))
        self.addCleanup(shutil.rmtree, self.place)

    def check(self, directory):
        """Every file that the project names is there, and its macros can be expanded; the crates by name."""
        project = json.loads((directory / "rust-project.json").read_text())
        crates = {crate["display_name"]: crate for crate in project["crates"]}
        paths = [crate["root_module"] for crate in project["crates"]]
        paths += [path for crate in project["crates"] for path in crate.get("source", {}).get("include_dirs", [])]
        self.assertEqual([], [path for path in paths if not pathlib.Path(path).exists()])
        self.assertNotIn("core", crates)
        self.assertIn("CONFIG_RUST", crates["kernel"]["cfg"])
        sysroot = pathlib.Path(project["sysroot"])
        self.assertTrue(pathlib.Path(project["sysroot_src"], "core/src/lib.rs").resolve().is_relative_to(kernel.BUILD / "root/usr"))
        rustc = self.run_program([sysroot / "bin/rustc", "--version"])
        self.assertRegex(rustc, r"^rustc \d")
        self.assertIn('target_arch="x86_64"', self.run_program([sysroot / "bin/rustc", "--print", "cfg"]))
        asked = json.dumps({"ListMacros": {"dylib_path": crates["macros"]["proc_macro_dylib_path"]}})
        macros = json.loads(self.run_program([sysroot / "libexec/rust-analyzer-proc-macro-srv"], asked + "\n"))
        self.assertIn(["pin_data", "Attr"], macros["ListMacros"]["Ok"])
        return crates

    def run_program(self, command, asked=""):
        ran = subprocess.run(command, input=asked, env=INTERNAL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(0, ran.returncode, ran.stdout)
        return ran.stdout

    def test_driver(self):
        directory = self.place / "two of them"
        for _ in range(2):
            ran = subprocess.run([boot.root.TOP / "scripts/new-driver", "one", directory], capture_output=True, text=True)
            self.assertEqual(0, ran.returncode, ran.stderr)
        self.assertIn(f"rust-analyzer: {directory}/rust-project.json\n", ran.stdout)
        # A second driver, and a file that is a part of the first.
        for name in "two.rs", "part.rs":
            (directory / name).write_text("")
        with (directory / "Makefile").open("a") as file:
            file.write("obj-m += two.o\n")
        editor.for_driver(directory)
        crates = self.check(directory)
        own = {name: crate["root_module"] for name, crate in crates.items() if str(directory) in crate["root_module"]}
        self.assertEqual({name: f"{directory}/{name}.rs" for name in ("one", "two")}, own)
        project = json.loads((directory / "rust-project.json").read_text())["crates"]
        self.assertEqual({"kernel": "kernel"}, {each["name"]: project[each["crate"]]["display_name"] for each in crates["two"]["deps"]})
        self.assertNotIn("rust_dma", crates)

    def test_no_false_error(self):
        """rust-analyzer itself finds none in a driver that builds, nor in the kernel crate; and it does find one that is there."""
        if not ANALYZER:
            self.may_be_skipped = True
            self.skipTest("no rust-analyzer here, nor named by RUST_ANALYZER")
        directory = self.place / "one"
        subprocess.run([boot.root.TOP / "scripts/new-driver", "one", directory], check=True, stdout=subprocess.DEVNULL)
        self.assertEqual((0, []), self.diagnostics(directory))
        source = directory / "one.rs"
        source.write_text(source.read_text().replace("dev.enable_device_mem()", "dev.enable_device_mem_not()"))
        status, found = self.diagnostics(directory)
        self.assertNotEqual(0, status)
        self.assertRegex("\n".join(found), r"^at crate one, file .*/one\.rs: Error .* no method `enable_device_mem_not`")

    def diagnostics(self, directory):
        """How it ends, and the errors that it finds in all crates of a project."""
        command = [ANALYZER, "diagnostics", "--severity", "error", directory]
        ran = subprocess.run(command, cwd=directory, env={"PATH": "/usr/bin:/bin", "HOME": str(self.place)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertIn("diagnostic scan complete", ran.stdout)
        return ran.returncode, re.findall(r"at crate \w+, file .*", ran.stdout)

    def test_tree(self):
        self.addCleanup((boot.LINUX / "rust-project.json").unlink)
        with contextlib.redirect_stdout(io.StringIO()):
            editor.for_tree(boot.LINUX, "6.12.38")
        crates = self.check(boot.LINUX)
        self.assertEqual(f"{boot.LINUX}/samples/rust/rust_dma.rs", crates["rust_dma"]["root_module"])

    def test_that_it_can_fail(self):
        """A file that is not there, which the macros should be in."""
        with contextlib.redirect_stdout(io.StringIO()):
            (self.place / "Makefile").write_text("obj-m := one.o\n")
            editor.for_driver(self.place)
        path = self.place / "rust-project.json"
        path.write_text(path.read_text().replace("libmacros.so", "libnone.so"))
        with self.assertRaises((AssertionError, KeyError)):
            self.check(self.place)
