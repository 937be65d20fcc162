# SPDX-License-Identifier: GPL-2.0
"""The console's watcher, with text alone."""

import unittest

import console
from outcome import Outcome

TROUBLE = {
    Outcome.PANIC: ["Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000b00"],
    Outcome.OOPS: [
        "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        "BUG: unable to handle page fault for address: ffffc90000000000",
        "Oops: general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] PREEMPT SMP",
        "Oops: 0000 [#1] SMP",
        "kernel BUG at mm/slub.c:4321!",
        "Internal error: Oops: 0000000096000004 [#1] SMP",
        "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000",
        "BUG: KASAN: slab-use-after-free in rust_dma_probe+0x1/0x2",
        "rust_kernel: panicked at samples/rust/rust_dma.rs:10:5:",
        "BUG: Bad page state in process init  pfn:00001",
    ],
    Outcome.WARNING: [
        "WARNING: CPU: 0 PID: 1 at kernel/dma/mapping.c:597 dma_alloc_attrs+0x1/0x2",
        "UBSAN: array-index-out-of-bounds in lib/x.c:1:2",
        "bash: page allocation failure: order:10, mode:0xcc0(GFP_KERNEL), nodemask=(null)",
        "Out of memory: Killed process 1 (init)",
        "Call Trace:",
        "Call trace:",  # arm64
        "arm-smmu-v3 9050000.smmuv3: event 0x10 received:",
    ],
    Outcome.DMA_API: [
        "DMA-API: rust_dma 0000:00:01.0: device driver frees DMA memory with different size",
        "WARNING: CPU: 0 PID: 1 at kernel/dma/debug.c:1023 check_unmap+0x1/0x2",
        "DMA-API: debugging out of memory - disabling",
    ],
    Outcome.LOCKDEP: [
        "WARNING: possible circular locking dependency detected",
        "WARNING: possible recursive locking detected",
        "WARNING: inconsistent lock state",
        "WARNING: suspicious RCU usage",
        "WARNING: bad unlock balance detected!",
        "WARNING: lock held when returning to user space!",
        "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected",
        "WARNING: possible irq lock inversion dependency detected",
        "[ BUG: Invalid wait context ]",
        "BUG: sleeping function called from invalid context at mm/page_alloc.c:1",
        "BUG: scheduling while atomic: init/1/0x00000002",
    ],
    Outcome.HANG: [
        "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [init:1]",
        "INFO: task init:1 blocked for more than 20 seconds.",
        "rcu: INFO: rcu_sched self-detected stall on CPU",
    ],
}

HARMLESS = [
    "DMA-API: preallocated 65536 debug entries",
    "DMA-API: debugging enabled by kernel config",
    "Debug: sleeping function tests",
    "    ok 1 rust_doctest_kernel_dma_rs_0",
    "Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar",
    "RCU lockdep checking is enabled.",
    "rust_minimal: Rust minimal sample (init)",
    "... MAX_LOCKDEP_SUBCLASSES:  8",
    "printk: debug: ignoring loglevel setting.",
]


def watch(lines, **limits):
    watcher = console.Watcher(limits.get("silence", 60), limits.get("total", 300), 0, limits.get("first"))
    for at, line in enumerate(lines):
        if watcher.feed(f"[    0.{at:06}] {line}", 0):
            break
    return watcher


class Lines(unittest.TestCase):
    def test_each_trouble_has_its_outcome(self):
        for outcome, lines in TROUBLE.items():
            for line in lines:
                with self.subTest(line):
                    self.assertEqual(watch(["before", line]).found, (outcome, 1))

    def test_harmless_lines(self):
        for line in HARMLESS:
            with self.subTest(line):
                self.assertIsNone(watch([line]).found)

    def test_whose_word_it_is(self):
        """Trouble is what the kernel prints, not what a program does, nor the emulator."""
        for lines in TROUBLE.values():
            for line in lines:
                with self.subTest(line):
                    self.assertIsNone(watch([console.PROGRAM + line]).found)
                    self.assertIsNone(watch([f"{console.PROGRAM}[    1.000000] {line}"]).found)
                    for said in f"qemu-system-x86_64: {line}", line:
                        watcher = watch([])
                        watcher.feed(said, 0)
                        self.assertIsNone(watcher.found)
                    for said in f"# half a line[    1.000000] {line}", f"[    1.000000][    T1] {line}":
                        watcher = watch([])
                        watcher.feed(said, 0)
                        self.assertIsNotNone(watcher.found)

    def test_every_exception_has_a_reason(self):
        self.assertTrue(all(reason for _, reason in console.ALLOWED))


class Reports(unittest.TestCase):
    def test_what_follows_the_cut_names_it(self):
        cut = "------------[ cut here ]------------"
        for line, outcome in (
            ("WARNING: CPU: 0 PID: 1 at lib/x.c:1", Outcome.WARNING),
            ("DMA-API: pci 0000:00:01.0: device driver has pending DMA allocations while released", Outcome.DMA_API),
            ("kernel BUG at lib/x.c:1!", Outcome.OOPS),
            ("refcount_t: underflow; use-after-free.", Outcome.WARNING),
            ("anything", Outcome.WARNING),
        ):
            with self.subTest(line):
                watcher = watch([cut, line])
                self.assertEqual((watcher.found[0], watcher.cause), (outcome, line))

    def test_the_first_trouble_counts(self):
        self.assertEqual(watch(["Oops: 0000 [#1] SMP", "Kernel panic - not syncing: Fatal exception"]).found[0], Outcome.OOPS)

    def test_ends_with_the_report(self):
        watcher = watch(["BUG: kernel NULL pointer dereference", "Call Trace:", "---[ end trace 0000000000000000 ]---", "more"])
        self.assertEqual(len(watcher.lines), 3)
        self.assertIn("NULL pointer", watcher.excerpt())
        self.assertIn("end trace", watcher.excerpt())

    def test_ends_soon_without_the_report_s_end(self):
        watcher = watch(["WARNING: suspicious RCU usage"])
        self.assertFalse(watcher.tick(watcher.GRACE - 0.1))
        self.assertTrue(watcher.tick(watcher.GRACE))
        self.assertFalse(watch(["WARNING: x"]).feed("y", 0))
        self.assertEqual(len(watch(["WARNING: x"] + ["y"] * 1000).lines), console.Watcher.REPORT + 1)


class Time(unittest.TestCase):
    def test_silence(self):
        watcher = watch(["hello"], silence=10)
        self.assertFalse(watcher.tick(9.9))
        self.assertTrue(watcher.tick(10))
        self.assertEqual(watcher.found[0], Outcome.HANG)
        self.assertIn("nothing for 10 s", watcher.cause)
        self.assertIn("hello", watcher.excerpt())

    def test_silence_before_the_first_line(self):
        watcher = watch([], silence=60, first=5)
        watcher.feed("qemu-system-x86_64: warning: something", 0)
        self.assertFalse(watcher.tick(4.9))
        self.assertTrue(watcher.tick(5))

    def test_total(self):
        watcher = watch(["hello"], silence=10, total=20)
        for second in range(20):
            watcher.feed("[    1.000000] again", second)
            self.assertFalse(watcher.tick(second))
        self.assertTrue(watcher.tick(20))
        self.assertIn("not done after 20 s", watcher.cause)

    def test_wait_is_until_the_next_limit(self):
        self.assertEqual(watch(["hello"], silence=10, total=20).wait(4), 6)
        self.assertEqual(watch(["hello"], silence=30, total=20).wait(4), 16)
        self.assertEqual(watch(["WARNING: x"]).wait(0), console.Watcher.GRACE)


class Marks(unittest.TestCase):
    def test_begin_and_end(self):
        watcher = watch(["a", console.BEGIN, "b", console.END])
        self.assertEqual((watcher.begun, watcher.ended), (2, 3))
        self.assertIsNone(watch(["a", console.BEGIN]).ended)
        self.assertIsNone(watch(["Command line: boot-test: begins"]).begun)
        self.assertIsNone(watch([console.BEGIN, console.PROGRAM + console.END]).ended, "a program said it")
