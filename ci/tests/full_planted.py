# SPDX-License-Identifier: GPL-2.0
"""Each fault that ci/planted plants in the interface is seen, and by which test.

A patch there begins with what is wrong, in words, and with what is needed to see it:

Cases: the modules of ci/cases that are run; all, where there is no such line.
Group: what cases.sh does in their stead.
Append: parameters for the kernel.
Qemu: arguments for the emulator.
Compile: a file of ci/compile, and the title of a program there that must not compile. No guest then.
Code: what is not what it should be in the code that the compiler makes (test_volatile). No guest either.
Platform: a variant of the platform driver of ci/drivers (virtio.py), in a guest that has a device for it.

What was seen is not tried again, as long as neither the fault, the series nor the tests change, but
for groups of cases.sh that it does not take; so a run that was broken off goes on where it was. With
it goes build/planted.seen.
"""

import hashlib
import json
import re
import shlex

import boot
import cases
import faults
import kernel
import root
import test_compile
import test_volatile
import virtio
from outcome import BAD, Outcome

FAULTS = root.TOP / "ci/planted"
PATCHES = sorted(FAULTS.glob("*.patch"))
TREE = faults.Tree(kernel.BUILD / "planted", faults.CONFIG)
SEEN = kernel.BUILD / "planted.seen"
SCRIPT = root.TOP / "ci/cases/cases.sh"


def groups(fields):
    """What cases.sh does."""
    return fields.get("Group", "cases" if "Cases" in fields else "bind cases")


def script(groups):
    """What of cases.sh that takes."""
    return re.sub(r"^group_(\w+)\(\)\n\{\n.*?^\}\n", lambda match: match[0] if match[1] in groups.split() else "", SCRIPT.read_text(), flags=re.M | re.S)


class Planted(boot.Case):
    """A test for each patch: `ci/test full_planted.Planted.test_free_missing`."""

    @classmethod
    def setUpClass(cls):
        TREE.make()
        cls.addClassCleanup(TREE.remove)
        # Of the series, what faults are planted in: not the samples and their tests.
        digest = hashlib.sha256(TREE.of("rust"))
        virtio_rng = [root.TOP / "ci/tests/virtio.py", virtio.DRIVER]
        for path in sorted([*({*(root.TOP / "ci/cases").iterdir()} - {SCRIPT}), *(root.TOP / "ci/compile").glob("*.rs"), *TREE.config, *virtio_rng]):
            digest.update(path.read_bytes())
        cls.tests = digest.hexdigest()

    def test_no_fault(self):
        """Without any, nothing is seen."""
        TREE.clean()
        self.assertEqual(self.boot("TIMES=5 bash /cases.sh bind cases", {}), (Outcome.PASS, ""))

    def planted(self, patch):
        text = patch.read_text()
        fields = dict(re.findall(r"^(\w+): (.*)", text.partition("\n---")[0], re.M))
        key = hashlib.sha256(f"{self.tests}{script(groups(fields))}{text}".encode()).hexdigest()
        seen = json.loads(SEEN.read_text()) if SEEN.exists() else {}
        if key not in seen:
            self.plant(patch)
            if "Compile" in fields:
                seen[key] = self.compiles(*fields["Compile"].split(": ", 1))
            elif "Code" in fields:
                seen[key] = self.generates()
            elif "Platform" in fields:
                seen[key] = self.platform(fields["Platform"])
            else:
                seen[key] = self.runs(fields)
            SEEN.write_text(json.dumps(seen))
        self.note = "seen by " + seen[key]

    def plant(self, patch):
        TREE.clean()
        cases.plant(self, patch, TREE.path)
        TREE.allow()

    def runs(self, fields):
        """Which case, or which check of the kernel, sees it."""
        only = cases.numbers(fields["Cases"].split()) if "Cases" in fields else ()
        outcome, found = self.boot(f"STOP=1 TIMES=5 CASES='{' '.join(map(str, only))}' bash /cases.sh {groups(fields)}", fields)
        self.assertNotEqual(outcome, Outcome.PASS, "no test sees it")
        self.assertIn(outcome, BAD, found)
        self.assertNotIn("in no case", found, "the guest did not come to the first case")
        return found

    def boot(self, run, fields):
        # Without an IOMMU, ACPI is of no use, and kmemleak takes some of it for leaks.
        acpi = [] if "Qemu" in fields else ["acpi=off"]
        qemu = shlex.split(f"{cases.DEVICES} {fields.get('Qemu', '')}")
        fail = TREE.boot(self, run, [*acpi, *fields.get("Append", "").split()], qemu)
        return (fail.outcome, TREE.what_failed(fail)) if fail else (Outcome.PASS, "")

    def compiles(self, file, title):
        """A program of ci/compile that must not compile does, or for another reason does not."""
        program = next(each for each in test_compile.programs() if (each.file, each.title) == (file, title))
        cases.build(self, TREE.path, TREE.config)
        compiled, said = test_compile.compiles(self, "planted-program", program.wrong, TREE.obj)
        self.assertTrue(compiled or program.error not in said, "the program fails as before")
        return f"{file}: {title}"

    def platform(self, variant):
        """What is wrong with a platform driver that is right without the fault."""
        found = virtio.wrong(self, "arm64", variant, TREE.path)
        self.assertNotEqual(found, [], "no test sees it")
        return f"virtio, {variant}: {found[0].splitlines()[0]}"

    def generates(self):
        """What the compiler makes of accesses to shared memory."""
        cases.build(self, TREE.path, TREE.config)
        found = test_volatile.ordinary(self, TREE.obj)
        self.assertNotEqual(found, [], "all accesses are volatile")
        return ", ".join(found)


def test(patch):
    return lambda self: self.planted(patch)


for patch in PATCHES:
    setattr(Planted, f"test_{patch.stem.replace('-', '_')}", test(patch))
