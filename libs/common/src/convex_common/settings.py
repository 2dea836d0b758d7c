"""Settings from environment variables, read once and on purpose by each `main.py`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnparsedSetting

from convex_common.errors import SettingsError

Port = Annotated[int, Field(ge=1, le=65535)]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def _redis_url(url: str) -> str:
    """Empty only as the default, which `_compose_redis` fills in."""
    return url and _url(url, "redis", "rediss", "unix")


def _database_url(url: str) -> str:
    """In libpq's spelling, also where somebody named SQLAlchemy's driver."""
    scheme, separator, rest = _url(url, "postgresql", "postgres", "postgresql+psycopg").partition("://")
    return f"postgresql{separator}{rest}" if scheme else url


def _url(url: str, *schemes: str) -> str:
    try:
        parts = urlsplit(url)
        malformed = parts.scheme not in schemes or parts.port == 0 or not (parts.hostname or parts.path or parts.query)
    except ValueError:
        malformed = True
    if malformed:
        raise PydanticCustomError("url", f"is no address that starts with {schemes[0]}://")
    return url


RedisUrl = Annotated[str, AfterValidator(_redis_url)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]


class CommonSettings(BaseSettings):
    """What every service reads. A field's description is the cure that is named when its value is missing or malformed.

    Redis is given by REDIS_URL, or by REDIS_HOST, REDIS_PORT and REDIS_PASSWORD. An empty variable is an absent one.
    A service's own class may raise SettingsError in a validator for what only holds between several variables.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True)

    redis_url: RedisUrl = Field(default="", repr=False, description="give redis://HOST:6379/0")
    redis_host: str | None = Field(default=None, description="give a host name")
    redis_port: Port = Field(default=6379, description="give a port from 1 to 65535")
    redis_password: SecretStr | None = None
    cache_redis_url: RedisUrl = Field(default="", repr=False, description="give redis://HOST:6379/1, or leave it out")
    database_url: DatabaseUrl = Field(
        repr=False, description="set DATABASE_URL=postgresql://USER:PASSWORD@HOST:5432/NAME"
    )
    database_owner_url: DatabaseUrl | None = Field(
        default=None, repr=False, description="give postgresql://OWNER:PASSWORD@HOST:5432/NAME, or leave it out"
    )
    queue_prefix: str = Field(
        default="alert",
        pattern=r"^[A-Za-z0-9_.:-]{1,64}$",
        validation_alias=AliasChoices("QUEUE_PREFIX", "BULL_QUEUE_PREFIX"),
        description="use up to 64 letters, digits, '_', '.', ':' or '-'",
    )
    queue_cleanup: bool = Field(
        default=True,
        validation_alias=AliasChoices("QUEUE_CLEANUP", "BULL_QUEUE_CLEANUP"),
        description="give true or false",
    )
    prometheus_enabled: bool = Field(default=True, description="give true or false")
    prometheus_port: Port = Field(default=9090, description="give a port from 1 to 65535")
    metrics_host: str = Field(
        default="0.0.0.0",  # noqa: S104 - probes come from outside the pod
        description="give the address to listen on",
    )
    log_level: Annotated[LogLevel, BeforeValidator(lambda level: str(level).upper())] = Field(
        default="INFO", description="use DEBUG, INFO, WARNING, ERROR or CRITICAL"
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        default=None, pattern=r"^https?://", description="give http://COLLECTOR:4318, or leave it out"
    )
    otel_service_name: str | None = None

    @model_validator(mode="after")
    def _compose_redis(self) -> Self:
        redis_url = self.redis_url or self._from_redis_host()
        object.__setattr__(self, "redis_url", redis_url)
        object.__setattr__(self, "cache_redis_url", self.cache_redis_url or redis_url)
        return self

    def _from_redis_host(self) -> str:
        if not self.redis_host:
            raise SettingsError("REDIS_URL: is missing", cure="set REDIS_URL=redis://HOST:6379/0, or REDIS_HOST")
        host = f"[{self.redis_host}]" if ":" in self.redis_host else self.redis_host
        password = self.redis_password.get_secret_value() if self.redis_password else ""
        login = f":{quote(password, safe='')}@" if password else ""
        return f"redis://{login}{host}:{self.redis_port}/0"


_QUOTED = {"int_parsing", "float_parsing", "bool_parsing", "literal_error", "less_than_equal", "greater_than_equal"}

S = TypeVar("S", bound=BaseSettings)


def load(cls: type[S]) -> S:
    """The settings of a service, or SettingsError with one line `NAME: what is wrong; cure`, without any secret."""
    try:
        return cls()
    except ValidationError as error:
        problems = [_problem(cls, details) for details in error.errors(include_url=False)]
        name, what, cure = problems[0]
        others = sorted({other for other, _, _ in problems[1:]} - {name})
        more = f" (also wrong: {', '.join(others)})" if others else ""
        raise SettingsError(f"{name}: {what}", cure=f"{cure}{more}") from None
    except UnparsedSetting as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = field.group(1).upper() if field else "a setting"
        raise SettingsError(f"{name}: is no JSON", cure="give a JSON list or object") from None


def _problem(cls: type[BaseSettings], details: ErrorDetails) -> tuple[str, str, str]:
    """The variable's name, what is wrong with it, and the cure."""
    key = str(details["loc"][0]) if details["loc"] else "settings"
    described = cls.model_fields.get(key.lower())
    what = "is missing" if details["type"] == "missing" else _told(details)
    cure = described.description if described and described.description else "see the settings in the README"
    return key.upper(), what, cure


def _told(details: ErrorDetails) -> str:
    """Pydantic's sentence, with the value where it cannot be a secret: only numbers, switches and levels are quoted."""
    message = details["msg"][:1].lower() + details["msg"][1:]
    value: Any = details["input"]
    quotable = details["type"] in _QUOTED and len(str(value)) <= 32
    return f"{value!r} is wrong, {message}" if quotable else message
