# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The admission webhooks of the control plane on Kubernetes.

Validation and labels are done as on Universal, by the same rules. The injector marks pods and adds NO container.
"""

from __future__ import annotations

import base64
import copy
import json
from typing import Any, Callable

from . import flat, labels, rules, schema
from .cluster import Cluster
from .errors import Violation
from .http_server import Request, Response
from .kinds import KINDS
from .node import Node

SYSTEM = "kuma-system"
_NAMESPACE, _ROLE = "k8s.kuma.io/namespace", "kuma.io/policy-role"
Review = dict[str, Any]


class Denied(Exception):
    """The answer no, with fields and reasons."""

    def __init__(self, violations: list[Violation], code: int = 422) -> None:
        super().__init__("; ".join(f"{field}: {reason}" if field else reason for field, reason in violations))
        self.violations, self.code = violations, code


class Admission:
    def __init__(self, node: Node, cluster: Cluster) -> None:
        self.node, self.cluster = node, cluster
        self.webhooks: dict[str, Callable[[Review], Any]] = {
            "/default-kuma-io-v1alpha1-mesh": self.default,
            "/owner-reference-kuma-io-v1alpha1": self.own,
            "/validate-kuma-io-v1alpha1": self.validate,
            "/validate-v1-secret": self.accept,
            "/validate-v1-pod": self.accept,
            "/inject-sidecar": self.inject,
        }

    def __call__(self, request: Request) -> Response:
        webhook = self.webhooks.get(request.path)
        if webhook is None or request.method != "POST":
            return Response(404, b"404 page not found\n", "text/plain; charset=utf-8")
        review = json.loads(request.body)
        asked = review["request"]
        answer: dict[str, Any] = {"uid": asked["uid"], "allowed": True}
        try:
            before = asked.get("object")
            after = webhook(asked)
        except Denied as no:
            causes = [{"reason": "FieldValueInvalid", "message": why, "field": field} for field, why in no.violations]
            details = {"name": asked.get("name", ""), "kind": asked["kind"]["kind"], "causes": causes}
            answer["allowed"] = False
            answer["status"] = {"status": "Failure", "message": str(no), "code": no.code, "reason": "Invalid"}
            answer["status"]["details"] = details
        else:
            patch = patch_of(before or {}, after) if after is not None else []
            if patch:
                answer["patchType"] = "JSONPatch"
                answer["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
        review = {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": answer}
        return Response(200, json.dumps(review).encode())

    def accept(self, _asked: Review) -> None:
        """Webhooks whose rules the double does not have."""

    # Resources.

    def mesh_of(self, body: Review) -> str:
        given = body["metadata"].get("labels") or {}
        return body.get("mesh") or given.get(labels.MESH) or "default"

    def default(self, asked: Review) -> Review | None:
        """The labels that the control plane computes."""
        kind = KINDS.get(asked["kind"]["kind"])
        if kind is None or kind.read_only:
            return None
        body = copy.deepcopy(asked["object"])
        metadata = body["metadata"]
        given = dict(metadata.get("labels") or {})
        computed = self.node.labels(kind, given, self.mesh_of(body), body.get("spec") or {})
        if asked.get("namespace") and computed.get(labels.ORIGIN) != "global":
            computed.setdefault(_NAMESPACE, asked["namespace"])
        if kind.policy and kind.plugin and asked.get("namespace") == SYSTEM:
            computed[_ROLE] = "system"
        # Longer than a label may be.
        if labels.DISPLAY_NAME in computed:
            metadata.setdefault("annotations", {})[labels.DISPLAY_NAME] = computed.pop(labels.DISPLAY_NAME)
        metadata["labels"] = computed
        return body

    def own(self, asked: Review) -> Review | None:
        """What is in a mesh belongs to it, and goes with it."""
        kind = KINDS.get(asked["kind"]["kind"])
        # A MeshService belongs to its Service.
        if kind is None or not kind.mesh_scoped or kind.name == "MeshService":
            return None
        name = self.mesh_of(asked["object"])
        mesh = self.cluster.get(f"/apis/kuma.io/v1alpha1/meshes/{name}")
        if mesh is None:
            raise Denied([("", f'meshes.kuma.io "{name}" not found')], 400)
        body = copy.deepcopy(asked["object"])
        owner = {"apiVersion": "kuma.io/v1alpha1", "kind": "Mesh", "name": name, "uid": mesh["metadata"]["uid"]}
        known = body["metadata"].setdefault("ownerReferences", [])
        if not any(one["uid"] == owner["uid"] for one in known):
            known.append(owner)
        return body

    def validate(self, asked: Review) -> None:
        kind = KINDS.get(asked["kind"]["kind"])
        if kind is None or kind.read_only:
            return
        if asked["operation"] == "DELETE":
            self.may_go(asked)
            return
        body = asked["object"]
        name, spec = body["metadata"]["name"], body.get("spec") or {}
        if kind.plugin:
            found = rules.violations(kind.name, name, schema.keep(copy.deepcopy(spec), schema.KINDS[kind.name]))
        else:
            kept = flat.keep(kind.name, copy.deepcopy(spec))
            found = [(f"spec.{field}", reason) for field, reason in flat.violations(kind.name, kept)]
        given = body["metadata"].get("labels") or {}
        found += labels.violations(given, self.mesh_of(body), self.node.options.zone)
        if found:
            raise Denied(found)

    def may_go(self, asked: Review) -> None:
        if asked["kind"]["kind"] != "Mesh":
            return
        proxies = (self.cluster.get("/apis/kuma.io/v1alpha1/dataplanes") or {}).get("items") or []
        if any(self.mesh_of(one) == asked["name"] for one in proxies):
            raise Denied([("mesh", "unable to delete mesh, there are still some dataplanes attached")])

    # Pods.

    def inject(self, asked: Review) -> Review:
        """The marks of a pod with a sidecar, on a pod without one."""
        body = copy.deepcopy(asked["object"])
        annotations = body["metadata"].setdefault("annotations", {})
        annotations["kuma.io/sidecar-injected"] = "true"
        annotations["kuma.io/mesh"] = (body["metadata"].get("labels") or {}).get(labels.MESH) or "default"
        annotations["kuma-double/no-sidecar"] = "this is a double of Kuma: the pod has no proxy"
        return body


def patch_of(before: Review, after: Review) -> list[dict[str, Any]]:
    """The fields of metadata that differ, as a JSON patch."""
    patch = []
    for field in ("labels", "annotations", "ownerReferences"):
        old, new = before["metadata"].get(field), after["metadata"].get(field)
        if old != new and new is not None:
            patch.append({"op": "replace" if old is not None else "add", "path": f"/metadata/{field}", "value": new})
    return patch
