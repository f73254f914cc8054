"""Whether a cluster is whole after a kill: what must be true, judged from what its hosts say."""

from __future__ import annotations

import json
import typing as t
from datetime import datetime, timedelta, timezone

#: longest life of a token that a run makes
TOKEN_LIFE = timedelta(minutes=30)

#: on a control plane: nodes, etcd's members and bootstrap tokens, one JSON document a line
QUESTION = r"""
export KUBECONFIG=/etc/kubernetes/admin.conf
kubectl get nodes -o json | tr -d '\n'; echo
etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/kubernetes/pki/etcd/ca.crt \
  --cert /etc/kubernetes/pki/etcd/healthcheck-client.crt --key /etc/kubernetes/pki/etcd/healthcheck-client.key \
  member list --write-out json | tr -d '\n'; echo
kubectl -n kube-system get secrets --field-selector type=bootstrap.kubernetes.io/token -o json | python3 -c '
import base64, json, sys
found = [item["data"] for item in json.load(sys.stdin)["items"]]
# kubeadm also keeps the life time of its uploaded certificates in a token, which opens nothing.
found = [data for data in found if "usage-bootstrap-authentication" in data]
print(json.dumps([[base64.b64decode(data[key]).decode() for key in ("description", "expiration")] for data in found]))'
"""

#: on any host: what a finished run may not leave
LEFTOVERS = (
    "find / -xdev -name '.*.cloudnative-new' 2>/dev/null; "
    "find /var/lib/containerd /var/lib/registry /var/lib/kubelet /run/cloudnative -xdev "
    r"\( -name '.*.cloudnative-new' -o -name 'kubeadm-*.yaml' \) 2>/dev/null; true"
)


def problems(
    answer: str, nodes: t.Collection[str], control_planes: t.Collection[str], now: datetime | None = None
) -> list[str]:
    """What is wrong, as sentences. *answer* is what QUESTION printed."""
    try:
        found, members, tokens = (json.loads(line) for line in answer.splitlines())
    except ValueError:
        return [f"the control plane does not answer as it should: {answer.strip()[-300:] or 'nothing'}"]
    return [
        *node_problems(found["items"], nodes),
        *member_problems(members["members"], control_planes),
        *token_problems(tokens, now or datetime.now(timezone.utc)),
    ]


def node_problems(found: list[dict[str, t.Any]], wanted: t.Collection[str]) -> list[str]:
    ready = {
        node["metadata"]["name"]: {"Ready": "True"}.items()
        <= {one["type"]: one["status"] for one in node["status"]["conditions"]}.items()
        for node in found
    }
    return [
        *(f"node {name} is missing" for name in sorted(set(wanted) - set(ready))),
        *(f"node {name} is there but not in the inventory" for name in sorted(set(ready) - set(wanted))),
        *(f"node {name} is not ready" for name in sorted(ready) if name in wanted and not ready[name]),
    ]


def member_problems(members: list[dict[str, t.Any]], control_planes: t.Collection[str]) -> list[str]:
    learners = sorted(member.get("name") or "one that never started" for member in members if member.get("isLearner"))
    voters = sorted(member.get("name") or "one that never started" for member in members if not member.get("isLearner"))
    result = [f"etcd still has the learner {name}" for name in learners]
    if voters != sorted(control_planes):
        result.append(f"etcd's voters are {', '.join(voters) or 'none'}, not {', '.join(sorted(control_planes))}")
    return result


def token_problems(tokens: list[tuple[str, str]], now: datetime) -> list[str]:
    """One set of tokens: at most one of each kind, and none that outlives the run for long."""
    kinds = [kind for kind, _ends in tokens]
    result = [
        f"there are {kinds.count(kind)} bootstrap tokens {kind!r}, one is enough"
        for kind in sorted(set(kinds))
        if kinds.count(kind) > 1
    ]
    for kind, ends in tokens:
        if datetime.fromisoformat(ends.replace("Z", "+00:00")) - now > TOKEN_LIFE:
            result.append(f"the bootstrap token {kind!r} lives until {ends}")
    return result
