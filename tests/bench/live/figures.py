"""What arrived when, and what that says. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tests.bench import report
from tests.bench.report import Gate

QUIET: float = 10.0
"""Percent of a core that others may take while a round is called quiet."""

T = TypeVar("T")


@dataclass(frozen=True)
class Arrivals:
    """Messages by when they were sent, and when each socket had them: a row a message, a column a socket, 0 for never.

    All in nanoseconds of one clock.
    """

    sent: Sequence[int]
    seen: Sequence[Sequence[int]]

    @property
    def messages(self) -> int:
        """What came, over all sockets."""
        return sum(len(row) - row.count(0) for row in self.seen)

    @property
    def missing(self) -> int:
        """What never came."""
        return sum(row.count(0) for row in self.seen)

    def last_ms(self) -> list[float]:
        """For each message that reached all, how long the last socket waited for it."""
        return [(max(row) - sent) / 1e6 for sent, row in zip(self.sent, self.seen, strict=True) if row and all(row)]

    def single_ms(self) -> list[float]:
        """For each message at each socket that it reached."""
        rows = zip(self.sent, self.seen, strict=True)
        return [(at - sent) / 1e6 for sent, row in rows for at in row if at]

    def rate(self) -> float:
        """Messages a second, from the first one's sending to the last arrival; 0 where nothing came."""
        last = max((max(row, default=0) for row in self.seen), default=0)
        return self.messages / ((last - min(self.sent)) / 1e9) if last else 0.0


@dataclass(frozen=True)
class Connects:
    """For each socket when it began to connect, was upgraded, and was told that it is subscribed; in nanoseconds."""

    times: Sequence[tuple[int, int, int]]

    def ms(self) -> list[float]:
        """From the first packet to `subscribed`."""
        return [(subscribed - begun) / 1e6 for begun, _, subscribed in self.times]

    @property
    def rate(self) -> float:
        """Subscribed sockets a second, over all."""
        begun, subscribed = min(t[0] for t in self.times), max(t[2] for t in self.times)
        return len(self.times) / ((subscribed - begun) / 1e9)


@dataclass
class Rounds(Generic[T]):
    """What each side showed in each round, and how much of a core others took meanwhile."""

    sides: Sequence[str]
    found: list[dict[str, T]] = field(default_factory=list)
    others: list[dict[str, float]] = field(default_factory=list)

    def order(self, number: int) -> list[str]:
        """The sides in the order of this round: each is first, second, … as often as the next."""
        at = number % len(self.sides)
        return [*self.sides[at:], *self.sides[:at]]

    def add(self, found: Mapping[str, T], others: Mapping[str, float]) -> None:
        """A round is over."""
        self.found.append(dict(found))
        self.others.append(dict(others))

    def is_quiet(self, number: int) -> bool:
        """Whether others left the machine to every side in this round."""
        return all(share <= QUIET for share in self.others[number].values())

    @property
    def quiet(self) -> list[int]:
        """The numbers of the quiet rounds."""
        return [number for number in range(len(self.found)) if self.is_quiet(number)]

    def of(self, side: str, figure: Callable[[T], float], rounds: Iterable[int] | None = None) -> list[float]:
        """One figure of a side in each of these rounds, or in all."""
        return [figure(self.found[number][side]) for number in (range(len(self.found)) if rounds is None else rounds)]

    def ratios(self, over: str, under: str, figure: Callable[[T], float]) -> list[float]:
        """How many times a side's figure is another's, round by round: both had the same neighbours."""
        pairs = zip(self.of(over, figure), self.of(under, figure), strict=True)
        return [a / b if b else float("nan") for a, b in pairs]

    def judged(self, name: str, side: str, figure: Callable[[T], float], limit: float, unit: str = "ms") -> Gate:
        """At most `limit`, by the median of the quiet rounds; of all, saying so, where none was quiet."""
        quiet = self.quiet
        told = name if quiet else f"{name} (no round was quiet)"
        return report.at_most(told, self.of(side, figure, quiet or None), limit, unit)

    def how_quiet(self) -> str:
        """What a caption says of it."""
        shares = [max(of.values()) for of in self.others]
        return (
            f"{len(self.quiet)} of {len(self.found)} rounds quiet (others took ≤ {QUIET:g} % of a core in each of its "
            f"parts); others took at most {report.spread(shares, 0)} %"
        )
