# SPDX-License-Identifier: GPL-2.0
"""The kernel: fetched, the series applied, configured, built."""

import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import re
import shlex
import shutil
import typing

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
    if not (tree / ".git").exists() or not git(tree, "tag", "-l", tag):
        fetch(tag)
    return tree, git(tree, "rev-parse", f"refs/tags/{tag}^{{commit}}")


def fetch(tag):
    """Fetch a pinned base and import it: BUILD/TAG/linux, a git tree with the tag, checked out."""
    pin = PINS[tag]
    part = BUILD / tag / "linux.part"
    tree = part.with_name("linux")
    root.install_missing(BUILD / "log/host")
    tarball = fetch_tarball(tag, pin)
    package = fetch_package(tag, pin)
    with stage.Stage("import", BUILD / "log/import") as here:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        setup = ["git", "-C", part, "-c", "gc.auto=0", "-c", "core.compression=0"]
        here.run(["git", "init", "-q", "-b", "pristine", part], "git init failed", Outcome.FETCH)
        # Objects are written once, and none goes away: nothing for gc to win.
        git(part, "config", "gc.auto", "0")
        if package:
            tarball = unpack(here, package, pin, part.with_name("package.part"))
        if tarball:
            # -m: files are as new as they are here. What was built from others before is older, then.
            here.run(["tar", "-xmJf", tarball, "-C", part, "--strip-components=1"], f"cannot unpack {tarball}", Outcome.FETCH)
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
        if tarball or pin.dropped:
            # The same for everybody.
            name = series.version(part) if package else tag[1:]
            commit = git(part, "commit-tree", written, "-m", f"Linux {name}", env=IDENTITY)
            git(part, "update-ref", f"refs/tags/{tag}", commit)
        shutil.rmtree(part.with_name("package.part"), ignore_errors=True)
        git(part, "update-ref", "--no-deref", "HEAD", f"refs/tags/{tag}^{{commit}}")
        if (tree / ".git").exists():
            _, head, files, staged, edited = seen(tree)
            if edited:
                save(here, tree, files, staged, head, edited)
        shutil.rmtree(tree, ignore_errors=True)
        part.rename(tree)


# Who makes our commits, and when: the same for everybody, so that the commits are too.
IDENTITY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in {"NAME": "boot-test", "EMAIL": "boot-test@localhost", "DATE": "2025-01-01T00:00:00Z"}.items()
}


def wrong(part, cause):
    shutil.rmtree(part, ignore_errors=True)
    return Fail(Outcome.FETCH, cause, advice="LINUX_GIT=URL-or-path takes another repository")


def fetch_tarball(tag, pin):
    """The tarball of a base, checked; None when it has none, or no mirror has it."""
    if not pin.tarball or os.environ.get("LINUX_GIT"):
        return None
    target = BUILD / "download" / pathlib.PurePath(pin.tarball).name
    if target.exists():
        if sha256(target) == pin.sha256:
            return target
        target.unlink()
        stage.display.line(f"{target} was damaged, and is removed; fetching it anew")
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


# How apt says that a release, or a package in it, is not there; all else may be there again in a minute.
NOT_THERE = re.compile(r"Unable to locate package|does not have a Release file|no longer has a Release file|has no installation candidate")


def fetch_package(tag, pin):
    """The distribution's package with the source of a base; None when the public git is to be taken."""
    if not pin.package or os.environ.get("LINUX_GIT"):
        return None
    if not (BUILD / "download" / pin.package).exists():
        with stage.Stage("source", BUILD / "log/source") as here:
            try:
                here.run(["timeout", "60", "git", "ls-remote", "-q", "--exit-code", pin.git, f"refs/tags/{tag}"], f"{pin.git} gives no {tag}", Outcome.FETCH)
                here.note = pin.git
                return None
            except Fail as fail:
                if fail.outcome != Outcome.FETCH:
                    raise
                here.note = f"{fail.cause}; taking {pin.package} of {pin.release}"
    try:
        # It is for any architecture; each has it in its list.
        (package,) = root.download(BUILD, "amd64", [pin.package], [pin.release], place=pin.package)
    except Fail as fail:
        if fail.outcome != Outcome.FETCH:
            raise
        gone = NOT_THERE.search(fail.detail)
        cause = f"{tag} can be had neither from {pin.git} nor as {pin.package} of {pin.release}: {fail.cause}"
        raise Fail(Outcome.NO_SOURCE if gone else Outcome.FETCH, cause, fail.detail, "LINUX_GIT=URL-or-path takes another repository; DEBIAN_MIRROR=URL another mirror") from None
    return package


def unpack(here, package, pin, place):
    """The tarball in such a package."""
    shutil.rmtree(place, ignore_errors=True)
    try:
        here.run(["dpkg-deb", "-x", package, place], f"cannot unpack {package}", Outcome.FETCH)
    except Fail as fail:
        if fail.outcome == Outcome.FETCH:
            shutil.rmtree(place, ignore_errors=True)
            shutil.rmtree(package.parent)
            raise Fail(Outcome.FETCH, f"{package} was damaged, and is removed", fail.detail, "run the same command again") from None
        raise
    return place / f"usr/src/{pin.package}.tar.xz"


def sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# The tree to build ------------------------------------------------------------
#
# There is one for each version of the kernel, BUILD/VERSION/linux, and it is ours.
# Whatever is to be built, the pinned base or somebody's tree with edits in it, is
# made a commit and checked out there. So a file gets a new time when its content
# changes, and only then: make never builds too much, nor too little, and a
# tree that is almost the one built before is built in seconds. And the user's own
# tree is read only.


class Tree(typing.NamedTuple):
    """What is built."""

    path: pathlib.Path
    home: pathlib.Path  # the directory in build/ for what is made from it
    commit: str  # what is checked out; the same files give the same commit
    base: str  # in words
    series: str  # in words


def patched(tag):
    """A pinned base with the series applied."""
    tree, base = repository(tag)
    with stage.Stage("series", BUILD / "log/series") as here:
        found = series.load(PINS[tag].set)
        # Before, not after: what another repository has, git does not write here.
        (tree / ".git/objects/info/alternates").unlink(missing_ok=True)
        commit = put(here, tree, base, found)
    return Tree(tree, tree.parent, commit, tag, f"{len(found.patches)} patches of {found.name}")


def given(path):
    """Any kernel tree, as it is now, edits and new files included; and the series, if it is not in there."""
    path = path.resolve()
    version = series.repository(path)
    home = BUILD / f"v{version}"
    tree = home / "linux"
    with stage.Stage("series", BUILD / "log/series") as here:
        try:
            found = series.fit(path)
            what = f"{len(found.patches)} patches of {found.name}"
        except series.Already:
            found = None
            what = "as the tree has it"
        if not (tree / ".git").exists():
            shutil.rmtree(tree, ignore_errors=True)
            format = git(path, "rev-parse", "--show-object-format")
            here.run(["git", "init", "-q", "-b", "pristine", "--object-format", format, tree], "git init failed", Outcome.APPLY)
            git(tree, "config", "gc.auto", "0")
        commit = put(here, tree, snapshot(path, tree), found)
        here.note = here.note or what
    return Tree(tree, home, commit, f"{path} ({version})", what)


def unlock(tree):
    """Remove the locks that git leaves when it is killed; the whole build directory is locked for us."""
    for place in tree / ".git", tree / ".git/refs":
        for left in place.glob("*.lock") if place.name == ".git" else place.rglob("*.lock"):
            left.unlink()


def snapshot(path, tree):
    """Make the files of a git tree, as they are now, a commit in `tree`; nothing is written to `path`."""
    unlock(tree)
    common = pathlib.Path(git(path, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    objects = tree / ".git/objects"
    (objects / "info/alternates").write_text(f"{common / 'objects'}\n")
    index = tree / ".git/snapshot"
    # With its time, by which git knows the files that it must look into.
    shutil.copy2(git(path, "rev-parse", "--path-format=absolute", "--git-path", "index"), index)
    place = {"GIT_INDEX_FILE": str(index), "GIT_OBJECT_DIRECTORY": str(objects), **IDENTITY}
    try:
        git(path, "-c", "core.splitIndex=false", "add", "-A", env=place)
        return git(path, "commit-tree", git(path, "write-tree", env=place), "-m", "snapshot", env=place)
    finally:
        index.unlink()


def put(here, tree, base, found):
    """Check out, in our own tree, a commit and a series on top; the commit that results."""
    paths = [patch.path for patch in found.patches] if found else []
    key = hashlib.sha256("".join([base, *(path.name + sha256(path) for path in paths)]).encode()).hexdigest()
    done = tree / ".git/checked-out"
    before, head, files, staged, edited = seen(tree)
    if before == key and not edited:
        here.note = "unchanged"
        return head
    if before != key:
        head = series.commits(tree, found, base, canonical=True)[-1] if found else base
    if staged:
        save(here, tree, files, staged, head, edited)
    # Until the end of this, the files are neither the old ones nor the new ones.
    done.write_text("")
    git(tree, "checkout", "-q", "-f", "--detach", head)
    done.write_text(f"{key} {head} {git(tree, 'write-tree', '--missing-ok')}")
    return head


def seen(tree):
    """What is checked out in our own tree: the key and the commit of it, its files as a tree, those in the index, and whether any was edited."""
    unlock(tree)
    done = tree / ".git/checked-out"
    before, head, files = "", "", ""
    if done.exists():
        before, head, files = done.read_text().split() or (before, head, files)
    elif (tree / ".git/index").exists():  # just fetched
        head, files = git(tree, "log", "-1", "--format=%H %T").split()
    if not files:  # or half of them are the old ones, and half the new
        return "", "", "", "", False
    staged = git(tree, "write-tree", "--missing-ok")
    # Held against the index: the commit checked out may have been borrowed, from a tree that is gone.
    return before, head, files, staged, staged != files or bool(git(tree, "diff", "--no-ext-diff", "--name-only"))


def save(here, tree, files, staged, head, edited):
    """Save what somebody has edited in our tree, `files` at first, and what is in the way of a commit, as patches."""
    way = set()
    number = next(number for number in itertools.count(1) if not list(tree.parent.glob(f"edits-{number}*.patch")))
    index = tree / ".git/edits"
    try:
        for path in git(tree, "diff-index", "--cached", "--name-only", "--diff-filter=D", "--no-renames", "-z", head).split("\0"):
            if path:
                way.update([path] if os.path.lexists(tree / path) else [str(each) for each in pathlib.PurePath(path).parents if (tree / each).is_file()])
        if not edited and not way:
            return
        shutil.copy2(tree / ".git/index", index)
        place = {"GIT_INDEX_FILE": str(index)}
        git(tree, "add", "-u", env=place)
        if way:
            git(tree, "add", "-f", "--", *sorted(way), env=place)
        now = git(tree, "write-tree", "--missing-ok", env=place)
        for name, what in {"": now, "-staged": staged if staged not in (now, files) else ""}.items():
            if what:
                saved = tree.parent / f"edits-{number}{name}.patch"
                part = saved.with_suffix(".part")
                part.write_bytes(git(tree, "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--binary", files, what, text=False))
                part.rename(saved)
                here.say(f"{tree} had edits; they are in {saved} now. Edit the tree that scripts/tree gives.")
    except series.GitFail as fail:
        raise Fail(Outcome.APPLY, f"{tree} has edits, which cannot be saved", fail.detail, f"copy them, then: rm -r {series.sh(tree)}") from None
    finally:
        index.unlink(missing_ok=True)


# Configuration and build ------------------------------------------------------


def tools(src, obj, place=BUILD / "root"):
    """The tools at `place`, to build the tree `src` in `obj`."""
    return root.Tools(place, src, obj, BUILD / "ccache")


class Kernel:
    """A tree being built for an architecture: directories, and make."""

    def __init__(self, tree, arch_name, arch, tools, jobs):
        self.tree, self.arch_name, self.arch, self.tools, self.jobs = tree, arch_name, arch, tools, jobs
        self.obj = tools.real[root.OBJ]

    @property
    def image(self):
        """What the emulator boots, once the kernel is configured."""
        kasan = symbols((self.obj / ".config").read_text()).get("CONFIG_KASAN") == "y"
        return kasan and self.arch.kasan_image or self.arch.image

    @property
    def targets(self):
        """What make is asked for."""
        return self.image.rpartition("/")[2], "modules"

    def make(self, *targets):
        environment = {
            # The same source gives the same image, whoever builds it, and when.
            "KBUILD_BUILD_TIMESTAMP": "Thu Jan 1 00:00:00 UTC 1970", "KBUILD_BUILD_USER": "boot-test", "KBUILD_BUILD_HOST": "boot-test",
            "CCACHE_DIR": self.tools.cache, "CCACHE_NOHASHDIR": "1", "CCACHE_DEPEND": "1", "CCACHE_MAXSIZE": "2G",
        }  # fmt: skip
        return self.tools.command(
            "make", "-C", self.tools.src, f"O={self.tools.obj}", f"-j{self.jobs}", f"ARCH={self.arch.kernel}", *self.arch.make, "LOCALVERSION=",
            *targets, env=environment
        )  # fmt: skip

    def fragments(self, more):
        """All that is wanted of the configuration: ours, what the tree's selftests want, and more."""
        config = root.TOP / "ci/config"
        release = ".".join(self.tree.home.name.split(".")[:2])
        own = [config / f"{release}.config", config / f"{release}-{self.arch_name}.config", self.tree.path / "tools/testing/selftests/rust/config"]
        if "dma_mask" in self.arch.device:
            own.append(config / f"{release}-32-lines.config")
        paths = [config / "base.config", config / f"{self.arch_name}.config", *(path for path in own if path.exists()), *more]
        return "".join(f"{fragment(path)}\n" for path in paths)

    def configure(self, wanted, *more):
        """allnoconfig, and what is wanted on top; each wish must have come true. Again when the rules, the wishes or `more` change."""
        rules = git(self.tree.path, "ls-files", "-s", "*Kconfig*", "Makefile", "arch/*/Makefile", "scripts")
        key = hashlib.sha256(json.dumps([rules, wanted, more, root.stamp()]).encode()).hexdigest()
        config, done = self.obj / ".config", self.obj / "configured"
        with stage.Stage("configuration", self.obj / "log/configuration") as here:
            if config.exists() and done.exists() and done.read_text() == key + sha256(config):
                here.note = "unchanged"
                return
            done.unlink(missing_ok=True)
            (self.obj / "wanted.config").write_text(wanted)
            here.run(self.make("-s", f"KCONFIG_ALLCONFIG={self.tools.obj}/wanted.config", "allnoconfig"), "the configuration cannot be made")
            dropped = not_taken(wanted, config.read_text())
            if dropped:
                raise Fail(
                    Outcome.BUILD,
                    f"the kernel's configuration did not take {len(dropped)} of the wanted symbols: they are unknown to this tree, or depend on what is not set",
                    "\n".join(dropped),
                    "look each up: grep -rn -A9 'config NAME' --include='Kconfig*' " + shlex.quote(str(self.tree.path)),
                )
            done.write_text(key + sha256(config))

    @contextlib.contextmanager
    def building(self):
        """Whoever interrupts make may leave half of a file of commands, at which the next make stops. It is made anew."""
        begun = self.obj / "begun"
        if begun.exists():
            for path in self.obj.rglob(".*.cmd"):
                if not path.read_bytes().endswith(b"\n"):
                    path.unlink()
        begun.touch()
        yield
        begun.unlink()

    def build(self):
        new = not (self.obj / "vmlinux").exists()
        with self.building(), stage.Stage("kernel build", self.obj / "log/build") as here:
            here.status = lambda: f"{made(list(here.tail))}{f' of about {self.arch.files}' if new else ''} files"
            here.run(self.make(*self.targets), "the kernel does not build")
            shutil.rmtree(self.obj / "modules", ignore_errors=True)
            install = self.make("-s", f"INSTALL_MOD_PATH={self.tools.obj}/modules", "INSTALL_MOD_STRIP=1", "modules_install")
            here.run(install, "the modules cannot be installed")


# All else is ignored by Kconfig, without a word or with one that nobody sees.
LINE = re.compile(r'(CONFIG_\w+)=(y|m|n|-?\d+|0[xX][0-9a-fA-F]+|".*")|# (CONFIG_\w+) is not set|(?!# *CONFIG_\w+ *(=|is\b))#.*|')


def fragment(path):
    """The text of some configuration, each line of which says something."""
    try:
        lines = path.read_text().split("\n")
    except UnicodeDecodeError:
        raise Fail(Outcome.USAGE, f"{path} is not a text", advice="--config takes a file of lines such as CONFIG_KASAN=y") from None
    for number, line in enumerate(lines, 1):
        if not LINE.fullmatch(line.rstrip()):
            advice = "write it as CONFIG_NAME=value, or as # CONFIG_NAME is not set"
            raise Fail(Outcome.USAGE, f"{path}:{number} is no line of a configuration: {line}", advice=advice)
    # Kconfig takes a space at a line's end for a part of the value.
    return "\n".join(map(str.rstrip, lines))


def made(lines):
    """How many files make has said it makes: "  CC      init/main.o"."""
    return sum(bool(re.match("  [A-Z]", line)) for line in lines)


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
