"""Says on which hosts of a scenario a test runs, and in which order: what disrupts the hosts comes last."""

from __future__ import annotations

import pytest
from testinfra.utils.ansible_runner import AnsibleRunner


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "groups(*names, once=False): run on hosts of these inventory groups only, or on the first of them"
    )
    config.addinivalue_line("markers", "disruptive: stops or restarts something, so other tests come before")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    inventory = AnsibleRunner(config.getoption("ansible_inventory"))
    selected, others = [], []
    for item in items:
        marker = item.get_closest_marker("groups")
        if marker is None:
            selected.append(item)
            continue
        members = [name for group in marker.args for name in inventory.get_hosts(group)]
        wanted = members[:1] if marker.kwargs.get("once") else members
        name = item.callspec.params["_testinfra_host"].backend.get_hostname()
        (selected if name in wanted else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = sorted(selected, key=lambda item: item.get_closest_marker("disruptive") is not None)
