# SPDX-License-Identifier: GPL-2.0
"""A driver written for v6.12 moves to v7.3 with few edits, and what is in both sets stays the same text.

It prints how much differs, and the lines of the drivers that do.
"""

import difflib
import functools
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import series
from test_documents import from_rst

OLD, NEW = "v6.12", "v7.3"
LIMIT = 5  # percent of the lines

# Where it is more today, and why: what checks a request is in another file on mainline, and its macros take no temporaries;
# atomics are the kernel's own there, and the file for threads is short.
MORE = {"rust/kernel/dma/noncoherent.rs": 7, "rust/kernel/driver/thread.rs": 7, "rust/kernel/driver/work.rs": 6}

# Beside its own sample, mainline's has the name. So that of the other is not counted.
NAMES = {"rust_dma_edu": "rust_dma", "RustDmaEdu": "RustDma", "RUST_DMA_EDU": "RUST_DMA"}

SAMPLES = "samples/rust/rust_dma.rs", "samples/rust/rust_dma_edu.rs"
DOCUMENT = "Documentation/rust/dma.rst"
SHARED = [f"rust/kernel/{name}.rs" for name in ("dma/streaming", "dma/noncoherent", "dma/pool", "driver/work", "driver/hrtimer", "driver/thread")]


@functools.cache
def created(set_name):
    """The files that a set adds, as it leaves them: {path: text}. No kernel is needed for that."""
    patches = series.load(set_name).patches
    paths = [file.name for patch in patches for file in patch.files if file.created]
    with tempfile.TemporaryDirectory() as directory:
        for patch in patches:
            options = [f"--include={path}" for path in paths if path in [file.name for file in patch.files]]
            if options:
                # In no repository, not even one that the directory for temporary files is in.
                env = {"GIT_CEILING_DIRECTORIES": str(pathlib.Path(directory).parent), "PATH": os.environ["PATH"]}
                subprocess.run(["git", "apply", *options, patch.path], cwd=directory, check=True, env=env)
        return {path: pathlib.Path(directory, path).read_text() for path in paths}


def parts(tree):
    """The paths of a `use`, one by one: a::{b, c::{d}} is a::b and a::c::d."""
    found, depth, part = [], 0, ""
    for letter in tree + ",":
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            inner = re.fullmatch(r"((?:\w+::)*)\{(.*)\}", part)
            found += [inner[1] + each for each in parts(inner[2])] if inner else [part] if part else []
            part = ""
        else:
            part += letter
    return found


def plain(text):
    """Imports one a line, in examples too; the sample by one name; and no hidden lines that leave an example out without PCI."""

    def one(found):
        # In an example, each line begins as a comment; and an empty comment ends the groups of mainline's.
        tree = "".join(found[2].replace("///", "").replace("//", "").split())
        return "".join(f"{found[1]}{each};\n" for each in sorted(parts(tree)))

    for name, plain_name in NAMES.items():
        text = text.replace(name, plain_name)
    text = re.sub(r"^[ \t]*/// # (#\[cfg\(CONFIG_PCI\)\]|\{|\})\n", "", text, flags=re.M)
    return re.sub(r"^([ \t]*(?:/// )?use )([^;]*);\n", one, text, flags=re.M)


class Difference:
    def __init__(self, old, new):
        old, new = (plain(text).splitlines() for text in (old, new))
        changes = [change for change in difflib.SequenceMatcher(None, old, new, False).get_opcodes() if change[0] != "equal"]
        self.lines = [line for _, a, b, c, d in changes for line in [*(f"-{each}" for each in old[a:b]), *(f"+{each}" for each in new[c:d])]]
        self.count = sum(max(b - a, d - c) for _, a, b, c, d in changes)
        self.percent = 100 * self.count / max(len(old), len(new), 1)


class Measure(unittest.TestCase):
    """The measure itself."""

    def test_imports(self):
        one = "/// use a::{b::{c, d}, e};\n/// x\nuse f::{g, h};\n"
        other = "/// use a::{\n///     b::{\n///         c,\n///         d, //\n///     },\n///     e, //\n/// };\n/// x\nuse f::{\n    g,\n    h, //\n};\n"
        self.assertEqual("/// use a::b::c;\n/// use a::b::d;\n/// use a::e;\n/// x\nuse f::g;\nuse f::h;\n", plain(one))
        self.assertEqual(plain(one), plain(other))
        self.assertEqual("/// x\n/// # y\n", plain("/// # #[cfg(CONFIG_PCI)]\n/// # {\n/// x\n/// # y\n/// # }\n"))

    def test_lines(self):
        old = [f"line {number}" for number in range(100)]
        new = [*old[:10], "another", *old[11:50], "new", *old[50:98]]
        found = Difference("\n".join(old), "\n".join(new))
        self.assertEqual((4, 4.0), (found.count, found.percent))
        self.assertEqual(["-line 10", "+another", "+new", "-line 98", "-line 99"], found.lines)
        self.assertEqual(0, Difference("mod rust_dma;", "mod rust_dma_edu;").count)

    def test_all_else(self):
        self.assertEqual(100, Difference("a", "b").percent)


class Sets(unittest.TestCase):
    def holds(self, what, old, new, show=True):
        found = Difference(old, new)
        print(f"{what}: {found.count} lines differ, {found.percent:.1f} %")
        if show:
            print("\n".join(f"    {line}" for line in found.lines))
        limit = MORE.get(what, LIMIT)
        self.assertLessEqual(found.percent, limit, "\n".join([what, *found.lines]))

    def test_sample(self):
        self.holds("the sample", created(OLD)[SAMPLES[0]], created(NEW)[SAMPLES[1]])

    def test_document(self):
        self.holds("the driver of dma.rst", from_rst(created(OLD)[DOCUMENT]), from_rst(created(NEW)[DOCUMENT]))

    def test_shared(self):
        for path in SHARED:
            with self.subTest(path):
                self.holds(path, created(OLD)[path], created(NEW)[path], show=False)
