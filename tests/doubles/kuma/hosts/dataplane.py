# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kuma-dp: registers a Dataplane with its token and runs a real Envoy of its inbounds and outbounds, without mTLS."""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import yaml

from . import envoy

VERSION = "2.14.3"
# Seconds between two looks at the control plane.
_INTERVAL = 1.0
_BACKOFF = 3.0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Failed(Exception):
    """What ends kuma-dp before it runs."""


class Unreachable(Exception):
    """The control plane does not answer."""


class Denied(Exception):
    """The control plane answers, and refuses."""


def seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f'time: invalid duration "{text}"')
    return float(match[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[match[2]]


def read_token(path: str) -> str:
    with open(path, encoding="utf-8") as stream:
        token = stream.read().strip()
    problem = ""
    if token.count(".") != 2:
        problem = "token is malformed: token contains an invalid number of segments"
    else:
        try:
            json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        except ValueError:
            problem = "token is malformed: could not JSON decode claim"
    if problem:
        raise Failed(
            "dataplane token is invalid, in Kubernetes you must mount a serviceAccount token, in universal you must "
            f"start your proxy with a generated token.: not valid JWT token. Can't parse it.: {problem}"
        )
    return token


def read_dataplane(path: str, variables: dict[str, str]) -> dict[str, Any]:
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    # Mustache, of which the double knows variables; missing ones are empty.
    text = re.sub(r"\{\{\s*([\w.]+)\s*\}\}", lambda match: variables.get(match[1], ""), text)
    content = yaml.safe_load(text)
    if not isinstance(content, dict) or content.get("type") != "Dataplane":
        raise Failed(f'invalid proxy resource in {path}: expected type "Dataplane"')
    return content


class ControlPlane:
    """Tries every address of the name in turn, as both kuma-dp and Envoy do."""

    def __init__(self, url: str, ca_file: str | None) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 5678
        self.tls = ssl.create_default_context(cafile=ca_file)
        # Trusting a certificate without the extensions that newer Pythons ask for is what Go does.
        self.tls.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=5, context=self.tls)
        try:
            headers = {"Content-Type": "application/json", "Connection": "close"}
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f'Post "https://{self.host}:{self.port}{path}": {error}') from error
        finally:
            connection.close()
        found = json.loads(content)
        if answer.status == 500:
            raise Unreachable(found.get("detail") or found.get("title"))
        if answer.status != 200:
            raise Denied(found.get("title") if answer.status == 404 else found.get("detail"))
        return found


class AdminConnection(http.client.HTTPConnection):
    """Envoy's admin interface on its socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=5)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Sidecar:
    def __init__(self, chosen: argparse.Namespace, directory: str) -> None:
        self.chosen, self.directory = chosen, directory
        self.token = read_token(chosen.dataplane_token_file)
        self.dataplane = read_dataplane(chosen.dataplane_file, dict(chosen.dataplane_var))
        self.control = ControlPlane(chosen.cp_address, chosen.ca_cert_file)
        self.connection = str(uuid.uuid4())
        self.begin = True
        self.outbounds: list[dict[str, Any]] | None = None
        self.stop = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None

    def body(self) -> dict[str, Any]:
        return {
            "dataplane": self.dataplane,
            "token": self.token,
            "connection": self.connection,
            "begin": self.begin,
        }

    # Envoy.

    def start_envoy(self) -> None:
        for kind in ("lds", "cds"):
            envoy.write(self.directory, kind, "", [])
        path = os.path.join(self.directory, "bootstrap.json")
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(envoy.bootstrap(self.directory, self.dataplane["name"]), stream)
        command = [self.chosen.binary_path, "--config-path", path, "--disable-hot-restart", "--log-level", "warning"]
        command += ["--drain-time-s", str(max(1, int(self.chosen.drain_time)))]
        command += ["--concurrency", str(self.chosen.concurrency)] if self.chosen.concurrency else []
        self.process = subprocess.Popen(command)

    def admin(self, method: str, path: str) -> int:
        connection = AdminConnection(os.path.join(self.directory, "admin.sock"))
        try:
            connection.request(method, path)
            return connection.getresponse().status
        finally:
            connection.close()

    def configure(self, outbounds: list[dict[str, Any]]) -> None:
        if outbounds == self.outbounds:
            return
        for name, assignment in envoy.endpoints(outbounds).items():
            envoy.write(self.directory, f"eds-{name}", "endpoint.v3.ClusterLoadAssignment", [assignment])
        shape = [{**one, "endpoints": []} for one in outbounds]
        if self.outbounds is None or shape != [{**one, "endpoints": []} for one in self.outbounds]:
            found = envoy.resources(self.dataplane, outbounds, self.directory)
            envoy.write(self.directory, "cds", "cluster.v3.Cluster", found["cds"])
            envoy.write(self.directory, "lds", "listener.v3.Listener", found["lds"])
        self.outbounds = outbounds

    def ready(self) -> bool:
        try:
            return self.outbounds is not None and self.admin("GET", "/ready") == 200
        except OSError:
            return False

    # Life.

    def bootstrap(self) -> None:
        while not self.stop.is_set():
            try:
                self.control.ask("/bootstrap", {})
                return
            except (Unreachable, Denied) as error:
                say(
                    "INFO\tdataplane\tcould not fetch bootstrap configuration, make sure you are not trying to connect "
                    f'to global-cp. retrying (this could help only if you\'re connecting to zone-cp).\t{{"backoff": '
                    f'"3s", "err": "request to bootstrap server failed: {error}"}}'
                )
            self.stop.wait(_BACKOFF)

    def follow(self) -> None:
        said = ""
        while not self.stop.wait(_INTERVAL if said or self.outbounds is not None else 0.05):
            if self.process is not None and self.process.poll() is not None:
                raise Failed(f"Envoy terminated with an error: exit status {self.process.returncode}")
            try:
                self.configure(self.control.ask("/connect", self.body())["outbounds"])
                self.begin = False
                if said:
                    say("INFO\tdataplane\tconnected to the control plane again")
                said = ""
            except (Unreachable, Denied) as error:
                if str(error) != said:
                    said = str(error)
                    say(
                        "[warning][config] StreamAggregatedResources gRPC config stream to ads_cluster closed: 2, "
                        + said
                    )

    def end(self) -> None:
        say("INFO\tkuma-dp.run\tKuma DP caught an exit signal. Draining Envoy connections")
        try:
            if not self.begin:
                # Before the drain, so that others send their requests elsewhere while this one still answers.
                self.control.ask("/leave", self.body())
        except (Unreachable, Denied) as error:
            say(f"INFO\tkuma-dp.run\tthe control plane was not told: {error}")
        try:
            self.admin("POST", "/healthcheck/fail")
            self.admin("POST", "/drain_listeners?graceful")
            say(f"INFO\tkuma-dp.run\twaiting for connections to be drained\t{self.chosen.drain_time:g}s")
            time.sleep(self.chosen.drain_time)
        except OSError as error:
            say(f"ERROR\tkuma-dp.run\tcould not drain connections\t{error}")
        assert self.process is not None
        self.process.terminate()
        self.process.wait()
        say("INFO\tkuma-dp.run.envoy\tEnvoy terminated successfully")
        say("INFO\tkuma-dp.run\tstopping Kuma DP")


def answer_probes(sidecar: Sidecar, port: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.path == "/ready" and sidecar.ready()
            self.send_response(200 if good else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Probes are no news."""

    server = ThreadingHTTPServer(("0.0.0.0", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def run(chosen: argparse.Namespace) -> None:
    say(f"kuma-double {VERSION}: stands for kuma-dp in tests. NOT KUMA: Envoy gets NO mTLS and NO policies.")
    with tempfile.TemporaryDirectory(prefix="kuma-dp-") as directory:
        sidecar = Sidecar(chosen, directory)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: sidecar.stop.set())
        answer_probes(sidecar, int(os.environ.get("KUMA_READINESS_PORT") or 9902))
        sidecar.bootstrap()
        if sidecar.stop.is_set():
            return
        sidecar.start_envoy()
        sidecar.follow()
        sidecar.end()


def variable(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="kuma-dp", description="A double of the data plane proxy; not Kuma.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version")
    command = commands.add_parser("run")
    command.add_argument("--cp-address", default="https://localhost:5678")
    command.add_argument("--ca-cert-file")
    command.add_argument("--dataplane-token-file", required=True)
    command.add_argument("-d", "--dataplane-file", required=True)
    command.add_argument("-v", "--dataplane-var", type=variable, action="append", default=[])
    command.add_argument("--binary-path", default="envoy")
    command.add_argument("--drain-time", type=seconds, default=30.0)
    command.add_argument("--concurrency", type=int, default=0)
    command.add_argument("--dns-enabled", choices=["true", "false"], default="true")
    command.add_argument("--transparent-proxy", action="store_true")
    chosen = parser.parse_args(argv)
    if chosen.command == "version":
        print(f"Kuma: {VERSION}")
        return 0
    try:
        run(chosen)
    except (Failed, OSError) as error:
        say(f"Error: {error}")
        return 1
    return 0
