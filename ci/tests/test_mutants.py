# SPDX-License-Identifier: GPL-2.0
"""ci/mutants: what is mutated and what is not, by which name a mutant goes, and what becomes of it."""

import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import re
import subprocess
import sys
import tempfile
import types
import unittest

import base
import boot
import boot_test
import cases
import kernel
import root
from outcome import Fail, Outcome

sys.path.insert(0, str(root.TOP / "ci/mutants"))

import many
import mutants
import switched
import trials

loader = importlib.machinery.SourceFileLoader("mutants_run", str(root.TOP / "ci/mutants/run"))
run = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutants_run", loader))
loader.exec_module(run)

# For each operator, some code, and what becomes of which text in it.
OPERATORS = {
    "binary": (
        "fn f(a: u32, b: u32) -> X { let mut c = a + b << a; c |= a & b; c }",
        {("+", "-"), ("+", "*"), ("<<", ">>"), ("|=", "&="), ("&", "|"), ("&", "^")},
    ),
    "comparison": ("fn f(a: u32) -> X { g(a == 1, a < 2) }", {("==", "!="), ("<", ">")}),
    "bound": (
        "fn f(a: u32) -> X { g(a < 2, a >= 3); match a { 1 => &b[..a], _ => &b[1..=a] } }",
        {("<", "<="), (">=", ">"), ("..", "..="), ("..=", "..")},
    ),
    "logical": ("fn f() -> X { a && b || c }", {("&&", "||"), ("||", "&&")}),
    "unary": ("fn f() -> X { if !a { -1 } else { *b } }", {("!", ""), ("-", "")}),
    "condition": (
        "fn f() { if a.b() { g(); } while a < b { g(); } match a { x if x.y() => g(), _ => () } if let X = a { g(); } if a == b { g(); } }",
        {("a.b()", "!(a.b())"), ("a < b", "!(a < b)"), ("x.y()", "!(x.y())")},
    ),
    "constant": (
        "const A: [u8; 2] = f(0x10u32, 0, 1, true);",
        {("2", "3"), ("2", "1"), ("2", "0"), ("0x10u32", "17u32"), ("0x10u32", "15u32"), ("0x10u32", "0u32"), ("0", "1"), ("1", "2"), ("1", "0"), ("true", "false")},
    ),
    "error": ("fn f() -> X { g(EINVAL, code::EIO, Exact, E) }", {("EINVAL", "crate::error::code::EIO"), ("code::EIO", "crate::error::code::ENXIO")}),
    "ordering": ("fn f() -> X { g(Ordering::Acquire, atomic::Ordering::Relaxed) }", {("Ordering::Acquire", "Ordering::Relaxed")}),
    "method": ("fn f() -> X { a.min(b).is_some().other() }", {("min", "max"), ("is_some", "is_none")}),
    "arm": ("fn f() -> X { match a { 1 => b, 2 => c, _ => d } }", {("1 => b,", ""), ("2 => c,", "")}),
    "guard": ("fn f() -> X { let _guard = lock.lock(); let guard = a; g(guard) }", {("_guard", "_")}),
    "question": ("fn f() -> X { g()?; let a = h()?; a }", {("g()?;", "let _ = g();")}),
    "unsafe": ("fn f() -> X { unsafe { g() }; unsafe { h() } }", {("unsafe { g() };", "")}),
    "statement": (
        "fn f() -> X { a = b; g(); h(1)?; let () = C; if a { return Err(b); } loop { break; } match a { 1 => i(), _ => {} } c }",
        {
            ("a = b;", ""), ("g();", ""), ("h(1)?;", ""), ("let () = C;", ""), ("if a { return Err(b); }", ""), ("loop { break; }", ""),
            ("match a { 1 => i(), _ => {} }", ""), ("i()", "{}"),
        },
    ),
    "return": (
        "fn a() { g(); h() } fn b() -> bool { g() } fn c() -> Result { g() } fn d() -> Result<u32> { g() } fn e() -> Option<X> { g() } fn f() -> X { g() }",
        {
            ("{ g(); h() }", "{}"), ("{ g() }", "{ true }"), ("{ g() }", "{ false }"), ("{ g() }", "{ Ok(()) }"), ("{ g() }", "{ Ok(0) }"), ("{ g() }", "{ Ok(1) }"),
            ("{ g() }", "{ None }"),
        },
    ),
    "arguments": (
        "fn two(a: u32, b: &X, c: u32) {} fn f() -> X { two(1, x, y); bindings::c(d.as_raw(), e, &mut f, g.h()); bindings::c(d.as_raw(), &e) }",
        {("1, x, y", "y, x, 1"), ("e, &mut f, g.h()", "g.h(), &mut f, e")},
    ),
}  # fmt: skip

LEFT_ALONE = """\
//! Do `1 + 1`.
/// # Examples
///
/// ```
/// assert!(a == 1);
/// ```
#[repr(align(8))]
struct A;
macro_rules! m { ($x:expr) => { $x + 1 }; }
m! { 1 + 1 }
#[cfg(test)]
mod tests { fn f() -> u32 { 1 + 1 } }
#[kunit_tests(x)]
mod more { fn f() -> u32 { 1 + 1 } }
#[cfg(not(CONFIG_ON))]
fn f() -> u32 { 1 + 1 }
#[cfg(all(CONFIG_ON, CONFIG_OFF))]
fn g() -> u32 { 1 + 1 }
#[cfg(CONFIG_ON)]
fn h() -> X { dev_err!(dev, "{}", 1 + 1); fmt!("{}", 1 + 1); odd!(1 => 2); #[cfg(CONFIG_OFF)] g(1); a }
#[test]
fn i() { assert!(1 == 1); }
"""


class Lists(unittest.TestCase):
    """A file of Rust, as the lister sees it."""

    @classmethod
    def setUpClass(cls):
        mutants.HOME.mkdir(parents=True, exist_ok=True)
        cls.place = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="tests-", dir=mutants.HOME)))
        cls.lister = mutants.Lister(kernel.BUILD / "root", cls.place)
        with contextlib.redirect_stdout(io.StringIO()):
            cls.lister.build()

    def list(self, text, cfgs=()):
        (self.place / "a.rs").write_text(text)
        return self.lister.list(["a.rs"], cfgs)

    def test_operators(self):
        """Each operator makes its mutants of some code, no more and no less, and where it says."""
        for operator, (text, expected) in OPERATORS.items():
            with self.subTest(operator):
                found = [each for each in self.list(text)[0] if each.operator == operator]
                self.assertEqual(expected, {(each.text, each.replacement) for each in found})
                for each in found:
                    self.assertEqual(len(text) - len(each.text) + len(each.replacement), len(each.apply(text)))

    def test_left_alone(self):
        """Documentation, tests, what cfg leaves out, what is printed, and macros that are no expressions."""
        found, left_out = self.list(LEFT_ALONE, ["CONFIG_ON"])
        # The macro that is not understood can be removed as a whole.
        self.assertEqual(["odd!(1 => 2);"], [each.text for each in found])
        self.assertEqual({"a.rs": {"macro_rules": 1, "macro": 2, "test": 2, "cfg": 4, "text": 2}}, left_out)

    def test_known(self):
        """What this kernel never does is left alone, and what makes the others do it."""
        text = "fn f() -> X { if !cfg!(CONFIG_ON) && a == 1 { g(2); } if cfg!(CONFIG_OFF) { g(3) } else { h(4) } i(cfg!(CONFIG_OFF) && b == 5) }"
        found, left_out = self.list(text, ["CONFIG_ON"])
        self.assertEqual({"h(4)", "4", "&&"}, {each.text for each in found})
        self.assertEqual({"a.rs": {"cfg": 3}}, left_out)
        self.assertEqual({"&&", "!", "==", "1", "2", "3", "5"}, {each.text for each in self.list(text, ["CONFIG_OFF"])[0] if len(each.text) < 3})

    def test_in_macros(self):
        """The condition of an assertion, but not its message; and what a structure is initialised with."""
        found, _ = self.list('const A: () = assert!(a > 1, "{}", 2); fn f() -> X { pin_init!(Self { a <- g(3), b: 4, c, } ? Error) }')
        self.assertEqual({">", "1", "3", "4"}, {each.text for each in found})

    def test_once(self):
        """A body, or a block, of one statement goes away once, not at each depth."""
        found, _ = self.list("fn f() { unsafe { g(); } } fn h() -> X { if a { b(); } c }")
        gone = [each.text for each in found if not each.replacement.strip("{}")]
        self.assertEqual(["{ unsafe { g(); } }", "if a { b(); }"], gone)

    def test_mentioned(self):
        """What is only said to be used does nothing; a guard that is dropped does."""
        self.assertEqual([], self.list("fn f(a: A, b: B) { let _ = (a, b); }")[0])
        found, _ = self.list("fn f(a: A, b: B) { let _ = a; let _ = b.c(); }")
        self.assertEqual(["{ let _ = a; let _ = b.c(); }", "let _ = b.c();"], [each.text for each in found])

    def test_not_ascii(self):
        """A place is right behind letters of several bytes."""
        text = '// Größe\nfn f() -> X { g("é", 7) }'
        found, _ = self.list(text)
        self.assertEqual({text.replace("7", other) for other in ("8", "6", "0")}, {each.apply(text) for each in found})

    def test_no_rust(self):
        """What cannot be parsed is an error, at its place."""
        with self.assertRaises(Fail) as caught:
            self.list("fn f() {\n    1 +\n}")
        self.assertIn("a.rs:3:1: ", caught.exception.detail)

    def test_ids(self):
        """A mutant keeps its name while others come and go, lines are broken elsewhere, and the same change is made in another item."""
        before = {each.id for each in self.list("impl A { fn f(&self) -> X { if a.b(c) { self.g(1, 1); } d } }")[0]}
        after = "fn h() -> X { g(1) } impl A { fn f(&self) -> X { if a\n.b(c) {\nself.g(1, 1);\n} d && e } } fn f() -> X { g(1, 1) }"
        after = {each.id: each for each in self.list(after)[0]}
        self.assertEqual(set(), before - set(after))
        self.assertEqual(["constant"] * 6 + ["logical"], sorted(each.operator for name, each in after.items() if name not in before))
        # Of equal ones in an item, each has its own.
        self.assertEqual(4, len({each.id for each in self.list("fn f() -> X { g(1, 1) }")[0]}))


    def test_body(self):
        """Where another block may run in the stead of a function's own: the outermost one's, of an ordinary type, that runs in the kernel."""
        text = "fn a() -> X { fn b() -> X { g(1) } b() } const fn c() -> X { g(1) } fn d() -> impl X { g(1) } fn e() -> Result<impl X> { g(1) } const F: X = g(1); fn h(x: impl X) -> X { g(1) }"
        found = {each.item: text[slice(*each.body)] if each.body else None for each in self.list(text)[0] if each.replacement == "2"}
        self.assertEqual({"a::b": "{ fn b() -> X { g(1) } b() }", "c": None, "d": None, "e": None, "F": None, "h": "{ g(1) }"}, found)


class Series(boot.Case):
    """The mutants of the series, as they are."""

    CONFIG = [root.TOP / "ci/planted/fault.config", root.TOP / "ci/mutants/mutants.config"]

    @classmethod
    def setUpClass(cls):
        with boot_test.alone(), contextlib.redirect_stdout(io.StringIO()):
            kernel.patched(base.DEFAULT)
            cls.lister = mutants.Lister(kernel.BUILD / "root", boot.LINUX)
            cls.all, cls.left_out = mutants.of(boot.LINUX, cls.lister, cls.CONFIG)

    def test_listed(self):
        """There are many, by each operator that the tests above know, and in each file; and all are where they are said to be."""
        self.note = f"{len(self.all)} mutants"
        self.assertGreater(len(self.all), 1400)
        # None of the files has a lock that is held for nothing but its lifetime.
        self.assertEqual(set(OPERATORS) - {"guard"}, {each.operator for each in self.all} - {"guard"})
        # Of these, there are macros and types.
        none = {"rust/kernel/dma.rs", "rust/kernel/dma/direction.rs"}
        self.assertEqual(set(mutants.files(boot.LINUX)) - none, {each.file for each in self.all})
        texts = {file: (boot.LINUX / file).read_text() for file in mutants.files(boot.LINUX)}
        made = {(each.file, each.apply(texts[each.file])) for each in self.all}
        self.assertEqual(len(made), len(self.all), "two are the same")
        # Macros are left out, and not much else.
        self.assertLess(sum(self.left_out.values()), 70)

    def test_rust(self):
        """What becomes of a file is Rust: the compiler is not the only one to kill anything."""
        with tempfile.TemporaryDirectory(prefix="tests-", dir=mutants.HOME) as place:
            some = mutants.shuffled(self.all, 1)[:50]
            for each in some:
                pathlib.Path(place, f"{each.id}.rs").write_text(each.apply((boot.LINUX / each.file).read_text()))
            mutants.Lister(kernel.BUILD / "root", pathlib.Path(place)).list([f"{each.id}.rs" for each in some])

    def test_together(self):
        """Most can be in one kernel. Each is in there once, as by itself, and nothing but Rust is made."""
        together = switched.together(self.all, boot.LINUX)
        self.note = f"{len(together)} of {len(self.all)}"
        self.assertGreater(len(together), 0.8 * len(self.all))
        numbers, on = switched.functions(together), dict(enumerate(together, 1))
        with tempfile.TemporaryDirectory(prefix="tests-", dir=mutants.HOME) as place:
            made = {}
            for number, file in enumerate(sorted({file for file, _ in numbers})):
                text = switched.copies(file, (boot.LINUX / file).read_bytes(), numbers, on)
                pathlib.Path(place, f"{number}.rs").write_bytes(text)
                for match in re.finditer(rb"^(\d+) => /\* mutant \1 \*/ ((?s:.*?))\n(?=\d+ => /\* mutant|_ => /\* function)", text, re.M):
                    made[int(match[1])] = match[2]
            mutants.Lister(kernel.BUILD / "root", pathlib.Path(place)).list([f"{each}.rs" for each in range(number + 1)])
        self.assertEqual(set(on), set(made))
        for number, each in on.items():
            whole = each.apply((boot.LINUX / each.file).read_text()).encode()
            start, end = each.body[0], len(whole) - ((boot.LINUX / each.file).stat().st_size - each.body[1])
            self.assertEqual(whole[start:end], made[number], each.words)

    def test_equivalent(self):
        """Whatever is listed as equivalent is there, and has a reason."""
        reasons = mutants.equivalent((root.TOP / "ci/mutants/equivalent").read_text())
        self.assertEqual([], mutants.unknown(reasons, self.all), "these entries of ci/mutants/equivalent are for no mutant")

    def test_configuration(self):
        """What the kernel is taken to have is what it has."""
        cfgs = mutants.cfgs(self.CONFIG)
        config = "".join(f"{cfg}=y\n" for cfg in cfgs)
        mutants.check(boot.LINUX, cfgs, config)
        for wrong in config.replace("CONFIG_MMU=y\n", ""), f"{config}CONFIG_DMA_BOUNCE_UNALIGNED_KMALLOC=y\n":
            with self.assertRaisesRegex(Fail, "CONFIG_(MMU|DMA_BOUNCE_UNALIGNED_KMALLOC)$"):
                mutants.check(boot.LINUX, cfgs, wrong)

    def test_files(self):
        found, left_out = mutants.of(boot.LINUX, self.lister, self.CONFIG, ["dma/plain.rs"])
        self.assertEqual(self.all, found)
        self.assertLess(sum(left_out.values()), sum(self.left_out.values()))
        self.assertEqual({"rust/kernel/dma/plain.rs"}, mutants.asked_for(boot.LINUX, ["dma/plain.rs"]))
        self.assertEqual({each.file for each in found}, mutants.asked_for(boot.LINUX, []) & {each.file for each in found})
        with self.assertRaisesRegex(Fail, "there is no file rust/kernel/none.rs"):
            mutants.files(boot.LINUX, ["none.rs"])


def mutant(name, file="rust/kernel/a.rs"):
    return mutants.Mutant(name, file, 1, 0, 1, "constant", "f", "1", "2")


class Fakes:
    """Trials that see what they are told."""

    def __init__(self, together="", **seen):
        self.together, self.seen, self.had = together, seen, []

    def split(self, tree, some):
        return [each for each in some if each.id in self.together], [each for each in some if each.id not in self.together]

    def tried(self, tree, all, some, results):
        for each in some:
            self.had.append(f"{each.id}, together")
            yield each, self.seen.get(each.id, ""), 1

    def without(self, tree):
        self.had.append("nothing")

    def alone(self, tree, each):
        self.had.append(each.id)
        return self.seen.get(each.id) or ""


class Run(unittest.TestCase):
    """What a run does with the mutants it has."""

    def setUp(self):
        self.place = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.all = [mutant(name) for name in ("a", "b", "c")]

    def results(self, state="now", keep=False):
        return mutants.Results(self.place / "mutants.json", state, keep)

    def campaign(self, tries, results, *words, reasons={}):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            run.campaign(None, self.all, self.all, reasons, results, run.arguments(words), tries)
        return said.getvalue()

    def test_goes_on(self):
        """What was tried is not tried again; nor are equivalents."""
        tries = Fakes(a="compiler: no")
        self.campaign(tries, self.results(), reasons={"c": "it is"})
        self.assertEqual(["nothing", "a", "b"], tries.had)
        self.campaign(tries, self.results(), reasons={})
        self.assertEqual(["nothing", "a", "b", "c"], tries.had)
        self.campaign(tries, self.results())
        self.assertEqual(4, len(tries.had))

    def test_another_state(self):
        """Results are of one state of the series and the tests; with --keep, kills stay."""
        self.campaign(Fakes(a="compiler: no"), self.results())
        again = Fakes()
        self.campaign(again, self.results("later", keep=True))
        self.assertEqual(["nothing", "b", "c"], again.had)
        again = Fakes()
        self.campaign(again, self.results("later"))
        self.assertEqual(["a"], again.had)

    def test_together(self):
        """Those that are tried together are tried first; what has to be tried alone after all is, later."""
        tries = Fakes("abc", a="compiler: no", b=None)
        self.campaign(tries, self.results())
        self.assertEqual(["a, together", "b, together", "c, together", "nothing", "b"], tries.had)
        self.assertEqual({"a": True, "b": False, "c": False}, {name: each["killed"] for name, each in self.results().all.items()})

    def test_passed(self):
        """What some trials did not see is not through, and goes on behind them, unless something has changed."""
        tries = Fakes("ab", a=many.Passed("cases"))
        self.campaign(tries, self.results())
        self.assertEqual((None, ["cases"]), (self.results().get(self.all[0]), self.results().passed(self.all[0])))
        self.assertEqual([], self.results("later").passed(self.all[0]))
        results = self.results()
        results.add_passed(self.all[0], "bindings")
        self.assertEqual(["cases", "bindings"], self.results().passed(self.all[0]))
        self.assertEqual([], self.results().passed(self.all[1]))
        results.add(self.all[0], False, "", 1)
        self.assertEqual((False, []), (self.results().get(self.all[0])["killed"], self.results().passed(self.all[0])))
        # A kill of before stays one that can be kept.
        results.add(self.all[1], True, "cases", 1)
        self.results("later").add_passed(self.all[1], "cases")
        self.assertTrue(self.results("later", keep=True).get(self.all[1])["killed"])

    def test_reached(self):
        """What a trial reaches is known again, of the same functions in the same state."""
        results = self.results()
        results.reach(["f", "g"])["cases"] = {"boot": ["f"]}
        results.write()
        self.assertEqual({"cases": {"boot": ["f"]}}, self.results().reach(["g", "f"]))
        self.assertEqual({}, self.results().reach(["f"]))
        self.assertEqual({}, self.results("later").reach(["f", "g"]))

    def test_hours(self):
        tries = Fakes()
        said = self.campaign(tries, self.results(), "--hours", "0.0000000001")
        self.assertEqual((["nothing"], True), (tries.had, "the time is over: 3 are left" in said))
        tries = Fakes("abc")
        said = self.campaign(tries, self.results(), "--hours", "0.0000000001")
        self.assertEqual((["a, together"], True), (tries.had, "the time is over: 2 are left" in said))

    def test_broken_off(self):
        """What was known by then stays known."""
        tries = Fakes(a="compiler: no")
        tries.alone = lambda tree, each: Fakes.alone(tries, tree, each) if each.id == "a" else self.fail("no space")
        with self.assertRaises(AssertionError):
            self.campaign(tries, self.results())
        self.assertEqual(["a"], list(self.results().all))

    def test_choose(self):
        some = [mutant(str(number)) for number in range(100)]

        def chosen(*words):
            return [each.id for each in run.choose(some, run.arguments(words))]

        self.assertEqual(100, len(set(chosen())))
        self.assertEqual(chosen()[:20], chosen("--sample", "20"))
        self.assertNotEqual(chosen("--sample", "20"), chosen("--sample", "20", "--seed", "2"))
        self.assertEqual({"7", "8"}, {*chosen("--id", "7", "--id", "8")})
        with self.assertRaisesRegex(Fail, "there is no mutant x"):
            chosen("--id", "x")

    def test_table(self):
        results = self.results()
        results.add(self.all[0], True, "compiler: no", 1)
        results.add(self.all[1], False, "", 1)
        lines = mutants.table([*self.all, mutant("d"), mutant("e", "rust/kernel/dma/b.rs")], {"c": "it is"}, results).splitlines()
        self.assertEqual(["a.rs 4 1 1 1 1 50.0%", "dma/b.rs 1 0 0 0 1 -", "all 5 1 1 1 2 50.0%"], [" ".join(line.split()) for line in lines[1:4]])
        self.assertEqual(["    1 killed by: compiler", "    0 killed of 1 that compile"], lines[-2:])

    def test_equivalent(self):
        self.assertEqual({"a": "it does the same", "b": "so"}, mutants.equivalent("# What.\n\na it does the same\nb  so\n"))
        for text in "a\n", "a one\na two\n":
            with self.assertRaises(Fail):
                mutants.equivalent(text)
        self.assertEqual(["x"], mutants.unknown({"x": "", "a": ""}, self.all))

    def test_patch(self):
        """The patch of a survivor makes it."""
        text = "1 +\n1\n"
        (self.place / "rust/kernel").mkdir(parents=True)
        (self.place / "rust/kernel/a.rs").write_text(text)
        patch = mutant("a").patch(text, "doctests")
        subprocess.run(["git", "apply"], cwd=self.place, input=patch, text=True, check=True)
        self.assertEqual("2 +\n1\n", (self.place / "rust/kernel/a.rs").read_text())
        self.assertIn("Not seen by: doctests", patch)
        with self.assertRaisesRegex(Fail, "not as it was listed"):
            mutant("a").apply("2")


class Switched(unittest.TestCase):
    """Many mutants in one kernel."""

    TEXT = b"fn f() -> u32 { 1 + 2 }\nfn g() -> u32 { const A: u32 = 1; A }\n"

    def setUp(self):
        def of(name, start, end, text, other, body):
            return mutants.Mutant(name, "rust/kernel/a.rs", 1, start, end, "o", "f", text, other, body)

        self.all = [of("a", 16, 17, "1", "0", (14, 23)), of("b", 14, 23, "{ 1 + 2 }", "{ 7 }", (14, 23)), of("c", 55, 56, "1", "2", (38, 62)), of("d", 55, 56, "1", "2", None)]
        self.place = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.place / "rust/kernel").mkdir(parents=True)
        (self.place / "rust/kernel/a.rs").write_bytes(self.TEXT)

    def copies(self):
        found = switched.together(self.all, self.place)
        return switched.copies("rust/kernel/a.rs", self.TEXT, switched.functions(found), {7: found[0], 9: found[1]})

    def test_together(self):
        """Not what the compiler evaluates."""
        self.assertEqual(self.all[:2], switched.together(self.all, self.place))
        self.assertEqual(([], self.all[:1]), many.split(types.SimpleNamespace(path=self.place), self.all[:1]))

    def test_copies(self):
        self.assertEqual(
            b"fn f() -> u32 { match crate::mutant::on(0) {\n7 => /* mutant 7 */ { 0 + 2 }\n9 => /* mutant 9 */ { 7 }\n_ => /* function 0 */ { 1 + 2 }\n} /* end */ }\n"
            b"fn g() -> u32 { const A: u32 = 1; A }\n",
            self.copies(),
        )

    def test_blame(self):
        """Of each error, the mutant in whose copy it is; else the function."""
        places = {"rust/kernel/a.rs": switched.Places(self.copies().decode())}

        def error(words, *lines):
            return f"error{words}\n" + "".join(f"   --> rust/kernel/a.rs:{line}:5\n    |\n" for line in lines)

        log = f"  RUSTC L rust/kernel.o\nwarning: unused\n   --> rust/kernel/a.rs:3:1\n{error('[E0308]: one', 2)}{error(': two', 4, 3)}{error(': three', 4)}{error(': four', 1, 6)}"
        self.assertEqual({("mutant", 7): "error[E0308]: one", ("mutant", 9): "error: two", ("function", 0): "error: three"}, switched.blame(log, places))

    def test_reached(self):
        console = (
            "[ 1.0] cases.sh: doctests: reached 21\n[ 1.1] cases.sh: group: cases\n[ 2.0] cases.sh: a::b: reached \n[ 3.0] cases.sh: c: d: reached 08\n[ 3.1] cases.sh: what\n"
            "[ 4.0] cases.sh: c: d: reached 1\n[ 5.0] cases.sh: group: bind\n[ 6.0] cases.sh: c: d: reached 2\n"
        )
        self.assertEqual({"boot: doctests": {1, 4}, "cases: a::b": set(), "cases: c: d": {7, 0}, "bind: c: d": {1}}, switched.reached(console))

    def test_environment(self):
        """Only what reaches the mutant; of the cases, those for its code first."""
        each, names = self.all[0]._replace(file="rust/kernel/dma/pool.rs"), cases.names()
        one, two, *_ = pool = cases.numbers(trials.first_for(each))
        forget = cases.numbers(["forget"])
        zero, one_of, two_of, forgets = (f"cases: {names[number]}" for number in (0, one, two, forget[4]))
        every = {f"cases: {name}" for name in names}
        others = [number for number in range(len(names)) if number not in (*pool, *forget)]
        few, rest, bindings, leaks = (next(trial for trial in trials.TRIALS if trial.name == name) for name in ("cases", "more cases", "bindings", "leaks"))
        for trial, verdicts, do, numbers, append in (
            (few, {zero, one_of, two_of}, "cases", [one, two, 0], ["kunit.enable=0"]),
            (few, {"boot: doctests"}, "cases", [0], []),
            (few, {"boot: doctests", "bind: table", "cases: unload", one_of}, "bind cases", [one], []),
            (few, every, "cases", [*pool, *others][:25], ["kunit.enable=0"]),
            (rest, {"boot: doctests", "bind: table", *every}, "cases", [*[*pool, *others][25:], *forget], ["kunit.enable=0"]),
            (leaks, {"cases: unload", one_of}, "cases", [one], ["kunit.enable=0"]),
            # Of these, one needs another, and the first one looks for leaks.
            (leaks, {zero, forgets}, "cases", [0, *forget], ["kunit.enable=0"]),
            (few, {zero, forgets}, "cases", [0], ["kunit.enable=0"]),
            (rest, {zero, forgets}, "cases", forget, ["kunit.enable=0"]),
            (bindings, {"gone: gone in mid-transfer", "info: info"}, "info gone", [0], ["kunit.enable=0"]),
        ):
            made = {"STOP": 1, "TIMES": trial.times, "DO": do, "CASES": " ".join(map(str, numbers))}
            self.assertEqual((made, append), many.environment(trial, verdicts, each))
        self.assertEqual(({}, []), many.environment(rest, {"bind: table", zero, one_of}, each))


class Built(many.Kernel):
    """A kernel that the numbers in BAD keep from being built: with a word of the compiler's, or without."""

    BAD, DUMB, MOST = {}, set(), 100

    def build(self, on):
        self.built = sorted(on)
        said = [f"error: {self.BAD[number]}\n --> rust/kernel/a.rs:{number * 2}:1\n" for number in on if number in self.BAD]
        return "".join(said) if said else "it ended" if self.DUMB & set(on) or len(on) > self.MOST else None


class Kernels(unittest.TestCase):
    """Which mutants are in a kernel, and what becomes of the others."""

    def setUp(self):
        self.all = [mutant(str(number))._replace(body=(number, number + 1)) for number in range(1, 9)]
        # Each has two lines in the file: what is before it, and its own.
        text = "".join(f"=> /* function {number} */\n=> /* mutant {number} */\n" for number in range(1, 9)).split("\n", 1)[1]
        place = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (place / "rust/kernel").mkdir(parents=True)
        (place / "rust/kernel/a.rs").write_text(f"\n{text}")
        self.tree = types.SimpleNamespace(path=place)

    def made(self, **what):
        numbers = {switched.function(each): number for number, each in enumerate(self.all, 1)}
        found = type("Made", (Built,), what)(self.tree, numbers, self.all)
        self.assertEqual(sorted(found.on), found.built, "another kernel was built last")
        ids = [each.id for some in (found.on.values(), found.errors, found.alone, found.later) for each in some]
        self.assertEqual(sorted(each.id for each in self.all), sorted(ids))
        return found

    def test_all(self):
        self.assertEqual(8, len(self.made().on))

    def test_errors(self):
        found = self.made(BAD={3: "one", 4: "two"})
        self.assertEqual({"3": "error: one", "4": "error: two"}, {each.id: error for each, error in found.errors.items()})

    def test_dumb(self):
        """Who keeps it from being built without a word is tried alone."""
        found = self.made(BAD={3: "one"}, DUMB={5, 8})
        self.assertEqual((["5", "8"], 1, 5), (sorted(each.id for each in found.alone), len(found.errors), len(found.on)))

    def test_too_many(self):
        """What is too much for the compiler is for a later kernel."""
        found = self.made(MOST=3)
        self.assertEqual((2, 6), (len(found.on), len(found.later)))

    def test_none(self):
        """Without a mutant, it has to be built."""
        with self.assertRaises(Fail) as caught:
            self.made(MOST=-1)
        self.assertIn("without a mutant", caught.exception.cause)


class Guests(unittest.TestCase):
    """What is done with the mutants of a kernel."""

    def setUp(self):
        place = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.results = mutants.Results(place / "mutants.json", "now")
        self.all = {number: mutant(str(number)) for number in range(6)}
        self.addCleanup(setattr, many, "attempt", many.attempt)
        self.addCleanup(vars(many.stage).update, end_all=many.stage.end_all)
        self.ended = []
        many.stage.end_all = lambda: self.ended.append(1)

    def became(self, seen):
        had = []

        def attempt(guests, reached, trial, number, each):
            had.append((trial.name, number))
            found = seen.get(number, "")
            if isinstance(found, Exception):
                raise found
            return found if not found or found.startswith(trial.name) else "", 2

        many.attempt = attempt
        guests = types.SimpleNamespace(made=types.SimpleNamespace(on=self.all))
        return list(many.in_guests(guests, None, self.results)), had

    def test_breadth(self):
        """Each is tried with the first trial, and what that has not seen with the next one."""
        self.results.add_passed(self.all[5], "cases")
        became, had = self.became({0: "cases: a", 1: "leaks: b"})
        self.assertEqual([("cases", number) for number in range(5)], sorted(had[:5]))
        self.assertNotIn(("bindings", 0), had)
        self.assertIn(("bindings", 5), had)
        through = {each.id: by for each, by, _ in became if not isinstance(by, many.Passed)}
        self.assertEqual({"0": "cases: a", "1": "leaks: b", "2": "", "3": "", "4": "", "5": ""}, through)
        self.assertEqual(len(trials.TRIALS) * 2, next(took for each, by, took in became if each.id == "2" and by == ""))

    def test_stops(self):
        """What is wrong with one stops all."""
        with self.assertRaises(Fail):
            self.became({3: Fail(Outcome.DISK, "no space")})
        self.assertEqual([1], self.ended)


class Verdicts(unittest.TestCase):
    """What a failure says of a mutant."""

    def says(self, outcome, what="", detail=""):
        return trials.verdict(Fail(outcome, "", detail), "cases", lambda: what)

    def test_killed(self):
        self.assertEqual("compiler: error[E0308]: mismatched types", self.says(Outcome.BUILD, detail="  RUSTC\nerror[E0308]: mismatched types\n  --> x\n"))
        self.assertEqual("doctests: rust_doctests_kernel: 1", self.says(Outcome.TEST_FAILED, "rust_doctests_kernel: 1"))
        self.assertEqual("cases: irq::named", self.says(Outcome.TEST_FAILED, "irq::named"))
        self.assertEqual("the kernel's checks: cases: oops, in irq::named", self.says(Outcome.OOPS, "oops, in irq::named"))
        self.assertEqual("cases: bind", self.says(Outcome.TEST_FAILED, "exit status", "echo: write error\n# why\n# not ok 1 bind\n# ok 2 other"))
        self.assertEqual("cases: exit status", self.says(Outcome.TEST_FAILED, "exit status"))
        self.assertEqual("a hang: cases: silent", self.says(Outcome.HANG, "silent"))

    def test_not_its_doing(self):
        for outcome in Outcome.DISK, Outcome.EMULATOR, Outcome.FETCH, Outcome.INTERNAL:
            with self.assertRaises(Fail):
                self.says(outcome)

    def test_not_built(self):
        """What ends the compiler is no mutant's doing."""
        for text, outcome in ("error: linking failed: No space left on device", Outcome.DISK), ("Killed\nmake: *** [x] Error 137", Outcome.BUILD):
            with self.assertRaises(Fail) as caught:
                trials.said(text)
            self.assertEqual(outcome, caught.exception.outcome)

    def test_doubtful(self):
        """A hang, and a case that is for other code, are tried again; and what fails once more has killed."""
        self.assertEqual(["irq", "sg"], trials.doubtful("cases: irq::polled", ["sg"]))
        self.assertEqual(["sg"], trials.doubtful("a hang: cases: silent, in irq::polled", ["sg"]))
        for found in "", "cases: sg::limits", "doctests: rust_doctests_kernel: 1", "compiler: error: a::b", "the kernel's checks: cases: oops, in irq::polled":
            self.assertIsNone(trials.doubtful(found, ["sg"]), found)

    def test_first(self):
        """The cases that are for the code are tried first, and there are some."""
        self.assertRegex(trials.first(["pool"]), r"^FIRST='\d+( \d+)*' $")
        self.assertEqual("FIRST='' ", trials.first([]))
        for modules in trials.FIRST.values():
            self.assertTrue(cases.numbers(modules.split()))

    def test_order(self):
        """It is tried until something sees it, and no longer."""
        begun = []
        attempt, programs, plant = trials.attempt, trials.programs, trials.plant
        self.addCleanup(vars(trials).update, attempt=attempt, programs=programs, plant=plant)
        trials.plant = lambda tree, each: begun.append("plant")
        trials.programs = lambda tree: begun.append("programs") or ""
        trials.attempt = lambda tree, trial, modules: begun.append(trial.name) or ("seen" if trial.name == self.seen_by else "")
        self.seen_by = "bindings"
        self.assertEqual("seen", trials.kill(None, mutant("a")))
        self.assertEqual(["plant", "cases", "the sample's selftest", "bindings"], begun)
        # A hang is tried once more.
        answers = ["a hang: cases: silent", "", "seen"]
        trials.attempt = lambda tree, trial, modules: begun.append(trial.name) or answers.pop(0)
        begun.clear()
        self.assertEqual("seen", trials.kill(None, mutant("a")))
        self.assertEqual(["plant", "cases", "cases", "the sample's selftest"], begun)
        trials.attempt = lambda tree, trial, modules: ""
        self.assertEqual(("", "programs"), (trials.kill(None, mutant("a")), begun[-1]))


class Command(boot.Case):
    def command(self, *words):
        ran = subprocess.run([root.TOP / "ci/mutants/run", *words], capture_output=True, text=True)
        return ran.returncode, ran.stdout + ran.stderr

    def test_list(self):
        status, output = self.command("--list", "--files", "dma/plain.rs", "--sample", "2")
        self.assertEqual(0, status, output)
        self.assertEqual(2, len(re.findall(r"^[0-9a-f]{10}  rust/kernel/dma/plain\.rs:\d+  ", output, re.M)), output)

    def test_usage(self):
        for words in ["--hours", "0"], ["--sample", "none"], ["--list", "--files", "none.rs"], ["--list", "--id", "none"]:
            status, output = self.command(*words)
            self.assertEqual(Outcome.USAGE, status, output)
            self.assertNotIn("Traceback", output)
