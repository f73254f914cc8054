# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the control plane does in the background, some time after a write."""

from __future__ import annotations

import threading

from .node import Node

# How often the controllers look, where --delay does not ask for less.
_INTERVAL = 0.2


class Controllers:
    def __init__(self, node: Node) -> None:
        self.node = node

    def start(self) -> None:
        if not self.node.options.delay:
            self.node.finish_start()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        if self.node.options.delay:
            threading.Event().wait(self.node.options.delay)
            self.node.finish_start()
