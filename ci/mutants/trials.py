# SPDX-License-Identifier: GPL-2.0
"""What a mutant is tried with, until something sees it."""

import contextlib
import re
import shlex
import typing

import arch
import cases
import mutants
import outcome
import test_compile
from outcome import BAD, Fail, Outcome


class Trial(typing.NamedTuple):
    name: str
    groups: str = ""  # of cases.sh; none: the selftests
    times: int = 5
    append: tuple = ()
    qemu: str = ""
    most: int = 0  # the number of cases for a mutant that many of them reach, in a kernel that has many mutants
    rest: bool = False  # only those that were left out so

    @property
    def run(self):
        return f"STOP=1 TIMES={self.times} bash /cases.sh {self.groups}" if self.groups else None


# As with planted faults: without an IOMMU, kmemleak takes some of what ACPI has for leaks. And when it
# scans, it may read early memory that was freed, which is not mapped then: so one of the two.
LEAKS, FREED = ("acpi=off", "debug_pagealloc=off"), ("acpi=off", "kmemleak=off")
QUIET = "kunit.enable=0"  # the doctests ran in the first one
MOST = 25
# In this order: what sees most, and what takes least.
TRIALS = (
    Trial("cases", "bind cases", append=FREED, most=MOST),
    Trial("the sample's selftest", append=FREED),
    Trial("more cases", "bind cases", append=(*FREED, QUIET), most=MOST, rest=True),
    Trial("bindings", "info other load shells suspend runtime remove gone platform", 20, append=(*LEAKS, QUIET)),
    Trial("faults", "faults", append=(*LEAKS, QUIET)),
    Trial("leaks", "bind cases", append=(*LEAKS, QUIET)),
    Trial("bounce buffers", "cases", append=(*FREED, QUIET, "swiotlb=force")),
    Trial("an IOMMU", "cases", append=(*FREED[1:], QUIET), qemu=arch.ARCHES["x86_64"].iommu.qemu),
    Trial("errors", "errors", append=(*FREED[1:], QUIET), qemu=cases.ERRORS),
)
# The cases that are for some code, and tried first: the modules of ci/cases by files below rust/kernel.
FIRST = {
    "dma.rs": "setup", "dma/binding.rs": "park order", "dma/coherent.rs": "coherent access",
    "dma/noncoherent.rs": "streaming", "dma/plain.rs": "access",
    "dma/page_box.rs": "streaming", "dma/pool.rs": "pool park", "dma/setup.rs": "setup", "dma/streaming.rs": "streaming", "driver.rs": "order",
    "driver/thread.rs": "thread", "driver/work.rs": "work", "interrupt.rs": "lock", "io.rs": "io access", "pci.rs": "order pci_device", "pci/bar.rs": "pci_device io", "pci/config.rs": "config",
    "pci/irq.rs": "irq handler", "pci/port.rs": "io", "pci/recovery.rs": "recovery", "pci/runtime.rs": "runtime", "pci/work.rs": "work", "scatterlist.rs": "sg", "sync/completion.rs": "wait",
    "driver/hrtimer.rs": "timer",
}  # fmt: skip
HANG = "a hang"
COMPILE = "programs that must not compile"


def names(mutant):
    """What one that survived was tried with; the programs only where it may matter to the compiler."""
    return ["doctests", *(trial.name for trial in TRIALS), *([] if mutant.body and not mutant.compile_time else [COMPILE])]


class Keeper(contextlib.ExitStack):
    """What a test is for others: what is to be done at its end."""

    addCleanup = contextlib.ExitStack.callback


def first(modules):
    """What tells the guest to try some cases first."""
    return f"FIRST='{' '.join(map(str, cases.numbers(modules)))}' "


def doubtful(found, modules):
    """Which cases are to be tried first once more, since on a busy machine a guest may hang, or a case fail that is for other code."""
    case = re.fullmatch(r"[\w ]+: (\w+)::\w+", found)
    if case and case[1] not in modules:
        return [case[1], *modules]
    return modules if found.startswith(HANG) else None


def attempt(tree, trial, modules=()):
    """A trial of the tree as it is: what it failed with, as KIND: WORDS; "" when it passed."""
    with Keeper() as keeper:
        try:
            qemu = [*shlex.split(cases.DEVICES), *shlex.split(trial.qemu)] if trial.run else []
            run = first(modules) + trial.run if trial.run else None
            fail = tree.boot(keeper, run, trial.append, qemu, add=run is not None)
        except AssertionError as error:  # of a module that could not be made
            return f"compiler: the cases do not compile: {said(str(error))}"
    if fail is None:
        return ""
    return verdict(fail, trial.name, lambda: tree.what_failed(fail))


def verdict(fail, trial, what_failed):
    """What a failure says of the mutant."""
    if fail.outcome == Outcome.BUILD:
        return f"compiler: {said(fail.detail)}"
    if fail.outcome not in (*BAD, Outcome.NO_TEST):
        raise fail  # it says nothing: no space, no emulator
    what = what_failed()
    if what == "exit status":  # of cases.sh, before which the shell complained; it says what is not ok all the same
        what = (re.findall(r"# not ok \d+ (.*)", fail.detail) or [what])[0]
    if fail.outcome == Outcome.HANG:
        return f"{HANG}: {trial}: {what}"
    if fail.outcome != Outcome.TEST_FAILED:
        return f"the kernel's checks: {trial}: {what}"
    if what.startswith("rust_doctest"):
        return f"doctests: {what}"
    return f"{trial}: {what}"


def said(text):
    """The first error of a compiler's, in a line. That it could not do its work is none."""
    found = re.search(r"^ *(error(?:\[E\d+\])?: .*|.*undefined reference.*|ERROR: .*)", text, re.M)
    if outcome.FULL.search(text):
        raise Fail(Outcome.DISK, "no space left: a mutant cannot be built", text, outcome.SPACE)
    if not found:
        raise Fail(Outcome.BUILD, "a mutant cannot be built, and nobody says what is wrong with it", text, "run the same command again; it goes on from here")
    return found[1].strip()


def modules(keeper, obj):
    """The cases, made for a kernel in which mutants are that can be built."""
    try:
        return cases.modules(keeper, obj)[1]
    except AssertionError as error:
        raise Fail(Outcome.BUILD, f"the cases do not compile: {said(str(error))}", str(error)) from None


def programs(tree):
    """The programs that must not compile, or must."""
    with Keeper() as keeper:
        for program, (compiles, text), (compiles_wrong, text_wrong) in test_compile.judged(keeper, tree.obj):
            if not compiles or compiles_wrong or program.error not in text_wrong:
                if not compiles:
                    said(text)
                return f"{COMPILE}: {program}"
    return ""


def first_for(mutant):
    """The modules of ci/cases that are for its code."""
    return FIRST.get(mutant.file.removeprefix("rust/kernel/"), "").split()


def kill(tree, mutant):
    """What sees a mutant; "" when nothing does."""
    plant(tree, mutant)
    return next(filter(None, tried(tree, first_for(mutant), mutant.compile_time)), "")


def tried(tree, modules=(), programs_first=False):
    for trial in TRIALS:
        if trial.rest:
            continue
        found = attempt(tree, trial, modules)
        again = doubtful(found, modules)
        yield found if again is None else attempt(tree, trial, again)
        # They need the kernel built, and no more.
        if programs_first and trial == TRIALS[0]:
            yield programs(tree)
    if not programs_first:
        yield programs(tree)


def plant(tree, mutant):
    tree.clean()
    path = tree.path / mutant.file
    path.write_text(mutant.apply(path.read_text()))
    tree.allow()


def without(tree):
    """Nothing is seen where there is nothing."""
    tree.clean()
    tree.allow()
    for found in tried(tree):
        if found:
            raise Fail(Outcome.TEST_FAILED, f"without a mutant, {found}", advice="scripts/boot-test, ci/test test_cases and test_compile should tell why")
    mutants.check(tree.path, mutants.cfgs(tree.config), (tree.obj / ".config").read_text())
