# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.postgres_support import (
    PROGRAMS,
    run_postgres,
)


@pytest.fixture(name="postgres", scope="module")
def fixture_postgres() -> t.Iterator[int]:
    """Port of a real PostgreSQL on loopback."""
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not on this machine")
    with run_postgres() as port:
        yield port
