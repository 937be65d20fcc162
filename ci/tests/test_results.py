# SPDX-License-Identifier: GPL-2.0
"""What a guest's KTAP is taken for: failed is not crashed, and neither is no test."""

import pathlib
import tempfile
import types
import unittest

import boot
import console
import guest
import results
from outcome import Fail, Outcome

DOCTESTS = """\
KTAP version 1
1..1
    KTAP version 1
    # Subtest: rust_doctests_kernel
    1..2
    ok 1 rust_doctest_kernel_a
    {second}
# rust_doctests_kernel: pass:2
ok 1 rust_doctests_kernel
"""
SELFTESTS = """\
KTAP version 1
1..1
    KTAP version 1
    # Subtest: test_a.sh
    1..2
    rust_minimal: loading
    ok 1 first
    {second}
    # Totals: pass:2
{last}
"""


def program(text):
    """Each line as one that a program says; but what a driver says."""
    return "".join(line if "rust_minimal" in line else f"{console.PROGRAM}{line}" for line in text.splitlines(keepends=True))


def judge(doctests=DOCTESTS, selftests=SELFTESTS, second="ok 2 second", last="ok 1 test_a.sh", end=True, status=0, kernel="", run=None):
    """guest.judge() on a console with these tests."""
    lines = doctests.format(second="ok 2 rust_doctest_kernel_b") + console.BEGIN + "\n" + program(selftests.format(second=second, last=last)) + kernel
    watcher = console.Watcher(60, 300, 0)
    for at, line in enumerate([*lines.splitlines(), *[console.END] * end]):
        watcher.feed(f"[    1.{at:06}] {line}", 0)
    built = types.SimpleNamespace(tree=types.SimpleNamespace(path=boot.LINUX))
    return guest.judge(built, watcher, status, ["test_a.sh"], "again", types.SimpleNamespace(run=run, driver=[], append=[]))


class Judge(unittest.TestCase):
    def ends(self, outcome, words, **more):
        with self.assertRaises(Fail) as caught:
            judge(**more)
        self.assertEqual(caught.exception.outcome, outcome, caught.exception.cause)
        self.assertIn(words, caught.exception.cause + caught.exception.detail)

    def test_pass(self):
        doctests, selftests = judge()
        self.assertEqual([result.status for result in doctests + selftests], ["passed"] * 4)
        self.assertEqual([result.name for result in selftests], ["test_a.sh: first", "test_a.sh: second"])

    def test_another_thread(self):
        """A message of the kernel between any two lines changes nothing."""
        lines = DOCTESTS.splitlines(keepends=True)
        for at in range(len(lines) + 1):
            with self.subTest(before=lines[at:][:1]):
                doctests, _ = judge(doctests="".join([*lines[:at], "Freeing initrd memory: 4608K\n", *lines[at:]]))
                self.assertEqual([("passed", "rust_doctests_kernel: rust_doctest_kernel_" + each) for each in "ab"], [(one.status, one.name) for one in doctests])

    def test_skip_of_one(self):
        self.assertEqual([result.status for result in judge(second="ok 2 second # SKIP no device")[1]], ["passed", "skipped"])

    def test_failed(self):
        self.ends(Outcome.TEST_FAILED, "failed: test_a.sh: second", second="not ok 2 second", last="not ok 1 test_a.sh # exit=1")

    def test_failed_by_exit_status_alone(self):
        self.ends(Outcome.TEST_FAILED, "failed: test_a.sh", last="not ok 1 test_a.sh # exit=1")

    def test_failed_doctest(self):
        self.ends(Outcome.TEST_FAILED, "rust_doctest_kernel_b", doctests=DOCTESTS.replace("{second}", "not ok 2 rust_doctest_kernel_b"))

    def test_missing_result(self):
        self.ends(Outcome.TEST_FAILED, "crashed: test_a.sh", second="")

    def test_skip_of_all(self):
        skipped = "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: test_a.sh\n    1..0 # SKIP no device\nok 1 test_a.sh # SKIP\n"
        self.ends(Outcome.NO_TEST, "test_a.sh", selftests=skipped)

    def test_program_without_ktap(self):
        self.ends(Outcome.NO_TEST, "test_a.sh", selftests="KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: test_a.sh\n    hello\nok 1 test_a.sh\n")

    def test_no_program(self):
        self.ends(Outcome.NO_TEST, "ran no selftest", selftests="KTAP version 1\n1..0\n")

    def test_no_doctests(self):
        self.ends(Outcome.NO_TEST, "ran no KUnit test", doctests="kunit: disabled\n")

    def test_suite_in_a_module(self):
        """It prints while the selftests do."""
        suite = DOCTESTS.replace("rust_doctests_kernel", "suite").replace("rust_doctest_kernel_a", "a")
        doctests, _ = judge(kernel=suite.replace("{second}", "ok 2 b"))
        self.assertEqual(["suite: a", "suite: b"], [result.name for result in doctests[2:]])
        self.ends(Outcome.TEST_FAILED, "failed: suite: b", kernel=suite.replace("{second}", "not ok 2 b"))

    def test_no_end(self):
        self.ends(Outcome.NO_TEST, "before its last test", end=False)

    def test_emulator_failed(self):
        self.ends(Outcome.EMULATOR, "status 1", status=1)


class Form(unittest.TestCase):
    """What is no KTAP, or an odd one; the parser by itself finds no end in most of these."""

    def parse(self, text, name="x"):
        lines = ["KTAP version 1", "1..1", "    KTAP version 1", f"    # Subtest: {name}", *(f"    {line}" for line in text.split("; ")), f"ok 1 {name}"]
        found, errors = results.parse(boot.LINUX, lines)
        return [(result.status, result.name.removeprefix(f"{name}: ")) for result in found], errors

    def test_plan_at_the_end(self):
        self.assertEqual(([("passed", "a"), ("passed", "b")], 0), self.parse("ok 1 - a; ok 2 - b; 1..2"))
        passed, crashed = self.parse("ok 1 - a; 1..2")[0]
        self.assertEqual((("passed", "a"), "crashed"), (passed, crashed[0]))

    def test_plan_at_the_end_of_a_part(self):
        self.assertEqual(([("passed", "y: a"), ("failed", "y: b")], 0), self.parse("1..1;     # Subtest: y;     ok 1 a;     not ok 2 b;     1..2; ok 1 y"))

    def test_two_plans(self):
        for text in "1..1; ok 1 - a; 1..1", "1..1; 1..1; ok 1 a", "ok 1 - a; 1..1; 1..1; ok 1 exit status":
            with self.subTest(text):
                self.assertGreater(self.parse(text)[1], 0)

    def test_plan_of_many(self):
        """No memory is taken for what is only announced."""
        for plan in "1..1000000000", "1.." + "9" * 5000:
            found, errors = self.parse(f"{plan}; ok 1 a")
            self.assertIn(("passed", "a"), found)
            self.assertGreater(errors, 0)

    def test_not_parsed(self):
        for text in "ok " + "9" * 5000 + " a", "KTAP version " + "9" * 5000:
            with self.assertRaises(Fail) as caught:
                self.parse(text)
            self.assertEqual(Outcome.TEST_FAILED, caught.exception.outcome)
            self.assertIn("the kernel's KTAP parser cannot take what the tests print: ValueError", caught.exception.cause)

    def test_a_parser_without_an_end(self):
        for loop, words in ("pass", "it was ended"), ("lines.append('x' * 100000000)", "MemoryError"):
            with self.subTest(loop), tempfile.TemporaryDirectory() as directory:
                place = pathlib.Path(directory, "tools/testing/kunit")
                place.mkdir(parents=True)
                (place / "kunit_printer.py").write_text("class Printer:\n    def __init__(self, output): pass\n")
                (place / "kunit_parser.py").write_text(f"def parse_run_tests(lines):\n    lines = []\n    while True: {loop}\n")
                with self.assertRaises(Fail) as caught:
                    results.parse(pathlib.Path(directory), ["KTAP version 1"], seconds=2)
                self.assertEqual(Outcome.TEST_FAILED, caught.exception.outcome)
                self.assertIn(words, caught.exception.cause)

    def test_a_newer_parser(self):
        """Whose printer can be told not to print, by its first argument."""
        with tempfile.TemporaryDirectory() as directory:
            place = pathlib.Path(directory, "tools/testing/kunit")
            place.mkdir(parents=True)
            (place / "kunit_printer.py").write_text("import sys\nclass Printer:\n    def __init__(self, print=True, output=sys.stdout): self.output = output\n")
            (place / "kunit_parser.py").write_text(
                "import types\n"
                "def parse_run_tests(lines, printer):\n"
                "    print('====', file=printer.output)\n"
                "    one = types.SimpleNamespace(name='a', subtests=[], status=types.SimpleNamespace(name='SUCCESS'), log=[])\n"
                "    return types.SimpleNamespace(name='', subtests=[one], status=one.status, counts=types.SimpleNamespace(errors=0))\n"
            )
            found, errors = results.parse(pathlib.Path(directory), ["KTAP version 1"])
            self.assertEqual((["a"], 0), ([each.name for each in found], errors))

    def test_no_parser(self):
        with self.assertRaises(Fail) as caught:
            results.parse(pathlib.Path("/nonsense"), ["KTAP version 1"])
        self.assertEqual((Outcome.USAGE, True), (caught.exception.outcome, "/nonsense has no KTAP parser" in caught.exception.cause))
