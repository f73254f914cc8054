# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gateway and the upstream servers behind it, one set for all transcripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import echo
from .gateway import Gateways


@pytest.fixture(scope="session")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    with echo.servers() as upstreams:
        running = Gateways(tmp_path_factory.mktemp("gateways"), upstreams)
        yield running
        running.stop()
