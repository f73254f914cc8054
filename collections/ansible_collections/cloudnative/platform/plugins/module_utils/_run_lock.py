# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The lock of a platform: who may have it, and what is said about who has it. Pure."""

from __future__ import annotations

import calendar
import json
import time
import typing as t
from dataclasses import asdict, dataclass, fields, replace

# Stands for the run in a record that cannot be read, so that it can be named and taken over like any other.
DAMAGED = "damaged"
TIME = "%Y-%m-%dT%H:%M:%SZ"

TAKE, RENEW, TAKE_OVER, REFUSE = "take", "renew", "take_over", "refuse"
RELEASE, NOTHING = "release", "nothing"

BREAK_VARIABLE = "platform_lock_break"
EXPIRED = "it had expired"
GONE = (
    "the lock of the platform was not there any more: somebody removed it, or another run took it and has ended. "
    "Took it again; should something else than expected come of this run, start it once more"
)


@dataclass(frozen=True)
class Holder:
    """One run. Process, start, boot and namespace together belong to one process for all time."""

    run: str
    user: str = ""
    host: str = ""
    pid: int = 0
    start: str = ""
    boot_id: str = ""
    pid_namespace: str = ""
    playbook: str = ""
    job: str = ""


@dataclass(frozen=True)
class Record:
    """What stands on the registry host. Times are seconds of its clock, so that no controller's clock matters."""

    holder: Holder
    since: int = 0
    renewed: int = 0
    expires: int = 0

    @property
    def run(self) -> str:
        return self.holder.run


@dataclass(frozen=True)
class Decision:
    """What happens, and the record as it is then; none where the lock is free then."""

    action: str
    record: Record | None = None


def decide(
    found: Record | None, me: Holder, now: int, seconds: int, replaces: str = "", renewing: bool = False
) -> Decision:
    """May `me` have the lock? `replaces` names a run that the controller knows to be dead, or was told to replace."""
    if found is not None and found.run == me.run:
        return Decision(RENEW, replace(found, renewed=now, expires=now + seconds))
    mine = Record(me, now, now, now + seconds)
    if found is None:
        return Decision(TAKE, mine)
    if renewing:
        # It was ours and is another's, who may be at work even if the lock has expired.
        return Decision(REFUSE, found)
    if (replaces and found.run == replaces) or expired(found, now):
        return Decision(TAKE_OVER, mine)
    return Decision(REFUSE, found)


def decide_release(found: Record | None, run: str, replaces: str = "") -> Decision:
    if found is None:
        return Decision(NOTHING)
    if found.run in (run, replaces):
        return Decision(RELEASE)
    return Decision(REFUSE, found)


def judge(dead: bool, take_over: bool) -> str:
    """Why a run whose lock has not expired loses it, or nothing; said to the person who sees it happen."""
    if dead:
        return "its process is gone"
    if take_over:
        return "that was asked for; should that run be alive, two runs now change the same hosts"
    return ""


def record_of(answer: t.Mapping[str, t.Any]) -> Record | None:
    """The record that a module call found, from its result."""
    found = answer.get("found")
    return Record(**{**found, "holder": Holder(**found["holder"])}) if found else None


def expired(record: Record, now: int) -> bool:
    return record.run != DAMAGED and now >= record.expires


def same_controller(record: Record, me: Holder) -> bool:
    """Whether process ids of that run mean something here: the same boot of a machine, the same container."""
    theirs = (record.holder.boot_id, record.holder.pid_namespace)
    return all(theirs) and theirs == (me.boot_id, me.pid_namespace)


def dump(record: Record) -> str:
    content: dict[str, t.Any] = asdict(record.holder)
    for name in ("since", "renewed", "expires"):
        content[name] = time.strftime(TIME, time.gmtime(getattr(record, name)))
    return json.dumps(content, indent=2) + "\n"


def parse(text: str) -> Record:
    """A record from its file. It is written in one go, so what cannot be read was damaged by somebody or something."""
    try:
        content = json.loads(text)
        known: dict[str, t.Any] = {field.name: content[field.name] for field in fields(Holder) if field.name in content}
        typed: dict[str, t.Any] = {name: (int if name == "pid" else str)(value) for name, value in known.items()}
        times = (to_seconds(content[name]) for name in ("since", "renewed", "expires"))
        return Record(Holder(**typed), *times)
    except (ValueError, TypeError, KeyError):
        return Record(Holder(DAMAGED))


def to_seconds(text: str) -> int:
    return calendar.timegm(time.strptime(text, TIME))


def moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def span(seconds: int) -> str:
    """A length of time in the two largest units that it has."""
    seconds = abs(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def ago(seconds: int, now: int) -> str:
    return f"{moment(seconds)} ({span(now - seconds)} ago)" if seconds <= now else moment(seconds)


def describe_holder(holder: Holder) -> str:
    where = f" on {holder.host} (pid {holder.pid})" if holder.host else ""
    job = f", {holder.job}" if holder.job else ""
    return f"{holder.playbook or 'a run'} by {holder.user or 'somebody'}{where}{job}"


def describe(record: Record, now: int) -> str:
    """Who has the lock and since when, as a person wants to read it."""
    if record.run == DAMAGED:
        return "somebody whose record cannot be read"
    text = f"{describe_holder(record.holder)}, since {ago(record.since, now)}"
    if record.renewed != record.since:
        text += f", renewed {ago(record.renewed, now)}"
    if expired(record, now):
        return f"{text}, expired {ago(record.expires, now)}"
    return f"{text}, expires {moment(record.expires)} (in {span(record.expires - now)})"


def refusal(record: Record, now: int) -> str:
    """Why the second run stops, and what to do."""
    return (
        f"Another run holds the lock of this platform: {describe(record, now)}. No host was changed by this run. "
        f"Wait for the other one; or, when you know that it is dead, take the lock with -e {BREAK_VARIABLE}=true"
    )


def lost(record: Record, now: int) -> str:
    """Why a run stops in the middle."""
    return (
        f"Another run took the lock of this platform away from this one: {describe(record, now)}. This run stops, so "
        "that two don't change the same hosts; start it again when the other one is done"
    )


def lost_unnoticed(record: Record, now: int) -> str:
    """What a run says that was through before it noticed."""
    return (
        f"another run took the lock of this platform away from this one while it ran: {describe(record, now)}. "
        "Both may have changed the same hosts; start this one again when the other one is done"
    )


def half_true(record: Record, now: int) -> str:
    """What a dry run says while another run is at work."""
    return (
        f"another run holds the lock of this platform: {describe(record, now)}. "
        "This dry run may show half of what that run changes"
    )


def report(found: Record | None, action: str, now: int, dead: bool) -> str:
    """What a person hears who asks for the lock by hand."""
    if found is None:
        return "The lock of this platform is free"
    if action == RELEASE:
        return f"Removed the lock of {describe(found, now)}"
    remedy = f"remove it with -e {BREAK_VARIABLE}=true when you know that this run is dead"
    if dead or expired(found, now):
        remedy = "that run is dead, so the next one takes the lock over" if dead else "the next run takes it over"
    return f"The lock of this platform is held by {describe(found, now)}; {remedy}"
