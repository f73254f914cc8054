# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every alert fires when it should, does not when it should not, and tells people what to do."""

from __future__ import annotations

import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.cloudnative.platform.plugins.module_utils._monitoring import rules, slos

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = ROOT / "roles/monitoring/files"
RULE_FILES = sorted((ROOT / "roles").glob("*/files/rules/*.yml"))
TEST_FILES = sorted(HERE.glob("*_test.yml"))
RUNBOOK = ROOT / "docs/alerts.md"
SEVERITIES = {"critical", "warning", "info", "none"}

Alert = dict[str, t.Any]


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text())


def rules_of(path: Path) -> dict[str, t.Any]:
    return rules.rule_groups(slos.parse(load(path)))


def alerts_in(content: dict[str, t.Any]) -> list[Alert]:
    return [rule for group in content["groups"] for rule in group["rules"] if "alert" in rule]


SHIPPED = [alert for path in RULE_FILES for alert in alerts_in(load(path))]
ALERTS = [*SHIPPED, *alerts_in(rules_of(HERE / "slos.yml"))]


def run(*command: str | Path) -> None:
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_prometheus_reads_the_rules(promtool: str, path: Path) -> None:
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", path)


@pytest.mark.parametrize("path", [FILES / "slos.yml", HERE / "slos.yml"], ids=["default", "example"])
def test_prometheus_reads_the_rules_of_objectives(promtool: str, path: Path, tmp_path: Path) -> None:
    made = tmp_path / "rules.yml"
    made.write_text(yaml.safe_dump(rules_of(path)))
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", made)


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem.removesuffix("_test"))
def test_alerts_fire_when_they_should(promtool: str, path: Path, tmp_path: Path) -> None:
    if path.name == "slos_test.yml":
        (tmp_path / "slos.rules.yml").write_text(yaml.safe_dump(rules_of(HERE / "slos.yml")))
        path = Path(shutil.copy(path, tmp_path))
    run(promtool, "test", "rules", path)


def expected(fires: bool) -> set[tuple[str, str]]:
    """Alerts by name and severity, of which a test expects that they fire, or that they do not."""
    known = {(alert["alert"], alert["labels"]["severity"]) for alert in ALERTS}
    found = set()
    for case in (case for path in TEST_FILES for test in load(path)["tests"] for case in test["alert_rule_test"]):
        name = case["alertname"]
        firing = {(name, alert["exp_labels"]["severity"]) for alert in case.get("exp_alerts") or []}
        found |= firing if fires else {one for one in known if one[0] == name} - firing
    return found


def test_every_alert_is_seen_firing() -> None:
    assert {(alert["alert"], alert["labels"]["severity"]) for alert in ALERTS} - expected(fires=True) == set()


def test_every_alert_but_the_watchdog_is_seen_not_firing() -> None:
    missing = {(alert["alert"], alert["labels"]["severity"]) for alert in ALERTS} - expected(fires=False)
    assert missing == {("Watchdog", "none")}


def test_tests_know_no_alert_that_is_gone() -> None:
    known = {alert["alert"] for alert in ALERTS}
    named = {
        case["alertname"] for path in TEST_FILES for test in load(path)["tests"] for case in test["alert_rule_test"]
    }
    assert named - known == set()


def test_a_name_stands_for_one_alert() -> None:
    """Twice only for two severities of the same; inhibition goes by the name."""
    seen = [(alert["alert"], alert["labels"]["severity"]) for alert in SHIPPED]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert['alert']}-{alert['labels']['severity']}")
def test_an_alert_says_what_is_wrong_and_where_to_read_on(alert: Alert) -> None:
    annotations = alert["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert all(text.strip() and "<no value>" not in text for text in annotations.values())
    assert not annotations["summary"].rstrip().endswith("."), "a summary is a title"
    assert alert["labels"]["severity"] in SEVERITIES
    assert annotations["runbook_url"] == f"docs/alerts.md#{alert['alert'].lower()}"


def test_the_runbook_has_every_alert_and_no_other() -> None:
    titles = re.findall(r"^### (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert len(titles) == len(set(titles))
    assert sorted(titles) == sorted({alert["alert"] for alert in ALERTS})


def test_the_runbook_says_of_each_what_it_means_and_what_to_do() -> None:
    sections = re.split(r"^###? ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]
    names = {alert["alert"] for alert in ALERTS}
    for section in sections:
        title = section.split("\n", maxsplit=1)[0]
        if title in names:
            assert re.findall(r"^\*\*(\w+)\.\*\*", section, re.MULTILINE) == ["Means", "Look", "Do"], title
