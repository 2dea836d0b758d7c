"""Words that the bodies of requests and answers are made of."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Final, TypeVar, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    create_model,
)

from convex_gateway.problems import NO_NUL

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
Words = Annotated[str, StringConstraints(max_length=4000, pattern=NO_NUL)]
LabelName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=NO_NUL)]
LabelValue = Annotated[str, StringConstraints(max_length=2048, pattern=NO_NUL)]
Labels = Annotated[dict[LabelName, LabelValue], Field(max_length=64)]
UserId = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=NO_NUL)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Switch = StrictBool

_NUMBER: Final = re.compile(r"\s*[+-]?[\d._]+(e[+-]?\d+)?\s*", re.IGNORECASE)


def _without_fraction(value: object) -> object:
    """60.0 is a whole number in JSON, and many languages write it so."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _no_number(value: object) -> object:
    """Pydantic would take a number, and a number as text, for seconds since 1970; we say RFC 3339 and mean it."""
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise ValueError("should be a time such as 2026-01-31T12:00:00Z")
    return value


def _in_utc(moment: dt.datetime) -> dt.datetime:
    """Its offset may put it before the first year or after the last."""
    try:
        return moment.astimezone(dt.UTC)
    except OverflowError:
        raise ValueError("should be a time between the years 1 and 9999") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(_in_utc)]

WHOLE = BeforeValidator(_without_fraction)
"""After a StrictInt and its bounds; before them OpenAPI would lose the bounds."""


class Body(BaseModel):
    """What a request carries: nothing that is unknown here, and no number written as text."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Answer(BaseModel):
    """What an answer holds."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")


P = TypeVar("P", bound=BaseModel)


def patch(model: type[P]) -> type[P]:
    """A body with the decorated model's fields, each of which may be left out, then to stay as it is.

    Only what `changes` tells of such a body is meant; the values of absent fields are None.
    """
    fields: dict[str, Any] = {
        name: Annotated[
            (field.annotation, *field.metadata, Field(default_factory=lambda: None, description=field.description))
        ]
        for name, field in model.model_fields.items()
    }
    optional = create_model(model.__name__, __base__=Body, __doc__=model.__doc__, __module__=model.__module__, **fields)
    return cast("type[P]", optional)


def changes(body: BaseModel) -> dict[str, object]:
    """The fields that a patch names, with their values as models, enums and ids."""
    return {name: getattr(body, name) for name in body.model_fields_set}
