"""Servers that nodes run on. Objects of Python run on none yet: what needs that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import ConfigurationError, UnsupportedError

if TYPE_CHECKING:
    from .nodes.remote import RemoteExecutionNode

PROTOCOLS = ("grpc",)


@dataclass(frozen=True)
class RemoteExecutorConfig:
    """How to reach a server (`rmedia serve`): host, port, and how. It may be out of reach for
    `timeout` seconds, in which it is tried again and again, however often `max_retries` says.

    Called, it makes nodes that run there: `config("Gain", {"gain_db": -6})`.
    """

    host: str
    port: int
    protocol: str = "grpc"
    auth_token: str | None = field(default=None, repr=False)
    timeout: float = 30.0
    max_retries: int = 3
    ssl_enabled: bool = False
    pip_packages: tuple[str, ...] | list[str] | None = None

    def __call__(
        self, node_type: str, node_config: Mapping[str, Any] | None = None
    ) -> RemoteExecutionNode:
        """A node of that type on the server."""
        from .nodes.remote import RemoteExecutionNode

        return RemoteExecutionNode(node_type, self, node_config)

    def settings(self) -> dict[str, Any]:
        """What a manifest says of the server."""
        scheme = "https://" if self.ssl_enabled else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        said: dict[str, Any] = {
            "endpoint": f"{scheme}{host}:{self.port}",
            "connect_ms": self.timeout * 1000,
        }
        if self.auth_token is not None:
            said["token"] = self.auth_token
        return said

    def __post_init__(self) -> None:
        if not self.host:
            raise ConfigurationError("host is empty: give the server's name or address")
        if not 0 < self.port < 65536:
            raise ConfigurationError(f"port {self.port} is not from 1 to 65535")
        if self.protocol not in PROTOCOLS:
            raise ConfigurationError(
                f"protocol {self.protocol!r} is none of {', '.join(PROTOCOLS)}"
            )
        if not self.timeout > 0:
            raise ConfigurationError(f"a timeout of {self.timeout} s is none: give more than 0")
        if self.max_retries < 0:
            raise ConfigurationError(f"{self.max_retries} retries are none: give 0 or more")


class RemoteProxyClient:
    """Objects of Python on a server, called as if they were here.

    It can be made, and no more: no server runs Python for others, so that connecting to one
    raises `UnsupportedError`.
    """

    def __init__(self, config: RemoteExecutorConfig) -> None:
        self.config = config

    def _refuse(self) -> NoReturn:
        raise UnsupportedError(
            f"no server runs Python for others: {self.config.host}:{self.config.port} can't have "
            "the object; call it here instead"
        )

    async def connect(self) -> None:
        """Raises `UnsupportedError`."""
        self._refuse()

    async def disconnect(self) -> None:
        """Nothing: there is no connection."""

    async def create_proxy(self, obj: Any, serialization_format: str = "pickle") -> Any:
        """Raises `UnsupportedError`."""
        self._refuse()

    async def __aenter__(self) -> RemoteProxyClient:
        self._refuse()

    async def __aexit__(self, *_: object) -> None:
        """Nothing: there is no connection."""
