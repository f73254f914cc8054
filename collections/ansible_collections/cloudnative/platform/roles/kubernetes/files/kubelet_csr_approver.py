#!/usr/bin/env python3
# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Approve serving certificates of the kubelets of known nodes, and of nobody else.

Kubernetes signs a kubelet's serving certificate only after somebody has approved the request, because only the
operator knows which names and addresses a node really has. This service knows them from the inventory. It runs on
every control plane, watches certificate signing requests, and needs nothing but Python's standard library, kubectl
(to read the kubeconfig once) and openssl (to read a request).

https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import time
import typing as t
from urllib.parse import urlsplit

SIGNER = "kubernetes.io/kubelet-serving"
PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
USAGES = {"digital signature", "key encipherment", "server auth"}


def refusal(request: dict[str, t.Any], subject: dict[str, t.Any], nodes: dict[str, list[str]]) -> str:
    """Return why a request must not be approved, or an empty string when it may be.

    *request* is the CertificateSigningRequest's spec, *subject* what stands in the PKCS #10 request (``cn``,
    ``organizations``, ``dns``, ``ips``, ``other`` kinds of names), *nodes* the addresses of every known node.
    """
    user = request.get("username", "")
    name = user[len("system:node:") :] if user.startswith("system:node:") else ""
    if request.get("signerName") != SIGNER:
        return f"signer {request.get('signerName')} is not {SIGNER}"
    if not name or "system:nodes" not in request.get("groups", []):
        return f"user {user} is not a node"
    if name not in nodes:
        return f"node {name} is not in the inventory"
    if subject["cn"] != user or subject["organizations"] != ["system:nodes"]:
        return f"subject {subject['cn']} of {subject['organizations']} is not {user} of ['system:nodes']"
    if subject["other"]:
        return f"names of kind {', '.join(sorted(set(subject['other'])))} are not allowed"
    if not set(request.get("usages", [])) <= USAGES or "server auth" not in request.get("usages", []):
        return f"usages {request.get('usages')} are not those of a server"
    if not subject["dns"] and not subject["ips"]:
        return "the request has neither a name nor an address"
    strange = [item for item in subject["dns"] if item != name]
    strange += [item for item in subject["ips"] if item not in nodes[name]]
    if strange:
        return f"{', '.join(strange)} does not belong to node {name} (known: {name}, {', '.join(nodes[name])})"
    return ""


def parse_request(text: str) -> dict[str, t.Any]:
    """Return the subject and the names out of what ``openssl req -text -nameopt RFC2253`` prints."""
    match = re.search(r"^\s*Subject: ?(.*)$", text, re.MULTILINE)
    parts = [part.split("=", 1) for part in re.split(r"(?<!\\),", match.group(1))] if match else []
    names: list[str] = []
    match = re.search(r"X509v3 Subject Alternative Name:[^\n]*\n\s*(.*)$", text, re.MULTILINE)
    if match:
        names = [name.strip() for name in match.group(1).split(",")]
    pairs = [name.split(":", 1) for name in names if ":" in name]
    return {
        "cn": next((part[1] for part in parts if part[0].strip() == "CN"), ""),
        "organizations": [part[1] for part in parts if part[0].strip() == "O"],
        "dns": [value for kind, value in pairs if kind == "DNS"],
        "ips": [value for kind, value in pairs if kind == "IP Address"],
        "other": [kind for kind, _value in pairs if kind not in ("DNS", "IP Address")],
    }


class Conflict(OSError):
    """Somebody else has changed the object since it was read."""


class Api:
    """The Kubernetes API with the credentials of a kubeconfig."""

    def __init__(self, kubeconfig: str) -> None:
        command = ["/usr/local/bin/kubectl", f"--kubeconfig={kubeconfig}"]
        command += ["config", "view", "--raw", "--minify", "--output=json"]
        config = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        cluster = config["clusters"][0]["cluster"]
        user = config["users"][0]["user"]
        self.server = urlsplit(cluster["server"])
        self.context = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
        )
        with tempfile.NamedTemporaryFile() as pair:  # the ssl module takes a client certificate from a file only
            pair.write(base64.b64decode(user["client-certificate-data"]))
            pair.write(base64.b64decode(user["client-key-data"]))
            pair.flush()
            self.context.load_cert_chain(pair.name)

    def open(self, method: str, path: str, body: t.Any, timeout: float) -> http.client.HTTPResponse:
        """Send a request, return the open answer; raises OSError when the API refuses it."""
        connection = http.client.HTTPSConnection(
            self.server.hostname or "", self.server.port, timeout=timeout, context=self.context
        )
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        if answer.status >= 300:
            failure = Conflict if answer.status == 409 else OSError
            raise failure(f"{method} {path}: {answer.status} {answer.read().decode(errors='replace')[:300]}")
        return answer

    def watch(self) -> t.Iterator[dict[str, t.Any]]:
        """Yield every request that exists and every one that comes, until the API ends the watch."""
        query = f"?watch=1&timeoutSeconds=300&fieldSelector=spec.signerName%3D{SIGNER.replace('/', '%2F')}"
        answer = self.open("GET", PATH + query, None, timeout=330)
        while True:
            line = answer.readline()
            if not line:
                return
            event = json.loads(line)
            if event["type"] in ("ADDED", "MODIFIED"):
                yield event["object"]

    def approve(self, request: dict[str, t.Any]) -> None:
        """Approve a request."""
        condition = {
            "type": "Approved",
            "status": "True",
            "reason": "KnownNode",
            "message": "names and addresses are those of a node in the inventory",
        }
        request.setdefault("status", {})["conditions"] = [condition]
        self.open("PUT", f"{PATH}/{request['metadata']['name']}/approval", request, timeout=10).read()


def subject_of(request: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what stands in the PKCS #10 request of a CertificateSigningRequest."""
    pem = base64.b64decode(request["spec"]["request"]).decode()
    command = ["openssl", "req", "-noout", "-text", "-nameopt", "RFC2253"]
    return parse_request(subprocess.run(command, input=pem, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--nodes", required=True, help="JSON file: addresses of every node by name")
    arguments = parser.parse_args()
    while not os.path.exists(arguments.kubeconfig):
        time.sleep(2)
    with open(arguments.nodes, encoding="utf-8") as stream:
        nodes = json.load(stream)
    api = Api(arguments.kubeconfig)
    while True:
        try:
            for request in api.watch():
                if request.get("status", {}).get("conditions"):
                    continue
                reason = refusal(request["spec"], subject_of(request), nodes)
                name = request["metadata"]["name"]
                if reason:
                    print(f"{name} not approved: {reason}", flush=True)
                    continue
                try:
                    api.approve(request)
                except Conflict:
                    continue  # the approver of another control plane was faster
                print(f"{name} approved for {request['spec']['username']}", flush=True)
        except (OSError, http.client.HTTPException, ValueError, subprocess.CalledProcessError) as error:
            print(f"waiting for the API: {error}", flush=True)
            time.sleep(3)


if __name__ == "__main__":
    sys.exit(main())
