"""Where nodes run that don't run here. This build runs none elsewhere: what needs a server says
so."""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import ConfigurationError

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
