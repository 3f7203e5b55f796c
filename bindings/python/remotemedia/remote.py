"""Where nodes run that don't run here. This build runs none elsewhere: what needs a server says
so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

from .errors import ConfigurationError, UnsupportedError

PROTOCOLS = ("grpc",)


@dataclass(frozen=True)
class RemoteExecutorConfig:
    """How to reach a server: host, port, and how. Times in seconds."""

    host: str
    port: int
    protocol: str = "grpc"
    auth_token: str | None = field(default=None, repr=False)
    timeout: float = 30.0
    max_retries: int = 3
    ssl_enabled: bool = False
    pip_packages: tuple[str, ...] | list[str] | None = None

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

    It can be made, and no more: this build has no remote execution, so that connecting to a server
    raises `UnsupportedError`.
    """

    def __init__(self, config: RemoteExecutorConfig) -> None:
        self.config = config

    def _refuse(self) -> NoReturn:
        raise UnsupportedError(
            f"no remote server in this build: {self.config.host}:{self.config.port} can't be "
            "reached, since remotemedia has no remote execution yet; call the object here instead"
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
