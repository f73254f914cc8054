# Copyright (c) 2026, cloudnative.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""One connection pool to one Kubernetes API.

The `kubernetes` Python library reads the kubeconfig and brings credentials (tokens, client
certificates, exec plugins) and TLS; requests go straight through its urllib3 pool, because its
generated models cost more time than the requests themselves. Runs on the controller.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import re
import socket
import threading
import time
import traceback
import typing as t
import urllib.parse

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_auth import (
    AUTH_ARG_SPEC,
    ClientError,
    ConfigError,
    mask_only,
    open_kubeconfig,
    parse_kubeconfig,
)
from ansible_collections.cloudnative.platform.plugins.module_utils._k8s_errors import (
    ApiError,
    Unreachable,
    expired,
    is_retriable,
    retry_delay,
)

__all__ = ["AUTH_ARG_SPEC", "ApiError", "ClientError", "Cluster", "ConfigError", "Stream", "Unreachable", "mask_only"]

LIBRARY_ERROR: str | None = None
try:
    import urllib3
    import yaml
    from kubernetes import client as kubernetes_client
    from kubernetes import config as kubernetes_config
    from kubernetes.config.config_exception import ConfigException
except ImportError:
    LIBRARY_ERROR = traceback.format_exc()

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# A server that can't be reached at all is reported well within ten seconds; one that restarts
# behind a load balancer gets the same time to come back.
CONNECT_TIMEOUT = 4.0
CONNECT_DEADLINE = 8.0
MAX_RETRIES = 6


class Cluster:
    """A Kubernetes API: load credentials once, then `request()`."""

    def __init__(
        self,
        kubeconfig: t.Any = None,
        context: str | None = None,
        timeout: float = 30,
        host: str | None = None,
        api_key: str | None = None,
        ca_cert: str | None = None,
        client_cert: str | None = None,
        client_key: str | None = None,
        validate_certs: bool | None = None,
    ) -> None:
        if LIBRARY_ERROR:
            raise ConfigError(missing_required_lib("kubernetes"))
        configuration = _load(parse_kubeconfig(kubeconfig), context, host)
        # Explicit options win over what the kubeconfig says, as in kubernetes.core.
        if host:
            configuration.host = host
        if api_key:
            configuration.api_key = {"authorization": api_key}
            configuration.api_key_prefix = {"authorization": "Bearer"}
            configuration.refresh_api_key_hook = None
        for attribute, value in (("ssl_ca_cert", ca_cert), ("cert_file", client_cert), ("key_file", client_key)):
            if value:
                if not os.path.isfile(value):
                    raise ConfigError(f"{value} does not exist or is not a file")
                setattr(configuration, attribute, value)
        if validate_certs is not None:
            configuration.verify_ssl = validate_certs
        if not configuration.verify_ssl:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        configuration.connection_pool_maxsize = 16
        self.host: str = configuration.host.rstrip("/")
        self.timeout = timeout
        self.requests = 0
        try:
            self.api_client = kubernetes_client.ApiClient(configuration)
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as e:
            raise ConfigError(f"the credentials for {self.host} are unusable: {e}") from e
        self._configuration = configuration
        self._pool = self.api_client.rest_client.pool_manager

    @classmethod
    def from_module(cls, module: AnsibleModule, timeout: float = 30) -> Cluster:
        """Connect with the options of AUTH_ARG_SPEC, or end the module with what is wrong with them."""
        if LIBRARY_ERROR:
            module.fail_json(msg=missing_required_lib("kubernetes"), exception=LIBRARY_ERROR)
        try:
            kubeconfig = open_kubeconfig(module, module.params["kubeconfig"])
            options = {name: module.params[name] for name in AUTH_ARG_SPEC if name != "kubeconfig"}
            return cls(kubeconfig=kubeconfig, timeout=timeout, **options)
        except ConfigError as e:
            return module.fail_json(msg=str(e))

    def request(
        self,
        method: str,
        path: str,
        query: dict[str, t.Any] | None = None,
        body: t.Any = None,
        content_type: str = "application/json",
        timeout: float | None = None,
        accept: str = "application/json",
    ) -> t.Any:
        """One request; returns parsed JSON, or text when the server doesn't send JSON.

        Repeats what the server asks to be repeated (429, 5xx) and what a lost connection may repeat.
        """
        headers = {"Accept": accept, "User-Agent": "cloudnative.platform"}
        data: bytes | None = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = body.encode() if isinstance(body, str) else body
            if not isinstance(data, bytes):
                data = json.dumps(body).encode()
        fields = {key: _query_value(value) for key, value in (query or {}).items() if value is not None}
        attempt = 0
        started = time.monotonic()
        while True:
            try:
                response = self._send(method, path, fields, data, headers, timeout or self.timeout)
            except urllib3.exceptions.HTTPError as e:
                reason, repeat = _connection_problem(e, method)
                if not repeat or time.monotonic() - started + CONNECT_TIMEOUT > CONNECT_DEADLINE:
                    raise Unreachable(self.host, reason) from e
                time.sleep(retry_delay(attempt, None))
                attempt += 1
                continue
            if response.status < 400:
                return _parse(response)
            if not is_retriable(response.status, method, _text(response)) or attempt >= MAX_RETRIES:
                raise self._error(response, method, path)
            time.sleep(retry_delay(attempt, response.headers.get("Retry-After")))
            attempt += 1
            started = time.monotonic()

    def _error(self, response: t.Any, method: str, path: str) -> ApiError:
        error = _api_error(response, method, path)
        if error.status == 401:
            tokens = [str(setting["value"]).removeprefix("Bearer ") for setting in self._headers()]
            why = [expired(token, datetime.datetime.now(datetime.timezone.utc)) for token in tokens]
            error.args = ("; ".join([str(error), *filter(None, why)]),)
        return error

    def _headers(self) -> list[dict[str, t.Any]]:
        """Settings that go into headers. Asked for each time: a token from an exec plugin or a file is renewed here."""
        settings = self._configuration.auth_settings().values()
        return [setting for setting in settings if setting["in"] == "header" and setting["value"]]

    def stream(self, path: str, query: dict[str, t.Any], timeout: float) -> Stream:
        """A watch: lines of JSON until the server ends it, with at most `timeout` seconds between two of them."""
        headers = {"Accept": "application/json", "User-Agent": "cloudnative.platform"}
        fields = {key: _query_value(value) for key, value in query.items() if value is not None}
        try:
            response = self._send("GET", path, fields, None, headers, timeout, preload_content=False)
        except urllib3.exceptions.HTTPError as e:
            raise Unreachable(self.host, _connection_problem(e, "GET")[0]) from e
        if response.status >= 400:
            raise self._error(response, "GET", path)
        return Stream(response, self.host)

    def _send(
        self,
        method: str,
        path: str,
        fields: dict[str, str],
        data: bytes | None,
        headers: dict[str, str],
        timeout: float,
        preload_content: bool = True,
    ) -> t.Any:
        auth = {setting["key"]: setting["value"] for setting in self._headers()}
        url = self.host + path
        if fields:
            url += ("&" if "?" in path else "?") + urllib.parse.urlencode(fields)
        self.requests += 1
        return self._pool.request(
            method,
            url,
            body=data,
            headers={**headers, **auth},
            timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT, timeout), read=timeout),
            retries=False,
            preload_content=preload_content,
        )

    def close(self) -> None:
        self._pool.clear()


class Stream:
    """Objects of an answer that comes bit by bit. Another thread may close it."""

    def __init__(self, response: t.Any, host: str) -> None:
        self._response = response
        self._host = host
        self._lock = threading.Lock()
        self._closed = False

    def __iter__(self) -> t.Iterator[t.Any]:
        rest = b""
        try:
            for part in self._response.stream(65536):
                *lines, rest = (rest + part).split(b"\n")
                yield from (json.loads(line) for line in lines if line.strip())
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as e:
            # An answer that is cut off in the middle of a line is no JSON.
            if not self._closed:
                raise Unreachable(self._host, f"the watch broke off: {e}") from e
        finally:
            with self._lock:
                self._closed = True
                self._response.close()

    def close(self) -> None:
        """End the iteration, which may wait for bytes in another thread: the socket is shut down below it."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._response.fileno())) as connection:
                connection.shutdown(socket.SHUT_RDWR)


def _load(kubeconfig: dict[str, t.Any] | str | None, context: str | None, host: str | None) -> t.Any:
    configuration = kubernetes_client.Configuration()
    try:
        if isinstance(kubeconfig, dict):
            kubernetes_config.load_kube_config_from_dict(
                kubeconfig, context=context, client_configuration=configuration, persist_config=False
            )
        elif kubeconfig or not host:
            if not kubeconfig and not context and os.environ.get("KUBERNETES_SERVICE_HOST"):
                kubernetes_config.load_incluster_config(client_configuration=configuration)
            else:
                kubernetes_config.load_kube_config(
                    config_file=kubeconfig, context=context, client_configuration=configuration, persist_config=False
                )
    except yaml.YAMLError as e:
        # Not what stands there: it may be secret.
        mark = getattr(e, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError(f"the kubeconfig {kubeconfig or 'at its default place'} is not valid YAML{line}") from e
    except (ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        source = "given as a dictionary" if isinstance(kubeconfig, dict) else kubeconfig or "at its default place"
        raise ConfigError(f"the kubeconfig {source} can't be used: {e}") from e
    return configuration


def _query_value(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(response: t.Any) -> str:
    return response.data.decode("utf-8", "replace")


def _parse(response: t.Any) -> t.Any:
    text = _text(response)
    if "json" in response.headers.get("Content-Type", ""):
        return json.loads(text)
    return text


def _api_error(response: t.Any, method: str, path: str) -> ApiError:
    body = _text(response)
    reason = response.reason or ""
    try:
        status = json.loads(body)
        return ApiError(
            response.status,
            status.get("reason") or reason,
            status.get("message") or "",
            method,
            path,
            status.get("details"),
        )
    except (ValueError, AttributeError):
        return ApiError(response.status, reason, body.strip()[:500], method, path)


def _connection_problem(error: Exception, method: str) -> tuple[str, bool]:
    """Why there was no answer, and whether asking again can help and can't do harm."""
    text = re.sub(r"<[^>]*object at 0x[0-9a-f]+>:?\s*", "", str(error))
    text = re.sub(r"HTTPS?Connection(Pool)?\([^)]*\):?\s*", "", text).strip() or type(error).__name__
    exceptions = urllib3.exceptions
    if isinstance(error, (exceptions.SSLError, exceptions.LocationParseError, exceptions.LocationValueError)):
        return text, False
    if isinstance(error, getattr(exceptions, "NameResolutionError", ())):  # urllib3 2
        return text, False
    if isinstance(error, exceptions.NewConnectionError):  # in urllib3 a kind of ConnectTimeoutError
        return re.sub(r"^Failed to establish a new connection: (\[Errno \d+\] )?", "", text), True
    if isinstance(error, exceptions.ConnectTimeoutError):
        return "connection timed out", True
    if isinstance(error, exceptions.ReadTimeoutError):
        return "the server accepted the connection but sent no answer in time", False
    return text, method.upper() != "POST"
