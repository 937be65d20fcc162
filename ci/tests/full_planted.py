# SPDX-License-Identifier: GPL-2.0
"""Each fault that ci/planted plants in the interface is seen, and by which test.

A patch there begins with what is wrong, in words, and with what is needed to see it:

Cases: the modules of ci/cases that are run; all, where there is no such line.
Group: what cases.sh does in their stead.
Append: parameters for the kernel.
Qemu: arguments for the emulator.
Compile: a file of ci/compile, and the title of a program there that must not compile. No guest then.
Code: what is not what it should be in the code that the compiler makes (test_volatile). No guest either.

What was seen is not tried again, as long as neither the fault, the series nor the tests change; so a
run that was broken off goes on where it was. With it goes build/planted.seen.
"""

import contextlib
import hashlib
import io
import json
import re
import shlex
import shutil
import subprocess

import arch
import base
import boot
import boot_test
import cases
import guest
import kernel
import root
import test_compile
import test_volatile
from outcome import Fail, Outcome

FAULTS = root.TOP / "ci/planted"
PATCHES = sorted(FAULTS.glob("*.patch"))
CONFIG = [FAULTS / "fault.config", root.TOP / "ci/config" / arch.ARCHES["x86_64"].iommu.config]
TREE = kernel.BUILD / "planted"
OBJ = boot.Module.OBJ.with_name("-".join(["x86_64", *(file.stem for file in CONFIG)]))
SEEN = kernel.BUILD / "planted.seen"

# What a guest may end with that was seen by a test, or by one of the kernel's own checks.
BAD = (Outcome.TEST_FAILED, Outcome.DMA_API, Outcome.LOCKDEP, Outcome.PANIC, Outcome.OOPS, Outcome.WARNING, Outcome.HANG)


class Planted(boot.Case):
    """A test for each patch: `ci/test full_planted.Planted.test_free_missing`."""

    @classmethod
    def setUpClass(cls):
        shutil.rmtree(TREE, ignore_errors=True)
        cls.addClassCleanup(shutil.rmtree, TREE)
        with boot_test.alone(), quiet():
            tree = kernel.patched(base.DEFAULT)
        # What is not there is as it was, for git.
        git("clone", "-q", "--shared", "--sparse", boot.LINUX, TREE)
        git("-C", TREE, "sparse-checkout", "set", "rust", "tools/testing/selftests/rust")
        # Of the series, what faults are planted in: not the samples and their tests.
        digest = hashlib.sha256(git("-C", TREE, "rev-parse", f"{tree.commit}:rust"))
        for path in sorted([*(root.TOP / "ci/cases").iterdir(), *(root.TOP / "ci/compile").iterdir(), *CONFIG]):
            digest.update(path.read_bytes())
        cls.tests = digest.hexdigest()

    def test_no_fault(self):
        """Without any, nothing is seen."""
        git("-C", TREE, "checkout", "-q", "-f", "HEAD")
        self.assertEqual(self.boot("TIMES=5 bash /cases.sh bind cases", {}), (Outcome.PASS, ""))

    def planted(self, patch):
        text = patch.read_text()
        key = hashlib.sha256(f"{self.tests}{text}".encode()).hexdigest()
        seen = json.loads(SEEN.read_text()) if SEEN.exists() else {}
        if key not in seen:
            self.plant(patch)
            fields = dict(re.findall(r"^(\w+): (.*)", text.partition("\n---")[0], re.M))
            if "Compile" in fields:
                seen[key] = self.compiles(*fields["Compile"].split(": ", 1))
            elif "Code" in fields:
                seen[key] = self.generates()
            else:
                seen[key] = self.runs(fields)
            SEEN.write_text(json.dumps(seen))
        self.note = "seen by " + seen[key]

    def plant(self, patch):
        git("-C", TREE, "checkout", "-q", "-f", "HEAD")
        cases.plant(self, patch, TREE)
        # What is left unused by a fault is no reason not to build it.
        lib = TREE / "rust/kernel/lib.rs"
        lib.write_text(lib.read_text().replace("\n#![", "\n#![allow(warnings)]\n#![", 1))

    def runs(self, fields):
        """Which case, or which check of the kernel, sees it."""
        only = cases.numbers(fields["Cases"].split()) if "Cases" in fields else ()
        groups = fields.get("Group", "cases" if only else "bind cases")
        outcome, found = self.boot(f"STOP=1 TIMES=5 CASES='{' '.join(map(str, only))}' bash /cases.sh {groups}", fields)
        self.assertNotEqual(outcome, Outcome.PASS, "no test sees it")
        self.assertIn(outcome, BAD, found)
        self.assertNotIn("in no case", found, "the guest did not come to the first case")
        return found

    def boot(self, run, fields):
        # Without an IOMMU, ACPI is of no use, and kmemleak takes some of it for leaks.
        acpi = [] if "Qemu" in fields else ["acpi=off"]
        options = boot_test.defaults(
            base=str(TREE), config=CONFIG, jobs=2, run=run, silence=120, timeout=600, append=[*acpi, *fields.get("Append", "").split()],
            qemu=shlex.split(f"{cases.DEVICES} {fields.get('Qemu', '')}"),
        )  # fmt: skip
        with boot_test.alone(), quiet():
            try:
                built, _, programs = boot_test.prepare(options)
                module = boot.Module(self, "cases", "dma_cases", root.TOP / "ci/cases", OBJ)
                options.add = [module.ko(), root.TOP / "ci/cases/cases.sh"]
                guest.initramfs(built, options)
                guest.boot(built, options, programs)
            except Fail as fail:
                return fail.outcome, cases.what_failed(fail.outcome, f"{fail.detail}\nerror: {fail}", OBJ)[0]
        return Outcome.PASS, ""

    def compiles(self, file, title):
        """A program of ci/compile that must not compile does, or for another reason does not."""
        program = next(each for each in test_compile.programs() if (each.file, each.title) == (file, title))
        cases.build(self, TREE, CONFIG)
        compiled, said = test_compile.compiles(self, "planted-program", program.wrong, OBJ)
        self.assertTrue(compiled or program.error not in said, "the program fails as before")
        return f"{file}: {title}"

    def generates(self):
        """What the compiler makes of accesses to shared memory."""
        cases.build(self, TREE, CONFIG)
        found = test_volatile.ordinary(self, OBJ)
        self.assertNotEqual(found, [], "all accesses are volatile")
        return ", ".join(found)


def quiet():
    return contextlib.redirect_stdout(io.StringIO())


def git(*command):
    return subprocess.run(["git", *command], check=True, capture_output=True).stdout


def test(patch):
    return lambda self: self.planted(patch)


for patch in PATCHES:
    setattr(Planted, f"test_{patch.stem.replace('-', '_')}", test(patch))
