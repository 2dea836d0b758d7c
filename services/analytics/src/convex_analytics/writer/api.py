"""One question to Anthropic's API, by its own SDK."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from convex_analytics.writer.answer import SCHEMA

if TYPE_CHECKING:
    from anthropic.types import Message

log = logging.getLogger(__name__)

ANSWER_TOKENS: Final = 4096
"""How long the words of a call may be; the thinking comes on top."""

ADAPTIVE_TOKENS: Final = 12_000
"""How much is left for thinking where the model decides itself how much."""

LONGEST_WAIT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    given: float
    written: float

    def micros(self, given: int, written: int) -> int:
        """Millionths of a dollar, rounded up."""
        return -int(-(given * self.given + written * self.written) // 1)


@dataclass(frozen=True, slots=True)
class Said:
    """The answer's text, why it ended, and what it took. Thinking is left out: it is nobody's evidence."""

    text: str
    stopped: str
    input_tokens: int
    output_tokens: int


class NotAnswered(Exception):  # noqa: N818 - like the states of common's errors
    """There is no answer. `outcome` is what is recorded; `again` after how many seconds another try may help;
    `billed` whether it may have cost something all the same; `final` where no question will be answered."""

    def __init__(self, outcome: str, *, again: float | None = None, billed: bool = False, final: bool = False) -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.again = again
        self.billed = billed
        self.final = final


class Anthropic:
    """Asks one model. Its own retries are off, since what may have been billed is not asked again unseen."""

    def __init__(self, key: str, model: str, *, base_url: str | None, thinking: int, timeout: float) -> None:
        import anthropic  # an extra, and half a second

        self._errors = anthropic
        self.model = model
        self._thinking = thinking
        self._client = anthropic.Anthropic(api_key=key, base_url=base_url, timeout=timeout, max_retries=0)

    @property
    def most_tokens(self) -> int:
        """How many tokens an answer may have, thinking included."""
        return ANSWER_TOKENS + (self._thinking or ADAPTIVE_TOKENS)

    def ask(self, system: str, question: str) -> Said:
        """The answer; NotAnswered otherwise."""
        errors = self._errors
        thinking: Any = {"type": "enabled", "budget_tokens": self._thinking} if self._thinking else {"type": "adaptive"}
        try:
            message = self._client.messages.create(
                model=self.model,
                max_tokens=self.most_tokens,
                system=system,
                messages=[{"role": "user", "content": question}],
                thinking=thinking,
                output_config={"format": {"type": "json_schema", "schema": dict(SCHEMA)}},
            )
        except errors.APITimeoutError:
            raise NotAnswered("timeout", billed=True) from None
        except errors.APIResponseValidationError:
            raise NotAnswered("malformed", billed=True) from None
        except errors.APIConnectionError:
            raise NotAnswered("unreachable", again=2.0, billed=True) from None
        except errors.APIStatusError as error:
            raise _refusal(error.status_code, error.response.headers.get("retry-after")) from None
        except (errors.AnthropicError, ValueError, TypeError):  # an answer that is no JSON, say
            raise NotAnswered("malformed", billed=True) from None
        return _said(message)

    def close(self) -> None:
        """Also ends a call that is under way in another thread."""
        self._client.close()


def _refusal(status: int, retry_after: str | None) -> NotAnswered:
    """Errors are not billed."""
    if status in (408, 409, 429) or status >= 500:
        try:
            wait = float(retry_after) if retry_after else 5.0
        except ValueError:  # a date
            wait = 30.0
        return NotAnswered(f"status {status}", again=wait if 0 <= wait <= LONGEST_WAIT else None)
    return NotAnswered(f"status {status}", final=status in (401, 402, 403, 404))


def _said(message: Message) -> Said:
    """Of blocks that are text; thinking, redacted or not, is passed over."""
    try:
        usage = message.usage
        given = usage.input_tokens + (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        text = "".join(block.text for block in message.content if block.type == "text")
        return Said(text, str(message.stop_reason), given, usage.output_tokens)
    except (AttributeError, TypeError):  # the SDK does not check what it is sent
        raise NotAnswered("malformed", billed=True) from None
