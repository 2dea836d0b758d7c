"""Writes e-mails: the two forms of a notification from their templates, put together with its headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from convex_common.domain.mailbox import Mailbox
from convex_notifier.domain import summary
from convex_notifier.domain.colours import COLOURS
from convex_notifier.domain.letter import letter
from convex_notifier.domain.message import Destination, Message

NAMES_WIDTH: Final = 13
"""Of the longest name of a fact, with its colon."""


class Letters:
    """Every value is escaped in HTML; nothing is loaded from elsewhere by whoever reads it."""

    def __init__(self, sender: Mailbox, public_url: str | None) -> None:
        self._sender = sender
        self._public_url = public_url
        environment = Environment(
            loader=PackageLoader("convex_notifier"),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._text = environment.get_template("alert.txt")
        self._html = environment.get_template("alert.html")

    def write(
        self, message: Message, destination: Destination, recipients: Sequence[Mailbox], *, utf8: bool = False
    ) -> bytes:
        """The whole message for these recipients, in UTF-8 where one of their addresses needs it."""
        told = summary.of(message, self._public_url)
        return letter(
            message,
            destination,
            told,
            sender=self._sender,
            recipients=recipients,
            text=self._text.render(summary=told, width=NAMES_WIDTH),
            html=self._html.render(summary=told, colour=COLOURS.get(told.tone, COLOURS["info"])),
            utf8=utf8,
        )
