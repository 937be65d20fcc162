# SPDX-License-Identifier: GPL-2.0
"""scripts/send, with a stand-in for v6.13."""

import email
import email.policy
import email.utils
import mailbox
import re
import shutil
import socketserver
import subprocess
import sys
import threading
import unittest

import standin

sys.path.insert(0, str(standin.REPO / "scripts/lib"))

import checks

APPLY, USAGE = 5, 2
NOW = "--mail-the-kernel-lists-now"
LETTER = """\
Subject: [PATCH 00/NN] rust: DMA

Drivers need it. An é, too.

# A line that b4 would take for a comment.
"""

# Runs a script with the stand-in's commit in the place of the one of v6.13.
AS_REAL = """\
import runpy, sys
sys.path.insert(0, sys.argv[1] + "/lib")
import series
series.BASES["v6.13"] = series.BASES["v6.13"]._replace(commit=sys.argv[2])
sys.argv[:] = [sys.argv[1] + "/" + sys.argv[3], *sys.argv[4:]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Sink(socketserver.StreamRequestHandler):
    """A mail server that keeps what it gets."""

    def handle(self):
        self.wfile.write(b"220 sink\r\n")
        to, data = [], None
        for line in self.rfile:
            if data is not None:
                if line == b".\r\n":
                    self.server.mails.append((sorted(to), data))
                    to, data = [], None
                    self.wfile.write(b"250 ok\r\n")
                else:
                    data += line
                continue
            if line.upper().startswith(b"RCPT TO:"):
                to.append(re.search(rb"<(.*?)>", line)[1].decode())
            data = b"" if line.upper() == b"DATA\r\n" else None
            self.wfile.write(b"354 go\r\n" if data == b"" else b"221 bye\r\n" if line.upper() == b"QUIT\r\n" else b"250 ok\r\n")


class Send(standin.Bench):
    def setUp(self):
        super().setUp()
        self.root, self.kernel_tree = standin.machine(self)
        self.source = self.toy()
        names = ("scripts/get_maintainer.pl", "scripts/checkpatch.pl", "scripts/spelling.txt", "scripts/const_structs.checkpatch")
        files = {name: (self.kernel_tree / name).read_text() for name in names}
        files.update({name: f"{name}\n" for name in ("COPYING", "CREDITS", "README")}, **{"include/linux/dma-mapping.h": "/* C */\n"})
        files["MAINTAINERS"] = standin.FILES["MAINTAINERS"].replace("F:\tkernel/dma/\n", "F:\tinclude/linux/dma-mapping.h\nF:\tkernel/dma/\n")
        self.linux = self.kernel("next", "6.13", files)
        (self.project / "cover-letter.txt").write_text(LETTER)
        self.ok("refresh", self.source, "--set", "v6.12", "--base", "v6.12.38")
        self.ok("port", "--directory", self.dir / "port", self.linux)
        self.write(self.project, ".gitignore", "build/\n")
        self.git(self.project, "init", "-q")
        self.commit(self.project, "project")
        build = self.dir / "build"
        build.mkdir()
        (build / "root").symlink_to(self.root)
        self.out = self.dir / "out"

    def send(self, *args, **env):
        return self.ok("send", "--output", self.out, self.linux, *args, **env)

    def real(self, *args, **env):
        """As if the stand-in's commit were that of v6.13."""
        head = self.git(self.linux, "rev-parse", "v6.13")
        return subprocess.run(
            [sys.executable, "-c", AS_REAL, standin.REPO / "scripts", head, "send", *map(str, args)], env={**self.env, **env},
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def refused(self, *words, status=APPLY, args=()):
        said = self.bad(status, "send", "--output", self.out, *args, self.linux)
        for word in words:
            self.assertIn(word, said)
        self.assertFalse(self.out.exists())

    def messages(self):
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in sorted(self.out.glob("*.eml"))]

    def redo(self):
        """After an edit in the source tree."""
        self.ok("refresh", self.source, "--set", "v6.12", "--base", "v6.12.38")
        self.ok("port", "--directory", self.dir / "port")

    # What is written ----

    def test_round_trip(self):
        """The messages, taken in by b4 am from a mailbox, give the same commits, tree by tree."""
        self.send()
        box = mailbox.mbox(self.dir / "all.mbox")
        for path in sorted(self.out.glob("*.eml")):
            box.add(path.read_bytes())
        box.close()
        (self.dir / "am").mkdir()
        tools = checks.Inside(self.root, write=[self.dir])
        taken = tools.run("b4", "--offline-mode", "am", "-m", self.dir / "all.mbox", "-o", self.dir / "am", cwd=self.linux)
        self.assertEqual(0, taken.returncode, taken.stderr)
        self.assertIn("Total patches: 2", taken.stderr)
        self.git(self.linux, "am", "-q", *(self.dir / "am").glob("*.mbx"))
        log = "log", "--format=%T %an <%ae> %B", "v6.13..HEAD"
        self.assertEqual(self.git(self.dir / "port", "log", "--format=%T %an <%ae> %B", "HEAD~2..HEAD"), self.git(self.linux, *log))

    def test_git_am_takes_the_messages(self):
        self.send()
        self.git(self.linux, "am", "-q", *sorted(self.out.glob("*.eml"))[1:])
        self.assertEqual(self.git(self.dir / "port", "rev-parse", "HEAD^{tree}"), self.git(self.linux, "rev-parse", "HEAD^{tree}"))

    def test_cover_and_recipients(self):
        said = self.send("--prefix", "RFC")
        self.assertIn("a stand-in", said)
        self.assertIn("nothing was sent", said)
        cover, *patches = self.messages()
        self.assertEqual(["[PATCH RFC 0/2] rust: DMA", "[PATCH RFC 1/2] rust: dma: add coherent memory", "[PATCH RFC 2/2] samples: rust: add rust_dma"],
                         [message["Subject"] for message in (cover, *patches)])  # fmt: skip
        text = cover.get_content()
        change = re.search(r"^change-id: (\S+)$", (self.project / "cover-letter.txt").read_text(), re.M)[1]
        for part in (
            "Drivers need it. An é, too.\n\n# A line that b4 would take for a comment.\n", f"\nchange-id: {change}\n",
            f"\nbase-commit: {self.git(self.linux, 'rev-parse', 'HEAD')}\n", " samples/rust/rust_dma.rs ", "An Author (2):",
        ):  # fmt: skip
            self.assertIn(part, text)
        self.assertEqual(1, text.count("An Author (2):"))
        self.assertNotIn("To:", text)
        for message in (cover, *patches):
            to, cc = ({address for _, address in email.utils.getaddresses([message[kind]])} for kind in ("To", "Cc"))
            self.assertEqual({"r@example.org", "dma@example.org", "c@example.org"}, to)
            self.assertLessEqual({"rust-list@example.org", "dma-list@example.org", "linux-kernel@example.org"}, cc)
            self.assertEqual(cover["Message-Id"] if message is not cover else None, message["In-Reply-To"])

    def test_real_base(self):
        result = self.real("--output", self.out, self.linux)
        self.assertEqual(0, result.returncode, result.stderr)
        self.assertNotIn("stand-in", result.stdout)
        self.ok("apply", self.linux)  # a tree that has moved on, and has the commit
        result = self.real("--output", self.out, self.linux)
        self.assertEqual(0, result.returncode, result.stderr)
        self.assertIn(f"base-commit: {self.git(self.linux, 'rev-parse', 'v6.13')}\n", self.messages()[0].get_content())

    def test_trees_are_left_alone(self):
        before = self.state(self.linux), self.state(self.project)
        self.send()
        self.assertEqual(before, (self.state(self.linux), self.state(self.project)))

    def test_other_submitter(self):
        (self.dir / ".gitconfig").write_text("[user]\n\tname = Sub Mitter\n\temail = sub@example.net\n")
        self.send()
        for message in self.messages()[1:]:
            self.assertEqual("Sub Mitter <sub@example.net>", message["From"])
            text = message.get_content()
            self.assertTrue(text.startswith("From: An Author <author@example.org>\n\n"))
            self.assertIn("Signed-off-by: An Author <author@example.org>\nSigned-off-by: Sub Mitter <sub@example.net>\n---\n", text)

    def test_sign_off_is_not_doubled(self):
        self.send()
        for message in self.messages()[1:]:
            self.assertEqual(1, message.get_content().count("Signed-off-by"))

    def test_no_identity(self):
        (self.dir / ".gitconfig").write_text("")
        self.refused("who you are", status=USAGE)

    # Versions ----

    def test_second_version(self):
        first = self.git(self.project, "rev-parse", "HEAD")
        self.send()
        change = re.search(r"change-id: .*", self.messages()[0].get_content())[0]
        self.write(self.project, "series/sent", f"# Sent.\nv1 {first} 20260101-v1-0@example.org\n")
        shutil.rmtree(self.out)
        self.refused("no changelog")
        letter = self.project / "cover-letter.txt"
        self.edit(self.project, "cover-letter.txt", "\n---\nAn Author", "\n---\nChanges in v2:\n- Twice as fast, for $5.\n\n---\nAn Author")
        self.edit(self.source, "samples/rust/rust_dma.rs", "// sample", "// example")
        self.git(self.source, "commit", "-q", "-a", "--amend", "--no-edit")
        self.redo()
        self.assertIn(change, letter.read_text())
        self.send()
        cover = self.messages()[0]
        text = cover.get_content()
        self.assertEqual("[PATCH v2 0/2] rust: DMA", cover["Subject"])
        self.assertIn("Changes in v2:\n- Twice as fast, for $5.\n- Link to v1: https://lore.kernel.org/r/20260101-v1-0@example.org\n", text)
        self.assertIn("Range-diff against v1:\n\n1:", text)
        self.assertIn("-+// sample", text)
        self.assertIn("++// example", text)
        self.assertIn(change, text)

    def test_lost_version(self):
        self.write(self.project, "series/sent", f"v1 {'0' * 39}1 x@example.org\n")
        letter = self.project / "cover-letter.txt"
        letter.write_text(letter.read_text().replace("\n---\nAn Author", "\n---\nChanges in v2:\n- x\n\n---\nAn Author"))
        self.assertIn("this clone has not", self.bad(USAGE, "send", "--output", self.out, self.linux))
        self.write(self.project, "series/sent", "v2 x y\n")
        self.refused("series/sent", status=USAGE)

    # Checks before ----

    def test_out_of_step(self):
        self.edit(self.project, str(self.patch(2, "v6.13").relative_to(self.project)), "+// sample", "+// simple")
        self.refused("out of step")

    def test_checkpatch(self):
        self.edit(self.source, "samples/rust/rust_dma.rs", "// sample\n", "// sample \n")
        self.git(self.source, "commit", "-q", "-a", "--amend", "--no-edit")
        self.redo()
        self.refused("checkpatch.pl", "trailing whitespace")

    def test_long_subject(self):
        self.git(self.source, "commit", "-q", "--amend", "-s", "-m", "samples: rust: " + "long " * 14)
        self.redo()
        self.refused("subjects over 75")

    def test_too_many(self):
        for number in range(14):
            self.write(self.source, "rust/kernel/dma.rs", standin.RS + f"// {number}\n")
            self.commit(self.source, f"rust: dma: step {number}")
        self.redo()
        self.refused("too many patches", "16")

    def test_no_maintainer(self):
        self.write(self.source, "nobody/file.h", "/* SPDX-License-Identifier: GPL-2.0 */\n")
        self.commit(self.source, "nobody: add a file")
        self.redo()
        self.refused("no maintainer", "0003-nobody-add-a-file.patch")

    def test_cover_letter(self):
        for text, words in {"Subject: [PATCH 0/N] x\n\nEDITME\n": "not finished", "x\n\nText.\n": "no change-id", "x\n\nchange-id: y\n": "no text"}.items():
            with self.subTest(words):
                (self.project / "cover-letter.txt").write_text(text)
                self.refused(words)
        (self.project / "cover-letter.txt").unlink()
        self.refused("no cover-letter.txt", status=USAGE)

    def test_wrong_tree(self):
        self.assertIn("has not the commit of v6.13", self.bad(APPLY, "send", self.source))
        self.assertIn("not a Linux kernel", self.bad(USAGE, "send", self.project))

    def test_folder_with_other_things(self):
        self.write(self.out, "thesis.txt", "precious")
        self.assertIn("something other", self.bad(USAGE, "send", "--output", self.out, self.linux))

    # Mail ----

    def test_the_word(self):
        """Nothing shorter than the whole word sends, and not from a stand-in."""
        for length in range(3, len(NOW)):
            self.assertEqual(USAGE, self.script("send", NOW[:length], self.linux).returncode, NOW[:length])
        self.assertIn("stand-in", self.bad(USAGE, "send", NOW, self.linux))

    def sink(self):
        """A mail server, and a b4 on the host that has the network."""
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Sink)
        server.mails = []
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with (self.dir / ".gitconfig").open("a") as file:
            file.write(f"[sendemail]\n\tsmtpserver = 127.0.0.1\n\tsmtpserverport = {server.server_address[1]}\n")
        command = checks.Inside(self.root, write=[self.dir]).command("env", f"HOME={self.dir}", "b4")
        command.insert(command.index("--unshare-all") + 1, "--share-net")
        self.write(self.dir, "bin/b4", "#!/bin/sh\nset -- " + " ".join(command[:-1]).replace("-- ", '--chdir "$PWD" -- ') + ' b4 "$@"\nexec "$@"\n')
        (self.dir / "bin/b4").chmod(0o755)
        self.env["PATH"] = f"{self.dir}/bin:{self.env['PATH']}"
        return server.mails

    def test_reflect(self):
        mails = self.sink()
        self.ok("send", "--reflect", self.linux)
        self.assertEqual([["author@example.org"]] * 3, [to for to, _ in mails])
        self.assertFalse((self.project / "series/sent").exists())

    def test_really_send(self):
        mails = self.sink()
        self.write(self.project, "series/v6.13", (self.project / "series/v6.13").read_text() + "# changed\n")
        refused = self.real(NOW, self.linux)
        self.assertEqual(USAGE, refused.returncode, refused.stderr)
        self.assertIn("must be committed", refused.stderr)
        self.assertEqual([], mails)
        self.git(self.project, "checkout", "-q", "series/v6.13")
        result = self.real(NOW, self.linux)
        self.assertEqual(0, result.returncode, result.stdout + result.stderr)
        self.assertEqual(3, len(mails))
        for to, _ in mails:
            self.assertLessEqual({"r@example.org", "dma-list@example.org"}, set(to))
        message = email.message_from_bytes(mails[0][1])["Message-Id"].strip("<>")
        self.assertTrue((self.project / "series/sent").read_text().endswith(f"v1 {self.git(self.project, 'rev-parse', 'HEAD')} {message}\n"))


if __name__ == "__main__":
    unittest.main()
