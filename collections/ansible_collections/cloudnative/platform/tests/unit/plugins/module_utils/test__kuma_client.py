# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP against a server on loopback that gives recorded answers."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import typing as t
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils import _http_api as transport
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma import client, information, reading, universal
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.client import (
    ControlPlane,
    Refused,
    Unreachable,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.kinds import KumaError, Problems
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.options import CONNECTION_SPEC, control_plane
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.outcome import Outcome
from ansible_collections.cloudnative.platform.plugins.module_utils._kuma.universal import Wish
from ansible_collections.cloudnative.platform.tests.unit.plugins.module_utils.kuma_support import (
    OWNER,
    load,
    stored,
    timeout,
    wanted,
)

ANSWERS = load("answers")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_args: t.Any) -> None:
        pass

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.seen.append((self.command, self.path, body))
        status, content = self.server.reply(self.command, self.path)
        data = (
            content.encode() if isinstance(content, str) else b"" if content is None else json.dumps(content).encode()
        )
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[t.Any] = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lists: dict[str, list[t.Any]] = {}
        self.replies: dict[tuple[str, str], list[tuple[int, t.Any]]] = {
            ("GET", "/"): [(200, {"product": "Kuma", "version": "2.14.3"})],
            ("GET", "/config"): [(200, load("observed")["config"])],
        }

    def reply(self, method: str, address: str) -> tuple[int, t.Any]:
        path = urlsplit(address).path
        waiting = self.replies.get((method, path))
        if waiting:
            return waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if method == "GET" and path in self.lists:
            query = parse_qs(urlsplit(address).query)
            start, size = int(query.get("offset", ["0"])[0]), int(query["size"][0])
            items = self.lists[path]
            more = "http://elsewhere/next" if start + size < len(items) else None
            return 200, {"total": len(items), "items": items[start : start + size], "next": more}
        return (200, {"total": 0, "items": [], "next": None}) if method == "GET" else (200, {})

    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path, _body in self.seen if method != "GET"]


@pytest.fixture
def server() -> t.Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def control(server: Server) -> t.Iterator[ControlPlane]:
    made = ControlPlane(server.url)
    yield made
    made.close()


def refusal(name: str, token: str | None = None) -> str:
    recorded = ANSWERS[name]
    body = recorded["body"]
    payload = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
    return str(Refused(recorded["method"], recorded["path"], recorded["status"], payload, token))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("field and reason", "spec.targetRef.kind: in body should be one of [Mesh MeshSubset"),
        ("broken duration", 'time: unknown unit'),
        ("no mesh", "(404): there is no mesh nomesh"),
        ("mesh with dataplanes", "mesh: unable to delete mesh, there are still some dataplanes attached"),
        ("immutable label", 'labels["kuma.io/display-name"]: is immutable, cannot be removed (was "lab")'),
        ("read only", "This API is read-only for that: on Kubernetes use mode=kubernetes"),
        ("dataplane on global", "On global control plane you can not modify dataplane resources"),
        ("no admin", "this takes the token of an administrator"),
        # Plain text, not JSON.
        ("unknown path", "404: Page Not Found: this is no path of a Kuma 2.14 control plane, check api_url"),
        ("wrong media type", "415: Unsupported Media Type"),
        ("not acceptable", "406: Not Acceptable"),
        # Empty.
        ("empty 400", "(400): Bad Request"),
        ("no signing key", 'Secret of name "dataplane-token-signing-key-none-1" in mesh "none" is not found'),
        ("bad token", "takes no requests without a token"),
    ],
)  # fmt: skip
def test_recorded_refusals_say_what_is_wrong(name: str, said: str) -> None:
    assert said in refusal(name)


def test_both_forms_of_causes_are_told_once() -> None:
    assert refusal("mesh with dataplanes").count("unable to delete mesh") == 1
    body = json.dumps({"causes": [{"field": "a", "message": "b"}]}).encode()
    assert Refused("PUT", "/x", 400, body).causes == ["a: b"]


def test_an_expired_and_a_revoked_token_are_told_apart() -> None:
    def jwt(**content: t.Any) -> str:
        return f"x.{base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip('=')}.y"

    assert "the token expired at 2001-09-09 01:46 UTC" in refusal("bad token", jwt(exp=1000000000))
    assert "the token is revoked" in refusal("bad token", jwt(exp=99999999999))
    assert "the token is revoked" in refusal("bad token", "no token at all")


def test_lists_are_read_by_thousands_and_their_next_is_not_followed(server: Server, control: ControlPlane) -> None:
    server.lists["/meshtimeouts"] = [timeout(f"t{number}") for number in range(2500)]
    assert len(control.pages("/meshtimeouts")) == 2500
    assert [path for _method, path, _body in server.seen] == [
        "/meshtimeouts?size=1000",
        "/meshtimeouts?size=1000&offset=1000",
        "/meshtimeouts?size=1000&offset=2000",
    ]


def test_warnings_come_with_good_answers(server: Server, control: ControlPlane) -> None:
    server.replies[("PUT", "/x")] = [(201, ANSWERS["warnings"]["body"])]
    assert len(control.put("/x", {})) == 2
    server.replies[("PUT", "/x")] = [(200, {})]
    assert control.put("/x", {}) == []


def test_a_conflict_is_tried_again(server: Server, control: ControlPlane) -> None:
    conflict = (409, {"status": 409, "title": "Conflict", "detail": "resource conflict"})
    server.replies[("PUT", "/x")] = [conflict, conflict, (200, {})]
    control.put("/x", {})
    server.replies[("PUT", "/x")] = [conflict]
    with pytest.raises(Refused, match="resource conflict"):
        control.put("/x", {})


def test_what_is_gone_already_is_gone(server: Server, control: ControlPlane) -> None:
    recorded = ANSWERS["second delete"]
    server.replies[("DELETE", recorded["path"])] = [(404, recorded["body"])]
    control.delete(recorded["path"])
    server.replies[("DELETE", "/nowhere")] = [(404, "404: Page Not Found")]
    with pytest.raises(Refused, match="no path of a Kuma"):
        control.delete("/nowhere")


def test_names_are_quoted() -> None:
    assert client.path_of("MeshTimeout", "m", "a.b") == "/meshes/m/meshtimeouts/a.b"
    assert client.owned_by(OWNER, "us") == "filter%5Blabels.cloudnative.platform%2Fowner%5D=us"


# -- versions and places ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"product": "Kuma", "version": "2.13.10"}, "is Kuma 2.13.10; supported is 2.14"),
        ({"product": "Kuma", "version": "3.0.0"}, "is Kuma 3.0.0; supported is 2.14"),
        ({"version": "3.9.1"}, "does not answer as a Kuma control plane does"),
        ("<html>", "does not answer as a control plane does"),
    ],
)
def test_versions(server: Server, control: ControlPlane, answer: t.Any, said: str) -> None:
    server.replies[("GET", "/")] = [(200, answer)]
    with pytest.raises(KumaError, match=said):
        reading.version(control)


def test_nobody_is_there() -> None:
    dead = ControlPlane("http://127.0.0.1:1")
    with pytest.raises(
        Unreachable, match=r"the control plane at http://127.0.0.1:1 can't be reached: connection refused"
    ):
        dead.get("/")
    dead.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"api_url": "control:5681"}, "is not the address of a control plane"),
        ({"parallel": 0}, "parallel is 0"),
        ({"client_key": "/k"}, "client_key is given without client_cert"),
        ({"api_url": "http://mesh:5681", "token": "t"}, "a token would go unencrypted"),
        ({"api_url": "http://localhost.example.com:5681", "token": "t"}, "a token would go unencrypted"),
        ({"api_url": "http://127.example.com:5681", "token": "t"}, "a token would go unencrypted"),
        ({"api_url": "http://127.0.0.1:80@example.com:5681", "token": "t"}, "a token would go unencrypted"),
        ({"api_url": "https://mesh:5682", "ca_cert": "/none"}, "does not exist"),
    ],
)
def test_options_that_can_not_be_used(options: dict[str, t.Any], said: str) -> None:
    plain = {name: option.get("default") for name, option in CONNECTION_SPEC.items()}
    with pytest.raises(KumaError, match=said):
        control_plane({**plain, **options})


def test_a_token_is_sent(server: Server) -> None:
    plain = {name: option.get("default") for name, option in CONNECTION_SPEC.items()}
    made = control_plane({**plain, "api_url": server.url, "token": "abc\n"})
    assert made._headers["Authorization"] == "Bearer abc"
    made.close()
    for url in ("http://localhost:5681", "http://127.1.2.3:5681", "http://[::1]:5681/", "https://mesh:5682"):
        control_plane({**plain, "api_url": url, "token": "abc"}).close()


# -- one call ---------------------------------------------------------------------------------------------------------


def call(control: ControlPlane, *bodies: dict[str, t.Any], check: bool = False, **more: t.Any) -> Outcome:
    outcome = Outcome(with_diff=False)
    options = {"state": "present", "owner": None, "prune": False, "prune_max": 20, **more}
    universal.carry_out(control, Wish(wanted(*bodies, owner=options["owner"]), check_mode=check, **options), outcome)
    return outcome


def test_nothing_to_do_is_two_requests(server: Server, control: ControlPlane) -> None:
    server.lists["/meshes/default/meshtimeouts"] = [stored(timeout(f"t{number}")) for number in range(1000)]
    outcome = call(control, *[timeout(f"t{number}") for number in range(1000)])
    assert not outcome.changed
    assert control.requests == 2


def test_one_change_is_one_write(server: Server, control: ControlPlane) -> None:
    server.lists["/meshes/default/meshtimeouts"] = [stored(timeout(f"t{number}")) for number in range(10)]
    outcome = call(control, *[timeout(f"t{number}", "1s" if number else "2s") for number in range(10)])
    assert outcome.actions == ["update MeshTimeout default/t0: spec.to[0].default.connectionTimeout"]
    assert server.writes() == [("PUT", "/meshes/default/meshtimeouts/t0")]


def test_check_mode_writes_nothing_and_tells_the_same(server: Server, control: ControlPlane) -> None:
    assert call(control, timeout(), check=True).actions == call(control, timeout()).actions
    assert len(server.writes()) == 1


def test_a_control_plane_that_only_reads_is_found_out_before_the_first_write(
    server: Server, control: ControlPlane
) -> None:
    config = load("observed")["config"]
    server.replies[("GET", "/config")] = [(200, {**config, "environment": "kubernetes"})]
    with pytest.raises(KumaError, match="runs on Kubernetes, where its API only reads: use mode=kubernetes"):
        call(control, timeout(), check=True)
    server.replies[("GET", "/config")] = [(200, {**config, "apiServer": {"readOnly": True}})]
    with pytest.raises(KumaError, match="KUMA_API_SERVER_READ_ONLY"):
        call(control, timeout())
    assert server.writes() == []


def test_a_control_plane_that_does_not_say_how_it_is_set_up(server: Server, control: ControlPlane) -> None:
    server.replies[("GET", "/config")] = [(403, ANSWERS["no admin"]["body"])]
    with pytest.raises(KumaError, match="KUMA_ACCESS_STATIC_CONTROL_PLANE_METADATA_USERS"):
        call(control, timeout())


def test_the_origin_of_a_federated_zone(server: Server, control: ControlPlane) -> None:
    zone = {**load("observed")["config"], "multizone": {"zone": {"name": "z1", "globalAddress": "grpcs://g:5685"}}}
    server.replies[("GET", "/config")] = [(200, zone)]
    call(control, timeout())
    assert server.seen[-1][2]["labels"] == {"kuma.io/origin": "zone"}


def test_a_missing_mesh(server: Server, control: ControlPlane) -> None:
    recorded = ANSWERS["no mesh"]
    server.replies[("GET", "/meshes/prod/meshtimeouts")] = [(404, recorded["body"])]
    with pytest.raises(Problems, match="there is no mesh prod; add a document of type Mesh"):
        call(control, timeout(mesh="prod"))
    outcome = call(control, timeout(mesh="prod"), {"type": "Mesh", "name": "prod"})
    assert outcome.actions == ["create Mesh prod", "create MeshTimeout prod/one"]


def test_several_meshes_are_one_list(server: Server, control: ControlPlane) -> None:
    server.lists["/meshes"] = [{"type": "Mesh", "name": "default"}]
    with pytest.raises(Problems, match="there is no mesh prod"):
        call(control, timeout(), timeout(mesh="prod"))
    lists = sorted(path for _method, path, _body in server.seen if "size=" in path)
    assert lists == ["/meshes?size=1000", "/meshtimeouts?size=1000"]


def test_a_failed_write_ends_the_run_and_says_what_was_done(server: Server, control: ControlPlane) -> None:
    recorded = ANSWERS["field and reason"]
    server.replies[("PUT", "/meshes/default/meshtimeouts/one")] = [(400, recorded["body"])]
    outcome = Outcome(with_diff=False)
    wish = Wish(wanted({"type": "Mesh", "name": "default"}, timeout()), "present", None, False, 20, False)
    with pytest.raises(
        KumaError, match=r"MeshTimeout default/one \(resources\[1\]\): .* 1 changes were made, 1 were not"
    ):
        universal.carry_out(control, wish, outcome)
    assert outcome.actions == ["create Mesh default"]


def test_secrets_that_may_not_be_read_are_not_pruned(server: Server, control: ControlPlane) -> None:
    server.replies[("GET", "/secrets")] = [(403, ANSWERS["no admin"]["body"])]
    outcome = call(control, timeout(), owner="us", prune=True)
    assert "Secret: not searched for resources of owner us" in str(outcome.warnings)


def test_all_of_an_owner_goes(server: Server, control: ControlPlane) -> None:
    server.lists["/meshtimeouts"] = [stored(timeout(), **{OWNER: "us"})]
    outcome = call(control, state="absent", owner="us")
    assert outcome.actions == ["delete MeshTimeout default/one"]
    assert server.writes() == [("DELETE", "/meshes/default/meshtimeouts/one")]


def test_busy_is_not_the_end(server: Server, control: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport.time, "sleep", lambda _seconds: None)
    server.replies[("GET", "/busy")] = [(503, "busy"), (200, {"a": 1})]
    assert control.get("/busy") == {"a": 1}


# -- what it says of itself -------------------------------------------------------------------------------------------


def test_everything_of_a_mesh_is_a_handful_of_requests(server: Server, control: ControlPlane) -> None:
    observed = load("observed")
    server.lists["/dataplanes/_overview"] = [observed["connected"], observed["never connected"]]
    server.lists["/meshes"] = [{"type": "Mesh", "name": "default"}]
    server.lists["/zones/_overview"] = [observed["zone itself"]]
    found = information.gather(control, with_policies=False)
    assert found["offline"] == ["default/dp-a"]
    assert control.requests == 7


def test_policies_of_dataplanes(server: Server, control: ControlPlane) -> None:
    observed = load("observed")
    server.lists["/dataplanes/_overview"] = [observed["connected"], observed["never connected"]]
    path, gone = "/meshes/default/dataplanes/frontend-1", "kri_msvc_default_default__gone_http"
    server.replies[("GET", f"{path}/_policies")] = [(200, {"policies": [{"kind": "MeshTrace", "origins": []}]})]
    server.replies[("GET", f"{path}/_layout")] = [(200, {"outbounds": [{"kri": gone}]})]
    # A service that went in between.
    server.replies[("GET", f"{path}/_outbounds/{gone}/_policies")] = [(404, {"status": 404})]
    # Recorded: without meshServices there are no such answers.
    reason = "bad request: can't use _policies endpoint without meshService enabled"
    server.replies[("GET", "/meshes/default/dataplanes/dp-a/_policies")] = [(400, {"status": 400, "detail": reason})]
    found = information.gather(control, with_policies=True)
    assert [one["policies"] and one["policies"][0]["kind"] for one in found["dataplanes"]] == ["MeshTrace", None]
