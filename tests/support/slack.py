"""What Slack documents of a message's limits, as a checker.

From docs.slack.dev: "Block Kit" (header, section, context and actions blocks, text object, button element), "Sending
messages using incoming webhooks" and "Formatting message text".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

BLOCKS: Final = {"header", "section", "context", "actions"}
COLOUR: Final = re.compile(r"#[0-9a-f]{6}")
ENTITY: Final = re.compile(r"&(?!(amp|lt|gt);)")
MARKUP: Final = re.compile(r"<([^>]*)>")
ALL_TEXT: Final = 13_000
"""What all texts of a message's blocks may have together; Slack answers msg_blocks_too_long beyond some 13,200."""


def check(content: bytes, link: str | None = None) -> dict[str, Any]:
    """The payload; AssertionError names what Slack would not take, or would take for a mention or another link."""
    payload: dict[str, Any] = json.loads(content)
    assert payload.keys() <= {"text", "blocks", "attachments"}
    assert 0 < len(payload["text"]) <= 4000
    _check_markup(payload["text"], link)
    assert len(payload["attachments"]) <= 20
    blocks = list(payload["blocks"])
    for attachment in payload["attachments"]:
        assert COLOUR.fullmatch(attachment["color"])
        blocks += attachment["blocks"]
    assert 0 < len(blocks) <= 50
    for block in blocks:
        _check_block(block, link)
    assert sum(len(text) for text in texts(payload)) <= ALL_TEXT
    return payload


def texts(value: Any) -> Iterator[str]:
    """Every text of the blocks."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            if name == "text" and isinstance(member, str):
                yield member
            else:
                yield from texts(member)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def _check_block(block: Mapping[str, Any], link: str | None) -> None:
    assert block["type"] in BLOCKS
    match block["type"]:
        case "header":
            assert block["text"]["type"] == "plain_text"
            _check_text(block["text"], 150, link)
        case "section":
            assert block.keys() & {"text", "fields"}
            if "text" in block:
                _check_text(block["text"], 3000, link)
            assert len(block.get("fields", [])) <= 10
            assert block.get("fields") != []
            for field in block.get("fields", []):
                _check_text(field, 2000, link)
        case "context":
            assert 0 < len(block["elements"]) <= 10
            for element in block["elements"]:
                _check_text(element, 3000, link)
        case "actions":
            assert 0 < len(block["elements"]) <= 25
            for element in block["elements"]:
                assert element["type"] == "button"
                _check_text(element["text"], 75, link)
                assert len(element["url"]) <= 3000
                assert len(element["action_id"]) <= 255


def _check_text(text: Mapping[str, Any], longest: int, link: str | None) -> None:
    assert 0 < len(text["text"]) <= longest
    if text["type"] == "plain_text":
        assert text.keys() <= {"type", "text", "emoji"}
        return
    assert text["type"] == "mrkdwn"
    assert text["verbatim"] is True
    _check_markup(text["text"], link)


def _check_markup(text: str, link: str | None) -> None:
    """`&`, `<` and `>` only as Slack wants them; no markup but the one link."""
    assert not ENTITY.search(text)
    assert {found.partition("|")[0] for found in MARKUP.findall(text)} <= {link}
    assert not re.search(r"[<>]", MARKUP.sub("", text))
    assert not re.search(r"@(channel|here|everyone|all)\b", text, re.IGNORECASE)
