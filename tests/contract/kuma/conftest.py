# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Control planes for the stories, one of a kind for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .control_plane import ControlPlanes


@pytest.fixture(scope="session")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlanes]:
    found = ControlPlanes(tmp_path_factory.mktemp("kuma"))
    yield found
    found.stop()
