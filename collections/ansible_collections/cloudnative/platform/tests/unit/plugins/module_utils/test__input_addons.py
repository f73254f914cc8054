# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cloudnative.platform.plugins.module_utils._input_addons import check_addons

SLO = {"name": "shop", "objective": 99.5, "errors": "rate(bad[$window])", "total": "rate(all[$window])"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, ""),
        ({"platform_addons": []}, ""),
        ({"platform_addons": ["storage", "monitoring"], "monitoring_storage_class": ""}, ""),
        ({"platform_addons": ["monitoring"], "monitoring_storage_class": "fast"}, ""),
        ({"platform_addons": ["monitorin"]}, "did you mean monitoring?"),
        ({"platform_addons": ["mesh"]}, "use one of kong, kuma, monitoring, storage"),
        ({"platform_addons": ["kogn"]}, "did you mean kong?"),
        ({"platform_addons": [], "kong_edition": "enterprise"}, ""),
        ({"platform_addons": ["kong"], "kong_edition": "enterprise"}, "kong_licence is empty"),
        ({"platform_addons": "storage"}, "is no list"),
        ({"platform_addons": ["monitoring"], "monitoring_storage_class": ""}, "no add-on makes them"),
        ({"storage_provider": "local-path", "storage_expands": True}, "holds for no volume"),
        ({"storage_provider": "external", "storage_expands": True}, ""),
        ({"monitoring_retention_size": "8GB", "monitoring_prometheus_volume": "10Gi"}, ""),
        ({"monitoring_retention_size": "10GB", "monitoring_prometheus_volume": "10G"}, "does not fit into"),
        ({"monitoring_retention_size": "900GB", "monitoring_prometheus_volume": "10Gi"}, "does not fit into"),
        (
            {
                "monitoring_retention_size": "900GB",
                "monitoring_prometheus_volume": "10Gi",
                "monitoring_storage_class": "none",
            },
            "",
        ),
        ({"monitoring_slos": [SLO]}, ""),
        ({"monitoring_slos": [{**SLO, "objective": 100}]}, "100"),
        ({"monitoring_slos": [SLO, SLO]}, "is there twice"),
    ],
)
def test_what_add_ons_say_together(values, said):
    found = " ".join(finding.sentence() for finding in check_addons(values, None))
    assert (said in found) if said else (found == "")
