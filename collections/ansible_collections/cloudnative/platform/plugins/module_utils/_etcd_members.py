# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The members of an etcd cluster as etcdctl reports them, put together to one list. Pure."""

from __future__ import annotations

import typing as t

Object = dict[str, t.Any]


def hexadecimal(number: int) -> str:
    """Member ids as etcd itself prints them."""
    return f"{number:x}"


def join_members(listed: Object, statuses: list[Object], healths: list[Object], alarms: Object) -> list[Object]:
    """One dictionary per member from `member list`, `endpoint status`, `endpoint health` and `alarm list`."""
    by_id = {status["Status"]["header"]["member_id"]: status["Status"] for status in statuses if status.get("Status")}
    by_url = {health["endpoint"]: health for health in healths}
    raised: dict[int, list[str]] = {}
    for alarm in alarms.get("alarms") or []:
        raised.setdefault(alarm.get("memberID", 0), []).append(ALARMS.get(alarm.get("alarm"), str(alarm.get("alarm"))))
    members = []
    for member in listed.get("members") or []:
        identity = member["ID"]
        urls = member.get("clientURLs") or []
        status = by_id.get(identity, {})
        health: Object = next((by_url[url] for url in urls if url in by_url), {})
        members.append(
            {
                "id": hexadecimal(identity),
                # A member that was added but never started has no name yet.
                "name": member.get("name") or "",
                "peer_urls": member.get("peerURLs") or [],
                "client_urls": urls,
                "learner": bool(member.get("isLearner")),
                "healthy": bool(health.get("health")),
                "error": health.get("error") or ("" if health else "it has no client URL, it was never started"),
                "leader": bool(status) and status.get("leader") == identity,
                "version": status.get("version") or "",
                "db_size": status.get("dbSize") or 0,
                "db_size_in_use": status.get("dbSizeInUse") or 0,
                "raft_term": status.get("raftTerm") or 0,
                "raft_index": status.get("raftIndex") or 0,
                "alarms": raised.get(identity, []),
            }
        )
    return sorted(members, key=lambda member: (member["name"], member["id"]))


# The numbers of the protocol (etcdserverpb.AlarmType).
ALARMS = {1: "NOSPACE", 2: "CORRUPT"}
