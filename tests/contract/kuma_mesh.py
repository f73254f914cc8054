# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A control plane to try kuma_resources on, and documents for it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import typing as t
import urllib.request
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.client import ControlPlane
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KINDS
from ansible_collections.cloudnative.platform.plugins.modules import (
    kuma_info,
    kuma_resources,
    kuma_token,
    kuma_upgrade_check,
)
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import load

DOUBLE = Path(__file__).resolve().parents[1] / "doubles" / "kuma"
MESH = "contract"
OWNER = "contract"


class Control:
    """The double on a free port, or the real control plane that `KUMA_API_URL` names (with `KUMA_API_TOKEN`)."""

    def __init__(self, *options: str) -> None:
        self.options = options
        self.url = ""
        self.seen: list[tuple[str, str]] = []

    @contextlib.contextmanager
    def running(self) -> t.Iterator[None]:
        real = os.environ.get("KUMA_API_URL")
        if real and self.options:
            pytest.skip(f"only the double is started with {' '.join(self.options)}")
        if real:
            self.url = real
            yield
            return
        command = [sys.executable, str(DOUBLE), "--port", "0", *self.options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                pytest.fail(f"the double of Kuma did not start: {' '.join(command)}")
            self.url = f"http://127.0.0.1:{json.loads(line)['port']}"
            yield
        finally:
            process.terminate()
            process.wait(10)

    def start_test(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self.seen.clear()
        ask = ControlPlane.answered

        def answered(control: ControlPlane, method: str, path: str, body: t.Any = None) -> bytes:
            self.seen.append((method, path))
            return ask(control, method, path, body)

        monkeypatch.setattr(ControlPlane, "answered", answered)

    @contextlib.contextmanager
    def alone(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Control]:
        """For one test, which finds nothing of others here, and leaves nothing."""
        self.start_test(capsys, monkeypatch)
        self.clean()
        yield self
        self.clean()

    def writes(self) -> list[str]:
        return [f"{method} {path}" for method, path in self.seen if method != "GET"]

    def resources(
        self, *documents: t.Any, check: bool = False, diff: bool = False, **options: t.Any
    ) -> dict[str, t.Any]:
        """The module's result; a failure is an AssertionError with its message."""
        options.setdefault("owner", OWNER)
        options.setdefault("mesh", MESH)
        given = {"resources": list(documents), "_ansible_check_mode": check, "_ansible_diff": diff, **options}
        return self._module(kuma_resources, given)

    def token(self, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        return self._module(kuma_token, {"_ansible_check_mode": check, **options})

    def info(self, **options: t.Any) -> dict[str, t.Any]:
        return self._module(kuma_info, options)

    def upgrade_check(self, target: str, **options: t.Any) -> dict[str, t.Any]:
        return self._module(kuma_upgrade_check, {"target_version": target, **options})

    def get(self, path: str) -> t.Any:
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body: t.Any = None) -> t.Any:
        """Past the module."""
        headers = {"Content-Type": "application/json"}
        if os.environ.get("KUMA_API_TOKEN"):
            headers["Authorization"] = f"Bearer {os.environ['KUMA_API_TOKEN']}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def wait_until(self, condition: t.Callable[[dict[str, t.Any]], bool]) -> None:
        """Until kuma_info says so."""
        for _attempt in range(50):
            found = self.info()
            if condition(found):
                return
            time.sleep(0.2)
        pytest.fail(f"the control plane does not come that far: {found}")

    def clean(self) -> None:
        self.resources(state="absent", prune_max=-1)
        self.resources({"type": "Mesh", "name": MESH}, state="absent")
        self.seen.clear()

    def _module(self, module: t.Any, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
        self._capsys.readouterr()
        with patch_module_args({"api_url": self.url, **arguments}), pytest.raises(SystemExit):
            module.main()
        self.output = self._capsys.readouterr().out
        result = json.loads(self.output)
        if result.get("failed"):
            raise AssertionError(result["msg"])
        return result


def mesh(**fields: t.Any) -> dict[str, t.Any]:
    return {"type": "Mesh", "name": MESH, "meshServices": {"mode": "Exclusive"}, **fields}


def timeout(name: str = "slow", connect: str = "1s", **more: t.Any) -> dict[str, t.Any]:
    spec = {"to": [{"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": connect}}]}
    return {"type": "MeshTimeout", "name": name, "spec": spec, **more}


def dataplane(name: str) -> dict[str, t.Any]:
    inbound = {
        "port": 21000,
        "servicePort": 21001,
        "name": "http",
        "protocol": "http",
        "tags": {"kuma.io/service": "web"},
    }
    labels = {"app": "web", "kuma.io/workload": "web"}
    return {
        "type": "Dataplane",
        "name": name,
        "labels": labels,
        "networking": {"address": "127.0.0.1", "inbound": [inbound]},
    }


def identity(**spiffe: str) -> dict[str, t.Any]:
    bundled = {"meshTrustCreation": "Enabled", "insecureAllowSelfSigned": True, "autogenerate": {"enabled": True}}
    spec = {"selector": {"dataplane": {"matchLabels": {}}}, "provider": {"type": "Bundled", "bundled": bundled}}
    return {"type": "MeshIdentity", "name": "identity", "spec": {**spec, **({"spiffeID": spiffe} if spiffe else {})}}


def everything() -> list[dict[str, t.Any]]:
    """Every recorded document of a kind with a spec, in a mesh of ours, and what is flat."""
    found: dict[tuple[str, str], dict[str, t.Any]] = {}
    for sent, _kept in load("stored_forms"):
        if not KINDS[sent["type"]].flat:
            body = {name: value for name, value in sent.items() if name not in ("mesh", "labels")}
            found[(body["type"], body["name"])] = body
    secret = {"type": "Secret", "name": "partner", "data": "c2VjcmV0LW9mLXRoZS1wYXJ0bmVy"}
    return [mesh(), secret, dataplane("web-1"), *found.values()]
