"""Reads the part of `totvsAppConfig_v2.json` that concerns Smart Link."""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smartlink.domain.json_bytes import unmarked
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.said import Said, said, said_together
from smartlink.domain.shape import refused

MAX_HORIZON = timedelta(days=366)
MAX_BYTES = 1_000_000  # a copy must fit into a document of Firestore

_Positive = Annotated[Decimal, Field(gt=0, le=1_000_000, allow_inf_nan=False, decimal_places=9)]


class ConfigError(ValueError):
    """The file cannot be used. The text names the field and the fix."""


class _Model(BaseModel):
    # The model is built at its first use: many import this module, but only a poll reads the file.
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class _SmartLinkInfo(_Model):
    attempts: Annotated[int, Field(alias="QtdeTentativasExec", ge=1, le=1_000)]
    factor: Annotated[_Positive, Field(alias="FatorTempoExecucao")]
    interval: Annotated[_Positive, Field(alias="MinutesInterval")]


class _GlobalConfig(_Model):
    info: Annotated[_SmartLinkInfo, Field(alias="IntegrationSmartLinkInfo")]


class _AppConfig(_Model):
    config: Annotated[_GlobalConfig, Field(alias="TotvsAppGlobalConfig")]


def parse_config(data: bytes, generation: str) -> RetryPolicy:
    """Reads the retry policy from the file. Fields that we do not know are ignored.

    Raises ConfigError, which names each field that is missing or wrong.
    """
    if len(data) > MAX_BYTES:
        message = said(
            "totvsAppConfig_v2.json has {count} bytes; at most {most} are read",
            count=len(data),
            most=MAX_BYTES,
        )
        raise ConfigError(message)
    try:
        info = _AppConfig.model_validate_json(unmarked(data)).config.info
    except ValidationError as error:
        raise ConfigError(_explain(error)) from None
    policy = RetryPolicy(info.attempts, info.factor, info.interval, generation)
    product = policy.interval * policy.factor * policy.attempts
    minutes = product * (policy.attempts * (policy.attempts - 1) // 2)
    if minutes > _minutes(MAX_HORIZON):
        message = said(
            "totvsAppConfig_v2.json: MinutesInterval * FatorTempoExecucao * QtdeTentativasExec "
            "spreads the attempts over {minutes} minutes; at most {most} "
            "(366 days) are allowed: lower one of the three",
            minutes=str(round(minutes)),
            most=_minutes(MAX_HORIZON),
        )
        raise ConfigError(message)
    return policy


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds()) // 60


def _explain(error: ValidationError) -> Said:
    problems = [
        said(
            "{place}: {problem}",
            place=".".join(str(part) for part in item["loc"]) or said("the file"),
            problem=refused(item["msg"]),
        )
        for item in error.errors(include_input=False, include_url=False, include_context=False)
    ]
    return said("totvsAppConfig_v2.json: {problems}", problems=said_together("; ", problems))
