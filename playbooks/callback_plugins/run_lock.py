"""Enables the callback plugin that gives the lock of the platform back, for every playbook that imports lock.yml."""

from __future__ import annotations

from ansible_collections.cloudnative.platform.plugins.callback import run_lock

DOCUMENTATION = run_lock.DOCUMENTATION


class CallbackModule(run_lock.CallbackModule):
    pass
