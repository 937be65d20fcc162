# SPDX-License-Identifier: GPL-2.0
"""Runs the tests, a line for each, and counts them."""

import collections
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

    def __init__(self):
        super().__init__()
        self.rows = []  # (test, result, note)

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
        verdict, note = "FAIL" if self.bad else "ok", getattr(test, "note", "")
        self.rows.append((test.id(), verdict, note))
        print(f"{verdict:4} {test.id()} ({time.monotonic() - self.began:.1f} s){note and ': '}{note}")
        for text in self.bad:
            print("     " + text.rstrip().replace("\n", "\n     "))
        sys.stdout.flush()
        self.bad = []


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


def main(names):
    loader = unittest.defaultTestLoader
    full = "--full" in names
    more = loader.discover(str(HERE), "full_*.py", str(HERE))
    if names and not full:
        found = loader.loadTestsFromNames(names)
    else:
        found = [loader.discover(str(HERE), "test_*.py", str(HERE)), *([more] if full else [])]
    # The boot test first: it makes what others use.
    tests = sorted(flat(found), key=lambda test: not test.id().startswith("test_boot."))
    result = Result()
    try:
        unittest.TestSuite(tests).run(result)
    except KeyboardInterrupt:
        table(result.rows)
        print("interrupted")
        return 130
    table(result.rows)
    if not names:
        parts = collections.Counter(test.id().split(".")[0] for test in flat(more))
        print(f"left out, for time; ci/test --full has them: {', '.join(f'{part} ({count})' for part, count in parts.items())}")
    print(f"{result.passed} passed, {result.failed} failed")
    return 0 if result.passed and not result.failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
