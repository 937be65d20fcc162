# SPDX-License-Identifier: GPL-2.0
"""The patch series: its sets, their bases, and how a set gets into a git tree.

What other scripts need:

    load("v6.12")            the Series of a set, checked against its directory
    version(TREE)            the kernel version of a tree, from its Makefile
    fit(TREE)                the Series that fits a tree; Already when it has it
    commits(TREE, series)    makes the commits, one a patch, and moves nothing:
                             neither branch, index, files nor configuration
    apply(TREE, series)      the same, then fast-forwards the branch to them

Every failure is a Fail, and leaves the tree as it was.
"""

import contextlib
import difflib
import email
import email.policy
import email.utils
import fcntl
import itertools
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import typing

import lock
from outcome import FULL, SPACE, Fail, Outcome

# The repository that holds series/ and patches/. Tests point it at a stand-in.
ROOT = pathlib.Path(os.environ.get("RUST_DMA_ROOT") or pathlib.Path(__file__).resolve().parents[2])

# The file that is the series, and since 6.15 also mainline's answer to it.
KEY = "rust/kernel/dma.rs"
MAINLINE = (6, 15)

# How a series file marks a patch that its set alone has: of v6.12, which v6.13 has no need of, or of v6.13.
ONLY = "only"


class Version(typing.NamedTuple):
    major: int
    minor: int
    sub: int = 0
    extra: str = ""

    def __str__(self):
        return f"{self.major}.{self.minor}" + (f".{self.sub}" if self.sub else "") + self.extra


class Base(typing.NamedTuple):
    """What a set is made against."""

    tag: str
    version: Version
    commit: str = ""  # mainline's, where the series is submitted against it


BASES = {
    "v6.12": Base("v6.12.38", Version(6, 12, 38)),
    "v6.13": Base("v6.13", Version(6, 13), "ffd294d346d185b70e28b1a28abe367bbfe53c04"),
    "v7.3": Base("v7.3", Version(7, 3)),
}

# The sets that are one series: scripts/port makes the second of the first.
PORTED = ("v6.12", "v6.13")

# The set that is sent, unless another one is asked for.
SENDS = "v7.3"


class Already(Fail):
    """The tree has the series, or some of its patches, perhaps edited."""


# Patches ----------------------------------------------------------------------


class File(typing.NamedTuple):
    """What one patch does to one file."""

    name: str
    old: str  # blob ids, as the patch has them
    new: str
    modes: list  # the lines that say a mode
    hunks: list  # each a list of lines, without the "@@" one

    @property
    def created(self):
        return bool(self.old) and set(self.old) == {"0"}

    def changed(self):
        """The lines removed and added, in order, and no context."""
        return [line for hunk in self.hunks for line in hunk if line[0] in "-+"]


class Patch:
    """One file of patches/: its message and what it changes."""

    def __init__(self, path, only=False):
        self.path = path
        self.only = only
        data = path.read_bytes()
        message = email.message_from_bytes(data, policy=email.policy.default)
        self.subject = re.sub(r"^(\[[^]]*\]\s*)+", "", " ".join(str(message["Subject"] or "").split()))
        self.author = str(message["From"] or "")
        text = data.decode("utf-8", "surrogateescape")
        self.message = text.partition("\n---\n")[0]
        self.files = self._files(text.split("\n"))
        for what in ("subject", "author", "files"):
            if not getattr(self, what):
                raise self._damaged(f"it has no {what}")
        self._count(text)

    def _damaged(self, why):
        return Fail(Outcome.APPLY, f"{name(self.path)} is damaged: {why}", advice=f"git checkout -- {sh(name(self.path))}")

    def _count(self, text):
        """Hold the diff against the diffstat: a file that was cut short at a hunk's end still looks whole."""
        stat = re.search(r"^ (\d+) files? changed(?:, (\d+) insertions?\(\+\))?(?:, (\d+) deletions?\(-\))?$", text, re.M)
        signs = [line[0] for file in self.files for line in file.changed()]
        if stat and [int(count or 0) for count in stat.groups()] != [len(self.files), signs.count("+"), signs.count("-")]:
            raise self._damaged(f"its diffstat says {stat[0].strip()}, the diff has {len(self.files)}, +{signs.count('+')}, -{signs.count('-')}")

    def _files(self, lines):
        files, at = [], 0
        while at < len(lines):
            line = lines[at]
            at += 1
            if line.startswith("diff --git "):
                found = re.fullmatch(r"diff --git a/(.+) b/\1", line)
                if not found:
                    raise self._damaged(f"line {at}: {line}")
                files.append(File(found[1], "", "", [], []))
            elif files and not files[-1].hunks and line.startswith("index "):
                old, _, new = line.split()[1].partition("..")
                files[-1] = files[-1]._replace(old=old, new=new)
            elif files and not files[-1].hunks and " mode " in line:
                files[-1].modes.append(line)
            elif files and line.startswith("@@ "):
                found = re.match(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", line)
                if not found:
                    raise self._damaged(f"line {at}: {line}")
                left = [int(count) if count else 1 for count in found.groups()]
                hunk = []
                while left[0] > 0 or left[1] > 0:
                    line = lines[at] if at < len(lines) else "end of file"
                    at += 1
                    if line[:1] not in ("-", "+", " ", "\\", ""):
                        raise self._damaged(f"line {at}: the hunk is cut short by: {line}")
                    left[0] -= line[:1] in ("-", " ", "")
                    left[1] -= line[:1] in ("+", " ", "")
                    hunk.append(line or " ")
                if min(left) < 0:
                    raise self._damaged(f"line {at}: the hunk is longer than it says")
                files[-1].hunks.append(hunk)
        return files


def name(path):
    """A path for people: short when it is in the repository."""
    path = pathlib.Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


# Sets -------------------------------------------------------------------------


class Series:
    """A set of patches, in order."""

    def __init__(self, set_name, patches):
        self.name = set_name
        self.base = BASES[set_name]
        self.patches = patches

    def paths(self):
        """Every file that the set touches."""
        return sorted({file.name for patch in self.patches for file in patch.files})


def listed(set_name, root=None):
    """The entries of a series file, in quilt's format: [(patch name, comment)]."""
    path = (root or ROOT) / "series" / set_name
    if not path.exists():
        advice = "scripts/port TREE makes it, given a git tree of 6.13" if set_name == "v6.13" else f"git checkout -- {sh(name(path))}"
        raise Fail(Outcome.APPLY, f"there is no {name(path)}", advice=advice)
    entries = []
    for line in path.read_text().splitlines():
        found = re.fullmatch(r"([^#\s]\S*)(?:\s+#\s*(.*))?", line.strip())
        if found:
            entries.append((found[1], (found[2] or "").strip()))
        elif line.strip() and not line.startswith("#"):
            raise Fail(Outcome.APPLY, f"{name(path)}: not a patch name: {line}", advice=f"edit {name(path)}")
    return entries


def load(set_name, root=None):
    """A set, its series file held against its directory both ways."""
    root = root or ROOT
    entries = listed(set_name, root)
    series, patches = f"series/{set_name}", f"patches/{set_name}"
    names = [entry for entry, _ in entries]
    present = {path.name for path in (root / patches).glob("*") if path.name[0] != "."}
    for entry in names:
        if names.count(entry) > 1:
            raise Fail(Outcome.APPLY, f"{series} lists {entry} twice", advice=f"edit {series}")
        if entry not in present:
            raise missing(set_name, entry)
    for extra in sorted(present.difference(names)):
        raise unlisted(set_name, root / patches / extra)
    if not names:
        raise Fail(Outcome.APPLY, f"{series} lists no patch", advice=f"git checkout -- {series}")
    return Series(set_name, [Patch(root / patches / entry, comment.startswith(ONLY)) for entry, comment in entries])


def missing(set_name, entry):
    pattern = re.sub(r"([][.*^$\\/])", r"\\\1", entry)
    return Fail(
        Outcome.APPLY,
        f"series/{set_name} lists {entry}, but patches/{set_name} has no such file",
        advice=f"sed -i {sh(f'/^{pattern}/d')} series/{set_name}   (or: git checkout -- {sh(f'patches/{set_name}/{entry}')})",
    )


def unlisted(set_name, path):
    file = f"patches/{set_name}/{path.name}"
    if path.suffix == ".patch" and path.is_file() and not re.search(r"\s", path.name):
        advice = f"echo {sh(path.name)} >>series/{set_name}   (or: rm {sh(file)})"
    else:
        advice = f"mv {sh(file)} {sh(path.name)}   (out of the way)"
    return Fail(Outcome.APPLY, f"patches/{set_name} has {path.name}, but series/{set_name} does not list it", advice=advice)


def in_step(one, other):
    """Raise Fail where two sets differ in more than context and place.

    Patch by patch, the message is the same, and the same lines are removed from
    and added to the same files; patches that one set alone needs are left out.
    """
    pairs = itertools.zip_longest(*([patch for patch in each.patches if not patch.only] for each in (one, other)))
    for left, right in pairs:
        if not left or not right:
            alone = left or right
            raise apart(f"{name(alone.path)} has no counterpart in the other set", alone.subject)
        if left.message != right.message:
            raise apart(f"{name(left.path)} and {name(right.path)} differ in the message", unlike(left.message.split("\n"), right.message.split("\n")))
        changes = [{file.name: [*file.modes, *file.changed()] for file in each.files} for each in (left, right)]
        for path in sorted({*changes[0], *changes[1]}):
            ours, theirs = (each.get(path, ["(the file is not touched)"]) for each in changes)
            if ours != theirs:
                raise apart(f"{name(left.path)} and {name(right.path)} do not make the same change to {path}", unlike(ours, theirs))


def apart(cause, detail):
    return Fail(Outcome.APPLY, f"the sets are out of step: {cause}", detail, "scripts/port   (makes v6.13 from v6.12)")


def unlike(one, other):
    """The lines that differ, for people."""
    return "\n".join(list(difflib.unified_diff(one, other, *PORTED, lineterm="", n=0))[2:12])


def cover_letter(set_name, part="", root=None):
    """Where the cover letter of a set is, or of a part; not in patches/, of which git am takes every file."""
    if part:
        return (root or ROOT) / f"series/cover-letter-{set_name}-{part}.txt"
    return ROOT / ("cover-letter.txt" if set_name == SENDS else f"series/cover-letter-{PORTED[0]}.txt")


def present():
    """The names of the sets that the repository has."""
    return [set_name for set_name in BASES if (ROOT / "series" / set_name).exists()]


# Trees ------------------------------------------------------------------------


def git(tree, *args, env=None, text=True):
    """Run git in a tree; its output, or a Fail with what it said."""
    environment = {key: value for key, value in os.environ.items() if key not in _LOCAL}
    # Reading must not write: no index refresh behind the user's back.
    environment.update({"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}, **env or {})
    command = ["git", "-C", str(tree), *_ALWAYS, *map(str, args)]
    pipes = {name: subprocess.PIPE for name in ("stdout", "stderr")}
    errors = "surrogateescape" if text else None
    try:
        child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, text=text, errors=errors, pass_fds=lock.held(), **pipes)
    except FileNotFoundError:
        raise Fail(Outcome.TOOL, "git is not installed", advice="apt-get install git") from None
    try:
        out, said = child.communicate()
    except BaseException:
        # Asked to end, git takes its locks away. Killed, it leaves them.
        with undisturbed():
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(10)
            child.kill()
            child.wait()
        raise
    if child.returncode:
        said = said if text else said.decode(errors="replace")
        verb = re.sub(r"^(-c \S+ )*", "", " ".join(map(str, args))).split()[0]
        if _full(tree, said):
            raise Fail(Outcome.DISK, f"no space left: git {verb} failed in {tree}", said, SPACE)
        raise GitFail(Outcome.APPLY, f"git {verb} failed in {tree}", said)
    return out.rstrip("\n") if text else out


def _full(tree, said):
    """Did git fail because a disk is full? It does not always give the reason why it could not write."""
    if FULL.search(said):
        return True
    places = [place for place in (tree, tempfile.gettempdir()) if os.path.exists(place)]
    room = min(stat.f_bavail * stat.f_frsize for stat in map(os.statvfs, places))
    return room < 1 << 20 and bool(re.search(r"(?<!over)writ|creat", said))


@contextlib.contextmanager
def undisturbed():
    """What is done in here is done to its end: a signal that would end us waits."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def sh(path):
    """A path as a word of a command, for advice."""
    return shlex.quote(str(path))


class GitFail(Fail):
    """Git said no; `detail` has its words."""


# What git exports to hooks and aliases, and what would lead it to another tree than the one named.
_LOCAL = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_INDEX_FILE", "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_WORK_TREE",
}  # fmt: skip

# Whatever the user's configuration says: nothing else is run, an index is one file with all
# names, and what git prints is plain.
_ALWAYS = [
    word
    for setting in (
        "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.splitIndex=false", "index.sparse=false", "color.ui=never", "column.ui=never",
        "log.showSignature=false", "log.follow=false", "i18n.commitEncoding=UTF-8", "i18n.logOutputEncoding=UTF-8",
    )
    for word in ("-c", setting)
]  # fmt: skip


def version(tree):
    """The version of a kernel tree, from its Makefile; USAGE when it is no kernel."""
    tree = pathlib.Path(tree)
    advice = "name the top directory of a kernel tree"
    if not tree.is_dir():
        raise Fail(Outcome.USAGE, f"{tree} is not a directory", advice=advice)
    try:
        text = (tree / "Makefile").read_text(errors="replace")
    except FileNotFoundError:
        text = ""
    fields = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *= *(\S*) *$", text, re.M))
    if not (tree / "Kbuild").exists() or len(fields) < 4 or not (fields["VERSION"] + fields["PATCHLEVEL"]).isdigit():
        raise Fail(Outcome.USAGE, f"{tree} is not a Linux kernel tree", advice=advice)
    return Version(int(fields["VERSION"]), int(fields["PATCHLEVEL"]), int(fields["SUBLEVEL"] or 0), fields["EXTRAVERSION"])


def repository(tree):
    """Check that a kernel tree is a git tree, and whole enough to be read; its version."""
    tree = pathlib.Path(tree)
    found = version(tree)
    try:
        top = git(tree, "rev-parse", "--show-toplevel")
    except GitFail as fail:
        if "not a git repository" not in fail.detail:  # such as an owner that git does not trust
            raise
        top = ""
    if not top or not pathlib.Path(top).samefile(tree):
        raise Fail(
            Outcome.USAGE,
            f"{tree} is a kernel ({found}), but not a git tree",
            advice=f"git init {sh(tree)} && git -C {sh(tree)} add -Af . && git -C {sh(tree)} commit -m 'Linux {found}'",
        )
    lenders = alternates(tree)
    gone = [each for each in lenders if not each.is_dir()]
    try:
        git(tree, "rev-parse", "--verify", "-q", "HEAD^{commit}")
        if gone:
            git(tree, "ls-tree", "-r", "-q", "--name-only", "HEAD")
    except GitFail:
        if gone:
            file = pathlib.Path(git(tree, "rev-parse", "--path-format=absolute", "--git-path", "objects/info/alternates"))
            raise Fail(
                Outcome.USAGE,
                f"{tree} borrows objects of git's from {gone[0]}, which is not there (moved, or removed?)",
                advice=f"scripts/tree {sh(tree)}   (where that made it; else: echo /NEW/PLACE/.git/objects >{sh(file)})",
            ) from None
        raise Fail(Outcome.USAGE, f"{tree} has no commit yet", advice=f"git -C {sh(tree)} add -Af . && git -C {sh(tree)} commit") from None
    return found


def alternates(tree):
    """The object directories that a tree borrows from, as absolute paths."""
    objects = pathlib.Path(git(tree, "rev-parse", "--path-format=absolute", "--git-path", "objects"))
    file = objects / "info/alternates"
    lines = file.read_text(errors="surrogateescape").splitlines() if file.exists() else []
    return [pathlib.Path(os.path.normpath(objects / line)) for line in lines if line and line[0] not in '#"']


def idle(tree):
    """The same for a tree that is to be changed: nothing is under way in it either."""
    tree = pathlib.Path(tree)
    found = repository(tree)
    for state, what in {
        "rebase-apply": "an am or a rebase",
        "rebase-merge": "a rebase",
        "MERGE_HEAD": "a merge",
        "CHERRY_PICK_HEAD": "a cherry-pick",
        "REVERT_HEAD": "a revert",
    }.items():
        if (tree / git(tree, "rev-parse", "--git-path", state)).exists():
            raise Fail(Outcome.APPLY, f"{tree}: {what} is in progress", advice=f"git -C {sh(tree)} status   (finish it, or abort it)")
    return found


def choose(found):
    """The name of the set for a kernel version."""
    for set_name, base in BASES.items():
        if found[:2] == base.version[:2] and not found.extra.startswith("-rc"):
            return set_name
    nearest = min(BASES, key=lambda each: abs(1000 * (BASES[each].version.major - found.major) + BASES[each].version.minor - found.minor))
    raise Fail(
        Outcome.APPLY,
        f"the tree is {found}; the series is for " + " and".join(", ".join(f"{each[1:]}.y" for each in BASES).rsplit(",", 1)),
        advice=f"the nearest set is {nearest}; to try it nevertheless: --set {nearest}",
    )


def already(tree, fits=None):
    """Raise Already when a tree has the series, or a part of it, Fail when it has another dma.rs.

    `fits` is the name of the set that would be applied: of that, the patches that
    it alone needs count as well. Elsewhere, the kernel has them by itself.
    """
    found = version(tree)
    fits = fits or next((each for each, base in BASES.items() if base.version[:2] == found[:2]), None)
    head = git(tree, "ls-tree", "-r", "-z", "HEAD", "--", *{path for each in present() for path in load(each).paths()}, KEY)
    blobs = dict(reversed(line.split(" ")[2].split("\t", 1)) for line in head.split("\0") if line)
    mainline = found[:2] >= MAINLINE
    if KEY in blobs and mainline and not (fits and BASES[fits].version[:2] >= MAINLINE):
        raise Fail(
            Outcome.APPLY,
            f"{tree} is {found} and has mainline's own {KEY} (6.15 and later have it); the series does not go on top",
            advice="use kernel::dma as it is there, or a tree of " + " or ".join(base.tag for base in BASES.values()) + f"; to try the set of mainline nevertheless: --set {SENDS}",
        )
    recent = set(git(tree, "log", "-n", "1000", "--format=%s", "HEAD").split("\n"))
    # First the one that fits: sets have subjects in common.
    for set_name in sorted(present(), key=lambda each: each != fits):
        series = load(set_name)
        made = {}
        for file in (file for patch in series.patches for file in patch.files):
            if file.created or file.name in made:
                made[file.name] = file.new
        if made and all(blob.startswith(made[path]) for path, blob in ((path, blobs.get(path, "")) for path in made)):
            raise Already(Outcome.APPLY, f"{tree} has the series already; nothing to do")
        whole = [patch for patch in series.patches if set_name == fits or not patch.only]
        here = [patch for patch in whole if patch.subject in recent]
        if here:
            raise Already(
                Outcome.APPLY,
                f"{tree} has {len(here)} of the {len(whole)} patches already, by their subjects",
                advice=f"git -C {sh(tree)} log   (start from a branch without: {here[0].subject})",
            )
        # Without their history, a file tells that is as one of the patches leaves it.
        last = max((at for at, patch in enumerate(whole) if any(blobs.get(file.name) == file.new for file in patch.files)), default=None)
        if set_name == fits and last is not None:
            raise Already(
                Outcome.APPLY,
                f"{tree} has {last + 1} of the {len(whole)} patches already, by what is in their files",
                advice=f"start from a tree without: {whole[0].subject}",
            )
    if KEY in blobs and not mainline:
        raise Fail(Outcome.APPLY, f"{tree} has a {KEY} that is not of this series", advice=f"git -C {sh(tree)} log -- {KEY}")


def fit(tree, set_name=None):
    """The Series that fits a tree (or the one asked for), after every check but the patches themselves."""
    found = repository(tree)
    already(tree, set_name)
    series = load(set_name or choose(found))
    paths = series.paths()
    dirty = git(tree, "status", "--porcelain=v1", "--untracked-files=all", "--ignored=matching", "--", *paths)
    if dirty:
        raise Fail(
            Outcome.APPLY,
            f"{tree} has changes of its own in files that the series touches",
            dirty,
            f"git -C {sh(tree)} status   (commit them, or put them away)",
        )
    hidden = _hidden(tree, paths)
    if hidden:
        raise Fail(
            Outcome.APPLY,
            f"{tree} has changes of its own in files that the series touches, and git was told not to look there: {', '.join(hidden)}",
            advice="; ".join(f"git -C {sh(tree)} update-index --no-{mark} {sh(path)}" for path, marks in hidden.items() for mark in marks) + "   (then commit them, or put them away)",
        )
    return series


def _hidden(tree, paths):
    """Files with changes that are marked as unchanged, so that git does not tell: {path: [mark, ...]}."""
    found = {}
    for entry in git(tree, "ls-files", "-v", "-s", "-z", "--", *paths).split("\0"):
        about, _, path = entry.partition("\t")
        if path and about[0] != "H" and os.path.lexists(pathlib.Path(tree, path)) and git(tree, "hash-object", "--", path) != about.split()[2]:
            found[path] = ["skip-worktree"] * (about[0] in "Ss") + ["assume-unchanged"] * about[0].islower()
    return found


# Commits ----------------------------------------------------------------------


@contextlib.contextmanager
def sparse(tree, commit, paths):
    """A temporary worktree at a commit with only the directories of some paths in it.

    It takes a second where the whole tree takes twenty, and no setting is
    written: all of them are given on the command line.
    """
    clear(tree)
    top = pathlib.Path(tempfile.mkdtemp(prefix="rust-dma-"))
    try:
        held = os.open(top, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        git(tree, "worktree", "add", "-q", "--no-checkout", "--detach", "--lock", "--reason", OURS, top, commit)
        narrow(top, paths)
        git(top, *SPARSE, "read-tree", "-mu", "HEAD")
        yield top
    finally:
        with undisturbed():
            _remove(tree, top)
            os.close(held)


# The reason why git is to leave a temporary worktree alone, by which we know it.
OURS = "scripts of the Rust DMA series are at work here"


def _remove(tree, top):
    """Remove a temporary worktree; not by git alone, which refuses what a kill left half made."""
    shutil.rmtree(top, ignore_errors=True)
    with contextlib.suppress(Fail):
        git(tree, "worktree", "remove", "--force", "--force", top)


def clear(tree):
    """Remove what runs that were killed have left. One that is at work has its worktree locked."""
    for entry in git(tree, "worktree", "list", "--porcelain", "-z").split("\0\0"):
        about = dict(line.partition(" ")[::2] for line in entry.split("\0"))
        if about.get("locked") != OURS:
            continue
        held = None
        try:
            with contextlib.suppress(FileNotFoundError):
                held = os.open(about["worktree"], os.O_RDONLY)
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(tree, about["worktree"])
        except BlockingIOError:
            pass
        finally:
            if held is not None:
                os.close(held)


def narrow(tree, paths):
    """Set which directories a sparse checkout has: those of some paths, without what is below them."""
    directories = sorted({str(parent) for path in paths for parent in pathlib.PurePosixPath(path).parents} - {"."})
    patterns = pathlib.Path(git(tree, "rev-parse", "--path-format=absolute", "--git-path", "info/sparse-checkout"))
    patterns.parent.mkdir(exist_ok=True)
    patterns.write_text("/*\n!/*/\n" + "".join(f"/{each}/\n!/{each}/*/\n" for each in directories))


# Not with a sparse index: git am makes a whole one of it, several times.
SPARSE = ("-c", "core.sparseCheckout=true", "-c", "core.sparseCheckoutCone=true", "-c", "index.skipHash=true")

# Plain `git am`, whatever the user's configuration says.
AM = (
    "-c", "apply.ignoreWhitespace=no", "-c", "rerere.enabled=false", "am", "-q", "--no-3way", "--no-gpg-sign",
    "--no-keep-cr", "--no-scissors", "--no-message-id", "--whitespace=nowarn",
)  # fmt: skip


def commits(tree, series, base="HEAD", canonical=False, signoff=""):
    """Make the commits of a series on top of `base`, one a patch; their ids in order.

    Only objects are added to the tree's repository. With `canonical`, author and
    committer are the same, so that everybody gets the same ids. `signoff` is the
    committer, when the sign-off is to be added where it is missing.
    """
    made = []
    with sparse(tree, base, series.paths()) as top:
        for patch in series.patches:
            options = ["--committer-date-is-author-date"] * canonical
            if signoff and f"Signed-off-by: {signoff}" not in patch.message.split("\n"):
                options.append("--signoff")
            try:
                git(top, *SPARSE, *AM, *options, patch.path, env=committer(top, patch, canonical))
            except GitFail as fail:
                raise refused(tree, top, series, patch, fail.detail) from None
            made.append(git(top, "rev-parse", "HEAD"))
    return made


def committer(tree, patch, canonical=False):
    """The environment that gives git a committer: the user, or else the patch's author."""
    with contextlib.suppress(GitFail):
        if not canonical:
            git(tree, "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")
            return {}
    author, address = email.utils.parseaddr(patch.author)
    return {"GIT_COMMITTER_NAME": author, "GIT_COMMITTER_EMAIL": address}


def refused(tree, top, series, patch, said):
    """The error for a patch that git am does not take."""
    lines = [line for line in said.splitlines() if re.match(r"(error|fatal): ", line)]
    bad = [file for file in patch.files if any(re.search(rf": {re.escape(file.name)}(:|$)", line) for line in lines)]
    names = ", ".join(file.name for file in bad)
    if not bad:
        return Fail(Outcome.APPLY, f"git am does not take {name(patch.path)}", said)
    with contextlib.suppress(GitFail):
        git(top, "apply", "--cached", "--check", "--reverse", patch.path)
        return Already(Outcome.APPLY, f"{tree} has the change of {name(patch.path)} already", "\n".join(lines), f"git -C {sh(tree)} log -- {shlex.join(file.name for file in bad)}")
    there = git(top, "ls-tree", "-r", "HEAD", "--", *(file.name for file in bad))
    if all(f" {file.old}" in there for file in bad):
        return Fail(
            Outcome.APPLY,
            f"{name(patch.path)} is damaged: it does not apply to {names}, though that is the file it was made for ({series.base.tag})",
            "\n".join(lines),
            f"git checkout -- {sh(name(patch.path))}",
        )
    return Fail(
        Outcome.APPLY,
        f"{name(patch.path)} does not apply to {names}; it is made for {series.base.tag}, and the tree is {version(tree)}",
        "\n".join(lines),
        f"start from {series.base.tag}, or see what else the tree has there: git -C {sh(tree)} log -- {shlex.join(file.name for file in bad)}",
    )


def apply(tree, series):
    """Put a series onto the current branch of a tree that fits; the commits. All of it or nothing."""
    before = git(tree, "rev-parse", "HEAD")
    made = commits(tree, series, before)
    try:
        git(tree, "merge", "-q", "--ff-only", "--no-verify-signatures", "--no-autostash", "--no-stat", made[-1])
    except GitFail as fail:
        if "would be overwritten" in fail.detail:  # git looks at all files before it writes one
            raise Fail(Outcome.APPLY, f"{tree} has changes of its own in files that the series touches", fail.detail, f"git -C {sh(tree)} status") from None
        undo(tree, before, made[-1], series.paths(), fail.detail)
        raise
    except BaseException as error:
        undo(tree, before, made[-1], series.paths(), str(error))
        raise
    return made


def undo(tree, before, after, paths, why):
    """Take back what a fast-forward had written when it died: full disk, or Ctrl-C.

    A file is taken back when there is in it what git writes, from the start up to
    where it came. What else there is, somebody else has written; it stays.
    """
    with undisturbed():
        if git(tree, "rev-parse", "HEAD") == after:
            return
        # Written last, when all files are.
        if git(tree, "diff-index", "--cached", "--name-only", before, "--", *paths) and not git(tree, "diff-index", "--cached", "--name-only", after, "--", *paths):
            git(tree, "update-ref", "-m", "merge: Fast-forward", "HEAD", after, before)
            return
        changed, kept = [], []
        for path in paths:
            was, wrote = (_content(tree, commit, path) for commit in (before, after))
            file = pathlib.Path(tree, path)
            plain = file.is_file() and not file.is_symlink() and file.parent.resolve() == tree_path(tree, file)
            now = file.read_bytes() if plain else None
            if was == wrote or now == was:
                continue
            if os.path.lexists(file) and not (plain and wrote is not None and wrote.startswith(now)):
                kept.append(path)
            else:
                changed.append((file, was))
        # First what gives room for the rest.
        for file, was in sorted(changed, key=lambda each: each[1] is not None):
            mode = file.stat().st_mode if file.exists() else None
            file.unlink(missing_ok=True)
            if was is None:
                with contextlib.suppress(OSError):
                    for parent in file.relative_to(tree).parents:
                        pathlib.Path(tree, parent).rmdir()  # git has no empty ones
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(was)
            if mode is not None:
                file.chmod(mode)
    if kept:
        raise Fail(
            Outcome.APPLY,
            f"{tree} could not be changed, and is as before, but for files that were written to meanwhile: {', '.join(kept)}",
            why,
            f"git -C {sh(tree)} diff   (then put them right)",
        )


def tree_path(tree, file):
    """Where the directory of a file is, if no symbolic link leads elsewhere."""
    return pathlib.Path(tree).resolve() / file.relative_to(tree).parent


def _content(tree, commit, path):
    """A file of a commit as it is checked out; None where there is none."""
    with contextlib.suppress(GitFail):
        return git(tree, "cat-file", "--filters", f"{commit}:{path}", text=False)
