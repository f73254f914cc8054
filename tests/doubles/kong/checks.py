# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Entity checks: rules over several fields of one entity, as a schema lists them under `entity_checks`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from .lua import quoted_list

if TYPE_CHECKING:
    from .schema import Record

MISSING = object()


def get_field(table: Any, name: str) -> Any:
    for part in name.split("."):
        if not isinstance(table, dict):
            return MISSING
        table = table.get(part, MISSING)
    return table


def set_field(table: dict, name: str, value: Any) -> None:
    *parents, last = name.split(".")
    for part in parents:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            return
    table[last] = value


def is_nonempty(value: Any) -> bool:
    return value is not MISSING and value is not None and value != {} and value != [] and value != ""


class Outcome(Exception):
    """A check failed: its own text, or a text the schema gives instead."""

    def __init__(self, detail: str, override: str | None = None) -> None:
        super().__init__(detail)
        self.detail, self.override = detail, override


def _nonempty(entity: dict, names: list[str]) -> list[str]:
    return [name for name in names if is_nonempty(get_field(entity, name))]


def _at_least_one_of(entity: dict, names: list[str], _record: Record, _errors: dict) -> None:
    if not _nonempty(entity, names):
        raise Outcome(quoted_list(names))


def _only_one_of(entity: dict, names: list[str], _record: Record, _errors: dict) -> None:
    if len(_nonempty(entity, names)) != 1:
        raise Outcome(quoted_list(names))


def _distinct(entity: dict, names: list[str], _record: Record, _errors: dict) -> None:
    values = [get_field(entity, name) for name in _nonempty(entity, names)]
    if any(value in values[:position] for position, value in enumerate(values)):
        raise Outcome(quoted_list(names))


def mutually_required(entity: dict, names: list[str], _record: Any = None, _errors: Any = None) -> None:
    if len(_nonempty(entity, names)) not in (0, len(names)):
        raise Outcome(quoted_list(names))


def _mutually_exclusive(entity: dict, names: list[str], _record: Record, _errors: dict) -> None:
    if len(_nonempty(entity, names)) > 1:
        raise Outcome(quoted_list(names))


def _conditional(entity: dict, rule: dict, record: Record, errors: dict) -> None:
    then_value = get_field(entity, rule["then_field"])
    then_value = None if then_value is MISSING else then_value
    if_value = get_field(entity, rule["if_field"])
    if if_value is MISSING or record.field_problem(rule["if_field"], rule["if_match"], if_value) is not None:
        return
    if rule["then_match"].get("required") is True and then_value is None:
        set_field(errors, rule["then_field"], "required field missing")
        raise Outcome(rule["if_field"])
    problem = record.field_problem(rule["then_field"], rule["then_match"], then_value)
    if problem is not None:
        set_field(errors, rule["then_field"], problem)
        then_error = rule.get("then_err")
        raise Outcome(rule["if_field"], then_error and then_error.replace("%s", rule["if_field"]))


def _conditional_at_least_one_of(entity: dict, rule: dict, record: Record, _errors: dict) -> None:
    if_value = get_field(entity, rule["if_field"])
    if if_value is MISSING:
        return
    prefix = ""
    if record.field_problem(rule["if_field"], rule["if_match"], if_value) is not None:
        other = rule.get("else_match")
        if other is None or record.field_problem(rule["if_field"], other, if_value) is not None:
            return
        prefix = "else_"
    names = rule[prefix + "then_at_least_one_of"]
    if not _nonempty(entity, names):
        listed = quoted_list(names)
        override = rule.get(prefix + "then_err")
        raise Outcome(listed, override and override.replace("%s", listed))


def _custom(entity: dict, rule: dict, _record: Record, _errors: dict) -> None:
    function = rule.get("fn")
    problem = function(entity) if function else None
    if problem is not None:
        raise Outcome(problem, problem)


class Check:
    """One kind of check and when Kong runs it."""

    def __init__(self, run: Callable, message: str, missing: bool = False, invalid: bool = False) -> None:
        self.run, self.message, self.with_missing, self.with_invalid = run, message, missing, invalid

    def names(self, rule: Any) -> tuple[list[str], list[str]]:
        """The fields a rule looks at, and those of them it cannot do without."""
        if isinstance(rule, list):
            return rule, rule
        if "field_sources" in rule:
            return rule["field_sources"], rule["field_sources"]
        names = [rule["if_field"]]
        names += [rule["then_field"]] if "then_field" in rule else []
        names += rule.get("then_at_least_one_of", []) + rule.get("else_then_at_least_one_of", [])
        return names, [rule["if_field"]] if "then_field" in rule else []


CHECKS = {
    "at_least_one_of": Check(_at_least_one_of, "at least one of these fields must be non-empty: %s", True, True),
    "conditional_at_least_one_of": Check(
        _conditional_at_least_one_of, "at least one of these fields must be non-empty: %s", True, True
    ),
    "only_one_of": Check(_only_one_of, "exactly one of these fields must be non-empty: %s", False, True),
    "distinct": Check(_distinct, "values of these fields must be distinct: %s", False, True),
    "conditional": Check(_conditional, "failed conditional validation given value of field '%s'", False, True),
    "custom_entity_check": Check(_custom, "%s"),
    "mutually_required": Check(mutually_required, "all or none of these fields must be set: %s", True),
    "mutually_exclusive": Check(_mutually_exclusive, "only one or none of these fields must be set: %s", True),
}
_WHEN_UPDATING = {"at_least_one_of", "conditional_at_least_one_of"}


def run(record: Record, kind: str, rule: Any, entity: dict, full: bool, errors: dict) -> None:
    check = CHECKS[kind]
    names, required = check.names(rule)
    with_missing = check.with_missing or (isinstance(rule, dict) and rule.get("run_with_missing_fields"))
    with_invalid = check.with_invalid or (isinstance(rule, dict) and rule.get("run_with_invalid_fields"))
    subset: dict = {}
    missing, all_nil = [], True
    for name in names:
        value = get_field(entity, name)
        if value is MISSING:
            if not with_missing and name in required:
                missing.append(name)
            continue
        all_nil = False
        if isinstance(value, str) and value.startswith("{vault://") and record.is_referenceable(name):
            return
        set_field(subset, name, value)
    if any(name in errors for name in names) and not with_invalid:
        return
    if all_nil and not (with_missing and full):
        return
    if missing:
        for name in missing:
            suffix = "" if full else " when updating"
            set_field(errors, name, f"field required for entity check{suffix}")
        return
    try:
        check.run(subset, rule, record, errors)
    except Outcome as outcome:
        message = outcome.override or check.message.replace("%s", outcome.detail)
        if not outcome.override and not full and kind in _WHEN_UPDATING:
            message = f"when updating, {message}"
        errors.setdefault("@entity", []).append(message)
