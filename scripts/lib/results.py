# SPDX-License-Identifier: GPL-2.0
"""From a console's KTAP to results, with the kernel's own parser out of the tree that was built.

It is run as a program of its own: a parser that finds no end is given one.
"""

import importlib.util
import inspect
import io
import json
import pathlib
import re
import resource
import subprocess
import sys
import typing

from outcome import Fail, Outcome

SECONDS, MEMORY = 30, 1 << 30  # for thousands of tests it takes one, and a tenth of that


class Result(typing.NamedTuple):
    name: str
    status: str  # passed, failed, skipped, crashed, or no tests
    log: list


HEADER = re.compile(r"(\s*)(KTAP version \d+$|TAP version \d+$|# Subtest: )")
PLAN = re.compile(r"(\s*)1\.\.(\d+)")
RESULT = re.compile(r"(\s*)(ok|not ok) \d+ ")


def orderly(lines):
    """The lines as the parser can take them, and how many it could not.

    Another thread of the kernel may have printed between a test's version line and its name: without
    one right before the other, the parser takes them for two tests. It reads a plan behind its header,
    and never gets past one that is elsewhere. At the end, TAP has it.
    """
    made, began, indent = [], None, None
    headers = {}  # indentation: the place of the last header there, as long as it has no plan
    last = None  # what the last line was that is no diagnostic

    def move(line, place):
        made.insert(place, line)
        headers.update({at: other + 1 for at, other in headers.items() if other >= place})

    for line in lines:
        header, plan = HEADER.match(line), PLAN.match(line)
        if header:
            last = HEADER
            if header[2] != "# Subtest: ":
                began, indent = len(made), header[1]
            elif indent == header[1]:
                made.append(made.pop(began))
                headers = {at: place - (place > began) for at, place in headers.items()}
                indent = None
            headers[header[1]] = len(made)
        elif plan:
            # More than there can be: as if it were one more.
            line = f"{plan[1]}1..{min(int(plan[2][:9]), len(lines))}{line[plan.end():]}"
            place = headers.pop(plan[1], None)
            if last is not HEADER and place is not None:
                move(line, place + 1)
                continue
            last = PLAN
        elif RESULT.match(line):
            last = RESULT
        made.append(line)

    errors, last = 0, None
    for at, line in enumerate(made):
        kind = next((kind for kind in (HEADER, PLAN, RESULT) if kind.match(line)), None)
        if kind is PLAN and last is not HEADER:
            errors += 1
            made[at] = f"# a plan without a test: {line.strip()}"
        else:
            last = kind or last
    return made, errors


def parser(tree):
    """The tree's tools/testing/kunit/kunit_parser.py, as a module that prints nothing."""
    sys.dont_write_bytecode = True  # the tree stays as it is
    modules = {}
    for name in "kunit_printer", "kunit_parser":
        spec = importlib.util.spec_from_file_location(name, tree / f"tools/testing/kunit/{name}.py")
        modules[name] = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(modules[name])
    printer = modules["kunit_printer"].Printer(output=io.StringIO())
    if hasattr(modules["kunit_parser"], "stdout"):
        modules["kunit_parser"].stdout = printer
    return modules["kunit_parser"], printer


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


def parse(tree, lines, seconds=SECONDS):
    """The results in some lines of KTAP, and the errors of form; ([], 0) where there is no KTAP."""
    lines = list(lines)
    if not any("KTAP version" in line for line in lines):
        return [], 0
    lines, errors = orderly(lines)
    try:
        ran = subprocess.run([sys.executable, __file__, tree, str(seconds)], input="\n".join(lines), capture_output=True, encoding="utf-8", errors="replace", timeout=10 * seconds)
        status, said = ran.returncode, ran.stderr.strip()
    except subprocess.TimeoutExpired:
        status, said = "timeout", ""
    if status == int(Outcome.USAGE):
        raise Fail(Outcome.USAGE, said)
    if status:
        why = (said.splitlines() or [f"it was ended ({status}), after {seconds} s of work or with {MEMORY >> 30} GiB of memory"])[-1]
        raise Fail(Outcome.TEST_FAILED, f"the kernel's KTAP parser cannot take what the tests print: {why}", "\n".join(lines[-60:]))
    found, more = json.loads(ran.stdout)
    return [Result(*each) for each in found], errors + more


def main(tree, seconds, lines):
    """Run the parser, within limits; print what parse() reads."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        module, printer = parser(pathlib.Path(tree))
    except (OSError, ImportError) as error:
        print(f"{tree} has no KTAP parser that works: {error}", file=sys.stderr)
        return Outcome.USAGE
    arguments = [iter(lines)]
    if len(inspect.signature(module.parse_run_tests).parameters) > 1:  # since 6.15
        arguments.append(printer)
    test = module.parse_run_tests(*arguments)
    found = leaves(test)
    if found and found[0].name == "":  # a plan without a test
        found = []
    print(json.dumps([found, test.counts.errors]))
    return 0


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.stdin.read().split("\n")))
