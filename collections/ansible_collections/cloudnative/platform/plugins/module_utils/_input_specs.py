# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

# Reads what roles say about their variables, and judges values by it: type, choices, keys of dictionaries.

from __future__ import annotations

import glob
import os
import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.cloudnative.platform.plugins.module_utils._input_finding import (
    Finding,
    close_to,
    is_secret_name,
    listed,
    showable,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._input_forms import Form

try:
    import yaml

    YAML_ERROR: Exception | None = None
except ImportError as error:
    YAML_ERROR = error

_INTEGER = re.compile(r"[+-]?\d+\Z")
_EXAMPLES = {
    "bool": "true or false",
    "dict": "a dictionary, e.g. {name: value}",
    "float": "a number, e.g. 1.5",
    "int": "a whole number, e.g. 10",
    "list": "a list, e.g. [one, two]",
    "path": "a path, e.g. /var/lib/example",
    "str": "text in quotes",
}
_KINDS = {"bool": "true or false", "dict": "a dictionary", "float": "a number", "int": "a whole number"}
_KINDS.update({"list": "a list", "path": "a path", "str": "text"})


class SpecError(Exception):
    """The specifications of roles cannot be read; the message names the file and the remedy."""


@dataclass(frozen=True)
class Option:
    """A variable, or a key of a dictionary in one. Its default is None where there is none that can be known."""

    name: str
    type: str = "str"
    elements: str | None = None
    choices: tuple[t.Any, ...] = ()
    required: bool = False
    nullable: bool = True
    secret: bool = False
    default: t.Any = None
    options: Mapping[str, Option] = field(default_factory=dict)

    @property
    def holds_secret(self) -> bool:
        return self.secret or any(option.holds_secret for option in self.options.values())


@dataclass(frozen=True)
class Catalog:
    """All public variables of all roles."""

    variables: Mapping[str, Option] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    # How the names of variables begin that are ours.
    prefixes: tuple[str, ...] = ()

    @property
    def defaults(self) -> dict[str, t.Any]:
        return {name: option.default for name, option in self.variables.items() if option.default is not None}


FormOf = t.Callable[[str], t.Optional[Form]]


def option_of(name: str, spec: Mapping[str, t.Any]) -> Option:
    keys = {key: option_of(key, value) for key, value in (spec.get("options") or {}).items()}
    return Option(
        name=name,
        type=spec.get("type", "str"),
        elements=spec.get("elements"),
        choices=tuple(spec.get("choices") or ()),
        required=bool(spec.get("required")),
        secret=bool(spec.get("no_log")) or is_secret_name(name),
        options=keys,
    )


def variable_of(name: str, spec: Mapping[str, t.Any], defaults: Mapping[str, t.Any]) -> Option:
    """A variable with its default. Only Ansible can say what a template is; such a default is not known here."""
    option = option_of(name, spec)
    default = defaults.get(name)
    known = None if "{{" in str(default) else default
    # Null means something where it is the default; elsewhere it is a line that was left empty.
    nullable = name in defaults and default is None
    return Option(**{**vars(option), "default": known, "nullable": nullable})


def read_yaml(path: str) -> dict[str, t.Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with open(path, encoding="utf-8") as stream:
            content = yaml.load(stream, Loader=loader)
    except (OSError, yaml.YAMLError) as error:
        raise SpecError(f"roles_path: cannot read {path}: {error}; give the directory of the roles") from error
    return content if isinstance(content, dict) else {}


def read_roles(directory: str, specs: t.Iterable[str] = ()) -> Catalog:
    """The variables of all roles below a directory, and those of further files, whose defaults stand in their specs."""
    variables: dict[str, Option] = {}
    roles = []
    for path in sorted(glob.glob(os.path.join(directory, "*", "meta", "argument_specs.yml"))):
        role = os.path.dirname(os.path.dirname(path))
        roles.append(os.path.basename(role))
        defaults_path = os.path.join(role, "defaults", "main.yml")
        defaults = read_yaml(defaults_path) if os.path.exists(defaults_path) else {}
        for entry in (read_yaml(path).get("argument_specs") or {}).values():
            for name, spec in (entry.get("options") or {}).items():
                variables.setdefault(name, variable_of(name, spec, defaults))
    if not roles:
        raise SpecError(
            f"roles_path: {directory} holds no role with meta/argument_specs.yml; give the directory of roles"
        )
    prefixes = set(roles)
    for path in specs:
        for entry in (read_yaml(path).get("argument_specs") or {}).values():
            for name, spec in (entry.get("options") or {}).items():
                variables.setdefault(name, variable_of(name, spec, {name: spec.get("default")}))
                prefixes.add(name.partition("_")[0])
    return Catalog(variables, tuple(roles), tuple(sorted(prefixes)))


def kind_of(value: t.Any) -> str:
    kinds: tuple[tuple[t.Any, str], ...] = (
        (bool, "true or false"),
        (int, "a number"),
        (float, "a number"),
        (str, "text"),
        (Mapping, "a dictionary"),
        ((list, tuple), "a list"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), f"a {type(value).__name__}")


def wrong_type(kind: str, value: t.Any) -> str | None:
    """Why a value is not of the type, None when it is. "yes" is a bool and "8443" an int, as for Ansible itself.

    Text is no list and no dictionary here, although Ansible would cut it into one for a module: roles take variables as
    they are, and a list made of the letters of a text is nobody's intention.
    """
    wanted, found = _KINDS.get(kind), kind_of(value)
    if wanted is None:
        return None
    if kind in ("str", "path"):
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return None
        if isinstance(value, (Mapping, list, tuple)):
            return f"is {found}, not {wanted}"
        return f"is not text, YAML took it for {found}"
    fits = {
        "bool": lambda: _is_bool(value),
        "dict": lambda: isinstance(value, Mapping),
        "float": lambda: _is_float(value),
        "int": lambda: (
            not isinstance(value, bool)
            and (isinstance(value, int) or (isinstance(value, str) and bool(_INTEGER.match(value.strip()))))
        ),
        "list": lambda: isinstance(value, (list, tuple)),
    }
    return None if fits[kind]() else f"is {found}, not {wanted}"


def _is_bool(value: t.Any) -> bool:
    try:
        boolean(value)
    except TypeError:
        return False
    return True


def _is_float(value: t.Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, bool)


def converted(kind: str, value: t.Any) -> t.Any:
    if kind in ("str", "path"):
        return str(value)
    if kind in ("int", "float"):
        return int(value) if kind == "int" else float(value)
    return boolean(value) if kind == "bool" else value


def example(option: Option) -> str:
    default = option.default
    if isinstance(default, (bool, int, str)) and default != "" and not option.holds_secret:
        shown = str(default).lower() if isinstance(default, bool) else default
        return f"write {_EXAMPLES[option.type].split(',')[0]}, e.g. {shown}"
    return f"write {_EXAMPLES[option.type]}"


def judge_value(option: Option, value: t.Any, form_of: FormOf, path: str = "", secret: bool = False) -> list[Finding]:
    """Everything that is wrong with a value. `path` is where it stands, e.g. lab_hosts[0].name."""
    path = path or option.name
    secret = secret or option.secret or is_secret_name(path)
    hidden = secret or option.holds_secret

    def finding(problem: str, remedy: str) -> Finding:
        return Finding(path, None if hidden else showable(value), problem, remedy)

    if value is None:
        if option.nullable and not option.required:
            return []
        remedy = "give it one" if option.required else "take the line out for the default, or give it one"
        return [finding("has no value", f"{remedy}: {_EXAMPLES.get(option.type, 'any')}")]
    problem = wrong_type(option.type, value)
    if problem:
        return [finding(problem, example(option))]
    if value == option.default:
        return []
    if option.type == "list":
        element = Option(
            name=option.name,
            type=option.elements or "raw",
            choices=option.choices,
            required=True,
            secret=option.secret,
            options=option.options,
        )
        findings = [
            found
            for number, item in enumerate(value)
            for found in judge_value(element, item, form_of, f"{path}[{number}]", secret)
        ]
        # What holds for the list as a whole, such as that nothing stands in it twice.
        return findings or judge_form(form_of(_plain(path)), value, path, hidden)
    value = converted(option.type, value)
    if option.choices and value not in option.choices:
        words = [str(choice) for choice in option.choices]
        hint = close_to(str(value), words)
        return [finding("is not a valid choice", f"{hint} valid: {', '.join(words)}".strip())]
    if isinstance(value, Mapping) and option.options:
        findings = judge_keys(option, value, form_of, path, secret)
        if findings:
            return findings
    return judge_form(form_of(_plain(path)), value, path, hidden)


def judge_keys(option: Option, value: Mapping[str, t.Any], form_of: FormOf, path: str, secret: bool) -> list[Finding]:
    findings = []
    for key in value:
        if key not in option.options:
            hint = close_to(str(key), option.options)
            remedy = f"{hint} known: {listed(option.options)}".strip()
            findings.append(Finding(f"{path}.{key}", None, "is not a known key", remedy))
    for key, part in option.options.items():
        if key in value:
            findings += judge_value(part, value[key], form_of, f"{path}.{key}", secret)
        elif part.required:
            findings.append(Finding(f"{path}.{key}", None, "is missing", f"give it: {_EXAMPLES.get(part.type, 'any')}"))
    return findings


def judge_form(form: Form | None, value: t.Any, path: str, hidden: bool) -> list[Finding]:
    if form is None:
        return []
    findings = []
    for fault in form.judge(value):
        at = f"{path}{fault.at}"
        shown = value if fault.value is None else fault.value
        hide = hidden or is_secret_name(at)
        findings.append(Finding(at, None if hide else showable(shown), fault.problem, fault.remedy))
    return findings


def _plain(path: str) -> str:
    """The path without numbers: lab_hosts[].name."""
    return re.sub(r"\[\d+\]", "[]", path)
