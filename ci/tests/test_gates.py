# SPDX-License-Identifier: GPL-2.0
"""The gates' own judgement. That they pass the series is what ci/gates is for, and takes long."""

import contextlib
import io
import pathlib
import subprocess
import tempfile
import types
import unittest
import unittest.mock

import boot
import kernel
import standin
from outcome import Fail, Outcome

gates = standin.program("ci/gates")
PATCH = types.SimpleNamespace(path=pathlib.Path("0001-one.patch"))


def quiet(function, *arguments):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        return function(*arguments), out.getvalue()


class Judgement(unittest.TestCase):
    def setUp(self):
        self.obj = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def silent(self, script, known=""):
        built = types.SimpleNamespace(obj=self.obj, building=contextlib.nullcontext, make=lambda *targets: ["sh", "-c", script])
        return quiet(lambda: gates.silent(built, "build", "it does not build", "rust/", known=known))

    def test_a_build_that_says_nothing_of_the_kind(self):
        self.silent("echo '  CC      lib/warn.o'")

    def test_a_warning(self):
        with self.assertRaises(Fail) as caught:
            self.silent("echo 'warning: unused import'")
        self.assertIn("unused import", caught.exception.detail)

    def test_a_warning_that_is_known(self):
        self.silent("echo 'ld: warning: old news'", known="old .ews")
        with self.assertRaises(Fail) as caught:
            self.silent("echo 'ld: warning: old news'; echo 'warning: unused import'", known="old .ews")
        self.assertEqual("warning: unused import", caught.exception.detail)

    def test_a_build_that_fails(self):
        with self.assertRaises(Fail):
            self.silent("exit 2")

    def results(self, wanted, failing, tree="tree"):
        self.ran = []

        def gate(name):
            def run(patch):
                self.ran.append(name)
                if name in failing:
                    raise Fail(Outcome.BUILD, f"{name} is not content")

            return run

        path = self.obj / "0001-one.patch"
        path.write_text("a patch")
        fakes = {name: gate(name) for name in gates.NAMES}
        fakes.update(tree_id=tree, passed=gates.Passed(self.obj / "passed.json"))
        return quiet(gates.results, types.SimpleNamespace(**fakes), types.SimpleNamespace(path=path), wanted)[0]

    def test_what_has_passed_is_not_run_again(self):
        self.results(gates.NAMES, {"rustfmt"})
        row = self.results(gates.NAMES, ())
        self.assertEqual((["rustfmt", "corners"], {"ok"}), (self.ran, set(row.values())))

    def test_a_corner_that_fails_is_named_and_built_again(self):
        def built(name):
            return types.SimpleNamespace(corner=("a",), build=lambda: fails(name))

        def fails(name):
            self.ran.append(name)
            if name == "bad":
                raise Fail(Outcome.BUILD, "no")

        self.ran = []
        made = gates.Gates(None, None, {name: built(name) for name in ("good", "bad")}, None, gates.Passed(self.obj / "passed.json"))
        made.tree_id = "tree"
        path = self.obj / "0001-one.patch"
        path.write_text("a patch")
        for _ in range(2):
            with self.assertRaisesRegex(Fail, "bad"):
                quiet(made.corners, types.SimpleNamespace(path=path))
        self.assertEqual(["good", "bad", "bad"], self.ran)

    def test_another_tree_is(self):
        self.results(gates.NAMES, ())
        self.results(gates.NAMES, (), tree="another tree")
        self.assertEqual(list(gates.NAMES), self.ran)

    def test_samples_that_a_patch_has_not_yet(self):
        (self.obj / "samples/rust").mkdir(parents=True)
        kconfig = self.obj / "samples/rust/Kconfig"
        for content, there in ("config SAMPLE_RUST_MINIMAL\n", False), ("config SAMPLE_RUST_DMA\n", True):
            kconfig.write_text(content)
            self.assertEqual(there, "CONFIG_SAMPLE_RUST_DMA=" in gates.corners.config(gates.corners.CORNERS["no MSI"], self.obj))
        # That of mainline's set.
        kconfig.write_text("config SAMPLE_RUST_DMA\nconfig SAMPLE_RUST_DMA_EDU\n")
        self.assertIn("CONFIG_SAMPLE_RUST_DMA=m\nCONFIG_SAMPLE_RUST_DMA_EDU=m", gates.corners.config(gates.corners.CORNERS["no MSI"], self.obj))

    def test_symbols_that_only_later_patches_have(self):
        path = self.obj / "0002-two.patch"
        path.write_text("+++ b/Kconfig\n+config NEW\n+\tbool\n config OLD\n")
        wanted = gates.without("CONFIG_OLD=y\nCONFIG_NEW=y\nCONFIG_NEWER=m\n", gates.added(types.SimpleNamespace(path=path)))
        self.assertEqual("CONFIG_OLD=y\nCONFIG_NEWER=m\n", wanted)

    def test_what_rests_on_a_gate_that_failed_is_not_run(self):
        row = self.results(gates.NAMES, {"build"})
        self.assertEqual(("ok", "FAILED", "not run"), (row["strict_build"], row["build"], row["boot"]))
        outcome, said = quiet(gates.table, [(PATCH, row)], gates.NAMES)
        self.assertEqual(Outcome.TEST_FAILED, outcome)
        self.assertIn(f"{len(gates.NAMES) - 2} passed, 2 failed", said)

    def test_all_gates_passed(self):
        outcome, said = quiet(gates.table, [(PATCH, self.results(gates.NAMES, ()))], gates.NAMES)
        self.assertEqual((Outcome.PASS, True), (outcome, f"{len(gates.NAMES)} passed, 0 failed" in said))

    def test_a_gate_that_was_left_out_is_not_counted(self):
        outcome, said = quiet(gates.table, [(PATCH, self.results(("checkpatch",), ()))], gates.NAMES)
        self.assertIn("1 passed, 0 failed", said)

    def test_an_edit_is_undone(self):
        file = self.obj / "Kconfig"
        file.write_text("one\ntwo\n")
        with self.assertRaises(KeyboardInterrupt), gates.edited(self.obj, "Kconfig", "two", "three"):
            self.assertEqual("one\nthree\n", file.read_text())
            raise KeyboardInterrupt
        self.assertEqual("one\ntwo\n", file.read_text())

    def test_an_edit_that_finds_nothing(self):
        (self.obj / "Kconfig").write_text("one\n")
        with self.assertRaises(Fail), gates.edited(self.obj, "Kconfig", "two", "three"):
            pass


class Oldest(boot.Case):
    """Clippy knows the oldest Rust that the kernel takes."""

    def test_something_newer_is_seen(self):
        standin.machine(self)  # Clippy is in the whole build root
        tools = kernel.tools(boot.LINUX, self.enterContext(scratch()))
        strict = gates.Strict(types.SimpleNamespace(path=boot.LINUX), "x86_64", None, tools, 1)
        strict.oldest()
        source = strict.obj / "new.rs"
        for expression, newer in (("[1].split_at_checked(1).is_some()", True), ("[1].first().is_some()", False)):
            with self.subTest(expression):
                source.write_text(f"#![no_std]\n//! Test.\n/// Test.\npub fn test() -> bool {{ {expression} }}\n")
                command = ["clippy-driver", "--edition=2021", "--crate-type=rlib", "--emit=metadata", "-o", f"{tools.obj}/new.rmeta", f"{tools.obj}/new.rs"]
                ran = subprocess.run(tools.command(*command, env={"CLIPPY_CONF_DIR": tools.obj}), capture_output=True, text=True)
                self.assertEqual(newer, "current MSRV" in ran.stderr, ran.stderr)


@contextlib.contextmanager
def scratch():
    with tempfile.TemporaryDirectory() as directory:
        yield pathlib.Path(directory)
