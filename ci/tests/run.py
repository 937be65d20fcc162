# SPDX-License-Identifier: GPL-2.0
"""Runs the tests, a line for each, and counts them.

Without a name, the boot test, and then all of ci/tests/test_*.py. What could not run has not passed.
A test that sets `may_be_skipped` before it is skipped says that this is nobody's mistake: it is counted by itself.
"""

import argparse
import collections
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "scripts/lib")]

import outcome
from outcome import Outcome

EXAMPLES = """\
examples:
  ci/test                           all but what takes hours
  ci/test test_console test_guest   these files of ci/tests
  ci/test test_guest.Trouble        this class of tests
  ci/test full_planted              one of those that --full adds
  ci/test --full                    all there is

"""


class Result(unittest.TestResult):
    """Prints each result as it comes. A test that did not run has not passed."""

    passed = failed = omitted = 0

    def __init__(self):
        super().__init__()
        self.rows = []  # (test, result, note)
        self.ran = collections.Counter()
        self.test = None  # the one that runs
        self.began = time.monotonic()
        self.bad = []
        self.why = ""  # it was skipped

    def startTest(self, test):
        super().startTest(test)
        self.test = test
        self.began = time.monotonic()
        self.bad = []
        self.why = ""

    def addError(self, test, error):
        self.bad.append(self._exc_info_to_string(error, test))
        self.outside(test)

    addFailure = addError

    def addSubTest(self, test, subtest, error):
        if error:
            self.bad.append(f"{subtest}\n" + self._exc_info_to_string(error, test))

    def addSkip(self, test, reason):
        if getattr(test, "may_be_skipped", False):
            self.why = f"not run: {reason}"
        else:
            self.bad.append(f"not run: {reason}")
        self.outside(test)

    def addExpectedFailure(self, test, error):
        self.bad.append("failed, and is said to: mend it, or take it away")

    def addUnexpectedSuccess(self, test):
        self.bad.append("passed, and should not")

    def outside(self, test):
        """What is said of no test that runs: of the setting up or tearing down of a class or a module."""
        if self.test is None:
            self.verdict(test)

    def stopTest(self, test):
        # It did not come to its end, so there is no verdict.
        if isinstance(sys.exc_info()[1], KeyboardInterrupt):
            return
        self.ran[test.id()] += 1
        self.verdict(test)
        self.test = None

    def verdict(self, test):
        verdict, note = "FAIL" if self.bad else "skip" if self.why else "ok", self.why or getattr(test, "note", "")
        self.failed += verdict == "FAIL"
        self.omitted += verdict == "skip"
        self.passed += verdict == "ok"
        self.rows.append((test.id(), verdict, note))
        print(f"{verdict:4} {test.id()} ({time.monotonic() - self.began:.1f} s){note and ': '}{note}")
        for text in self.bad:
            print("     " + text.rstrip().replace("\n", "\n     "))
        sys.stdout.flush()
        self.bad = []
        self.began = time.monotonic()


def table(rows):
    """Configuration, and planted fault, by what became of it."""
    for module, title in ("full_configurations", "configuration"), ("full_planted", "planted fault"):
        some = [(name, verdict, note) for name, verdict, note in rows if name.startswith(f"{module}.")]
        if not some:
            continue
        print(f"\n{title:40} result  what")
        for name, verdict, note in some:
            print(f"{name.removeprefix(f'{module}.').removeprefix('Planted.test_'):40} {verdict:7} {note}")
        print(f"{sum(verdict == 'ok' for _, verdict, _ in some)} of {len(some)}")


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def discovered(pattern):
    return list(flat(unittest.defaultTestLoader.discover(str(HERE), pattern, str(HERE))))


def named(name):
    """The tests of a name; one that fails, where they cannot be loaded."""
    try:
        return list(flat(unittest.defaultTestLoader.loadTestsFromName(name)))
    except Exception as error:
        return [Broken(name, error)]


class Broken(unittest.TestCase):
    def __init__(self, name, error):
        super().__init__()
        self.name, self.error = name, error

    def id(self):
        return self.name

    def runTest(self):
        raise self.error


def main(names):
    full = names == ["--full"]
    if names and not full:
        found = [test for name in names for test in named(name)]
    else:
        found, more = discovered("test_*.py"), discovered("full_*.py")
        found += more if full else []
    # The boot test first: it makes what others use.
    tests = sorted(found, key=lambda test: not test.id().startswith("test_boot."))
    result = Result()
    try:
        unittest.TestSuite(tests).run(result)
    except KeyboardInterrupt:
        table(result.rows)
        print("interrupted")
        return Outcome.INTERRUPTED
    table(result.rows)
    if not names:
        parts = collections.Counter(test.id().split(".")[0] for test in more)
        print(f"left out, for time; ci/test --full has them: {', '.join(f'{part} ({count})' for part, count in parts.items())}")
    # unittest drops tests from a suite as it goes; so this is from the list.
    missed = collections.Counter(test.id() for test in tests) - result.ran
    for name, count in missed.items():
        print(f"did not run: {name}" + (f" ({count} times)" if count > 1 else ""))
    print(f"{result.ran.total()} of {len(tests)} tests ran")
    print(f"{result.passed} passed, {result.failed} failed" + (f", {result.omitted} skipped" if result.omitted else ""))
    return Outcome.PASS if result.passed and not result.failed and not missed else Outcome.TEST_FAILED


def arguments():
    parser = argparse.ArgumentParser(
        prog="ci/test", description=__doc__, epilog=EXAMPLES + "exit status:\n  0 when all tests that were asked for ran and passed, 1 when not, 130 when interrupted\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("names", nargs="*", metavar="NAME", help="a file of ci/tests, a class in it, or a test: test_guest.Trouble.test_panic")
    parser.add_argument("--full", action="store_true", help="ci/tests/full_*.py as well: every architecture, configuration and planted fault, which takes hours")
    options = parser.parse_args()
    if options.full and options.names:
        parser.error("--full is all there is; give names, or --full")
    return ["--full"] if options.full else options.names


if __name__ == "__main__":
    outcome.main(lambda: main(arguments()))
