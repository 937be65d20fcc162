# SPDX-License-Identifier: GPL-2.0
"""What a guest's KTAP is taken for: failed is not crashed, and neither is no test."""

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


def judge(doctests=DOCTESTS, selftests=SELFTESTS, second="ok 2 second", last="ok 1 test_a.sh", end=True, status=0):
    """guest.judge() on a console with these tests."""
    lines = doctests.format(second="ok 2 rust_doctest_kernel_b") + console.BEGIN + "\n" + selftests.format(second=second, last=last)
    watcher = console.Watcher(60, 300, 0)
    for at, line in enumerate([*lines.splitlines(), *[console.END] * end]):
        watcher.feed(f"[    1.{at:06}] {line}", 0)
    built = types.SimpleNamespace(tree=types.SimpleNamespace(path=boot.LINUX))
    return guest.judge(built, watcher, status, ["test_a.sh"], "again", types.SimpleNamespace(run=None))


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

    def test_no_end(self):
        self.ends(Outcome.NO_TEST, "before its last test", end=False)

    def test_emulator_failed(self):
        self.ends(Outcome.EMULATOR, "status 1", status=1)
