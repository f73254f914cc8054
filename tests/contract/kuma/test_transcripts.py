# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every transcript, played from its first line against a control plane without resources of others."""

from __future__ import annotations

import base64

import pytest

from . import stories
from .control_plane import DELAY, ControlPlane, ControlPlanes, Double
from .replay import TRANSCRIPTS, Client, Player, Step, claims, steps

NAMES = sorted(path.name for path in TRANSCRIPTS.glob("*.jsonl"))


def tokens(client: Client) -> dict[str, str]:
    """What the recording shows in place of its tokens -> tokens of this control plane."""
    made = {"<john, groups team-a>": ("john", ["team-a"], "24h"), "<expired>": ("john", ["team-a"], "-1h")}
    found = {}
    for shown, (name, groups, valid) in made.items():
        body = {"name": name, "groups": groups, "validFor": valid}
        headers = {"Content-Type": "application/json"}
        found[f"Bearer {shown}"] = "Bearer " + client.send("POST", "/tokens/user", headers, body).body.decode()
    body = {"name": "admin", "groups": ["mesh-system:admin"], "validFor": "1h"}
    body["name"] = "mesh-system:admin"
    answer = client.send("POST", "/tokens/user", {"Content-Type": "application/json"}, body)
    found["Bearer <admin token>"] = f"Bearer {answer.body.decode()}"
    return found


def headers(name: str, step: Step, known: dict[str, str]) -> dict[str, str]:
    assert step.request is not None
    sent = {}
    if step.request["method"] in ("PUT", "POST"):
        sent.update(stories.HEADERS.get(name, {}))
    authorization = step.request.get("headers", {}).get("Authorization")
    if authorization in known:
        sent["Authorization"] = known[authorization]
    return sent


def planes_of(name: str, planes: ControlPlanes) -> dict[str, ControlPlane]:
    """The control planes of a story, by what the notes call them."""
    if planes.real is not None:
        return {"": planes.real}
    setting = stories.SETTINGS.get(name, stories.Setting())
    found: dict[str, ControlPlane] = {"": planes.double(setting.options, setting.delay or DELAY)}
    if setting.other is not None:
        found["ZONE"] = planes.double(setting.other)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_transcript(name: str, planes: ControlPlanes) -> None:
    recorded = steps(name)
    if all(step.request is None or stories.skipped(name, step.n) for step in recorded):
        pytest.skip(stories.NOTES)
    if planes.real is not None and name in stories.NOT_REAL:
        pytest.skip("needs a control plane that was started with other options")
    involved = planes_of(name, planes)
    main = involved[""]
    if name not in stories.SETTINGS:
        main.empty()
    clients = {who: plane.client() for who, plane in involved.items()}
    player = Player(clients)
    parts = [(stories.CONTINUED[name], steps(stories.CONTINUED[name]))] if name in stories.CONTINUED else []
    problems = [problem for part, found in [*parts, (name, recorded)] for problem in play(part, found, player, main)]
    assert not problems, "\n".join(problems)
    for plane in involved.values():
        assert not isinstance(plane, Double) or plane.failures() == ""


def play(name: str, recorded: list[Step], player: Player, plane: ControlPlane) -> list[str]:
    client = player.clients[""]
    known = tokens(client) if name == "auth.jsonl" else {}
    diagnostics = isinstance(plane, Double) and name == "index_config.jsonl"
    problems: list[str] = []
    for step in recorded:
        for action in stories.BETWEEN.get((name, step.n), []):
            action(plane, client)
        found: list[str] = []
        if step.claims is not None and player.last is not None:
            # The token of the admin is a secret, not an answer.
            found = player.check_claims(step) if player.last.body.startswith(b"eyJ") else []
        elif step.request is not None and not stories.skipped(name, step.n):
            if diagnostics and "diagnostics port" in step.note:
                assert isinstance(plane, Double)
                player.clients["diagnostics port"] = Client(plane.diagnostics)
            found = player.play(step, headers(name, step, known))
        where = f"{step.request['method']} {step.request['path']}" if step.request is not None else "claims"
        problems += [f"{name}#{step.n} {where} ({step.note}): {problem}" for problem in found]
    return problems


def test_the_token_of_the_admin(planes: ControlPlanes) -> None:
    plane = planes.real or planes.double()
    data = plane.client().read("/global-secrets/admin-user-token")["data"]
    token = base64.b64decode(data).decode()
    assert claims(token)[1]["Name"] == "mesh-system:admin"
