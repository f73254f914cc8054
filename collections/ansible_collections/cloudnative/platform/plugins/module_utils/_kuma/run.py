# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One call of `kuma_resources`, from its options to its result."""

from __future__ import annotations

import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply import owner as owners
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_apply.definitions import (
    DefinitionError,
    read_files,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import (
    callgraph,
    canonical,
    documents,
    identities,
    isolation,
    observability,
    removed,
    universal,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError, Problems, Raw
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.network import (
    Collector,
    Network,
    is_namespace,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.options import connected
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.outcome import Outcome

#: Shorter ones would mask harmless words in every output.
_SHORTEST = 4


class Call:
    """Everything that can be said before a control plane is asked."""

    def __init__(self, params: t.Mapping[str, t.Any], check_mode: bool) -> None:
        self.params = params
        owner = _owner(params["owner"])
        sources = documents.sources(params["resources"], params["src"])
        # Before the graph: what is wrong with its options would be wrong in NetworkPolicies as well.
        if params["observability"] is not None:
            told = observability.resources(params["observability"], params["mesh"])
            sources += [("observability", one) for one in told]
        graph = self._graph()
        self.network_policies: list[Raw] = []
        if graph is not None:
            sources += [("call_graph", one) for one in callgraph.permissions(graph)]
        if params["network_policies"]:
            if graph is None or params["mode"] != "kubernetes":
                raise KumaError("network_policies needs call_graph and mode=kubernetes")
            self.network_policies = isolation.network_policies(graph, self._collector(graph.mesh))
        wanted = documents.read(sources, params["mesh"], owner, names_only=params["state"] == "absent")
        gone = [] if params["allow_removed"] or params["state"] == "absent" else removed.findings(wanted)
        if gone:
            raise Problems([*gone, "to write it nevertheless, set allow_removed"])
        self.wish = universal.Wish(
            wanted,
            params["state"],
            owner,
            params["prune"],
            params["prune_max"],
            check_mode,
            params["strict_gate"],
        )
        self.graph = graph if params["state"] == "present" else None
        self._check(graph)

    def _check(self, graph: callgraph.Graph | None) -> None:
        if self.wish.wanted or self.network_policies:
            return
        if graph is not None and self.wish.state == "present":
            return  # one in which nobody may call anybody says so, and takes the permissions of the last one away
        if graph is not None:
            raise KumaError(
                f"{graph.origin}: nobody calls anybody in it, so there is nothing of it to delete; to delete "
                "everything that belongs to owner, leave call_graph out"
            )
        if self.wish.state == "present" and self.wish.prune:
            raise KumaError(
                f"there are no documents, so everything of owner {self.wish.owner} would be pruned; when that is "
                "meant, use state=absent without documents"
            )
        if self.wish.state == "present" or not self.wish.owner:
            raise KumaError(
                "there is nothing to do: give resources, src, call_graph or observability, or state=absent with owner"
            )

    def _graph(self) -> callgraph.Graph | None:
        given = self.params["call_graph"]
        if not given:
            return None
        if not isinstance(given, str):
            return callgraph.read(given, self.params["mesh"], around=self._network)
        if "\n" in given or given.lstrip().startswith("{"):
            texts = [("call_graph", given)]
        else:
            try:
                texts = read_files([given])
            except DefinitionError as e:
                raise KumaError(f"call_graph: {e}") from e
        if len(texts) != 1:
            raise KumaError(f"call_graph: {given} is a directory; the graph is one file")
        origin, text = texts[0]
        parsed = documents.parse(text, origin)
        if len(parsed) != 1:
            raise KumaError(f"{origin}: a call graph is one document, not {len(parsed)}")
        return callgraph.read(parsed[0], self.params["mesh"], origin, self._network)

    def _network(self, mesh: str) -> Network:
        """What the options say of the surroundings of a mesh, for a graph that does not."""
        monitoring = self.params["monitoring_namespace"]
        if not is_namespace(monitoring):
            raise KumaError(f"monitoring_namespace: {monitoring!r} is no name of a namespace")
        found = Network(control_plane_namespace=self.params["kubernetes"]["namespace"], monitoring_namespace=monitoring)
        told = self.params["observability"]
        return found if told is None else observability.network(told, self.params["mesh"], mesh, found)

    def _collector(self, mesh: str) -> Collector | None:
        told = self.params["observability"]
        return None if told is None else observability.collector(told, self.params["mesh"], mesh)

    def secrets(self) -> set[str]:
        return {
            text for one in self.wish.wanted for text in canonical.secrets(one.kind, one.body) if len(text) >= _SHORTEST
        }

    def carry_out(self, outcome: Outcome) -> None:
        if self.params["mode"] == "kubernetes":
            self._in_cluster(outcome)
            return
        with connected(self.params, outcome.facts) as control:
            if self.graph is not None:
                _stop_for(identities.of_universal(control, self.graph, self.wish.wanted))
            universal.carry_out(control, self.wish, outcome)

    def _in_cluster(self, outcome: Outcome) -> None:
        # Only here: the library that they need is on the controller, and hosts have no use for it.
        from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import (
            cluster_identities,
            kubernetes,
        )

        options, asked = self.params["kubernetes"], 0
        if self.graph is not None:
            wrong, asked = cluster_identities.of_cluster(options, self.graph, self.wish.wanted)
            _stop_for(wrong)
        kubernetes.carry_out(options, self.wish, self.network_policies, outcome)
        outcome.facts["requests"] += asked


def _stop_for(problems: list[str]) -> None:
    if problems:
        raise Problems(problems)


def _owner(name: str | None) -> str | None:
    if not name:
        return None
    try:
        return owners.check_name(name)
    except DefinitionError as e:
        raise KumaError(str(e)) from e
