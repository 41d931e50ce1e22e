"""Every setting of every service, read from the environment (`EQUILOOP_STORE`, …)."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Service = Literal["customers", "feedback", "offers", "metrics"]


class Settings(BaseSettings):
    """What a service needs to know of its surroundings; the defaults are those of `make run`."""

    model_config = SettingsConfigDict(env_prefix="EQUILOOP_", extra="ignore", frozen=True)

    store: str = Field(
        "sqlite:///var/data/events.db",
        description="The log: sqlite:///path, or kurrentdb://host:port?tls=false",
    )
    data: Path = Field(Path("var/data"), description="Directory of the read models")
    listen: str = Field("", description="host:port to listen on; empty: the service's own below")
    customers: str = Field("127.0.0.1:50051", description="Where the customers service is")
    feedback: str = Field("127.0.0.1:50052", description="Where the feedback service is")
    offers: str = Field("127.0.0.1:50053", description="Where the offers service is")
    metrics: str = Field("127.0.0.1:50054", description="Where the metrics service is")
    deadline: float = Field(5.0, gt=0, description="Seconds for a call that brings no deadline")
    drain: float = Field(10.0, ge=0, description="Seconds for running calls to end at shutdown")
    max_concurrent: int = Field(512, gt=0, description="Calls at once; more: RESOURCE_EXHAUSTED")
    max_message: int = Field(4 << 20, gt=0, description="Bytes of a message, both ways")
    coding: Literal["on", "off"] = Field(
        "off", description="Whether a model codes feedback as it comes in"
    )
    otlp_endpoint: str = Field("", description="OTLP/gRPC collector; empty: no telemetry is sent")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def address(self, service: Service) -> str:
        """Answer where `service` listens."""
        return self.listen or str(getattr(self, service))
