# SPDX-License-Identifier: GPL-2.0
"""The kernel: fetched, the series applied, configured, built."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import root
import series
import stage
from base import PINS
from outcome import Fail, Outcome
from series import git

BUILD = pathlib.Path(os.environ.get("RUST_DMA_BUILD") or root.TOP / "build")


# The pristine tree ------------------------------------------------------------


def repository(tag):
    """A git repository that has a pinned base, and the commit of it; fetched when it is not there."""
    tree = BUILD / tag / "linux"
    if not tree.exists():
        fetch(tag)
    return tree, git(tree, "rev-parse", f"refs/tags/{tag}^{{commit}}")


def fetch(tag):
    """Fetch a pinned base and import it: BUILD/TAG/linux, a git tree with the tag, checked out."""
    pin = PINS[tag]
    part = BUILD / tag / "linux.part"
    tree = part.with_name("linux")
    root.install_missing(BUILD / "log/host")
    tarball = fetch_tarball(tag, pin)
    with stage.Stage("import", BUILD / "log/import") as here:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        setup = ["git", "-C", part, "-c", "gc.auto=0", "-c", "core.compression=0"]
        here.run(["git", "init", "-q", "-b", "pristine", part], "git init failed", Outcome.FETCH)
        # Objects are written once, and none goes away: nothing for gc to win.
        git(part, "config", "gc.auto", "0")
        if tarball:
            here.run(["tar", "-xJf", tarball, "-C", part, "--strip-components=1"], f"cannot unpack {tarball}", Outcome.FETCH)
            # The kernel's .gitignore hides some of its own files; a file at a time into
            # one pack, uncompressed, takes half the time of one loose object a file.
            here.run([*setup, "-c", "core.bigFileThreshold=1", "add", "-A", "-f", "."], "git add failed", Outcome.FETCH)
        else:
            url = os.environ.get("LINUX_GIT") or pin.git
            fetched = [*setup, "fetch", "-q", "--progress", "--depth=1", url, f"refs/tags/{tag}:refs/tags/{tag}"]
            here.say(f"from {url}")
            here.run(fetched, f"{tag} cannot be fetched from {url}", Outcome.FETCH, "check the network; LINUX_GIT=URL-or-path takes another repository")
            if pin.commit and git(part, "rev-parse", f"{tag}^{{commit}}") != pin.commit:
                raise wrong(part, f"{tag} of {url} is not commit {pin.commit}")
            here.run([*setup, "checkout", "-q", "--detach", tag], "git checkout failed", Outcome.FETCH)
            if pin.dropped:
                here.run([*setup, "rm", "-r", "-q", "--ignore-unmatch", *pin.dropped], "git rm failed", Outcome.FETCH)
        written = git(part, "write-tree")
        if pin.tree and written != pin.tree:
            raise wrong(part, f"the tree of {tag} is {written}, not {pin.tree}")
        if not pin.commit:
            # The same for everybody.
            identity = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in IMPORTER.items()}
            commit = git(part, "commit-tree", written, "-m", f"Linux {tag[1:]}", env=identity)
            git(part, "update-ref", f"refs/tags/{tag}", commit)
        git(part, "update-ref", "--no-deref", "HEAD", f"refs/tags/{tag}^{{commit}}")
        shutil.rmtree(tree, ignore_errors=True)
        part.rename(tree)


IMPORTER = {"NAME": "import", "EMAIL": "import@localhost", "DATE": "2025-07-10T14:05:00Z"}


def wrong(part, cause):
    shutil.rmtree(part, ignore_errors=True)
    return Fail(Outcome.FETCH, cause, advice="LINUX_GIT=URL-or-path takes another repository")


def fetch_tarball(tag, pin):
    """The tarball of a base, checked; None when it has none, or no mirror has it."""
    if not pin.tarball or os.environ.get("LINUX_GIT"):
        return None
    target = BUILD / "download" / pathlib.PurePath(pin.tarball).name
    if target.exists():
        return target
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with stage.Stage("tarball", BUILD / "log/tarball") as here:
        here.status = lambda: f"{(part.stat().st_size if part.exists() else 0) // 10**6} of {pin.size // 10**6} MB"
        for mirror in root.mirrors():
            part.unlink(missing_ok=True)
            try:
                # apt's own downloader: it knows this machine's proxies and certificates.
                here.run(["/usr/lib/apt/apt-helper", "download-file", f"{mirror}/{pin.tarball}", part], f"{mirror} has no {pin.tarball}", Outcome.FETCH)
            except Fail as fail:
                if fail.outcome != Outcome.FETCH:
                    raise
                here.say(f"not from {mirror}: {fail.detail.strip().splitlines()[-1:]}")
                continue
            found = sha256(part)
            if found != pin.sha256:
                size = part.stat().st_size
                part.unlink()
                raise Fail(
                    Outcome.FETCH,
                    f"wrong checksum of {target.name}: sha256 {found} ({size} bytes), not {pin.sha256} ({pin.size} bytes); the file is removed",
                    advice="run the same command again, or set DEBIAN_MIRROR to the URL of another mirror",
                )
            part.rename(target)
            return target
        here.note = "no mirror has it; taking the kernel's public git"
    return None


def sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# The tree to build ------------------------------------------------------------


class Tree:
    """What is built: where it is, and what it is."""

    def __init__(self, path, home, base, what):
        self.path = path
        self.home = home  # the directory in build/ for what is made from it
        self.base = base
        self.what = what  # of the series, in words

    def state(self):
        """What identifies the files: the commit when there is no edit; else None."""
        try:
            if git(self.path, "status", "--porcelain=v1", "--untracked-files=normal"):
                return None
            return git(self.path, "rev-parse", "HEAD")
        except Fail:
            return None


def patched(tag):
    """A pinned base with the series applied."""
    tree, base = repository(tag)
    with stage.Stage("series", BUILD / "log/series") as here:
        found = series.load(PINS[tag].set)
        head = put(here, tree, base, found)
        return Tree(tree, tree.parent, tag, f"{len(found.patches)} patches of {found.name}, as {head[:12]}")


def put(here, tree, base, found):
    """Have `tree`, which is ours, hold a commit and a series on top; touches only files that differ."""
    key = hashlib.sha256("".join(base + str(patch.path.name) + sha256(patch.path) for patch in found.patches).encode()).hexdigest()
    done = tree.parent / "series.done"
    before, _, head = done.read_text().partition(" ") if done.exists() else ("", "", "")
    if before == key and git(tree, "rev-parse", "HEAD") == head and not git(tree, "status", "--porcelain=v1", "--untracked-files=no"):
        here.note = "applied already"
        return head
    if before != key:
        head = series.commits(tree, found, base, canonical=True)[-1]
    edits = git(tree, "diff", "HEAD") if (tree / ".git/index").exists() and before else ""
    if edits:
        saved = tree.parent / "edits.patch"
        saved.write_text(edits + "\n")
        here.say(f"{tree} had edits; it is made anew, and they are in {saved}. scripts/tree gives a tree to edit.")
    # What a killed run leaves; we hold the lock of the whole directory.
    (tree / ".git/index.lock").unlink(missing_ok=True)
    done.unlink(missing_ok=True)
    here.run(["git", "-C", tree, "checkout", "-q", "-f", "--detach", head], "git checkout failed", Outcome.APPLY)
    done.write_text(f"{key} {head}")
    return head


def given(path):
    """Any kernel tree. It stays as it is: one without the series is borrowed from, and built elsewhere."""
    path = path.resolve()
    version = series.version(path)
    for name in ".config", "include/config", "arch/x86/include/generated":
        if (path / name).exists():
            raise Fail(Outcome.USAGE, f"{path} was configured or built in place ({name}); it cannot be built elsewhere", advice=f"make -C {path} mrproper")
    home = BUILD / f"{path.name}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    with stage.Stage("series", BUILD / "log/series") as here:
        try:
            found = series.fit(path)
        except series.Already as already:
            here.note = "the tree has it already"
            return Tree(path, home, f"{path} ({version})", f"as the tree has it: {already.cause}")
        tree = home / "linux"
        common = pathlib.Path(git(path, "rev-parse", "--path-format=absolute", "--git-common-dir"))
        base = git(path, "rev-parse", "HEAD")
        if git(path, "status", "--porcelain=v1", "--untracked-files=no"):
            here.say(f"{path} has edits that are not committed; they are left out")
        if not (tree / ".git/objects/info/alternates").exists():
            shutil.rmtree(tree, ignore_errors=True)
            here.run(["git", "init", "-q", "-b", "pristine", tree], "git init failed", Outcome.APPLY)
            (tree / ".git/objects/info/alternates").write_text(f"{common / 'objects'}\n")
        if (common / "shallow").exists():
            shutil.copy(common / "shallow", tree / ".git/shallow")
        head = put(here, tree, base, found)
        return Tree(tree, home, f"{path} ({version})", f"{len(found.patches)} patches of {found.name}, as {head[:12]}")


# Configuration and build ------------------------------------------------------


class Kernel:
    """A tree being built for an architecture: directories, and make."""

    def __init__(self, tree, arch_name, arch, tools, jobs):
        self.tree, self.arch_name, self.arch, self.tools, self.jobs = tree, arch_name, arch, tools, jobs
        self.obj = tools.real[root.OBJ]

    @property
    def image(self):
        return f"arch/{self.arch.kernel}/boot/{self.arch.image}"

    def make(self, *targets):
        environment = {
            # The same source gives the same image, whoever builds it, and when.
            "KBUILD_BUILD_TIMESTAMP": "Thu Jan 1 00:00:00 UTC 1970", "KBUILD_BUILD_USER": "boot-test", "KBUILD_BUILD_HOST": "boot-test",
            "CCACHE_DIR": self.tools.cache, "CCACHE_NOHASHDIR": "1", "CCACHE_MAXSIZE": "2G",
        }  # fmt: skip
        return self.tools.command(
            "make", "-C", self.tools.src, f"O={self.tools.obj}", f"-j{self.jobs}", f"ARCH={self.arch.kernel}", "LOCALVERSION=", *targets, env=environment
        )  # fmt: skip

    def fragments(self, more):
        """All that is wanted of the configuration: ours, what the tree's selftests want, and more."""
        own = self.tree.path / "tools/testing/selftests/rust/config"
        paths = [root.TOP / "ci/config/base.config", root.TOP / f"ci/config/{self.arch_name}.config", own, *more]
        return "".join(f"{path.read_text()}\n" for path in paths if path != own or own.exists())

    def configure(self, wanted):
        """allnoconfig, and what is wanted on top; each wish must have come true."""
        with stage.Stage("configuration", self.obj / "log/configuration") as here:
            (self.obj / "wanted.config").write_text(wanted)
            here.run(self.make("-s", f"KCONFIG_ALLCONFIG={self.tools.obj}/wanted.config", "allnoconfig"), "the configuration cannot be made")
            dropped = not_taken(wanted, (self.obj / ".config").read_text())
            if dropped:
                raise Fail(
                    Outcome.BUILD,
                    f"the kernel's configuration did not take {len(dropped)} of the wanted symbols: they are unknown to this tree, or depend on what is not set",
                    "\n".join(dropped),
                    "look each up: grep -rn -A9 'config NAME' --include='Kconfig*' " + str(self.tree.path),
                )

    def build(self):
        with stage.Stage("kernel build", self.obj / "log/build") as here:
            here.run(self.make(self.arch.image, "modules"), "the kernel does not build")
            shutil.rmtree(self.obj / "modules", ignore_errors=True)
            install = self.make("-s", f"INSTALL_MOD_PATH={self.tools.obj}/modules", "INSTALL_MOD_STRIP=1", "modules_install")
            here.run(install, "the modules cannot be installed")


def symbols(text):
    """What a configuration says: {symbol: value}, "n" for one that is not set."""
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(CONFIG_\w+)=(.*)|# (CONFIG_\w+) is not set", line.strip())
        if match:
            found[match[1] or match[3]] = match[2] or "n"
    return found


def not_taken(wanted, got):
    """The wishes that did not come true, as "SYMBOL=wanted, is ..."."""
    got = symbols(got)
    return [f"{symbol}={value}, is {got.get(symbol, 'n')}" for symbol, value in symbols(wanted).items() if got.get(symbol, "n") != value]
