# SPDX-License-Identifier: GPL-2.0
"""The guest: its initramfs, the emulator's command, the boot, the verdict."""

import json
import os
import pathlib
import queue
import random
import re
import shlex
import shutil
import subprocess
import threading
import time

import console
import driver
import kernel
import results
import root
import stage
from outcome import Fail, Outcome

# What rust_dma_nvme reads; test_nvme.py knows the content by this too.
DISK, DISK_SERIAL = "disk.img", "BOOTTEST"
# KVM may be there, start the emulator, and yet run no guest.
KVM_SILENCE = 10
SHOWN = 400  # lines at most, of what was printed while a command ran


# Initramfs --------------------------------------------------------------------


def initramfs(built, options, drivers=()):
    """Make the guest's files: busybox, bash, the selftests, the modules, drivers out of the tree; and ci/guest/init."""
    tools, obj, source = built.tools, built.obj, built.tree.path
    tool = foreign(built) if built.arch.debian else lambda name: tools.output("sh", "-c", f"command -v {name}").strip()
    with stage.Stage("initramfs", obj / "log/initramfs") as here:
        files = {
            "/init": (f"{tools.ci}/guest/init", 0o755),
            "/sbin/modprobe": (f"{tools.ci}/guest/modprobe", 0o755),
            "/bin/busybox": (tool("busybox"), 0o755),
            "/bin/bash": (tool("bash-static"), 0o755),
        }
        # Not `make -C tools/testing/selftests install`, which builds much else.
        emit = ["make", "-s", "--no-print-directory", "-C", f"{tools.src}/tools/testing/selftests/rust", "OUTPUT=/tmp", "COLLECTION=rust", "emit_tests"]
        programs = [line.partition(":")[2] for line in tools.output(*emit).splitlines() if line.startswith("rust:")]
        if not programs:
            raise Fail(Outcome.NO_TEST, f"{source}/tools/testing/selftests/rust names no test program")
        for directory in "rust", "kselftest":
            for path in (source / "tools/testing/selftests" / directory).iterdir():
                if path.is_file() and path.name not in ("Makefile", "config", ".gitignore"):
                    mode = 0o755 if os.access(path, os.X_OK) or path.name in programs else 0o644
                    files[f"/selftests/{directory}/{path.name}"] = f"{tools.src}/tools/testing/selftests/{directory}/{path.name}", mode
        for path in (obj / "modules").rglob("*"):
            if path.is_file() and not path.is_symlink():
                files[f"/{path.relative_to(obj / 'modules')}"] = f"{tools.obj}/{path.relative_to(obj)}", 0o644
        small = {"programs": "".join(f"{name}\n" for name in programs).encode()}
        if options.run is not None:
            small["command"] = os.fsencode(options.run) + b"\n"
        if options.shell:
            small["shell"] = b""
        if drivers:
            small["drivers"] = os.fsencode(driver.listed(drivers))
            files["/boot-test/drivers.sh"] = f"{tools.ci}/guest/drivers", 0o644
        for each in drivers:
            files[f"/boot-test/{each.name}.ko"] = f"{tools.obj}/{each.path.relative_to(obj)}", 0o644
        contents = {f"/boot-test/{name}": content for name, content in small.items()}
        contents.update((f"/{path.name}", path.read_bytes()) for path in options.add)
        shutil.rmtree(obj / "guest", ignore_errors=True)
        for name, content in contents.items():
            place = obj / "guest" / name[1:]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            files[name] = f"{tools.obj}/guest{name}", 0o755 if content[:2] == b"#!" else 0o644

        parents = {str(parent) for name in files for parent in pathlib.PurePosixPath(name).parents}
        directories = sorted(parents.union(["/dev", "/proc", "/sys", "/tmp"]) - {"/"})
        spec = [f"dir {name} 755 0 0" for name in directories]
        spec += ["nod /dev/console 600 0 0 c 5 1"]
        spec += [f"file {name} {place} {mode:o} 0 0" for name, (place, mode) in files.items()]
        (obj / "initramfs.spec").write_bytes(os.fsencode("\n".join(spec) + "\n"))
        pack = ["sh", "-c", "usr/gen_init_cpio initramfs.spec >initramfs.part && mv initramfs.part initramfs.cpio"]
        here.run(tools.command(*pack), "the initramfs cannot be made")
    return programs


# What is at the guest's top already.
TAKEN = ("bin", "boot-test", "dev", "init", "lib", "proc", "sbin", "selftests", "sys", "tmp")


def added(paths):
    """Check the names of files that are to be put into the guest."""
    names = [path.name for path in paths]
    for path in paths:
        why = (
            "the guest has one of that name" if path.name in TAKEN
            else "another file has that name, too" if names.count(path.name) > 1
            else "a name in the guest has no spaces" if path.name.split() != [path.name]
            else ""
        )  # fmt: skip
        if why:
            raise Fail(Outcome.USAGE, f"--add: {path}: {why}", advice=f"give it another name: cp {shlex.quote(str(path))} /tmp/NAME, and --add that")


def foreign(built):
    """Where the programs of a guest are that is not of the build root's architecture, as the tools see it."""
    root.unpacked(kernel.BUILD, built.obj / "debian", built.arch.debian, ("busybox-static", "bash-static"))
    return lambda name: f"{built.tools.obj}/debian/usr/bin/{name}"


# Emulator ---------------------------------------------------------------------


def disk(built, size):
    """The disk of the guest, of so many MiB: always the same, and no two blocks in it are alike."""
    path = built.obj / DISK
    if not path.exists() or path.stat().st_size != size << 20:
        part = path.with_suffix(".part")
        content = random.Random(DISK_SERIAL)
        with part.open("wb") as file:
            for _ in range(size):
                file.write(content.randbytes(1 << 20))
        part.rename(path)


def emulator(built, accelerator, parameters, arguments, see=(), shell=False):
    """The whole command that boots the guest; the emulator can read the files `see`."""
    processors = re.findall(r"-smp (?:cpus=)?(\d+)", " ".join([*built.arch.machine, *arguments]))
    if accelerator == "tcg" and int(processors[-1]) > min(os.cpu_count(), 2):
        # With more threads than there are processors, one may wait for another that gets none for long.
        # And who asks for more than two has devices come and go, perhaps: as in arch.py, that harms others.
        accelerator = "tcg,thread=single"
    append = f"{built.arch.console} printk.time=1 ignore_loglevel printk.devkmsg=on panic=-1"
    if shell:
        append = f"{built.arch.console} quiet panic=-1 kunit.enable=0"
    return built.tools.command(
        *machine(built, accelerator),
        "-serial", "mon:stdio" if shell else "stdio", "-no-reboot", *devices(built, DISK),
        "-kernel", built.image, "-initrd", "initramfs.cpio",
        "-append", " ".join([append, *parameters]), *arguments,
        terminal=shell, see=see,
    )  # fmt: skip


def machine(built, accelerator):
    """The first part of that command: the machine, without what is in it."""
    arch = built.arch
    return [arch.emulator, *arch.machine, "-accel", accelerator, "-m", arch.memory, "-nodefaults", "-display", "none"]


def devices(built, disk):
    """What the sample drives, and the driver of ci/drivers for a disk, which is a file."""
    drive = f"file={disk},if=none,id=disk,format=raw,readonly=on"
    return ["-device", built.arch.device, "-drive", drive, "-global", "nvme.mdts=8", "-device", f"nvme,drive=disk,serial={DISK_SERIAL}"]


# Options of the emulator that name a file in their next word, and the keys that do so within one.
FILE_OPTIONS = ("-bios", "-cdrom", "-dtb", "-fda", "-fdb", "-hda", "-hdb", "-hdc", "-hdd", "-initrd", "-kernel", "-mtdblock", "-pflash", "-readconfig", "-sd")
FILE_KEYS = ("file", "filename", "mem-path", "path")


def named(words):
    """The emulator's arguments, with paths that do for it, which works elsewhere; and the files there are of them."""
    made, found = [], []
    for before, word in zip(["", *words], words):
        parts = []
        for part in re.split(r"(?<!,),(?!,)", word):
            key, equals, value = part.rpartition("=")
            protocol, colon, path = value.rpartition(":")  # as in fat:/directory
            path = path.replace(",,", ",")  # so it is written within a word
            if os.path.exists(path) and ("/" in path or key in FILE_KEYS or before in FILE_OPTIONS):
                path = os.path.abspath(path)
                if path.split("/")[1] not in ("", "dev", "proc", "sys"):
                    found.append(path)
                part = f"{key}{equals}{protocol}{colon}{path.replace(',', ',,')}"
            parts.append(part)
        made.append(",".join(parts))
    return made, sorted({*found})


def describe(built, options):
    """The emulator's arguments that are the user's: his own, and those for a machine described otherwise."""
    if not options.not_coherent:
        return options.qemu
    # The emulator can write the device tree that it would give to the guest. In it, PCI devices see the caches.
    tree, bridge = "not-coherent.dtb", built.arch.bridge
    built.tools.output(*machine(built, "tcg"), *options.qemu, "-machine", f"dumpdtb={tree}", see=options.see)
    built.tools.output("sh", "-ec", f"fdtput -d {tree} {bridge} dma-coherent; fdtput {tree} {bridge} dma-noncoherent")
    return [*options.qemu, "-dtb", tree]


def accelerators(built, wanted):
    """What to try, in order."""
    if wanted != "auto":
        return [wanted]
    kvm = os.uname().machine == built.arch.host and os.access("/dev/kvm", os.R_OK | os.W_OK)
    return ["kvm", "tcg"] if kvm else ["tcg"]


class Memory:
    """With which arguments KVM could not start a guest, and TCG could: for this kernel of the host's, and this emulator."""

    def __init__(self, built):
        host = os.uname()
        self.path = kernel.BUILD / "kvm"
        self.host = f"{host.release} {host.version}, {built.arch.emulator} {built.tools.version(built.arch.emulator)}"
        try:
            known = json.loads(self.path.read_text())
        except (FileNotFoundError, ValueError):
            known = {}
        self.failed = known.get(self.host, {})

    def why(self, arguments):
        """Why it is not worth a try; what fails without arguments fails with them."""
        return self.failed.get("") or self.failed.get(shlex.join(arguments), "")

    def keep(self, arguments, why):
        self.failed[shlex.join(arguments)] = why
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps({self.host: self.failed}, indent=4) + "\n")
        part.rename(self.path)


class Boot:
    """One boot of the guest, watched."""

    def __init__(self, command, watcher, log):
        self.command, self.watcher, self.log = command, watcher, log
        self.status = None
        self.words = []  # the emulator's own

    def run(self, here):
        child = stage.start(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        lines = queue.SimpleQueue()
        threading.Thread(target=read, args=(child.stdout, lines), daemon=True).start()
        try:
            with self.log.open("w", errors="replace", buffering=1) as log:
                while True:
                    try:
                        line = lines.get(timeout=self.watcher.wait(time.monotonic()) + 0.01)
                    except queue.Empty:
                        if self.watcher.tick(time.monotonic()):
                            return
                        continue
                    if line is None:
                        break
                    log.write(line + "\n")
                    here.write(line)
                    if self.watcher.feed(line, time.monotonic()):
                        return
                self.status = child.wait()
        finally:
            stage.end(child)


def read(stream, lines):
    """Pass on lines as they come; None at the end."""
    for line in stream:
        lines.put(stage.clean(line.decode(errors="replace").rstrip("\r\n")))
    lines.put(None)


def boot(built, options, programs):
    """Boot the guest and judge it: (accelerator, what to say of it, results, what was printed). A Fail where it is not well."""
    log = built.obj / "console.log"
    with stage.Stage("boot", built.obj / "log/boot") as here:
        said = []
        disk(built, options.disk)
        tries = accelerators(built, options.accel)
        arguments = describe(built, options)
        memory = Memory(built) if len(tries) > 1 else None
        why = memory.why(arguments) if memory else ""
        if why:
            tries.remove("kvm")
            said.append(f"KVM could not start a guest here before ({why}); using TCG. To try it again: rm {shlex.quote(str(memory.path))}")
            memory = None
        for at, accelerator in enumerate(tries):
            command = emulator(built, accelerator, options.append, arguments, options.see)
            silence = min(KVM_SILENCE, options.silence) if accelerator == "kvm" and len(tries) > 1 else options.silence
            watcher = console.Watcher(options.silence, options.timeout, time.monotonic(), silence)
            run = Boot(command, watcher, log)
            run.run(here)
            if watcher.spoke or at == len(tries) - 1:
                break
            why = next((line for line in reversed(watcher.lines) if line.strip()), "") or f"no output for {silence} s"
            said.append(f"KVM cannot start a guest here ({why}); using TCG")
            here.say(said[-1])
        if memory and why and watcher.spoke:
            memory.keep(arguments, why)
        here.note = f"{accelerator}"
    again = "run the guest again: " + shlex.join(command) + f"\nthe whole console: {log}"
    found = judge(built, watcher, run.status, programs, again, options)
    return accelerator, said, found, printed(watcher.lines[watcher.begun : watcher.ended]) if asked(options) else []


def asked(options):
    """Whether the guest does what it was asked for, in the selftests' stead."""
    return options.run is not None or bool(options.driver)


def printed(lines):
    """What a command and the kernel print, without the results of tests."""
    found = []
    for line in lines:
        said = console.program(line)
        if any(kind.match(console.kernel(line) if said is None else said) for kind in (results.HEADER, results.PLAN, results.RESULT)):
            continue
        if said is None:
            found.append(line)
        elif said.startswith("    # ... ") and found:  # see ci/guest/init
            found[-1] += said.removeprefix("    # ... ")
        else:
            found.append(said.removeprefix("    "))
    return found


def without_kunit(options):
    """Whether KUnit was told to run no test, in a guest that does something else."""
    told = re.findall(r"(?<!\S)kunit\.enable=(\S*)", " ".join(options.append))
    # As the kernel reads a truth value.
    return asked(options) and bool(told) and re.match("[0nf]|of", told[-1], re.I) is not None


def judge(built, watcher, status, programs, again, options):
    """The results of a boot, or the Fail that says what went wrong."""

    def fail(outcome, cause):
        return Fail(outcome, cause, watcher.excerpt(), again)

    if watcher.found and (watcher.spoke or status is None):
        outcome = watcher.found[0]
        raise fail(outcome, f"{outcome.doc}: {watcher.cause}" if outcome != Outcome.HANG else watcher.cause)
    if status or not watcher.spoke:
        raise fail(Outcome.EMULATOR, f"the emulator ended with status {status}" + ("" if watcher.spoke else " before the guest's kernel said anything"))
    if watcher.begun is None:
        raise fail(Outcome.NO_TEST, "the guest ended before its first test")
    tree = built.tree.path
    said, later = watcher.lines[: watcher.begun], watcher.lines[watcher.begun : watcher.ended]
    # A suite that is in a module prints when that is loaded: each is one by itself.
    parts = [[*map(console.kernel, said)], *suites(map(console.kernel, later)), [line for line in map(console.program, later) if line is not None]]
    try:
        *kernels, (selftests, _) = parsed = [results.parse(tree, part) for part in parts]
    except Fail as failed:
        raise Fail(failed.outcome, failed.cause, failed.detail, again) from None
    doctests = [result for some, _ in kernels for result in some]
    errors = sum(count for _, count in parsed)
    found = doctests, selftests
    if watcher.ended is None:
        raise fail(Outcome.NO_TEST, "the guest stopped before its last test was over")
    for name, some in ("KUnit", doctests), ("selftest", selftests):
        if not some and not (some is doctests and without_kunit(options)):
            raise fail(Outcome.NO_TEST, f"the guest ran no {name} test")
    bad = [result for some in found for result in some if result.status not in ("passed", "skipped")]
    none = [result for result in bad if result.status == "no tests"]
    if bad:
        outcome = Outcome.NO_TEST if none == bad else Outcome.TEST_FAILED
        first = next((at for at, line in enumerate(watcher.lines) if re.match(r"\s*not ok \d", console.program(line) or console.kernel(line))), len(watcher.lines) - 1)
        detail = "\n".join([*watcher.lines[max(0, first - 20) : first + 1], "", *(f"{result.status}: {result.name}" for result in bad)])
        for result in bad:
            if what := driver.outcome(result.name):
                raise Fail(what, f"{what.doc}: {driver.words(result.name)}", "\n".join(printed(later)), again)
        names = ", ".join(result.name for result in bad[:3]) + (", ..." if bad[3:] else "")
        raise Fail(outcome, f"{len(bad)} of {sum(map(len, found))} tests did not pass: {names}", detail, again)
    if errors:
        raise fail(Outcome.TEST_FAILED, f"the tests' output has {errors} errors of form (KTAP)")
    # A test program that skips itself as a whole has not been run.
    for program in ["drivers"] * bool(options.driver) + ["command"] * (options.run is not None) if asked(options) else programs:
        if not any(result.name.startswith(program) and result.status == "passed" for result in selftests):
            raise fail(Outcome.NO_TEST, f"{program} ran no test")
    return found


def suites(lines):
    """The parts of what the kernel prints that begin with a version line of their own."""
    found = []
    for line in lines:
        if line.startswith("KTAP version "):
            found.append([])
        if found:
            found[-1].append(line)
    return found


def shell(built, options):
    """An interactive shell in the guest."""
    disk(built, options.disk)
    accelerator = accelerators(built, options.accel)
    command = emulator(built, accelerator[-1], options.append, describe(built, options), options.see, shell=True)
    child = stage.start(command, foreground=True)
    try:
        child.wait()
    finally:
        stage.end(child)
    if child.returncode:
        raise Fail(Outcome.EMULATOR, f"the emulator ended with status {child.returncode}", advice=shlex.join(command))
