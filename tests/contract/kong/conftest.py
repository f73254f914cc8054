"""The upstream servers behind the gateway, one set for all transcripts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import echo


@pytest.fixture(scope="session")
def upstreams() -> Iterator[dict[int, int]]:
    with echo.servers() as ports:
        yield ports
