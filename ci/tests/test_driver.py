# SPDX-License-Identifier: GPL-2.0
"""boot-test --driver: each way in which a driver of one's own can end, told apart by words and exit status."""

import pathlib
import re
import shutil
import tempfile
import unittest

import boot
import driver
import outcome
import test_documents
from outcome import Outcome

# The driver of the README, which is bound to edu.
FIRST = test_documents.from_markdown((boot.root.TOP / "README.md").read_text())
TABLE = "pci:v00001234d000011E8sv*sd*bc*sc*i*"

MINIMAL = """// SPDX-License-Identifier: GPL-2.0

//! A module that is no driver.

use kernel::prelude::*;

module! {
    type: Minimal,
    name: "minimal",
    author: "A. U. Thor",
    description: "A module that is no driver",
    license: "GPL",
}

struct Minimal;

impl kernel::Module for Minimal {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        pr_info!("loaded\\n");
        Ok(Self)
    }
}
"""

C = """// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
{declarations}
static int __init {name}_start(void) {{ pr_info("{name}: %d\\n", {value}); return 0; }}
module_init({name}_start);
{end}
MODULE_DESCRIPTION("A module in C");
MODULE_LICENSE("GPL");
"""
EXIT = "static void __exit {name}_stop(void) {{ }}\nmodule_exit({name}_stop);"


class Driver(boot.Case):
    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="boot-test-"))
        self.addCleanup(shutil.rmtree, self.place)

    def make(self, name, **files):
        """A directory with files, and a Makefile for all that are source."""
        directory = self.place / name
        directory.mkdir(exist_ok=True)
        for file, text in files.items():
            (directory / file.replace("_rs", ".rs").replace("_c", ".c")).write_text(text)
        (directory / "Makefile").write_text("".join(f"obj-m += {path.stem}.o\n" for path in sorted(directory.glob("*.[cr]*"))))
        self.addCleanup(shutil.rmtree, boot.Module.OBJ / "drivers" / driver.name_of(directory), ignore_errors=True)
        return directory

    def first(self, old="", new=""):
        self.assertIn(old, FIRST)
        return self.make("first one", first_rs=FIRST.replace(old, new, 1))

    def drive(self, outcome, directory, *arguments, says=()):
        return self.ends(outcome, "--driver", directory, *arguments, says=says)

    def test_passes(self):
        directory = self.first()
        before = sorted(directory.iterdir())
        says = ["\nprinted   [", "first 0000:00:01.0: the device has it\n", "passed    drivers: first: load\n", "passed    unload: first\n"]
        says += ["passed    drivers: first: is bound to pci 0000:00:01.0 (1234:11e8)\n", "left out  KUnit tests"]
        self.drive(Outcome.PASS, directory, says=says)
        self.assertEqual(before, sorted(directory.iterdir()), "something was written to the user's own directory")
        # What has not changed is not built again.
        built = boot.Module.OBJ / "drivers/first_one/first.o"
        time = built.stat().st_mtime_ns
        output = self.drive(Outcome.PASS, directory, "--qemu", "-device edu", "--run", "ls /sys/bus/pci/drivers/first; rmmod first")
        self.assertEqual(time, built.stat().st_mtime_ns)
        self.assertEqual(2, output.count("passed    drivers: first: is bound to pci"))
        for words in "\n          0000:00:01.0\n", "passed    command: exit status\n", "skipped   unload: first\n":
            self.assertIn(words, output)

    def test_command_fails(self):
        self.drive(Outcome.TEST_FAILED, self.first(), "--run", "false", says=["failed: command: exit status"])

    def test_does_not_build(self):
        directory = self.first("let dma = setup.finish()?;", "")
        line = FIRST[: FIRST.index("let dma = ")].count("\n") + 4
        self.drive(Outcome.DRIVER, directory, says=[f" --> {directory}/first.rs:{line}:", f"error: the driver in {directory} does not build", "next:  all of its output: less "])

    def test_out_of_range(self):
        """What only the linker sees is said of the driver's own line."""
        wrong = "data.regs.write32(5, 0x90);"
        directory = self.first(wrong, wrong.replace("0x90", "0xa0"))
        line = FIRST[: FIRST.index(wrong)].count("\n") + 1
        says = [f"error: {directory}/first.rs:{line}: a check when compiling fails here: ", "\n  checked in rust/kernel/io.rs:"]
        self.drive(Outcome.DRIVER, directory, says=[*says, f"error: the driver in {directory} does not build"])
        # Nothing of that stays.
        (directory / "first.rs").write_text(FIRST)
        self.drive(Outcome.PASS, directory)

    def test_no_module(self):
        directory = self.first()
        (directory / "Makefile").write_text("# nothing\n")
        self.drive(Outcome.DRIVER, directory, says=["makes no module"])

    def test_probe_fails(self):
        error = "error: a driver's probe failed: first: probe of pci 0000:00:01.0 (1234:11e8): error -16 (EBUSY)\n"
        self.drive(Outcome.PROBE, self.first("& 1 != 0 {\n            return", "& 1 == 0 {\n            return"), says=["probe with driver first failed with error -16", error])

    def test_one_of_two_probes_fails(self):
        """The device that is bound makes it no pass."""
        atomic = "core::sync::atomic::{AtomicBool, Ordering}"
        once = "dev.enable_device_mem()?;\n            if AGAIN.swap(true, Ordering::Relaxed) {\n                return Err(EIO);\n            }"
        directory = self.first("dev.enable_device_mem()?;", once)
        text = (directory / "first.rs").read_text()
        (directory / "first.rs").write_text(text.replace("struct FirstDriver;", f"use {atomic};\n\nstatic AGAIN: AtomicBool = AtomicBool::new(false);\n\nstruct FirstDriver;"))
        self.drive(Outcome.PROBE, directory, "--qemu", "-device edu", says=["(1234:11e8): error -5 (EIO)"])

    def test_turns_the_device_down(self):
        """The kernel says nothing of that."""
        self.drive(Outcome.PROBE, self.first("dev.enable_device_mem()?;", "dev.enable_device_mem().and(Err(ENODEV))?;"), says=["first: probe of 0000:00:01.0 (1234:11e8): turned it down"])

    def test_no_such_device(self):
        says = ["a driver has a table of devices, and is bound to none: first: is bound to a device", "# The guest has none of these:\n", TABLE.replace("11E8", "11E9")]
        self.drive(Outcome.UNBOUND, self.first("0x11e8", "0x11e9"), says=says)

    def test_taken(self):
        second = self.make("second", second_rs=FIRST.replace('name: "first"', 'name: "second"'))
        self.drive(Outcome.UNBOUND, self.first(), "--driver", second, says=["second: is bound to 0000:00:01.0 (1234:11e8), which driver first has"])

    def test_no_driver(self):
        directory = self.make("minimal", minimal_rs=MINIMAL)
        self.drive(Outcome.PASS, directory, says=["minimal: loaded\n", "# minimal has no table of devices.\n", "passed    drivers: minimal: load\n"])
        (directory / "minimal.rs").write_text(MINIMAL.replace("        Ok(Self)", "        Err(EINVAL)"))
        self.drive(Outcome.LOAD, directory, says=["insmod: can't insert '/boot-test/minimal.ko'", "loaded, or not be unloaded: minimal: load\n"])

    def test_several_modules(self):
        """One needs another that is named behind it; one can't be unloaded."""
        user = C.format(name="a_user", declarations="int provided(void);", value="provided()", end=EXIT.format(name="a_user"))
        provider = C.format(name="provider", declarations="int provided(void);\nint provided(void) { return 7; }\nEXPORT_SYMBOL_GPL(provided);", value="0", end=EXIT.format(name="provider"))
        directory = self.make("several", a_user_c=user, provider_c=provider)
        self.drive(Outcome.PASS, directory, says=["a_user: 7\n", "passed    unload: provider\n"])
        stuck = self.make("stuck", stuck_c=C.format(name="stuck", declarations="", value="0", end=""))
        self.drive(Outcome.LOAD, stuck, says=["rmmod: can't unload module 'stuck'", "loaded, or not be unloaded: stuck\n"])

    def test_check(self):
        directory = self.first()
        self.drive(Outcome.PASS, directory, "--check")
        text = (directory / "first.rs").read_text()
        self.assertIn("        Ok(())\n", text)
        (directory / "first.rs").write_text(text.replace("        Ok(())\n", "        return Ok(());\n"))
        self.drive(Outcome.CHECK, directory, "--check", says=["clippy::needless", f"{directory}/first.rs:", f"error: Clippy finds fault with {directory}\n"])
        (directory / "first.rs").write_text(text.replace("struct FirstDriver;", "struct  FirstDriver;"))
        self.drive(Outcome.CHECK, directory, "--check", says=["-struct  FirstDriver;", "is not formatted as rustfmt has it", "or: rustfmt --edition 2021 "])

    def test_usage(self):
        empty = self.place / "empty"
        empty.mkdir()
        self.drive(Outcome.USAGE, empty, says=["empty has no Makefile, nor a Kbuild: scripts/new-driver"])
        self.drive(Outcome.USAGE, self.place / "none", says=["none has no Makefile"])
        directory = self.first()
        self.drive(Outcome.USAGE, directory, "--driver", directory, says=["two directories are named first_one"])
        self.ends(Outcome.USAGE, "--check", says=["--check is for drivers"])


class Copy(unittest.TestCase):
    """What is built is the driver's files as they are; what has not changed keeps its time."""

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="boot-test-"))
        self.addCleanup(shutil.rmtree, self.place)
        self.theirs, self.ours = self.place / "theirs", self.place / "ours/x"
        (self.theirs / "sub/.git").mkdir(parents=True)
        for name in "x.rs", "y.rs", "Makefile", "x.o", "x.mod.c", ".x.o.cmd", "sub/z.rs", "sub/.git/config":
            (self.theirs / name).write_text(name)

    def files(self):
        return {str(path.relative_to(self.ours)): path.read_text() for path in self.ours.rglob("*") if path.is_file()}

    def test_copy(self):
        driver.copy(self.theirs, self.ours)
        names = ["x.rs", "y.rs", "Makefile", "sub/z.rs"]
        self.assertEqual({name: name for name in names}, self.files())
        (self.ours / "x.o").write_text("made")
        time = (self.ours / "x.rs").stat().st_mtime_ns
        (self.theirs / "x.rs").touch()
        (self.theirs / "y.rs").unlink()
        (self.theirs / "sub/z.rs").write_text("anew")
        driver.copy(self.theirs, self.ours)
        self.assertEqual({"x.rs": "x.rs", "Makefile": "Makefile", "sub/z.rs": "anew", "x.o": "made"}, self.files())
        self.assertEqual(time, (self.ours / "x.rs").stat().st_mtime_ns)

    def test_names(self):
        """What make and compilers call a file, as the user does."""
        for line, seen in (
            ("  --> /obj/drivers/x/x.rs:3:5", "  --> my/x/x.rs:3:5"),
            ("  --> x.rs:3:5", "  --> my/x/x.rs:3:5"),
            ("sub/x.c:3:5: error: no", "my/x/sub/x.c:3:5: error: no"),
            ("  --> /src/rust/kernel/dma.rs:3:5", "  --> /src/rust/kernel/dma.rs:3:5"),
            ("make[2]: *** [/src/Makefile:3: /obj/drivers/x] Error 2", "make[2]: *** [/src/Makefile:3: my/x] Error 2"),
            ("3 | x.rs:3:5", "3 | x.rs:3:5"),
        ):
            self.assertEqual(seen, driver.shown(line, "/obj/drivers/x", pathlib.Path("my/x")))

    def test_too_much(self):
        with (self.theirs / "huge").open("w") as file:
            file.truncate(driver.MOST + 1)
        with self.assertRaisesRegex(outcome.Fail, "has more than 64 MiB of files"):
            driver.copy(self.theirs, self.ours)
        self.assertFalse(self.ours.exists())
