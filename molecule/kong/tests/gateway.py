"""The gateway of the scenario, what stands behind it, and who asks it all the time."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import pathlib
import threading
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kubectl import Cluster

INVENTORY = pathlib.Path(__file__).parents[3] / ".lab/molecule/kong/inventory/hosts.ini"
BUNDLE = pathlib.Path("~/.cache/cloudnative-platform/doubles/bundle/bundle.json").expanduser()
# Every node passes on what comes to the port.
NODES = ("10.98.96.12", "10.98.96.13")
HOST = "demo.example.com"
# The service waits five seconds for somebody who never answers, and says so.
SLOW = "/dial?host=192.0.2.1&port=80&protocol=http&request=hostname&tries=1"
KEY = "a-key-that-only-alice-has"
DOCUMENT: dict[str, t.Any] = {
    "_format_version": "3.0",
    "upstreams": [
        {
            "name": "demo",
            "targets": [
                {"target": "demo-v1.default.svc.cluster.local:8080", "weight": 80},
                {"target": "demo-v2.default.svc.cluster.local:8080", "weight": 20},
            ],
        }
    ],
    "services": [
        {
            "name": "demo",
            "host": "demo",
            "port": 8080,
            "routes": [
                {"name": "open", "hosts": [HOST], "paths": ["/"]},
                {
                    "name": "private",
                    "hosts": [HOST],
                    "paths": ["/private"],
                    "plugins": [{"name": "key-auth"}],
                },
                {
                    "name": "limited",
                    "hosts": [HOST],
                    "paths": ["/limited"],
                    "plugins": [{"name": "rate-limiting", "config": {"minute": 5, "policy": "local"}}],
                },
            ],
        }
    ],
    "consumers": [{"username": "alice", "keyauth_credentials": [{"key": KEY}]}],
}


class GatewayCluster(Cluster):
    def gateway_pods(self) -> dict[str, tuple[str, int]]:
        """What tells one run of a pod from the next, by name."""
        pods = self.get("pods --namespace kong --selector app.kubernetes.io/component=gateway")["items"]
        return {
            pod["metadata"]["name"]: (pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"])
            for pod in pods
        }

    def gateway_nodes(self) -> list[str]:
        """Where the gateway's pods run that are not about to end."""
        pods = self.get("pods --namespace kong --selector app.kubernetes.io/component=gateway")["items"]
        return [pod["spec"]["nodeName"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def drain(self, node: str, *options: str) -> None:
        self.run(f"drain {node} --ignore-daemonsets --delete-emptydir-data --timeout=90s {' '.join(options)}")

    def kept_configuration(self) -> str:
        return self.get("secret --namespace kong kong-configuration")["data"]["kong.json"]


class Answer(t.NamedTuple):
    status: int
    body: str
    headers: dict[str, str]


def ask(path: str, node: str = NODES[1], port: int = 30080, **headers: str) -> Answer:
    connection = http.client.HTTPConnection(node, port, timeout=15)
    try:
        connection.request("GET", path, headers={"Host": HOST, **headers})
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, answer.read().decode(), found)
    finally:
        connection.close()


class Load:
    """Clients that ask without a pause, by turns at every node, each time over a new connection.

    Some get quick answers, the others wait for seconds: a pod that simply ends loses what it has begun.
    """

    def __init__(self, quick: int = 3, slow: int = 3) -> None:
        self.asked = 0
        self.lost: list[str] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(path, NODES[number % 2]))
            for path, clients in (("/hostname", quick), (SLOW, slow))
            for number in range(clients)
        ]

    def _run(self, path: str, node: str) -> None:
        while not self._stop.wait(0.02):
            self.asked += 1
            try:
                answer = ask(path, node)
                if answer.status != 200:
                    self.lost.append(f"{answer.status} {answer.body[:100]}")
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        print(f"{self.asked} requests, {len(self.lost)} lost: {self.lost[:5]}")


def version(name: str, image: str) -> list[dict[str, t.Any]]:
    labels = {"app": name}
    container = {
        "name": "demo",
        "image": image,
        "args": ["netexec", "--http-port=8080"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 2},
    }
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}
    # Not where nodes are drained: a single pod that moves is away for a moment, whatever the gateway does.
    place = {"kubernetes.io/hostname": "cp1"}
    spec["template"]["spec"] = {"containers": [container], "terminationGracePeriodSeconds": 1, "nodeSelector": place}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"port": 8080}]},
        },
    ]


def certificate(host: str, address: str) -> dict[str, t.Any]:
    """A certificate that trusts itself and its key, as `kong_certificates` takes them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = x509.SubjectAlternativeName([x509.DNSName(host), x509.IPAddress(ipaddress.ip_address(address))])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + datetime.timedelta(days=2))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "names": [host],
        "certificate": made.public_bytes(serialization.Encoding.PEM).decode(),
        "key": key.private_bytes(*form).decode(),
    }
