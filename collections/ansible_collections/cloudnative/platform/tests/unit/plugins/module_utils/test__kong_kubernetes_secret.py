# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Secret that new pods load, with the real client and an API server of a few lines."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import typing as t

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._kong import kubernetes_secret
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError
from ansible_collections.cloudnative.platform.plugins.modules import kong_config

pytest.importorskip("kubernetes")

SECRET = "/api/v1/namespaces/kong/secrets/kong-configuration"
WISH = {"_format_version": "3.0", "services": [{"name": "shop", "url": "http://shop.shop.svc:8080"}]}


class Handler(http.server.BaseHTTPRequestHandler):
    server: ApiServer

    def log_message(self, *_args: t.Any) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/pods"):
            self.reply(200, {"items": []})
        elif path == SECRET and self.server.secret:
            self.reply(200, self.server.secret)
        else:
            self.reply(404, {"message": "not found", "reason": "NotFound"})

    def do_PATCH(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.forbidden:
            self.reply(403, {"message": "no", "reason": "Forbidden"})
            return
        assert self.path == f"{SECRET}?fieldManager=cloudnative.platform&force=true"
        self.server.writes += 1
        self.server.secret = json.loads(body)
        self.reply(200, self.server.secret)

    def reply(self, status: int, content: t.Any) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class ApiServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.secret: dict[str, t.Any] = {}
        self.writes = 0
        self.forbidden = False


@pytest.fixture(name="api")
def fixture_api() -> t.Iterator[ApiServer]:
    server = ApiServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(name="configure")
def fixture_configure(
    api: ApiServer, capsys: pytest.CaptureFixture[str], give_arguments: t.Callable[[dict[str, t.Any]], None]
) -> t.Callable[..., dict[str, t.Any]]:
    def run(check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        where = {"host": f"http://127.0.0.1:{api.server_port}", "namespace": "kong", "selector": "app=kong"}
        arguments = {
            "kubernetes": where,
            "kubernetes_secret": {"name": "kong-configuration"},
            "config": WISH,
            "ready_only": True,
            "_ansible_check_mode": check,
            **options,
        }
        give_arguments(arguments)
        with pytest.raises(SystemExit):
            kong_config.main()
        return json.loads(capsys.readouterr().out)

    return run


def test_before_the_first_pod_the_document_is_kept_for_it(api: ApiServer, configure: t.Any) -> None:
    told = configure(check=True)
    assert told["changed"] and api.writes == 0
    done = configure()
    assert done["actions"] == told["actions"] == ["keep the configuration in Secret kong/kong-configuration"]
    document = json.loads(base64.b64decode(api.secret["data"]["kong.json"]))
    assert [service["name"] for service in document["services"]] == ["shop"]
    assert not configure()["changed"]
    assert api.writes == 1


def test_only_what_is_secret_in_a_kubeconfig_is_masked(api: ApiServer, configure: t.Any) -> None:
    """A service may be called as a word of the kubeconfig is."""
    url = f"http://127.0.0.1:{api.server_port}"
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "kong", "cluster": {"server": url}}],
        "users": [{"name": "kong", "user": {"token": "hunter2"}}],
        "contexts": [{"name": "kong", "context": {"cluster": "kong", "user": "kong"}}],
        "current-context": "kong",
    }
    where = {"kubeconfig": kubeconfig, "namespace": "kong", "selector": "app=hunter2"}
    assert configure(kubernetes=where)["actions"] == ["keep the configuration in Secret kong/kong-configuration"]
    done = configure(kubernetes=where, state="exported", config=None)
    assert done["msg"] == "state=exported: no pod of app=******** is ready in namespace kong"


def test_who_may_not_write_the_secret(api: ApiServer, configure: t.Any) -> None:
    api.forbidden = True
    done = configure()
    assert done["failed"]
    assert "Secret kong/kong-configuration could not be kept: not allowed to" in done["msg"]


def test_without_a_ready_pod_nothing_can_be_exported(configure: t.Any) -> None:
    done = configure(state="exported", config=None)
    assert done["msg"] == "state=exported: no pod of app=kong is ready in namespace kong"


def test_a_document_that_no_secret_holds() -> None:
    with pytest.raises(KongError, match="the document has 1048577 bytes, and a Secret holds 1048576"):
        kubernetes_secret.manifest("kong", "kong-configuration", "kong.json", "x" * (1024 * 1024 + 1))
