# SPDX-License-Identifier: GPL-2.0
"""Runs the tests, a line for each, and counts them."""

import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "scripts/lib")]


class Result(unittest.TestResult):
    """Prints each result as it comes. A test that did not run has not passed."""

    passed = failed = 0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        self.bad = []

    def addError(self, test, error):
        self.bad.append(self._exc_info_to_string(error, test))
        if not hasattr(self, "began"):  # a class or a module that cannot be set up
            self.began = time.monotonic()
            self.stopTest(test)

    addFailure = addError

    def addSubTest(self, test, subtest, error):
        if error:
            self.bad.append(f"{subtest}\n" + self._exc_info_to_string(error, test))

    def addSkip(self, test, reason):
        self.bad.append(f"not run: {reason}")

    def addUnexpectedSuccess(self, test):
        self.bad.append("passed, and should not")

    def stopTest(self, test):
        if self.bad:
            self.failed += 1
        else:
            self.passed += 1
        note = f": {test.note}" if hasattr(test, "note") else ""
        print(f"{'FAIL' if self.bad else 'ok  '} {test.id()} ({time.monotonic() - self.began:.1f} s){note}")
        for text in self.bad:
            print("     " + text.rstrip().replace("\n", "\n     "))
        sys.stdout.flush()
        self.bad = []


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def main(names):
    loader = unittest.defaultTestLoader
    found = loader.loadTestsFromNames(names) if names else loader.discover(str(HERE), "test_*.py", str(HERE))
    # The boot test first: it makes what others use.
    tests = sorted(flat(found), key=lambda test: not test.id().startswith("test_boot."))
    result = Result()
    try:
        unittest.TestSuite(tests).run(result)
    except KeyboardInterrupt:
        print("interrupted")
        return 130
    print(f"{result.passed} passed, {result.failed} failed")
    return 0 if result.passed and not result.failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
