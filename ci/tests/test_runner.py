# SPDX-License-Identifier: GPL-2.0
"""ci/tests/run.py passes nothing that did not run, nor anything that failed."""

import ast
import os
import pathlib
import subprocess
import tempfile
import unittest

import root
from outcome import Outcome

TESTS = root.TOP / "ci/tests"

GOOD = """
class Good(unittest.TestCase):
    def test_good(self): pass
"""
# What is planted: how many tests there are, how many of them run, what is said of the one failure, and the text.
PLANTED = {
    "set-up of a class": (2, 1, "ZeroDivisionError", "class A(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls): 1 / 0\n    def test_a(self): pass"),
    "tear-down of a class": (2, 2, "ZeroDivisionError", "class A(unittest.TestCase):\n    @classmethod\n    def tearDownClass(cls): 1 / 0\n    def test_a(self): pass"),
    "clean-up of a class": (2, 2, "ZeroDivisionError", "class A(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls): cls.addClassCleanup(lambda: 1 / 0)\n    def test_a(self): pass"),
    "a class that is skipped": (2, 1, "not run: no", "class A(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls): raise unittest.SkipTest('no')\n    def test_a(self): pass"),
    "set-up of the module": (1, 0, "ZeroDivisionError", "def setUpModule(): 1 / 0"),
    "tear-down of the module": (1, 1, "ZeroDivisionError", "def tearDownModule(): 1 / 0"),
    "set-up of a test": (2, 2, "ZeroDivisionError", "class A(unittest.TestCase):\n    def setUp(self): 1 / 0\n    def test_a(self): pass"),
    "clean-up of a test": (2, 2, "ZeroDivisionError", "class A(unittest.TestCase):\n    def test_a(self): self.addCleanup(lambda: 1 / 0)"),
    "a test": (2, 2, "1 != 2", "class A(unittest.TestCase):\n    def test_a(self): self.assertEqual(1, 2)"),
    "a part of a test": (2, 2, "1 != 2", "class A(unittest.TestCase):\n    def test_a(self):\n        with self.subTest(): self.assertEqual(1, 2)"),
    "a test that is skipped": (2, 2, "not run: no", "class A(unittest.TestCase):\n    def test_a(self): self.skipTest('no')"),
    "a failure that is expected": (2, 2, "mend it", "class A(unittest.TestCase):\n    @unittest.expectedFailure\n    def test_a(self): 1 / 0"),
    "a success that is not": (2, 2, "and should not", "class A(unittest.TestCase):\n    @unittest.expectedFailure\n    def test_a(self): pass"),
    "the module": (1, 1, "ZeroDivisionError", "1 / 0"),
}


class Runner(unittest.TestCase):
    def run_tests(self, planted, *names):
        with tempfile.TemporaryDirectory() as directory:
            pathlib.Path(directory, "planted.py").write_text(f"import unittest\n{GOOD}\n{planted}\n")
            ran = subprocess.run(
                [root.TOP / "ci/test", *(names or ["planted"])], env={**os.environ, "PYTHONPATH": directory}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        return ran.returncode, ran.stdout

    def test_good(self):
        status, output = self.run_tests("")
        self.assertEqual((Outcome.PASS, ["1 of 1 tests ran", "1 passed, 0 failed"]), (status, output.splitlines()[-2:]))

    def test_interrupted(self):
        """What was cut off has not passed."""
        status, output = self.run_tests("class A(unittest.TestCase):\n    def test_a(self): raise KeyboardInterrupt")
        self.assertEqual((Outcome.INTERRUPTED, "interrupted"), (status, output.splitlines()[-1]))
        self.assertNotIn("planted.A.test_a", output)

    def test_skipped(self):
        """Where the test says that it may be: not when it fails as well, and not when nothing passed."""
        skips = "class A(unittest.TestCase):\n    def test_a(self):\n        self.may_be_skipped = True; {}self.skipTest('no kernel')"
        status, output = self.run_tests(skips.format(""))
        self.assertEqual((Outcome.PASS, ["2 of 2 tests ran", "1 passed, 0 failed, 1 skipped"]), (status, output.splitlines()[-2:]))
        self.assertRegex(output, r"(?m)^skip planted\.A\.test_a .*: not run: no kernel$")
        status, output = self.run_tests(skips.format("self.addCleanup(lambda: 1 / 0); "))
        self.assertEqual((Outcome.TEST_FAILED, "1 passed, 1 failed"), (status, output.splitlines()[-1]))
        status, output = self.run_tests(skips.format(""), "planted.A")
        self.assertEqual((Outcome.TEST_FAILED, "0 passed, 0 failed, 1 skipped"), (status, output.splitlines()[-1]))

    def test_planted(self):
        for what, (found, ran, words, planted) in PLANTED.items():
            with self.subTest(what):
                status, output = self.run_tests(planted)
                self.assertEqual(Outcome.TEST_FAILED, status, output)
                self.assertIn(f"{ran} of {found} tests ran\n", output)
                self.assertIn(" 1 failed\n", output)
                self.assertIn(words, output)

    def test_no_test(self):
        status, output = self.run_tests("", "planted.Good.nonsense")
        self.assertEqual(Outcome.TEST_FAILED, status, output)

    def test_help(self):
        status, output = self.run_tests("", "--help")
        self.assertEqual(Outcome.PASS, status)
        for words in "--full", "test_guest.Trouble", "exit status":
            self.assertIn(words, output)

    def test_bad_option(self):
        for words in ["--nonsense"], ["--full", "planted"]:
            self.assertEqual(Outcome.USAGE, self.run_tests("", *words)[0])

    def test_nobody_reads(self):
        with tempfile.TemporaryDirectory() as directory:
            pathlib.Path(directory, "planted.py").write_text(f"import unittest\n{GOOD}")
            ran = subprocess.run([root.TOP / "ci/test", "planted"], env={**os.environ, "PYTHONPATH": directory}, preexec_fn=lambda: os.close(1), stderr=subprocess.PIPE, text=True)
        self.assertEqual((Outcome.UNREAD, False), (ran.returncode, "Traceback" in ran.stderr))


class Names(unittest.TestCase):
    def test_no_test_hides_another(self):
        """Of two with one name, only the last would run."""
        for path in sorted(TESTS.glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, (ast.Module, ast.ClassDef)):
                    names = [each.name for each in node.body if isinstance(each, (ast.FunctionDef, ast.ClassDef))]
                    self.assertEqual(sorted(set(names)), sorted(names), path)

    def test_each_test_is_found(self):
        """A file, or a function, whose name is not a test's would never run."""
        for path in sorted(TESTS.glob("*.py")):
            tree = ast.parse(path.read_text())
            tests = [method for node in tree.body if isinstance(node, ast.ClassDef) for method in node.body if isinstance(method, ast.FunctionDef) and method.name.startswith("test")]
            if tests and path.name not in ("cases.py", "boot.py", "standin.py"):
                self.assertTrue(path.name.startswith(("test_", "full_")), path)
