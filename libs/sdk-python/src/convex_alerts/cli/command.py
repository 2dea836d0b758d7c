"""What every command has in common: where it is sent, how it answers, and what its exit code says."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Final, NoReturn, ParamSpec, TypedDict

import typer

from convex_alerts.cli import connection

if TYPE_CHECKING:
    from convex_alerts.async_client import AsyncClient
    from convex_alerts.client import Client

P = ParamSpec("P")

FAILED: Final = 1
WRONG: Final = 2
TRY_AGAIN: Final = 75


class Plain(TypedDict):
    """Settings of an application whose help and errors are plain text, which is shown at once."""

    rich_markup_mode: None
    pretty_exceptions_enable: bool


PLAIN: Final = Plain(rich_markup_mode=None, pretty_exceptions_enable=False)


@dataclass
class Session:
    """One command's dealing with an installation."""

    url: str | None
    token: str | None
    profile: str | None
    as_json: bool
    tries: int = 5

    @cached_property
    def found(self) -> connection.Found:
        """The installation that is meant."""
        return connection.find(self.url, self.token, self.profile)

    @cached_property
    def client(self) -> Client:
        """A client of it."""
        from convex_alerts.client import Client

        return Client(self.found.url, self.found.token, tries=self.tries)

    def async_client(self) -> AsyncClient:
        """A client of it for asyncio; tokens of an instance on this machine are made anew as needed."""
        from convex_alerts.async_client import AsyncClient

        return AsyncClient(self.found.url, self.found.renew or self.found.token, tries=self.tries)


URL = Annotated[str | None, typer.Option("--url", help="CONVEX_URL, or this machine's instance, by default.")]
TOKEN = Annotated[str | None, typer.Option("--token", help="CONVEX_TOKEN, or this machine's instance's, by default.")]
PROFILE = Annotated[str | None, typer.Option("--profile", help="One of `convex profiles`; CONVEX_PROFILE.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]

_COMMON: Final = {"url": (URL, None), "token": (TOKEN, None), "profile": (PROFILE, None), "as_json": (JSON, False)}


def application(help_: str) -> typer.Typer:
    """An application for a group of commands."""
    return typer.Typer(help=help_, no_args_is_help=True, add_completion=False, **PLAIN)


def command(
    app: typer.Typer, name: str | None = None, **settings: Any
) -> Callable[[Callable[Concatenate[Session, P], None]], Callable[..., None]]:
    """Adds a command: a function of a Session and its own parameters, with the common options after them."""

    def decorate(function: Callable[Concatenate[Session, P], None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(**given: Any) -> None:
            session = Session(*(given.pop(name) for name in _COMMON))
            guarded(function, session, **given)

        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        common = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (annotation, default) in _COMMON.items()
        ]
        keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        run.__signature__ = inspect.Signature([*keyword, *common])  # type: ignore[attr-defined]
        run.__annotations__ = {}
        app.command(name, **settings)(run)
        return run

    return decorate


def guarded(function: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    """Runs it; what goes wrong is one line on stderr with its cure, and an exit code."""
    from convex_alerts.errors import ConvexAlertsError, Unavailable, Unreachable

    try:
        function(*args, **kwargs)
    except (Unavailable, Unreachable) as error:
        fail(str(error), TRY_AGAIN, error)
    except ConvexAlertsError as error:
        fail(str(error), FAILED, error)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read has enough
        raise typer.Exit(0) from None


def fail(message: str, code: int = FAILED, cause: Exception | None = None) -> NoReturn:
    """Ends with one line and an exit code."""
    from convex_alerts.cli.output import clean

    typer.echo(clean(message), err=True)
    raise typer.Exit(code) from cause
