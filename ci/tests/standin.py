# SPDX-License-Identifier: GPL-2.0
"""A stand-in kernel of ten small files, and a project around toy patches for it.

The scripts under test are the real ones; RUST_DMA_ROOT points them here.
"""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts/lib"))

import lock
import root as build_root

FILES = {
    "Kbuild": "# Kbuild\n",
    "MAINTAINERS": """\
Maintainers List
----------------

DMA MAPPING HELPERS
M:	C Side <c@toy.home.arpa>
L:	dma-list@toy.home.arpa
S:	Supported
F:	kernel/dma/

RUST
M:	Rust Side <r@toy.home.arpa>
L:	rust-list@toy.home.arpa
S:	Supported
F:	rust/
F:	samples/rust/

RUST [ALLOC]
M:	Alloc <a@toy.home.arpa>
S:	Maintained
F:	rust/kernel/alloc.rs

THE REST
L:	linux-kernel@toy.home.arpa
S:	Buried alive in reporters
F:	*
F:	*/
""",
    "rust/kernel/lib.rs": """\
//! The kernel crate.

pub mod alloc;
#[cfg(CONFIG_BLOCK)]
pub mod block;
mod build_assert;
pub mod device;
pub mod error;
#[cfg(CONFIG_RUST_FW_LOADER_ABSTRACTIONS)]
pub mod firmware;
pub mod init;
pub mod ioctl;
#[cfg(CONFIG_KUNIT)]
pub mod kunit;
pub mod page;
pub mod prelude;
pub mod time;
pub mod types;

/// Prefix.
const PREFIX: &str = "";
""",
    "rust/bindings/bindings_helper.h": """\
/* SPDX-License-Identifier: GPL-2.0 */

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/errname.h>
#include <linux/jiffies.h>
#include <linux/mdio.h>
#include <linux/phy.h>
#include <linux/slab.h>

/* End. */
""",
    "rust/helpers/helpers.c": """\
// SPDX-License-Identifier: GPL-2.0

#include "blk.c"
#include "build_bug.c"
#include "err.c"
#include "kunit.c"
#include "page.c"
""",
    "samples/rust/Makefile": """\
# SPDX-License-Identifier: GPL-2.0

obj-$(CONFIG_SAMPLE_RUST_MINIMAL)		+= rust_minimal.o
obj-$(CONFIG_SAMPLE_RUST_PRINT)			+= rust_print.o

subdir-$(CONFIG_SAMPLE_RUST_HOSTPROGS)		+= hostprogs
""",
}

RS = "// SPDX-License-Identifier: GPL-2.0\n\n"

# What 6.13 has in the sorted lists that 6.12 has not.
NEIGHBOURS = {
    "rust/kernel/lib.rs": [
        ("pub mod device;", "pub mod cred;\npub mod device;"),
        ("pub mod init;", "pub mod fs;\npub mod init;"),
        ("pub mod types;", "pub mod tracepoint;\npub mod transmute;\npub mod types;"),
    ],
    "rust/bindings/bindings_helper.h": [
        ("#include <linux/errname.h>", "#include <linux/cred.h>\n#include <linux/errname.h>\n#include <linux/file.h>"),
    ],
    "rust/helpers/helpers.c": [('#include "err.c"', '#include "cred.c"\n#include "err.c"\n#include "fs.c"')],
    "samples/rust/Makefile": [
        ("GPL-2.0\n", "GPL-2.0\nccflags-y += -I$(src)\n"),
        ("rust_print.o\n", "rust_print.o\n\nrust_print-y := rust_print_main.o\n"),
    ],
}


def machine(case):
    """The whole build root, and the kernel that scripts/boot-test made; a test that needs them is skipped without."""
    build = pathlib.Path(os.environ.get("RUST_DMA_BUILD") or REPO / "build")
    kernel = build / "v6.12.38/linux"
    if not build_root.ready(build) or not (kernel / "scripts/checkpatch.pl").exists():
        case.skipTest(f"{build} has no build root and kernel, or not those of today; scripts/boot-test makes them")
    with lock.alone(build), contextlib.redirect_stdout(io.StringIO()):
        return build_root.make(build, build / "log/root", whole=True), kernel


def program(path):
    """A program of this repository, as a module."""
    name = pathlib.PurePath(path).name
    spec = importlib.util.spec_from_loader(name, importlib.machinery.SourceFileLoader(name, str(REPO / path)))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Bench(unittest.TestCase):
    """A directory with `project` (series/, patches/) and what the test makes beside it."""

    prefix = "rust-dma-test-"  # of the directory's name

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=self.prefix))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.project = self.dir / "project"
        (self.project / "series").mkdir(parents=True)
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        self.env.update(
            HOME=str(self.dir), XDG_CONFIG_HOME=str(self.dir), GIT_CONFIG_NOSYSTEM="1",
            RUST_DMA_ROOT=str(self.project), RUST_DMA_BUILD=str(self.dir / "build"), PYTHONDONTWRITEBYTECODE="1", TMPDIR=str(self.dir),
        )  # fmt: skip
        (self.dir / ".gitconfig").write_text("[user]\n\tname = An Author\n\temail = author@toy.home.arpa\n[init]\n\tdefaultBranch = main\n")

    # Trees ----

    def kernel(self, where="linux", version="6.12.38", files=None):
        """A kernel tree in git, tagged like the real one."""
        tree = self.dir / where
        major, minor, *sub = version.split("-")[0].split(".")
        extra = version[len(version.split("-")[0]) :]
        (tree / "rust").mkdir(parents=True)
        (tree / "Makefile").write_text(
            f"# SPDX-License-Identifier: GPL-2.0\nVERSION = {major}\nPATCHLEVEL = {minor}\n"
            f"SUBLEVEL = {sub[0] if sub else 0}\nEXTRAVERSION ={extra and ' ' + extra}\nNAME = Stand-in\n"
        )
        for name, text in {**FILES, **(files or {})}.items():
            if int(minor) > 12:
                for old, new in NEIGHBOURS.get(name, []):
                    self.assertIn(old, text)
                    text = text.replace(old, new, 1)
            self.write(tree, name, text)
        if int(minor) > 12:
            self.write(tree, "rust/kernel/transmute.rs", RS + "//! Transmute.\n")
        self.git(tree, "init", "-q")
        self.git(tree, "add", "-A")
        self.git(tree, "commit", "-q", "-m", f"Linux {version}")
        self.git(tree, "tag", f"v{version}")
        return tree

    def write(self, tree, name, text):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, tree, name, old, new):
        text = (tree / name).read_text()
        self.assertIn(old, text)
        (tree / name).write_text(text.replace(old, new, 1))

    def commit(self, tree, subject, body="It is needed.", *options):
        self.git(tree, "add", "-A")
        self.git(tree, "commit", "-q", "-s", "-m", subject, "-m", body, *options)

    def develop(self, tree):
        """Three commits: one that only v6.12 needs, the key file, a sample."""
        self.edit(tree, "rust/kernel/lib.rs", "pub mod types;", "pub mod transmute;\npub mod types;")
        self.write(tree, "rust/kernel/transmute.rs", RS + "//! Transmute.\n")
        self.commit(tree, "rust: transmute: add the module")
        self.edit(tree, "rust/kernel/lib.rs", "pub mod error;", "#[cfg(CONFIG_HAS_DMA)]\npub mod dma;\npub mod error;")
        self.edit(tree, "rust/bindings/bindings_helper.h", "#include <linux/err", "#include <linux/dma-mapping.h>\n#include <linux/err")
        self.edit(tree, "rust/helpers/helpers.c", '#include "err.c"', '#include "dma.c"\n#include "err.c"')
        self.write(tree, "rust/helpers/dma.c", RS + "#include <linux/dma-mapping.h>\n")
        self.write(tree, "rust/kernel/dma.rs", RS + "// coherent memory, and an é\n")
        self.edit(tree, "MAINTAINERS", "THE REST\n", "RUST [DMA]\nM:\tDMA <dma@toy.home.arpa>\nS:\tMaintained\nF:\trust/kernel/dma.rs\n\nTHE REST\n")
        self.commit(tree, "rust: dma: add coherent memory", "Drivers need it.\n\nAn é in the message.")
        self.edit(
            tree, "samples/rust/Makefile", "obj-$(CONFIG_SAMPLE_RUST_PRINT)",
            "obj-$(CONFIG_SAMPLE_RUST_DMA)\t\t\t+= rust_dma.o\nobj-$(CONFIG_SAMPLE_RUST_PRINT)",
        )  # fmt: skip
        self.write(tree, "samples/rust/rust_dma.rs", RS + "// sample\n")
        self.edit(tree, "rust/kernel/dma.rs", "memory", "memory\n// more")
        self.edit(tree, "MAINTAINERS", "rust/kernel/dma.rs\n", "rust/kernel/dma.rs\nF:\tsamples/rust/rust_dma.rs\n")
        self.commit(tree, "samples: rust: add rust_dma")

    def toy(self):
        """Fill the project with the patches of develop(); the tree they came from."""
        tree = self.dir / "source"
        if not Bench.made:
            Bench.made = tempfile.TemporaryDirectory(prefix="rust-dma-test-")
            self.develop(self.kernel("source"))
            self.ok("refresh", tree, "--set", "v6.12", "--base", "v6.12.38")
            path = self.project / "series/v6.12"
            path.write_text(path.read_text().replace("module.patch\n", "module.patch # only v6.12\n"))
            shutil.copytree(tree, f"{Bench.made.name}/source")
            shutil.copytree(self.project, f"{Bench.made.name}/project")
        else:
            shutil.copytree(f"{Bench.made.name}/source", tree)
            shutil.copytree(f"{Bench.made.name}/project", self.project, dirs_exist_ok=True)
        return tree

    made = None  # the toy patches, made once

    def patch(self, number, set_name="v6.12"):
        """The path of one patch."""
        return next(self.project.glob(f"patches/{set_name}/{number:04}-*"))

    # Commands ----

    def git(self, tree, *args):
        return subprocess.run(
            ["git", "-C", tree, *args], env=self.env, check=True, stdout=subprocess.PIPE, text=True, errors="surrogateescape"
        ).stdout.strip()

    def script(self, name, *args, **env):
        result = subprocess.run(
            [REPO / "scripts" / name, *map(str, args)], env={**self.env, **env}, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        self.assertNotIn("Traceback", result.stderr)
        return result

    def ok(self, name, *args, **env):
        result = self.script(name, *args, **env)
        self.assertEqual(0, result.returncode, result.stdout + result.stderr)
        for line in result.stdout.splitlines():
            self.quoted(re.search(r"(scripts/|git -C|$).*", line)[0])
        return result.stdout

    def bad(self, status, *args, **env):
        """Run a script that must fail; its one error."""
        result = self.script(*args, **env)
        self.assertEqual(status, result.returncode, result.stdout + result.stderr)
        last = [line for line in result.stderr.splitlines() if not line.startswith("next: ")][-1]
        self.assertTrue(last.startswith("error: "), result.stderr)
        for line in result.stderr.splitlines():
            self.quoted(line if line.startswith("next: ") else "")
        return result.stderr

    def quoted(self, command):
        """A command that is printed can be pasted: where a path needs quotes, it has them."""
        if shlex.quote(str(self.dir)) != str(self.dir):
            self.assertNotIn(str(self.dir), command)

    def wrap_git(self, verb, script):
        """Have a git that runs a script before one of its commands; "$2" is the tree."""
        real = shutil.which("git", path=os.environ["PATH"])
        self.write(self.dir, "bin/git", f'#!/bin/sh\ncase " $* " in *" {verb} "*)\n{script}\n;; esac\nexec {real} "$@"\n')
        (self.dir / "bin/git").chmod(0o755)
        self.env["PATH"] = f"{self.dir}/bin:{os.environ['PATH']}"

    def unwrap_git(self):
        self.env["PATH"] = os.environ["PATH"]

    def interrupt(self, verb, number, name, *args, count=1):
        """Send a script a signal while git does `verb` for the `count`th time; its status, when all that it had started has ended."""
        reached = self.dir / "reached"
        reached.unlink(missing_ok=True)
        self.write(self.dir, "count", "")
        self.wrap_git(verb, f'''echo >>"$HOME/count"; [ $(wc -l <"$HOME/count") != {count} ] || {{ echo $$ >"$HOME/new"; mv "$HOME/new" "$HOME/reached"; sleep 0.5; }}''')
        script = subprocess.Popen(
            [REPO / "scripts" / name, *map(str, args)], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        while not reached.exists():
            self.assertIsNone(script.poll(), "it ended before git was asked to do that")
            time.sleep(0.01)
        # A terminal sends the one to all of its processes, and so it does when it goes away.
        (os.killpg if number in (signal.SIGINT, signal.SIGHUP) else os.kill)(script.pid, number)
        said = script.communicate()[1]
        self.assertNotIn("Traceback", said)
        status = pathlib.Path(f"/proc/{reached.read_text().strip()}/stat")
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            while ") Z " not in status.read_text():
                time.sleep(0.01)
        self.unwrap_git()
        return script.returncode

    def fill(self, command, check, kib):
        """Run a command on disks of which ever more is left, in KiB: [(status, what it says, what `check` says)].

        Both are shell; the disk is at $disk. What is at $disk.before is there at first. The last time there is room.
        """
        disk, before = self.dir / "disk", self.dir / "disk.before"
        before.mkdir(exist_ok=True)
        disk.mkdir(exist_ok=True)
        found = []
        for left in [*kib, None]:
            script = f"""
                disk={shlex.quote(str(disk))} left={16384 if left is None else left} said={shlex.quote(str(self.dir))}/said
                cp -a "$disk.before/." "$disk"
                if [ {left} != None ]; then
                    head -c $((left * 1024)) /dev/zero >"$disk/.left"
                    cat /dev/zero >"$disk/.full" 2>/dev/null
                    rm "$disk/.left"
                fi
                set -- $({{ {command}
                }} >"$said" 2>&1; echo $?)
                rm -f "$disk/.full"
                echo $1
                {check}
            """
            run = subprocess.run(
                ["bwrap", "--dev-bind", "/", "/", "--size", str(16 << 20), "--tmpfs", disk, "sh", "-c", script],
                env=self.env, capture_output=True, text=True, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            self.assertEqual("", run.stderr)
            status, _, rest = run.stdout.partition("\n")
            found.append((int(status), (self.dir / "said").read_text(), rest.strip()))
        return found

    def state(self, tree):
        """All that must not change when a script refuses."""
        files = {
            str(path.relative_to(tree)): (path.stat().st_mtime_ns, path.read_bytes())
            for path in sorted(tree.rglob("*"))
            if path.is_file() and "/.git/objects/" not in str(path)
        }
        return files, sorted(str(path) for path in tree.rglob("*") if path.is_dir() and "/.git/objects" not in str(path))
