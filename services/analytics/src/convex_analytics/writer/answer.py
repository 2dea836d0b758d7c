"""What a model answers, held against what it was given. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

Sentence = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["frameworks"],
    "properties": {
        "frameworks": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["id", "reasoning", "actions"],
                "properties": {
                    "id": {"type": "string"},
                    "reasoning": {"type": "array", "items": {"type": "string"}},
                    "actions": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["action", "because"],
                            "properties": {"action": {"type": "string"}, "because": {"type": "string"}},
                        },
                    },
                },
            },
        }
    },
}
"""What the API is asked to keep to. It knows no lengths, so these are checked here."""


class Unusable(Exception):  # noqa: N818 - like the states of common's errors
    """The answer is not what was asked for; nothing of it is kept."""


class Advice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be done, and what speaks for it."""

    action: Sentence
    because: Sentence


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model wrote of one framework."""

    id: str
    reasoning: Annotated[list[Sentence], msgspec.Meta(min_length=1, max_length=8)]
    actions: Annotated[list[Advice], msgspec.Meta(max_length=6)]


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    frameworks: Annotated[list[Words], msgspec.Meta(max_length=100)]


@dataclass(frozen=True, slots=True)
class Checked:
    """What may be shown, by the framework's id, and how many were refused."""

    words: Mapping[str, Words]
    refused: int


_ADDRESS: Final = re.compile(
    r"https?:|www\.|\]\(|[<>`]|[\x00-\x08\x0b-\x1f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", re.I
)
"""Nothing that could become a link, a markup or a trick of display: no sentence about evidence needs it."""

_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")


def check(text: str, given: Mapping[str, Any]) -> Checked:
    """The answer's words for the frameworks that were asked about, each as `given` by its id. Unusable where it is no
    answer at all; a framework whose words have numbers that its evidence has not, or an address, is refused alone."""
    try:
        answer = msgspec.json.decode(text, type=Answer)
    except msgspec.MsgspecError as error:
        raise Unusable(f"the answer does not fit: {error}") from None
    kept: dict[str, Words] = {}
    refused = 0
    for words in answer.frameworks:
        if words.id not in given or words.id in kept or not _sound(words, given[words.id]):
            refused += 1
        else:
            kept[words.id] = words
    return Checked(kept, refused)


def _sound(words: Words, evidence: Any) -> bool:
    known = _numbers(evidence)
    sentences = [*words.reasoning, *(part for one in words.actions for part in (one.action, one.because))]
    for sentence in sentences:
        if _ADDRESS.search(sentence):
            return False
        if any(found not in known for found in map(_plain, _NUMBER.findall(sentence))):
            return False
    return True


def _plain(number: str) -> str:
    """Without separators of thousands, leading zeros and ends of zeros: 1,344.50 is 1344.5."""
    whole, _, part = number.replace(",", "").partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{part}" if part else "")


def _numbers(evidence: Any) -> set[str]:
    """Every number of the evidence, in the forms that a sentence may give it: itself, rounded, in per cent, in days."""
    if isinstance(evidence, Mapping):
        return set().union(*map(_numbers, evidence.values()), *map(_numbers, evidence.keys()))
    if isinstance(evidence, list | tuple):
        return set().union(*map(_numbers, evidence)) | {str(len(evidence))}
    if isinstance(evidence, bool) or evidence is None:
        return set()
    if isinstance(evidence, int | float):
        forms = [evidence, round(evidence), round(evidence, 1), round(evidence, 2)]
        if 0 <= evidence <= 1:
            forms += [round(100 * evidence), round(100 * evidence, 1), round(100 * evidence, 2)]
        forms += [evidence // 24, evidence // 3600, evidence // 86400]
        return {_plain(f"{form:.4f}") for form in forms}
    return {_plain(found) for found in _NUMBER.findall(str(evidence))}
