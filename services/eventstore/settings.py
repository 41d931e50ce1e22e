"""What the store's process reads from the environment: `EQUILOOP_EVENTSTORE_URL` and others."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the store needs to know of its surroundings."""

    model_config = SettingsConfigDict(env_prefix="EQUILOOP_", extra="ignore", frozen=True)

    eventstore_url: str = Field("sqlite:///var/eventstore.db", description="The log to serve")
    eventstore_host: str = Field("127.0.0.1", description="Address to listen on")
    eventstore_port: int = Field(2113, ge=0, le=65535, description="0: any free one")
    eventstore_advertised: str = Field("", description="Host that discovery names; empty: as above")
    drain: float = Field(10.0, ge=0, description="Seconds for running calls to end at shutdown")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
