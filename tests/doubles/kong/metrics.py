"""/metrics in Prometheus' text format: what a node always reports, and the series the prometheus plugin switches on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .node import Node


class Metrics:
    def __init__(self, node: Node) -> None:
        self.node = node

    def text(self) -> str:
        return "# HELP kong_datastore_reachable Datastore reachable from Kong, 0 is unreachable\n# TYPE kong_datastore_reachable gauge\nkong_datastore_reachable 1\n"
