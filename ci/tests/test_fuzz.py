# SPDX-License-Identifier: GPL-2.0
"""ci/fuzz: random calls from a fixed seed find nothing; and the shortest sequence that fails is found, where one does."""

import contextlib
import importlib.machinery
import importlib.util
import io
import re
import shutil
import subprocess
import sys
import unittest

import arch
import boot
import cases
import root
from outcome import Fail, Outcome

HERE = root.TOP / "ci/fuzz"
sys.path.insert(0, str(HERE))

import fuzz

loader = importlib.machinery.SourceFileLoader("fuzz_run", str(HERE / "run"))
run = importlib.util.module_from_spec(importlib.util.spec_from_loader("fuzz_run", loader))
loader.exec_module(run)


class Guest:
    """Takes the place of a guest: a plan fails if it has all the operations of one of `needs`. A crash ends the guest."""

    def __init__(self, *needs, crash=False):
        self.needs, self.crash, self.boots, self.tried = [set(each) for each in needs], crash, 0, []

    def __call__(self, plans):
        self.boots += 1
        results = []
        for plan in plans:
            self.tried.append(plan)
            bad = any(each <= set(plan.kept) for each in self.needs)
            results.append(bad)
            if bad and self.crash:
                break
        return results + [None] * (len(plans) - len(results))


class Shrink(unittest.TestCase):
    def shrunk(self, *needs, operations=1000, **more):
        guest = Guest(*needs, **more)
        plan = fuzz.shrink(fuzz.Plan.whole(7, operations), guest)
        self.assertTrue(all(each.fits and each.kept for each in guest.tried), "a plan that cannot be told to the guest")
        return plan, guest

    def test_one(self):
        for number in 0, 1, 499, 998, 999:
            for crash in False, True:
                with self.subTest(number, crash=crash):
                    plan, guest = self.shrunk([number], crash=crash)
                    self.assertEqual((number,), plan.kept)
                    self.assertLess(guest.boots, 30)

    def test_some(self):
        """Those that it takes, and no other."""
        for needs in [0, 999], [3, 4, 5, 900], [10, 200, 350, 351, 352, 777]:
            for crash in False, True:
                with self.subTest(needs, crash=crash):
                    self.assertEqual(tuple(needs), self.shrunk(needs, crash=crash)[0].kept)

    def test_either(self):
        """Where there are two ways to fail, one of them is left."""
        plan, _ = self.shrunk([5, 800], [6, 20, 700])
        self.assertIn(plan.kept, ((5, 800), (6, 20, 700)))

    def test_many(self):
        """What cannot be told to the guest is not tried, and what is left fails."""
        needs = range(0, 200, 2)
        plan, _ = self.shrunk(needs, operations=200)
        self.assertTrue(set(needs) <= set(plan.kept) and plan.fits)

    def test_tries(self):
        """It ends, when it is to, with what is known by then."""
        guest = Guest([10, 200, 350, 777])
        plan = fuzz.shrink(fuzz.Plan.whole(7, 1000), guest, tries=6)
        self.assertLessEqual(guest.boots, 8)
        self.assertTrue({10, 200, 350, 777} <= set(plan.kept))
        self.assertLess(len(plan.kept), 1000)


class Words(unittest.TestCase):
    def test_plan(self):
        for word in "7:1000", "7:1000:3-4,10-900", f"{(1 << 63) - 1}:65535":
            self.assertEqual(word, str(fuzz.Plan.parse(word)))
        self.assertEqual((3, 4, 9), fuzz.Plan.parse("7:10:3-5,9-10").kept)
        too_many = ",".join(f"{2 * number}-{2 * number + 1}" for number in range(fuzz.RANGES + 1))
        for word in "", "7", "7:0", "7:65536", "-1:10", "7:10:3", "7:10:3-3", "7:10:9-11", f"{1 << 63}:10", f"7:1000:{too_many}":
            with self.subTest(word), self.assertRaises(ValueError):
                fuzz.Plan.parse(word)

    def test_judged(self):
        failed = Fail(Outcome.OOPS, "it did")
        console = "fuzz.sh: plan 0: 1:10\nfuzz.sh: plan 1: 2:10\n"
        self.assertEqual([False, False, False], fuzz.judged(3, None, console))
        self.assertEqual([False, True, None], fuzz.judged(3, failed, console))
        # It did not come to the first one.
        self.assertEqual([None, None], fuzz.judged(2, failed, ""))

    def test_suspects(self):
        begun = "".join(f"dma_fuzz: begin: seed {seed}\n" for seed in range(1, 6))
        self.assertEqual([3], fuzz.suspects(f"{begun}dma_fuzz: FAILED: seed 3 operation 9: x\ndma_fuzz: FAILED: seed 3: x\n"))
        # A guest that died: those under way, the last one first.
        self.assertEqual([5, 4, 3], fuzz.suspects(f"{begun}dma_fuzz: end: seed 1\ndma_fuzz: end: seed 2\n"))

    def test_constants(self):
        """The guest's script, the module and the runner mean the same."""
        rust, script = (HERE / "plan.rs").read_text(), (HERE / "fuzz.sh").read_text()
        self.assertEqual(str(fuzz.RANGES), re.search(r"RANGES: usize = (\d+);", rust)[1])
        self.assertEqual(re.search(r"PLACE: usize = (\w+);", rust)[1], re.search(r"PLACE=\$\(\((\w+)\)\)", script)[1])
        self.assertEqual(int(re.search(r"MAGIC: u32 = (\w+);", rust)[1], 16), int(re.search(r"MAGIC=\$\(\((\w+)\)\)", script)[1], 16))
        flags = [1 << int(bit) for bit in re.findall(r": u16 = 1 << (\d);", rust)]
        self.assertEqual(flags, [*map(int, re.search(r"FAULTS=(\d) WIDE_FLAG=(\d) LEAKS=(\d)", script).groups())])
        # Its plan ends within the space of 256 bytes.
        self.assertLessEqual(0x60 + 18 + 4 * fuzz.RANGES, 256)

    def test_claims(self):
        """Each is for what the device has finished with, and names what it is known by."""
        for file in sorted(HERE.glob("*.rs")):
            lines = file.read_text().splitlines()
            for at, line in enumerate(lines):
                if "unsafe {" not in line:
                    continue
                before = at
                while lines[before - 1].strip().startswith("//"):
                    before -= 1
                said = " ".join(each.strip().lstrip("/ ") for each in lines[before:at])
                with self.subTest(f"{file.name}:{at + 1}"):
                    self.assertRegex(line, r"unsafe \{ \w+(\.\w+)*\.(set_master|unmap|free|as_mut)\(\) \}")
                    self.assertRegex(said, r"^SAFETY: .*\brun bit\b")

    def test_configurations(self):
        for name, configuration in fuzz.CONFIGURATIONS.items():
            with self.subTest(name):
                guests = fuzz.Guests(name)
                self.assertTrue(all(file.is_file() for file in guests.options.config))
                self.assertEqual(configuration.arch, guests.options.arch)
                # With the device of the boot test, four of them.
                device = arch.ARCHES[configuration.arch].device
                self.assertEqual(3, sum(word.split(",bus=")[0] == device for word in guests.options.qemu))
                self.assertEqual({"WIDE": 1} if configuration.arch == "arm64" else {}, guests.wide)

    def test_usage(self):
        for words in (["--config", "none"], ["--seed", "-1"], ["--operations", "0"], ["--plan", "1"], ["--each", "70000"], ["more"]):
            ran = subprocess.run([HERE / "run", *words], capture_output=True, text=True)
            self.assertEqual((Outcome.USAGE, ""), (ran.returncode, ran.stdout))
        ran = subprocess.run([HERE / "run", "--help"], capture_output=True, text=True)
        for word in *fuzz.CONFIGURATIONS, "--plan", "exit status":
            self.assertIn(word, ran.stdout)


class Found:
    """Guests in which some seeds fail."""

    class built:
        pass

    def __init__(self, seed, needs, test, alone=True):
        self.seed, self.needs, self.alone, self.last = seed, needs, alone, None
        self.built.obj = root.TOP / "build"
        self.rounds_of = []

    def rounds(self, seed, bindings, operations):
        self.rounds_of.append((seed, bindings, operations))
        if not seed <= self.seed < seed + bindings:
            return None, ""
        return Fail(Outcome.TEST_FAILED, "1 of 5 tests did not pass"), f"dma_fuzz: FAILED: seed {self.seed} operation 3: Error(5)\n"

    def plans(self, plans):
        bad = [self.alone and plan.seed == self.seed and self.needs <= set(plan.kept) for plan in plans]
        self.last = Fail(Outcome.TEST_FAILED, "the plan failed") if any(bad) else None
        return bad


class Search(unittest.TestCase):
    def setUp(self):
        self.enterContext(contextlib.redirect_stdout(io.StringIO()))

    def search(self, guests, *words):
        options = run.arguments(["--operations", "250000", "--no-shrink", *words])
        with self.assertRaises(Fail) as raised:
            run.search(options, guests)
        return raised.exception

    def test_alone(self):
        """It is told by which command the shortest sequence is done again, and with which exit status."""
        guests = Found(150, {3, 70}, self)
        with self.assertRaises(Fail) as raised:
            run.search(run.arguments(["--operations", "250000"]), self.with_console(guests))
        self.assertEqual(Outcome.TEST_FAILED, raised.exception.outcome)
        self.assertEqual("do it again: ci/fuzz/run --config plain --plan 150:1000:3-4,70-71", raised.exception.advice)
        # 100 bindings a guest; the second one had it, and a third was not booted.
        self.assertEqual([(1, 100, 1000), (101, 100, 1000)], guests.rounds_of)

    def with_console(self, guests):
        place = root.TOP / "build/fuzz-test"
        place.mkdir(parents=True, exist_ok=True)
        self.addCleanup(shutil.rmtree, place)
        (place / "console.log").write_text("")
        guests.built.obj = place
        return guests

    def test_with_others(self):
        """What does not fail by itself is told with the command for all of the guest."""
        fail = self.search(Found(150, set(), self, alone=False))
        self.assertEqual("do it again: ci/fuzz/run --config plain --seed 101 --each 1000 --operations 100000", fail.advice)

    def test_nothing(self):
        options = run.arguments(["--operations", "2500"])
        guests = Found(1000, set(), self)
        self.assertIsNone(run.search(options, guests))
        self.assertEqual([(1, 3, 1000)], guests.rounds_of)


class Calls(boot.Case):
    def test_calls(self):
        """20,000 of them, from a fixed seed."""
        ran = subprocess.run([HERE / "run", "--operations", "20000", "--no-shrink"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(0, ran.returncode, ran.stdout)
        self.assertIn("PASS: 20000 operations, plain, seed 1", ran.stdout)
        console = (boot.Module.OBJ / "console.log").read_text(errors="replace")
        done = [[*map(int, each)] for each in re.findall(r"done: seed \d+, (\d+) transfers, (\d+) interrupts, (\d+) parked", console)]
        transfers, interrupts, parked = (sum(each) for each in zip(*done))
        self.note = f"{transfers} transfers, {interrupts} interrupts, {parked} parked"
        # It did something.
        self.assertGreaterEqual(len(done), 20)
        self.assertGreater(min(transfers, interrupts, parked), 100)

    def test_faults_are_where_they_should_be(self):
        cases.build(self)
        patches = sorted((HERE / "planted").glob("*.patch"))
        self.assertGreaterEqual(len(patches), 3)
        for patch in patches:
            with self.subTest(patch.name):
                cases.plant(self, patch, boot.LINUX, "--check")
                self.assertIn(re.search(r"^Config: (.*)", patch.read_text(), re.M)[1], fuzz.CONFIGURATIONS)

    def test_format(self):
        cases.build(self)
        module = boot.Module(self, "fuzz-format", "dma_fuzz", HERE)
        shutil.copy(root.TOP / "ci/cases/several.rs", module.directory)
        good, said = module.rustfmt()
        self.assertTrue(good, said)
