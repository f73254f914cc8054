# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway to try kong_config on, and documents for it."""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ansible.module_utils.testing import patch_module_args
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.cloudnative.platform.plugins.module_utils._kong.admin import Admin
from ansible_collections.cloudnative.platform.plugins.modules import kong_config, kong_info

DOUBLE = Path(__file__).resolve().parents[1] / "doubles" / "kong"


class Gateway:
    """Nodes of one kind: doubles on free ports, or the real one that `KONG_ADMIN_URL` names, if it is of that kind."""

    def __init__(self, database: str, version: str | None = None) -> None:
        self.database = database
        #: a double says that it is this one
        self.version = version
        self._double = DOUBLE
        self.urls: list[str] = []
        #: the proxy of the first node
        self.proxy: str | None = None
        self.seen: list[tuple[str, str]] = []
        self._processes: list[subprocess.Popen[str]] = []

    @contextlib.contextmanager
    def running(self, nodes: int) -> t.Iterator[None]:
        real = os.environ.get("KONG_ADMIN_URL" if self.database == "postgres" else "KONG_DBLESS_ADMIN_URLS")
        if real and not self.version:
            self.urls, self.proxy = real.split(","), os.environ.get("KONG_PROXY_URL")
            yield
            return
        with contextlib.ExitStack() as files:
            if self.version:
                self._double = Path(files.enter_context(tempfile.TemporaryDirectory())) / "kong"
                shutil.copytree(DOUBLE, self._double)
                (self._double / "data" / "version.json").write_text(f'"{self.version}"')
            with self._started(nodes):
                yield

    @contextlib.contextmanager
    def _started(self, nodes: int) -> t.Iterator[None]:
        try:
            self.urls = [self._start() for _node in range(nodes)]
            yield
        finally:
            for process in self._processes:
                process.terminate()
                process.wait(10)

    def _start(self, admin_port: int = 0) -> str:
        listeners = [f"--{name}-port=0" for name in ("status", "proxy", "proxy-ssl")]
        where = ["--host", "127.0.0.1", f"--admin-port={admin_port}", *listeners, "--router-delay", "0.5"]
        command = [sys.executable, str(self._double), "--database", self.database, *where]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            pytest.fail(f"the double of Kong did not start: {' '.join(command)}")
        ports = json.loads(line)
        self.proxy = self.proxy or f"http://127.0.0.1:{ports['proxy_port']}"
        return f"http://127.0.0.1:{ports['admin_port']}"

    def stop(self, number: int) -> None:
        self._processes[number].terminate()
        self._processes[number].wait(10)

    def start_again(self, number: int) -> None:
        """A node that was stopped, at its address, without a configuration."""
        self.urls[number] = self._start(urlsplit(self.urls[number]).port or 0)
        self._processes[number] = self._processes.pop()

    def start_test(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._tmp_path, self._capsys = tmp_path, capsys
        self.seen.clear()
        ask = Admin.request

        def request(admin: Admin, method: str, path: str, body: t.Any = None) -> dict[str, t.Any]:
            self.seen.append((method, path))
            return ask(admin, method, path, body)

        monkeypatch.setattr(Admin, "request", request)

    def asked(self, method: str) -> list[str]:
        return [path for seen, path in self.seen if seen == method]

    def writes(self) -> int:
        """Requests that change something."""
        return sum(method != "GET" and not path.startswith("/schemas/") for method, path in self.seen)

    def run(self, check: bool = False, diff: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """The module's result; a failure is an AssertionError with its message."""
        options.setdefault("admin_urls", self.urls)
        options.setdefault("cache_dir", str(self._cache()))
        return self._module(kong_config, {"_ansible_check_mode": check, "_ansible_diff": diff, **options})

    def info(self, **options: t.Any) -> dict[str, t.Any]:
        return self._module(kong_info, {"admin_urls": self.urls, **options})

    def _cache(self) -> Path:
        return self._tmp_path.parent / "cache"

    def _module(self, module: t.Any, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        result = json.loads(self._capsys.readouterr().out)
        if result.get("failed"):
            raise AssertionError(result["msg"])
        return result


Start = t.Callable[..., Gateway]


@contextlib.contextmanager
def doubles(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Start]:
    """Starts gateways of doubles, whatever real one there is."""
    with contextlib.ExitStack() as running:
        monkeypatch.delenv("KONG_ADMIN_URL", raising=False)
        monkeypatch.delenv("KONG_DBLESS_ADMIN_URLS", raising=False)

        def start(database: str, nodes: int = 1, version: str | None = None) -> Gateway:
            gateway = Gateway(database, version)
            running.enter_context(gateway.running(nodes))
            gateway.start_test(tmp_path, capsys, monkeypatch)
            return gateway

        yield start


def document(**content: t.Any) -> dict[str, t.Any]:
    return {"_format_version": "3.0", **content}


@functools.cache
def certificate(name: str, _number: int = 0) -> tuple[str, str]:
    """A certificate, which may be a CA's, and its key; another pair for each number."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def everything() -> dict[str, t.Any]:
    """One of each kind, in every scope that a plugin can have."""
    cert, key = certificate("shop.test")
    authority, _key = certificate("ca.test")
    limit = {"name": "rate-limiting", "config": {"minute": 5, "policy": "local"}}
    return document(
        services=[
            {
                "name": "shop",
                "url": "https://shop.upstream.test:8443/base",
                "client_certificate": "4fa85f64-5717-4562-b3fc-2c963f66afa6",
                "ca_certificates": ["5fa85f64-5717-4562-b3fc-2c963f66afa6"],
                "retries": 0,
                "tags": ["b", "a", "a"],
                "routes": [
                    {"name": "shop", "hosts": ["shop.test"], "methods": ["POST", "GET"], "plugins": [{"name": "cors"}]},
                    {"paths": ["/unnamed"], "headers": {"X-A": ["1"]}},
                ],
                "plugins": [limit],
            }
        ],
        upstreams=[
            {
                "name": "shop.upstream.test",
                "hash_on": "header",
                "hash_on_header": "X-User",
                "healthchecks": {"active": {"healthy": {"interval": 5}}},
                "targets": [{"target": "10.0.0.1"}, {"target": "::1", "weight": 0}],
            }
        ],
        consumers=[
            {
                "username": "al",
                "custom_id": "42",
                "keyauth_credentials": [{"key": "key-0123456789"}],
                "basicauth_credentials": [{"username": "al", "password": "password-of-al"}],
                "hmacauth_credentials": [{"username": "al", "secret": "secret-of-hmac"}],
                "jwt_secrets": [{"key": "issuer", "secret": "secret-of-jwt"}],
                "acls": [{"group": "g1"}, {"group": "g2"}],
                "oauth2_credentials": [{"name": "app", "client_id": "client", "client_secret": "secret-of-oauth2"}],
                "plugins": [{"name": "request-termination", "config": {"status_code": 418}}],
            }
        ],
        plugins=[
            {"name": "prometheus", "config": {"status_code_metrics": True}},
            {
                "name": "rate-limiting",
                "route": "shop",
                "consumer": "al",
                "config": {"minute": 1, "policy": "redis", "redis": {"host": "r", "password": "redis-password"}},
            },
        ],
        certificates=[{"id": "4fa85f64-5717-4562-b3fc-2c963f66afa6", "cert": cert, "key": key, "snis": ["shop.test"]}],
        ca_certificates=[{"id": "5fa85f64-5717-4562-b3fc-2c963f66afa6", "cert": authority}],
        vaults=[{"name": "env", "prefix": "my-env", "config": {"prefix": "x"}}],
        key_sets=[{"name": "set"}],
    )


def _upstream(**fields: t.Any) -> dict[str, t.Any]:
    return {"upstreams": [{"name": "u.test", **fields}]}


def _consumer(**credentials: t.Any) -> dict[str, t.Any]:
    return {"consumers": [{"username": "al", **credentials}]}


def _plugin(name: str, **config: t.Any) -> dict[str, t.Any]:
    return {"plugins": [{"name": name, "config": config}]}


#: Where decK differs for ever, misses a change or refuses: a wish, and a change of it that is one entity.
AT_REST: dict[str, tuple[dict[str, t.Any], dict[str, t.Any] | None]] = {
    "key-auth ttl": (
        _consumer(keyauth_credentials=[{"key": "abcdefgh", "ttl": 3600}]),
        _consumer(keyauth_credentials=[{"key": "abcdefgh"}]),
    ),
    "oauth2 public client": (
        _consumer(oauth2_credentials=[{"name": "app", "client_id": "c", "client_type": "public"}]),
        _consumer(oauth2_credentials=[{"name": "app", "client_id": "c"}]),
    ),
    "oauth2 hashed secret": (
        _consumer(
            oauth2_credentials=[{"name": "app", "client_id": "c", "client_secret": "s3cret-12", "hash_secret": True}]
        ),
        _consumer(
            oauth2_credentials=[{"name": "app", "client_id": "c", "client_secret": "s3cret-34", "hash_secret": True}]
        ),
    ),
    "consistent-hashing on nothing": (
        _upstream(algorithm="consistent-hashing", hash_on="none"),
        _upstream(hash_on="ip"),
    ),
    "hash on ip without algorithm": (_upstream(hash_on="ip"), _upstream()),
    "round-robin on ip": (_upstream(algorithm="round-robin", hash_on="ip"), _upstream(slots=100, hash_on="ip")),
    "least-connections on ip": (_upstream(algorithm="least-connections", hash_on="ip"), _upstream()),
    "latency on a header": (
        _upstream(algorithm="latency", hash_on="header", hash_on_header="X-A"),
        _upstream(algorithm="latency", hash_on_header="X-A", slots=100),
    ),
    "target without port": (
        _upstream(targets=[{"target": "h.test"}]),
        _upstream(targets=[{"target": "h.test", "weight": 5}]),
    ),
    "duplicate tags": (
        {"services": [{"name": "s", "host": "h", "tags": ["a", "a"]}]},
        {"services": [{"name": "s", "host": "h", "tags": ["b"]}]},
    ),
    "response-ratelimiting": (
        _plugin("response-ratelimiting", limits={"video": {"minute": 5}}),
        _plugin("response-ratelimiting", limits={"video": {"minute": 6}}),
    ),
    "acme with redis": (
        _plugin(
            "acme", account_email="a@b.test", storage="redis", storage_config={"redis": {"host": "r", "port": 6379}}
        ),
        _plugin(
            "acme", account_email="a@b.test", storage="redis", storage_config={"redis": {"host": "n", "port": 6379}}
        ),
    ),
    "opentelemetry with the old endpoint": (
        _plugin("opentelemetry", endpoint="http://o.test/v1/traces"),
        _plugin("opentelemetry", endpoint="http://n.test/v1/traces"),
    ),
    "statsd": (_plugin("statsd"), _plugin("statsd", prefix="x")),
    "datadog": (_plugin("datadog"), _plugin("datadog", prefix="x")),
    "nulls": (
        {"services": [{"name": "s", "host": "h", "retries": None, "path": None, "tags": None}]},
        {"services": [{"name": "s", "host": "h"}]},
    ),
    "null on a route": ({"routes": [{"name": "r", "paths": ["/x"], "service": None, "hosts": None}]}, None),
    "certificate without id": (
        {"certificates": [dict(zip(("cert", "key"), certificate("c.test")), snis=["c.test"])]},
        None,
    ),
    "route without name": (
        {"services": [{"name": "s", "host": "h", "routes": [{"paths": ["/x"]}]}]},
        {"services": [{"name": "s", "host": "h", "routes": [{"paths": ["/x"], "strip_path": False}]}]},
    ),
    "credentials without key or secret": (
        _consumer(keyauth_credentials=[{}], jwt_secrets=[{}], hmacauth_credentials=[{"username": "h"}]),
        _consumer(keyauth_credentials=[{"tags": ["x"]}], jwt_secrets=[{}], hmacauth_credentials=[{"username": "h"}]),
    ),
}
