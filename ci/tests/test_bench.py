# SPDX-License-Identifier: GPL-2.0
"""What the benchmarks make of what the guest prints: the table, and when it is not to be trusted."""

import csv
import io
import sys
import unittest
import unittest.mock
import xml.etree.ElementTree

import root
import standin

sys.path.insert(0, str(root.TOP / "ci/bench"))

import disassembly
import sources
import table

BOOT = """\
[    1.0] bench_c: nothing 1 50
[    1.0] bench_c: loop-1000 1000 2051
[    1.0] bench_c: loop-3000 3000 6051
[    1.0] bench_c: field-read 256 562
[    1.0] bench_c: alloc-64 1 5050
[    1.1] bench_rust: nothing 1 52
[    1.1] bench_rust: field-read 256 564
[    1.1] bench_rust: alloc-64 1 5152
[    1.1] another: field-read 256 1
"""

DISASSEMBLY = """\
0000000000000010 <field_read>:
  10:\tendbr64
  14:\tpush   %rbx
  15:\tsub    $0x10,%rsp
  19:\tmov    0x10(%rdi),%rdx
  1d:\tmov    0x4(%rdx),%ecx
  20:\tor     %ecx,%eax
  22:\tadd    %eax,(%rdx)
  24:\tmov    %eax,0x8(%rsp)
  28:\tcmp    %eax,0x4(%rdx)
  2b:\tjne    1d <field_read+0xd>
  2d:\tcall   32 <ktime_get+0x1>
  32:\tnopw   0x0(%rax,%rax,1)
  38:\tret

0000000000000040 <_RNvCs1_10bench_rust10field_read>:
  40:\tmov    %eax,(%rdx)
  42:\tret

0000000000000050 <_RNvCs1_10bench_rust13not_ring_fill>:
  50:\tret
"""


class Table(unittest.TestCase):
    def rows(self, *boots):
        return table.rows(table.agree([table.parse(boot.splitlines()) for boot in boots]))

    def wrong(self, says, *boots):
        with self.assertRaisesRegex(table.Wrong, says):
            self.rows(*boots)

    def test_rows(self):
        """Less what it takes to measure nothing; each twin its own."""
        read, alloc = self.rows(BOOT, BOOT + BOOT)
        self.assertEqual(("field-read", 256, 512, 512, "plain", 0.0, "v6.12", 1.0, False), (*read, read.ratio, read.over))
        self.assertEqual((5000, 5100, True, False), (alloc.c, alloc.rust, alloc.near, alloc.over))

    def test_just_within(self):
        found = [table.Row("x", 1, 10000, rust) for rust in (10100, 10101, 10500, 10501)]
        self.assertEqual([False, True, True, True], [row.near for row in found])
        self.assertEqual([False, False, False, True], [row.over for row in found])
        self.assertEqual(["", "over 1.01", "over 1.01", "over 1.05"], [table.text([row]).partition("\n")[2][87:].strip() for row in found])

    def test_slower(self):
        fast, same, slow = (table.Row("x", 1, 1000, rust) for rust in (800, 808, 809))
        self.assertEqual((False, True), (table.slower(fast, same), table.slower(fast, slow)))

    def test_one_instruction_more_in_one_boot(self):
        self.wrong("alloc-64 in rust is not the same every time: 5152 .* 5153 in boot 2", BOOT, BOOT.replace("5152", "5153"))

    def test_one_instruction_more_in_one_of_the_same_boot(self):
        self.wrong("not the same every time", BOOT + BOOT.replace("5050", "5049"))

    def test_boots_that_need_not_agree(self):
        """The median of them, and how far they lie apart."""
        boots = [BOOT.replace("alloc-64", "receive").replace("5152", took) for took in ("5152", "5652", "5052")]
        found = table.agree([table.parse(boot.splitlines()) for boot in boots], table.BOUNCE)
        (row,) = table.rows(found, table.BOUNCE)
        self.assertEqual((5000, 5100, "bounce"), (row.c, row.rust, row.machine))
        self.assertAlmostEqual(600 / 5100, row.spread)
        self.assertIn("bounce buffers: receive 4 KiB, by copy", table.text([row]))
        self.assertIn("boots differ by 11.76 %", table.text([row]))

    def test_a_boot_with_less(self):
        self.wrong("boot 2 has other rows", BOOT, BOOT.replace("bench_rust: alloc", "gone: alloc"))

    def test_a_clock_that_counts_something_else(self):
        self.wrong("4000 of them are 4001", BOOT.replace("6051", "6052"))
        self.wrong("loop of known length", BOOT.replace("loop-1000", "hoop"))

    def test_not_the_same_work(self):
        self.wrong("256 times in Rust and 255 times in C", BOOT.replace("bench_c: field-read 256", "bench_c: field-read 255"))
        self.wrong("not measured in C", BOOT.replace("bench_c: field-read", "x: field-read"))
        self.wrong("not measured in Rust: field-read", BOOT.replace("bench_rust: field-read", "x: field-read"))
        self.wrong("done 256 times, then 255", BOOT + BOOT.replace(" 256 ", " 255 "))

    def test_too_small(self):
        self.wrong("too few", BOOT.replace("256 564", "256 52"))

    def test_nothing(self):
        self.wrong("loop of known length", "")

    def test_text(self):
        lines = table.text(self.rows(BOOT)).splitlines()
        self.assertEqual("read a field 2.00 2.00 1.0000".split(), lines[1].split())
        self.assertEqual("allocate and free 64 B 5,000 5,100 1.0200 over 1.01".split(), lines[2].split())

    def test_csv(self):
        read, alloc = csv.DictReader(io.StringIO(table.to_csv(self.rows(BOOT))))
        self.assertEqual(("256", "512", "1.000000"), (read["times"], read["instructions_c"], read["ratio"]))
        self.assertEqual(("allocate and free 64 B", "1.020000"), (alloc["what"], alloc["ratio"]))

    def test_svg(self):
        found = xml.etree.ElementTree.fromstring(table.svg(self.rows(BOOT), "a < b"))
        words = [text.text for text in found.iter("{http://www.w3.org/2000/svg}text")]
        self.assertEqual(["a < b", "as many as in C", "read a field", "1.0000", "allocate and free 64 B", "1.0200"], words)
        bars = [float(bar.get("width")) for bar in found.iter("{http://www.w3.org/2000/svg}rect")][1:]
        self.assertAlmostEqual(1.02, bars[1] / bars[0], 3)


    def test_limits(self):
        for name, machine, rust, over in (
            ("alloc-64", table.PLAIN, 105, False), ("alloc-64", table.PLAIN, 106, True), ("sg-1", table.INLINED, 110, False), ("sg-1", table.INLINED, 111, True),
        ):  # fmt: skip
            with self.subTest(name=name, rust=rust):
                row = table.Row(name, 1, 100, rust, machine.name)
                self.assertEqual(over, row.over)
                words = "over 1.05: checks: context, and the limits of segments" if (name, over) == ("sg-1", False) else f"over {row.limit}" if over else "over 1.01"
                self.assertIn(words, table.text([row]))

    def test_limits_of_each_set(self):
        """v6.13 has those of v6.12."""
        found = [table.Row("pool", 1, 100, 110, patches=patches).over for patches in ("v6.12", "v6.13", "v7.3")]
        self.assertEqual([True, True, False], found)
        for limits in table.ALLOWED.values():
            for machine, name in limits:
                self.assertIn(name, next(each for each in table.MACHINES if each.name == machine).rows)


class Sources(unittest.TestCase):
    def test_changes(self):
        """Each applies, to what is there and with each slow-down in it; for v6.12 there is none."""
        slowed = [("", ""), *((old, new) for old, new, _ in standin.program("ci/bench/run").PLANTED.values())]
        for name, change in [("bench_c.c", slowed[0]), *(("bench_rust.rs", each) for each in slowed)]:
            found = {sources.source(name, which, change) for which in ("v6.12", *sources.CHANGES)}
            self.assertEqual(1 + len(sources.CHANGES), len(found))
            self.assertIn((sources.HERE / name).read_text().replace(*change, 1), found)

    def test_one_that_does_not_apply(self):
        with self.assertRaisesRegex(ValueError, "bench_c.c has no gone"):
            sources.source("bench_c.c", "v6.12", ("gone", ""))
        with unittest.mock.patch.dict(sources.CHANGES, {"v7.3": {"bench_c.c": (("gone", ""),)}}), self.assertRaisesRegex(ValueError, "bench_c.c has no gone"):
            sources.source("bench_c.c", "v7.3")


class Code(unittest.TestCase):
    def test_panics(self):
        """Where something may panic, but not in what nothing refers to."""
        cold = "_RNvC5probe19panic_cold_explicit"
        text = DISASSEMBLY.replace("  50:\tret", "  50:\tcall   55 <x>\n\t\t\t51: R_X86_64_PLT32\t_RNvNtC4core9panicking9panic_fmt-0x4")
        self.assertEqual(["_RNvCs1_10bench_rust13not_ring_fill"], disassembly.panics(text))
        unused = text.replace("_RNvCs1_10bench_rust13not_ring_fill", cold)
        self.assertEqual([], disassembly.panics(unused))
        self.assertEqual([cold], disassembly.panics(unused.replace("  42:\tret", f"  42:\tjmp    47 <x>\n\t\t\t43: R_X86_64_PLT32\t{cold}-0x4")))

    def test_counts(self):
        found = disassembly.functions(DISASSEMBLY.partition("\n\n")[0])
        self.assertEqual({"field_read": disassembly.Function(instructions=11, loads=4, stores=1, branches=1, calls=1, stack=24)}, disassembly.compared(found))

    def test_names_in_rust(self):
        found = disassembly.functions(DISASSEMBLY)
        self.assertEqual({"field_read": disassembly.Function(2, 0, 1, 0, 0, 0)}, disassembly.compared(found))
        self.assertEqual(3, len(found))


class Loop(unittest.TestCase):
    """ci/bench/loop: what it makes of seconds."""

    FOUND = {
        "boot-test": {"cold": [200.0], "unchanged": [9.0, 11.0, 8.0]},
        "kunit.py": {"cold": [300.0], "unchanged": [8.0, 9.0, 9.5]},
        "virtme-ng": {"cold": [199.0], "unchanged": [30.0, 31.0, 32.0]},
    }
    loop = standin.program("ci/bench/loop")

    def test_table(self):
        self.assertIn("| boot-test | KUnit tests, selftests | 200.0 s | 9.0 s (8.0 to 11.0) |", self.loop.table(self.FOUND).splitlines())

    def test_not_the_fastest(self):
        """As fast is not faster; and it is the median that counts."""
        self.assertEqual(["unchanged than kunit.py", "cold than virtme-ng"], self.loop.slower(self.FOUND))

    def test_the_fastest(self):
        self.assertEqual([], self.loop.slower({**self.FOUND, "boot-test": {"cold": [198.0], "unchanged": [7.0]}}))

    def test_only_others(self):
        self.assertEqual([], self.loop.slower({"kunit.py": self.FOUND["kunit.py"]}))
