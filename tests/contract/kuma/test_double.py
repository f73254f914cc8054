# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the double does beyond the recording: speed, many clients, rotation and revocation, the options of its start."""

from __future__ import annotations

import base64
import copy
import json
import threading
import time
from typing import Any

import pytest

from .control_plane import ControlPlane, ControlPlanes
from .replay import Client, claims, steps

_JSON = {"Content-Type": "application/json"}
# Loopback that does not count as loopback.
_FAR = {"X-Forwarded-For": "192.0.2.1"}


@pytest.fixture
def plane(planes: ControlPlanes) -> ControlPlane:
    """The double, empty; these tests are about it."""
    double = planes.double()
    double.empty()
    return double


def timeout(name: str, **more: Any) -> dict[str, Any]:
    conf = {"targetRef": {"kind": "Mesh"}, "default": {"connectionTimeout": "1s"}}
    return {"type": "MeshTimeout", "mesh": "default", "name": name, "spec": {"to": [conf]}, **more}


def asked(client: Client, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    answer = client.send(method, path, {**(_JSON if body is not None else {}), **headers}, body)
    text = answer.body.decode()
    return answer.status, json.loads(text) if text.startswith(("{", "[")) else text


def test_it_says_what_it_is(plane: ControlPlane) -> None:
    assert plane.client().send("GET", "/").headers["server"] == "kuma-double/2.14.3 (not Kuma)"


def test_a_thousand_policies_are_written_and_listed_in_seconds(plane: ControlPlane) -> None:
    client = plane.client()
    begun = time.monotonic()
    for number in range(1000):
        client.write("PUT", f"/meshes/default/meshtimeouts/p{number:04}", timeout(f"p{number:04}"))
    written = time.monotonic()
    found = client.read("/meshes/default/meshtimeouts?size=1000&name=p0")
    listed = time.monotonic()
    assert found["total"] == 1000 and found["next"] is None
    # Generous for busy cores; idle ones need a tenth of it.
    assert written - begun < 10 and listed - written < 2


def test_concurrent_writers_of_one_name_create_it_once(plane: ControlPlane) -> None:
    statuses: list[int] = []

    def write() -> None:
        status, _ = asked(plane.client(), "PUT", "/meshes/default/meshtimeouts/race", timeout("race"))
        statuses.append(status)

    threads = [threading.Thread(target=write) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 15 + [201]


def test_every_second_write_can_lose(planes: ControlPlanes) -> None:
    client = planes.double(("--conflict-every", "2")).client()
    path = "/meshes/default/meshtimeouts/lost"
    answers = [asked(client, "PUT", path, timeout("lost")) for _ in range(4)]
    assert [status for status, _ in answers] == [201, 409, 200, 409]
    assert answers[1][1]["title"] == "Conflict"
    assert answers[1][1]["detail"] == 'resource conflict: type="MeshTimeout" name="lost" mesh="default"'


def test_on_kubernetes_nothing_can_be_written(planes: ControlPlanes) -> None:
    plane = planes.double(("--environment", "kubernetes", "--no-localhost-admin"))
    client = plane.client()
    status, body = asked(client, "PUT", "/meshes/default/meshtimeouts/x", timeout("x"))
    assert status == 405 and body["title"] == "Method not allowed"
    assert asked(client, "DELETE", "/meshes/default")[0] == 405
    assert asked(client, "GET", "/config")[1]["environment"] == "kubernetes"
    assert asked(client, "GET", "/global-secrets")[0] == 403
    assert all(one["readOnly"] for one in client.read("/_resources")["resources"])


def test_unknown_fields_are_dropped_at_every_depth(plane: ControlPlane) -> None:
    client = plane.client()
    body = timeout("typo")
    conf = body["spec"]["to"][0]["default"]
    conf |= {"conectionTimeout": "9s", "http": {"requestTimeout": "60s", "requestTimout": "1s"}}
    body["spec"]["tos"] = []
    client.write("PUT", "/meshes/default/meshtimeouts/typo", body)
    stored = client.read("/meshes/default/meshtimeouts/typo")["spec"]
    assert stored["to"][0]["default"] == {"connectionTimeout": "1s", "http": {"requestTimeout": "1m0s"}}
    assert list(stored) == ["to"]


def test_tokens_expire_and_can_be_revoked(plane: ControlPlane) -> None:
    client = plane.client()

    def issue(valid: str) -> str:
        return str(asked(client, "POST", "/tokens/user", {"name": "eve", "groups": ["team"], "validFor": valid})[1])

    def who(token: str) -> int:
        return asked(client, "GET", "/who-am-i", Authorization=f"Bearer {token}", **_FAR)[0]

    good, other = issue("1h"), issue("1h")
    assert (who(good), who(issue("0")), who(f"{good[:-6]}AAAAAA")) == (200, 401, 401)
    data = base64.b64encode(claims(good)[1]["jti"].encode()).decode()
    secret = {"type": "GlobalSecret", "name": "user-token-revocations", "data": data}
    client.write("PUT", "/global-secrets/user-token-revocations", secret)
    assert (who(good), who(other)) == (401, 200)
    client.write("DELETE", "/global-secrets/user-token-revocations")
    assert who(good) == 200


def test_a_token_of_another_purpose_opens_nothing(plane: ControlPlane) -> None:
    client = plane.client()
    token = str(asked(client, "POST", "/tokens/dataplane", {"mesh": "default", "name": "dp"})[1])
    assert asked(client, "GET", "/who-am-i", Authorization=f"Bearer {token}", **_FAR)[0] == 401


def test_the_newest_signing_key_signs_and_older_ones_still_verify(plane: ControlPlane) -> None:
    client = plane.client()
    body = {"name": "john", "validFor": "1h"}
    old = str(asked(client, "POST", "/tokens/user", body)[1])
    key = client.read("/global-secrets/user-token-signing-key-1")["data"]
    name = "user-token-signing-key-2"
    client.write("PUT", f"/global-secrets/{name}", {"type": "GlobalSecret", "name": name, "data": key})
    new = str(asked(client, "POST", "/tokens/user", body)[1])
    assert [claims(token)[0]["kid"] for token in (old, new)] == ["1", "2"]
    for token in (old, new):
        assert asked(client, "GET", "/who-am-i", Authorization=f"Bearer {token}", **_FAR)[0] == 200
    client.write("DELETE", f"/global-secrets/{name}")
    assert asked(client, "GET", "/who-am-i", Authorization=f"Bearer {new}", **_FAR)[0] == 401


def test_state_and_identities_of_a_service_come_back_after_a_write(planes: ControlPlanes) -> None:
    plane = planes.double(("--dataplanes-connect", "--zone", "west"))
    client = plane.client()
    client.write("PUT", "/meshes/s1", {"type": "Mesh", "name": "s1", "meshServices": {"mode": "Exclusive"}})
    networking = {"address": "127.0.0.1", "inbound": [{"port": 8080, "name": "http"}]}
    proxy = {"type": "Dataplane", "mesh": "s1", "name": "web-1", "labels": {"app": "web"}, "networking": networking}
    client.write("PUT", "/meshes/s1/dataplanes/web-1", proxy)
    selector = {"dataplaneLabels": {"matchLabels": {"app": "web"}}}
    body = {"type": "MeshService", "mesh": "s1", "name": "web", "spec": {"selector": selector, "ports": [{"port": 80}]}}
    client.write("PUT", "/meshes/s1/meshservices/web", body)
    plane.settle()
    path = "/meshes/s1/meshservices/web"
    settled = client.read(path)
    assert settled["spec"]["state"] == "Available"
    assert settled["status"]["dataplaneProxies"] == {"connected": 1, "healthy": 1, "total": 1}
    client.write("PUT", path, body)
    again = client.read(path)
    assert again["spec"]["state"] == "Unavailable" and again["status"]["vips"] == settled["status"]["vips"]
    plane.settle()
    assert client.read(path)["spec"] == settled["spec"]
    client.write("DELETE", "/meshes/s1/dataplanes/web-1")
    client.write("DELETE", "/meshes/s1")


def test_every_kind_of_the_catalogue_can_be_listed(plane: ControlPlane) -> None:
    client = plane.client()
    for one in client.read("/_resources")["resources"]:
        where = f"/meshes/default/{one['path']}" if one["scope"] == "Mesh" else f"/{one['path']}"
        status, body = asked(client, "GET", where)
        assert status == 200 and set(body) == {"total", "items", "next"}, where


def test_pages_follow_their_links_to_the_end(plane: ControlPlane) -> None:
    client = plane.client()
    for number in range(25):
        client.write("PUT", f"/meshes/default/meshtimeouts/p{number:02}", timeout(f"p{number:02}", labels={"a": "b"}))
    link, names = "/meshes/default/meshtimeouts?size=10&filter[labels.a]=b", []
    while link:
        page = client.read(link.replace(plane.url, ""))
        names += [one["name"] for one in page["items"]]
        link = page["next"]
    assert names == [f"p{number:02}" for number in range(25)]


def bodies() -> dict[str, dict]:
    """One accepted body of each kind."""
    found: dict[str, dict] = {}
    for story in ("policies_valid", "mesh_crud", "dataplane", "secrets", "warnings"):
        for step in steps(f"{story}.jsonl"):
            body = (step.request or {}).get("body")
            if isinstance(body, dict) and step.response is not None and step.response["status"] == 201:
                found.setdefault(body["type"], {**body, "": step.request["path"] if step.request else ""})
    return found


def places(value: Any, path: tuple = ()) -> list[tuple]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in items for found in places(item, (*path, key)))]


def test_no_body_makes_it_fail(plane: ControlPlane) -> None:
    """A value of the wrong type at any place is taken or refused, as by the real one, never a 500."""
    client, tried = plane.client(), 0
    for body in bodies().values():
        url = body.pop("")
        for path in places(body)[1:]:
            for wrong in (None, 5, "x", [], {"a": None}, [5]):
                sent = copy.deepcopy(body)
                at = sent
                for part in path[:-1]:
                    at = at[part]
                at[path[-1]] = wrong
                answer = client.send("PUT", url, _JSON, sent)
                tried += 1
                assert answer.status in (200, 201, 400, 404), f"{path} = {wrong}: {answer.body.decode()}"
    assert tried > 1000


def test_no_double_printed_a_mistake(planes: ControlPlanes) -> None:
    assert "".join(double.failures() for double in planes.doubles.values()) == ""
