# SPDX-License-Identifier: GPL-2.0
"""Tries the mutants of one kernel (see switched.py), in guests that run side by side."""

import collections
import concurrent.futures
import contextlib
import os
import queue
import shlex
import threading
import time

import boot_test
import cases
import faults
import guest
import kernel
import root
import stage
import switched
import trials
from outcome import Fail, Outcome

AT_ONCE = 600  # mutants in a kernel: with more, the compiler takes too long
GUESTS = os.cpu_count() + 1  # side by side: what is tried sleeps now and then
# What a guest does is in its kernel's parameters, which are in init's environment.
COMMAND = """\
echo "<6>cases.sh: doctests: reached $(cat /sys/module/kernel/parameters/rust_reached)" >/dev/kmsg
bash /cases.sh $DO
"""


# The kernel -------------------------------------------------------------------


class Kernel:
    """With as many of some mutants as can be in it: `on`, by the numbers that turn them on.

    The others are in `errors`, with what the compiler says, in `alone`, or in `later`: for another kernel.
    """

    def __init__(self, tree, numbers, some):
        self.tree, self.numbers = tree, numbers
        self.errors, self.alone, self.later = {}, [], []
        self.on = self.fit(dict(enumerate(some, 1)))

    def fit(self, on):
        """Build the kernel with what of it can be built together."""
        while (said := self.build(on)) is not None:
            files = {file for file, _ in self.numbers}
            bad = switched.blame(said, {file: switched.Places((self.tree.path / file).read_text()) for file in files})
            wrong = {number for number in on if ("mutant", number) in bad}
            # A function of which two copies are not what one is.
            odd = {number for number, each in on.items() if ("function", self.numbers[switched.function(each)]) in bad} - wrong
            if not on:
                raise Fail(Outcome.BUILD, "the kernel does not build without a mutant", said)
            if not wrong | odd:
                return self.halves(list(on.items()))
            self.errors.update((on[number], bad["mutant", number]) for number in wrong)
            self.alone += [on[number] for number in odd]
            on = {number: each for number, each in on.items() if number not in wrong | odd}
        return on

    def halves(self, on):
        """Nobody says what is wrong."""
        if len(on) == 1:
            self.alone.append(on[0][1])
            return self.fit({})
        one, other = (self.fit(dict(half)) for half in (on[len(on) // 2 :], on[: len(on) // 2]))
        if len(one) + len(other) == len(on):
            # They may be too many for the compiler. The other half is what was built last.
            self.later += one.values()
            return other
        return self.fit({**other, **one})

    def build(self, on):
        """Build it; all that was said, where that does not work."""
        switched.plant(self.tree, self.numbers, on)
        log = self.tree.obj / "log/build"
        log.unlink(missing_ok=True)
        with boot_test.alone(), faults.quiet():
            try:
                self.built, _, self.programs = boot_test.prepare(self.tree.options(None, jobs=os.cpu_count()))
            except Fail as fail:
                # It may be the configuration's.
                if fail.outcome != Outcome.BUILD or not log.exists():
                    raise
                return log.read_text()
        return None


# Guests -----------------------------------------------------------------------


class Guests:
    """GUESTS of them: each with a directory for what it writes."""

    def __init__(self, made):
        self.made, self.tree = made, made.tree
        self.free = queue.SimpleQueue()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            keeper = stack.enter_context(trials.Keeper())
            stack.enter_context(faults.quiet())
            built, obj = self.made.built, self.tree.obj
            guest.disk(built, self.tree.options(None).disk)
            # The selftests' files are there already.
            os.replace(obj / "initramfs.cpio", obj / "selftests.cpio")
            files = trials.modules(keeper, obj)
            guest.initramfs(built, self.tree.options(COMMAND, add=[*files, root.TOP / "ci/cases/cases.sh"]))
            for number in range(GUESTS):
                self.free.put({name: self.directory(f"{number}-{name}", name) for name in ("selftests", "initramfs")})
            self.keep = stack.pop_all()
        return self

    def __exit__(self, *error):
        self.keep.close()

    def directory(self, name, initramfs):
        """A directory of objects with what the emulator reads: the Kernel there."""
        obj, place = self.tree.obj, self.tree.obj / "guests" / name
        built = self.made.built
        for source, target in (built.image, built.image), (guest.DISK, guest.DISK), (f"{initramfs}.cpio", "initramfs.cpio"), (".config", ".config"):
            (place / target).parent.mkdir(parents=True, exist_ok=True)
            (place / target).unlink(missing_ok=True)
            os.link(obj / source, place / target)
        return kernel.Kernel(built.tree, built.arch_name, built.arch, kernel.tools(built.tree.path, place, built.tools.root), 1)

    def boot(self, trial, number=0, modules=(), **environment):
        """A trial with a mutant: what it failed with, as KIND: WORDS, or ""; and the console. What is doubtful is tried once more."""
        found = self.once(trial, number, environment)
        return found if trials.doubtful(found[0], modules) is None else self.once(trial, number, environment)

    def once(self, trial, number, environment):
        words = [f"rust_mutant={number}", *(f'"{name}={value}"' for name, value in environment.items())]
        qemu = [*shlex.split(cases.DEVICES), *shlex.split(trial.qemu)] if trial.groups else []
        slot = self.free.get()
        try:
            built = slot["initramfs" if trial.groups else "selftests"]
            told = self.tree.options(COMMAND if trial.groups else None, [*trial.append, *words], qemu)
            console = built.obj / "console.log"
            try:
                guest.boot(built, told, self.made.programs)
                return "", console.read_text(errors="replace")
            except Fail as fail:
                said = f"{fail.detail}\nerror: {fail}"
                return trials.verdict(fail, trial.name, lambda: cases.what_failed(fail.outcome, said, built.obj)[0]), console.read_text(errors="replace")
        finally:
            self.free.put(slot)


class Reached:
    """Which functions ran before which verdict of a trial, without a mutant."""

    def __init__(self, known, numbers):
        self.known = known  # {trial: {verdict: [function]}}
        self.names = list(map(switched.name, numbers))
        self.locks = {trial.name: threading.Lock() for trial in trials.TRIALS if not trial.rest}

    def by(self, guests, trial, each):
        """The verdicts before which the function of a mutant ran. Of the selftests, all that is known is that they pass: None."""
        if trial.rest:
            trial = next(other for other in trials.TRIALS if (other.groups, other.most) == (trial.groups, trial.most))
        with self.locks[trial.name]:
            if trial.name not in self.known:
                found, console = guests.boot(trial, DO=trial.groups, TIMES=trial.times)
                if found:
                    raise Fail(Outcome.TEST_FAILED, f"without a mutant, {found}", advice="scripts/boot-test, ci/test test_cases and test_compile should tell why")
                self.known[trial.name] = {name: sorted(self.names[number] for number in some) for name, some in switched.reached(console).items()}
        name = switched.name(switched.function(each))
        return {verdict for verdict, names in self.known[trial.name].items() if name in names} if trial.groups else None


def environment(trial, verdicts, each):
    """What of a trial to do, and the kernel's parameters for that, when these verdicts reach the mutant; nothing where nothing is left."""
    groups = [group for group in trial.groups.split() if any(verdict.startswith(f"{group}: ") for verdict in verdicts)]
    numbers = {f"cases: {name}": number for number, name in enumerate(cases.names())}
    some = sorted(numbers[verdict] for verdict in verdicts & set(numbers))
    first, forget = ([number for number in cases.numbers(modules) if number in some] for modules in (trials.first_for(each), ["forget"]))
    some = [*first, *(number for number in some if number not in (*first, *forget))]
    # These come last, and all of them: one needs another, and the first one looks for leaks.
    forget = cases.numbers(["forget"]) if forget else []
    if trial.rest:
        groups, some = ["cases"], [*some[trial.most :], *forget]
        if not some:
            return {}, []
    else:
        some = some[: trial.most] if trial.most else [*some, *forget]
    # One case at least, as a guest that does nothing has failed.
    made = {"STOP": 1, "TIMES": trial.times, "DO": " ".join(groups or ["cases"]), "CASES": " ".join(map(str, some or [0]))}
    return made, [] if "boot: doctests" in verdicts and trials.QUIET not in trial.append else [trials.QUIET]


alone, without = trials.kill, trials.without


def split(tree, some):
    """Those that can be tried in one kernel, and the others."""
    together = switched.together(some, tree.path) if len(some) > 1 else []
    others = set(some) - set(together)
    return together, [each for each in some if each in others]


class Passed(str):
    """The name of a trial that did not see a mutant, so that another is to be tried."""


def tried(tree, all, some, results):
    """Try mutants: each, by what it was killed, "" if by nothing, what it Passed so far, or None where it is to be tried alone; and how long that took."""
    numbers = switched.functions(switched.together(all, tree.path))
    known = results.reach(map(switched.name, numbers))
    while some:
        now, some = some[:AT_ONCE], some[AT_ONCE:]
        began = time.monotonic()
        made = Kernel(tree, numbers, now)
        some = [*made.later, *some]
        took = (time.monotonic() - began) / len(now)
        for each, error in made.errors.items():
            yield each, f"compiler: {error}", took
        for each in made.alone:
            yield each, None, took
        if made.on:
            with Guests(made) as guests:
                yield from in_guests(guests, Reached(known, numbers), results)


def in_guests(guests, reached, results):
    """First a trial with all of them, then the next one with what is left: most are killed by the first."""
    left, took = dict(guests.made.on), collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(GUESTS) as pool:
        try:
            for trial in trials.TRIALS:
                todo, running = [number for number, each in left.items() if trial.name not in results.passed(each)], {}
                while todo or running:
                    while todo and len(running) < GUESTS:
                        number = todo.pop(0)
                        running[pool.submit(attempt, guests, reached, trial, number, left[number])] = number
                    for future in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
                        number, (found, seconds) = running.pop(future), future.result()
                        each = left[number]
                        took[each] += seconds
                        if found:
                            del left[number]
                        yield each, found or Passed(trial.name), took[each]
            for each in left.values():
                yield each, "", took[each]
        except BaseException:
            stage.end_all()
            raise


def attempt(guests, reached, trial, number, each):
    """What a trial sees of a mutant, or "", and how long that took."""
    began = time.monotonic()
    made, verdicts = {}, reached.by(guests, trial, each)
    if verdicts is not None:
        if not verdicts:
            return "", 0
        made, append = environment(trial, verdicts, each)
        if not made:
            return "", 0
        trial = trial._replace(append=(*trial.append, *append))
    found, _ = guests.boot(trial, number, trials.first_for(each), **made)
    return found, time.monotonic() - began
