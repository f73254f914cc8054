# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real servers for contract tests, taken out of the platform's own bundle and run on loopback."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import tarfile
import time
import typing as t
import urllib.request
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

BUNDLE = Path(os.environ.get("BUNDLE_PATH", "~/.cache/cloudnative-platform/bundle")).expanduser()
LIMITED_TOKEN = "limited-users-token"


class Bundle:
    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / "index.json").is_file():
            pytest.fail(f"there is no bundle at {path}: make it first with `make bundle`, or set BUNDLE_PATH")
        self.index = json.loads((path / "index.json").read_text())

    def blob(self, digest: str) -> Path:
        return self.path / "blobs" / digest.replace(":", "/")

    def descriptor(self, repository: str) -> dict[str, t.Any]:
        for entry in self.index["manifests"]:
            if entry["annotations"]["org.opencontainers.image.ref.name"].rpartition(":")[0] == repository:
                return entry
        return pytest.fail(f"the bundle at {self.path} has no {repository}")

    def manifest(self, repository: str) -> dict[str, t.Any]:
        return json.loads(self.blob(self.descriptor(repository)["digest"]).read_text())

    def take_binary(self, repository: str, name: str, directory: Path) -> Path:
        """One program out of an image or a file artifact."""
        target = directory / name
        for layer in self.manifest(repository)["layers"]:
            blob = self.blob(layer["digest"])
            if layer.get("annotations", {}).get("org.opencontainers.image.title") == name:
                target.write_bytes(blob.read_bytes())
            elif "tar" in layer["mediaType"]:
                with tarfile.open(blob) as layers:
                    for member in layers:
                        source = (
                            layers.extractfile(member) if Path(member.name).name == name and member.isreg() else None
                        )
                        if source:
                            target.write_bytes(source.read())
        if not target.exists():
            pytest.fail(f"{repository} in the bundle has no {name}")
        target.chmod(0o755)
        return target


class Server:
    """A process with a log, ended by its own handle."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log, self.name = log, command[0]
        with log.open("w") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)

    def wait(self, url: str, seconds: float, opener: urllib.request.OpenerDirector | None = None) -> None:
        deadline = time.monotonic() + seconds
        opener = opener or urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while True:
            try:
                with opener.open(url, timeout=2):
                    return
            except OSError as e:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    lines = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
                    pytest.fail(f"{self.name} doesn't answer at {url}: {e}\n{lines}")
                time.sleep(0.2)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_given_ports: set[int] = set()


def free_port() -> int:
    """One that nobody listens on, and that was not given to another server that is only about to."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given_ports:
            _given_ports.add(port)
            return port


class Authority:
    """A throw-away certificate authority."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "contract-ca")])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = self._builder(self.name, self.key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(True, None), True).add_extension(usage, True)
        self._write("ca", builder.sign(self.key, hashes.SHA256()), self.key)

    def issue(self, file: str, name: str, organization: str = "contract") -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization),
                x509.NameAttribute(x509.NameOID.COMMON_NAME, name),
            ]
        )
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = self._builder(subject, key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        self._write(file, builder.add_extension(identifier, False).sign(self.key, hashes.SHA256()), key)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
        )

    def _write(self, file: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        (self.directory / f"{file}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (self.directory / f"{file}.key").write_bytes(private)


@contextlib.contextmanager
def kubernetes_servers(bundle: Bundle, directory: Path) -> t.Iterator[dict[str, t.Any]]:
    """etcd and kube-apiserver, also for scripts/bench_apply.py."""
    authority = Authority(directory)
    authority.issue("server", "127.0.0.1")
    authority.issue("admin", "admin", "system:masters")
    (directory / "tokens.csv").write_text(f"{LIMITED_TOKEN},limited,1000\n")
    etcd_url, peer_url, port = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}", free_port()
    etcd = Server(
        [
            str(bundle.take_binary("registry.k8s.io/etcd", "etcd", directory)),
            "--name=contract",
            f"--data-dir={directory}/etcd-data",
            "--unsafe-no-fsync",
            f"--listen-client-urls={etcd_url}",
            f"--advertise-client-urls={etcd_url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=contract={peer_url}",
        ],
        directory / "etcd.log",
    )
    try:
        etcd.wait(f"{etcd_url}/health", 30)
        api = Server(
            [
                str(bundle.take_binary("registry.k8s.io/kube-apiserver", "kube-apiserver", directory)),
                f"--etcd-servers={etcd_url}",
                f"--secure-port={port}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                f"--tls-cert-file={directory}/server.crt",
                f"--tls-private-key-file={directory}/server.key",
                f"--client-ca-file={directory}/ca.crt",
                f"--token-auth-file={directory}/tokens.csv",
                f"--service-account-key-file={directory}/server.key",
                f"--service-account-signing-key-file={directory}/server.key",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--authorization-mode=RBAC",
                "--allow-privileged=true",
                "--endpoint-reconciler-type=none",
                "--disable-admission-plugins=ServiceAccount",
            ],
            directory / "kube-apiserver.log",
        )
        try:
            api.wait(f"https://127.0.0.1:{port}/readyz", 90, _trusting(directory / "ca.crt"))
            yield _kubeconfig(directory, port)
        finally:
            api.stop()
    finally:
        etcd.stop()


def _trusting(ca: Path) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context(cafile=str(ca))
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


def _kubeconfig(directory: Path, port: int) -> dict[str, t.Any]:
    users = {
        "admin": {"client-certificate": f"{directory}/admin.crt", "client-key": f"{directory}/admin.key"},
        "limited": {"token": LIMITED_TOKEN},
        "stranger": {"token": "a-token-nobody-knows"},
    }
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": f"{directory}/ca.crt"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "admin",
        "clusters": [{"name": "contract", "cluster": cluster}],
        "users": [{"name": name, "user": user} for name, user in users.items()],
        "contexts": [{"name": name, "context": {"cluster": "contract", "user": name}} for name in users],
    }
