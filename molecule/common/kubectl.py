"""The cluster of a scenario, as its administrator asks it on a control plane."""

from __future__ import annotations

import json
import typing as t

KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf"


class Cluster:
    """*host* is a control plane, by testinfra."""

    def __init__(self, host: t.Any) -> None:
        self.host = host

    def run(self, command: str) -> str:
        return str(self.host.check_output(f"{KUBECTL} {command}"))

    def get(self, command: str) -> dict[str, t.Any]:
        found: dict[str, t.Any] = json.loads(self.run(f"get {command} --output json"))
        return found

    def try_apply(self, manifests: t.Sequence[dict[str, t.Any]], options: str = "") -> t.Any:
        """How it ended."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        return self.host.run("sh -c %s", f"echo '{text}' | {KUBECTL} apply {options} -f -")

    def apply(self, *manifests: dict[str, t.Any]) -> None:
        done = self.try_apply(manifests)
        assert done.rc == 0, done.stderr
