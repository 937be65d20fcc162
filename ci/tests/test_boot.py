# SPDX-License-Identifier: GPL-2.0
"""The boot test, as a user runs it, and what it says."""

import boot
import kernel
from outcome import Outcome


class Boot(boot.Case):
    def test_series_boots(self):
        output = self.ends(Outcome.PASS)
        print(output)
        for words in "base      v6.12.38", "patches of v6.12", "rustc", "emulator  qemu-system-x86_64", "passed    test_", "KUnit tests", "PASS in":
            self.assertIn(words, output)

    def test_unchanged_is_not_built_again(self):
        output = self.ends(Outcome.PASS, "--discard-log")
        self.assertNotIn("kernel build", output)
        self.assertFalse((kernel.BUILD / "v6.12.38/x86_64/console.log").exists())
