# SPDX-License-Identifier: GPL-2.0
"""The developer's tree: a git tree with one commit a patch, where work on the series happens.

It borrows the objects of the repository it is made from and is otherwise its
own. Its git configuration remembers the set and the base (rust-dma.set,
rust-dma.base); the ref SAVED, the last commit that patches/ has.
"""

import contextlib
import fcntl
import os
import pathlib
import re
import shutil

import series
from outcome import Fail, Outcome
from series import git, sh

DEFAULT = series.ROOT / "build/tree"
BRANCH = "rust-dma"
SAVED = "refs/rust-dma/saved"


def setting(tree, key):
    """What the tree remembers, or None."""
    try:
        return git(tree, "config", "--local", "--get", f"rust-dma.{key}")
    except series.GitFail:
        return None


def saved(tree):
    """All of the tree's commits are in patches/ now."""
    git(tree, "update-ref", SAVED, "HEAD")


def source(base):
    """Where a base is to be had: (repository, commit, the set that fits)."""
    for set_name, known in series.BASES.items():
        if base in (set_name, known.tag):
            import kernel  # all that fetching takes, and only then

            return *kernel.repository(known.tag), set_name
    tree = pathlib.Path(base)
    set_name = series.choose(series.repository(tree))
    series.already(tree)
    return tree, git(tree, "rev-parse", "HEAD"), set_name


@contextlib.contextmanager
def alone(directory):
    """One run at a time where a directory is made anew, and below build/. The lock is on the one above it, and leaves no file."""
    import kernel
    import lock

    with lock.alone(kernel.BUILD), alone_in(directory):
        yield


@contextlib.contextmanager
def alone_in(directory):
    directory.parent.mkdir(parents=True, exist_ok=True)
    above = os.open(directory.parent, os.O_RDONLY)
    try:
        fcntl.flock(above, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Fail(Outcome.BUSY, f"another run is at work in {directory.parent}", advice="wait for it") from None
    finally:
        os.close(above)


def borrow(directory, source):
    """A new, empty git repository that has the objects of another one at hand."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    git(directory.parent, "init", "-q", "-b", BRANCH, "--object-format", git(source, "rev-parse", "--show-object-format"), directory)
    common = pathlib.Path(git(source, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    lend(common / "objects", directory)
    if (common / "shallow").exists():
        shutil.copy(common / "shallow", directory / ".git/shallow")


def lend(objects, directory):
    """Have a tree borrow from an object directory; by a path that stays right when this repository is moved with both in it."""
    place = (directory / ".git/objects").resolve()
    objects = objects.resolve()
    if all(each.is_relative_to(series.ROOT.resolve()) for each in (place, objects)):
        objects = os.path.relpath(objects, place)
    (place / "info/alternates").write_text(f"{objects}\n", errors="surrogateescape")


def repair(directory):
    """Have a tree borrow from the kernel as it is fetched here, where what it borrowed from is gone, and that will do."""
    if not (directory / ".git").is_dir() or all(each.is_dir() for each in series.alternates(directory)):
        return
    set_name, base = setting(directory, "set"), setting(directory, "base")
    if set_name not in series.BASES:
        return
    import kernel

    here = kernel.BUILD / series.BASES[set_name].tag / "linux"
    with contextlib.suppress(series.GitFail):
        git(here, "cat-file", "-e", f"{base}^{{commit}}")
        lend(here / ".git/objects", directory)


def make(directory, source, commit, set_name, patches=True):
    """A new tree at `directory`, of a commit of the repository `source` and the set on top."""
    part = directory.with_name(f".{directory.name}.part")
    if (part / ".git/config").exists():  # a run was killed
        with contextlib.suppress(series.GitFail):
            series.clear(part)
    shutil.rmtree(part, ignore_errors=True)
    try:
        borrow(part, source)
        git(part, "config", "rust-dma.set", set_name)
        git(part, "config", "rust-dma.base", commit)
        head = commit
        if patches:
            head = series.commits(part, series.load(set_name), commit, canonical=True)[-1]
        git(part, "update-ref", SAVED, head)
        for tag in git(source, "tag", "--points-at", commit).split():
            git(part, "tag", tag, commit)
        git(part, "reset", "-q", "--hard", head)
        part.rename(directory)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def update(directory):
    """Bring a tree that was made before up to patches/; a sentence on what was done.

    Work that is not in patches/ yet is never lost: then this is refused.
    """
    repair(directory)
    series.idle(directory)
    set_name, base = setting(directory, "set"), setting(directory, "base")
    if not base:
        raise Fail(Outcome.USAGE, f"{directory} exists, and scripts/tree did not make it", advice="name another directory")
    head, last = git(directory, "rev-parse", "HEAD"), git(directory, "rev-parse", SAVED)
    new = series.commits(directory, series.load(set_name), base, canonical=True)[-1]
    if new == head:
        return "it is up to date"
    if head != last and new == last:
        return "it has commits that patches/ has not (scripts/refresh writes them), and nothing else is new"
    if head != last:
        raise Fail(
            Outcome.APPLY,
            f"both {directory} and patches/{set_name} have changed since they were the same",
            advice=f"git -C {sh(directory)} rebase --onto {new[:12]} {last[:12]}   (then scripts/refresh)",
        )
    git(directory, "reset", "-q", "--keep", new)
    git(directory, "update-ref", SAVED, new)
    return "it now has the patches as they are in patches/"


# rust-analyzer ------------------------------------------------------------------


def analyzer(directory):
    """Write rust-project.json, for the build that boot-test made; a sentence."""
    import editor

    return editor.for_tree(directory, series.version(directory))
