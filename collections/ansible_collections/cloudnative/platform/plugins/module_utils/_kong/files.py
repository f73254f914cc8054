# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Documents in files: YAML or JSON in, one file out. What is written holds secrets: only its owner reads it."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import typing as t

from ansible_collections.cloudnative.platform.plugins.module_utils import _unique_keys
from ansible_collections.cloudnative.platform.plugins.module_utils._kong.entities import KongError

yaml: t.Any = None
with contextlib.suppress(ImportError):  # hosts need not have it: JSON is read without
    import yaml

_SUFFIXES = (".yml", ".yaml", ".json")


def parse(text: str, origin: str) -> t.Any:
    """JSON, or YAML where PyYAML is there to read it. JSON is tried first: it is read fifty times as fast."""
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, object_pairs_hook=_unique_keys.in_json)
        except ValueError as e:
            if yaml is None or isinstance(e, _unique_keys.DuplicateKeyError):
                raise KongError(f"{origin} is not JSON: {e}") from e
    if yaml is None:
        raise KongError(f"{origin} is YAML, and PyYAML is not there where this module runs: install it, or give JSON")
    try:
        return yaml.load(text, Loader=_unique_keys.yaml_loader(yaml))
    except yaml.YAMLError as e:
        # Where and why, but not the line itself: there may be a secret in it.
        mark = getattr(e, "problem_mark", None)
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise KongError(f"{origin} is not YAML{place}: {getattr(e, 'problem', None) or 'it can not be read'}") from e


def text_of(name: str) -> str:
    try:
        with open(name, encoding="utf-8") as stream:
            return stream.read()
    except (OSError, UnicodeDecodeError) as e:
        raise KongError(f"{name} can't be read: {getattr(e, 'strerror', None) or e}") from e


def read(paths: t.Iterable[str], text_of: t.Callable[[str], str] = text_of) -> list[tuple[str, t.Any]]:
    """The documents of files; a directory stands for the YAML and JSON files in it, sorted."""
    found: list[tuple[str, t.Any]] = []
    for path in paths:
        names = [path]
        if os.path.isdir(path):
            names = [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith(_SUFFIXES)]
            if not names:
                raise KongError(f"directory {path} has no {', '.join(_SUFFIXES)} in it")
        found += [(name, parse(text_of(name), name)) for name in names]
    return found


def dump(content: t.Any) -> str:
    """YAML for people, where PyYAML is there; JSON is YAML as well."""
    if yaml is None:
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(content, Dumper=dumper, sort_keys=False, default_flow_style=False, allow_unicode=True))


def differs(path: str, text: str) -> bool:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read() != text or bool(os.stat(path).st_mode & 0o077)
    except FileNotFoundError:
        return True
    except (OSError, UnicodeDecodeError) as e:
        raise KongError(f"{path} can't be read: {getattr(e, 'strerror', None) or e}") from e


def write(path: str, text: str) -> None:
    """Atomically, with mode 0600. An owner or a group that the file had is kept."""
    folder = os.path.dirname(os.path.abspath(path))
    try:
        handle, name = tempfile.mkstemp(dir=folder, prefix=".kong-config.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            if os.path.exists(path) and os.geteuid() == 0:
                before = os.stat(path)
                os.chown(name, before.st_uid, before.st_gid)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as e:
        raise KongError(f"{path} can't be written: {e.strerror or e}") from e
