# SPDX-License-Identifier: GPL-2.0
"""From a console's KTAP to results, with the kernel's own parser out of the tree that was built."""

import importlib.util
import inspect
import io
import re
import sys
import typing

import console
from outcome import Fail, Outcome


class Result(typing.NamedTuple):
    name: str
    status: str  # passed, failed, skipped, crashed, or no tests
    log: list


def parser(tree):
    """The tree's tools/testing/kunit/kunit_parser.py, as a module that prints nothing."""
    sys.dont_write_bytecode = True  # the tree stays as it is
    modules = {}
    try:
        for name in "kunit_printer", "kunit_parser":
            spec = importlib.util.spec_from_file_location(name, tree / f"tools/testing/kunit/{name}.py")
            modules[name] = sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(modules[name])
    except (OSError, ImportError) as error:
        raise Fail(Outcome.USAGE, f"{tree} has no KTAP parser that works: {error}") from None
    printer = modules["kunit_printer"].Printer(io.StringIO())
    if hasattr(modules["kunit_parser"], "stdout"):
        modules["kunit_parser"].stdout = printer
    return modules["kunit_parser"], printer


def orderly(lines):
    """The lines; a test's version line right before its name, without which the parser takes it for two tests.

    Another thread of the kernel may have printed between them.
    """
    lines, indent = list(lines), None
    for at, line in enumerate(lines):
        if version := re.match(r"(\s*)KTAP version \d+$", line):
            began, indent = at, version[1]
        elif indent is not None and line.startswith(f"{indent}# Subtest: "):
            lines.insert(at - 1, lines.pop(began))
            indent = None
    return lines


def leaves(test, path=()):
    """The tests that have no tests below them; and those above whose own word is worse."""
    if test.subtests:
        found = [leaf for each in test.subtests for leaf in leaves(each, (*path, each.name))]
        status = word(test.status)
        if path and status != "passed" and all(leaf.status == "passed" for leaf in found):
            found.append(Result(": ".join(path), status, test.log))
        return found
    return [Result(": ".join(path), word(test.status), test.log)]


def word(status):
    return {
        "SUCCESS": "passed",
        "FAILURE": "failed",
        "SKIPPED": "skipped",
        "TEST_CRASHED": "crashed",
        "NO_TESTS": "no tests",
        "FAILURE_TO_PARSE_TESTS": "no tests",
    }[status.name]


def parse(tree, lines):
    """The results in some lines of console, and the parser's errors; ([], 0) where there is no KTAP."""
    module, printer = parser(tree)
    lines = orderly(console.text(line) for line in lines)
    if not any("KTAP version" in line for line in lines):
        return [], 0
    arguments = [iter(lines)]
    if len(inspect.signature(module.parse_run_tests).parameters) > 1:  # since 6.15
        arguments.append(printer)
    test = module.parse_run_tests(*arguments)
    found = leaves(test)
    if found and found[0].name == "":  # a plan without a test
        found = []
    return found, test.counts.errors
