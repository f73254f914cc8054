# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every transcript, played from its first line against a gateway without entities."""

from __future__ import annotations

import time

import pytest

from . import stories
from .gateway import Gateways
from .replay import TRANSCRIPTS, Player, Step, steps

NAMES = sorted((path.name for path in TRANSCRIPTS.glob("*.jsonl")), key=lambda name: (name in stories.DRAINED, name))


def prepare(name: str, player: Player, recorded: list[Step]) -> None:
    """Make the state a transcript starts from."""
    player.make(stories.GIVEN.get(name, []))
    if name in stories.PRIMED:
        player.make(stories.primed(recorded))
    if name in stories.CONTINUED:
        source, number = stories.CONTINUED[name]
        step = next(step for step in steps(source) if step.n == number)
        assert player.request(step).status == 201


@pytest.mark.parametrize("name", NAMES)
def test_transcript(name: str, gateways: Gateways) -> None:
    recorded = steps(name)
    if all(step.request is None or stories.skipped(name, step.n) for step in recorded):
        pytest.skip("; ".join(stories.SKIPPED[name]))
    if gateways.real is not None and name in stories.RESTARTED:
        pytest.skip("a gateway that was given to the suite is not restarted")
    gateway = gateways.take("off" if ".dbless." in name else "postgres", fresh=name in stories.FRESH)
    printed = gateway.failures()
    numbers = dict(gateway.ports)
    if name in stories.AHEAD:
        recorded_time, seconds = stories.AHEAD[name]
        numbers[recorded_time] = int(time.time()) + seconds
    player = Player(gateway.clients(), numbers)
    prepare(name, player, recorded)
    problems = []
    for step in recorded:
        for action in stories.BETWEEN.get((name, step.n), []):
            action(gateway, player)
            player.clients = gateway.clients()
        if step.request is None or step.api not in player.clients or stories.skipped(name, step.n):
            continue
        for problem in player.play(step):
            problems.append(f"{name}#{step.n} {step.request['method']} {step.request['path']}: {problem}")
    assert not problems, "\n".join(problems)
    assert gateway.failures() == printed
