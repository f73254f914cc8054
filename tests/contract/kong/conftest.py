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
