# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters of the monitoring role: what Prometheus and Grafana are told, made out of few settings."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring import dashboards, rules, slos

# Prometheus and Grafana have templates in braces of their own, which older releases of ansible-core take for theirs.


def slo_rules(objectives: list[dict[str, t.Any]]) -> t.Any:
    """Return the Prometheus rules of service level objectives."""
    try:
        return wrap_var(rules.rule_groups(slos.parse(objectives)))
    except slos.SloError as error:
        raise AnsibleFilterError(str(error)) from error


def monitoring_dashboards(datasource: str, refresh: str = "1m", since: str = "now-3h", mesh: bool = False) -> t.Any:
    """Return Grafana's dashboards of the platform by their uid."""
    return wrap_var(dashboards.dashboards(datasource, refresh, since, mesh))


class FilterModule:
    """Filters of the monitoring role."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"monitoring_dashboards": monitoring_dashboards, "slo_rules": slo_rules}
