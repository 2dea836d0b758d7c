"""The section "Suppression, precisely" of the architecture as a small program, written from its text and in seconds.

It knows nothing of the product's types and keeps one list of episodes per fingerprint.
"""

from __future__ import annotations

from dataclasses import dataclass, field

WINDOW = 300
RANK = {"info": 0, "warning": 1, "error": 2, "critical": 3}

Told = tuple[int, str, str]  # when, of which fingerprint, why: fired, reminder, escalation, resolved


@dataclass
class Episode:
    """From the first trigger to the resolve; a silent reopening continues it."""

    severity: str
    since: int
    """When it began, or fired again."""
    status: str = "firing"
    occurrences: int = 1
    announced: bool = False
    by_person: bool = False
    cleared: bool = False
    kept: str | None = None
    """What a silence or a snooze kept people from being told of, and they still are not."""
    snoozed_until: int | None = None
    overslept: bool = False
    """Its snooze ended during a silence, whose end wakes."""

    @property
    def open(self) -> bool:
        return self.status != "resolved"


@dataclass
class Quiet:
    """A silence: of which fingerprints, from when until when."""

    names: frozenset[str]
    starts_at: int
    ends_at: int


@dataclass
class Fingerprint:
    """The episodes, the window that survives them, and what another tool said of it."""

    episodes: list[Episode] = field(default_factory=list)
    window_from: int | None = None
    notified_severity: str | None = None
    starts_at: int | None = None
    ends_at: int | None = None

    @property
    def last(self) -> Episode | None:
        return self.episodes[-1] if self.episodes else None

    @property
    def open(self) -> Episode | None:
        return self.last if self.last is not None and self.last.open else None

    def in_window(self, now: int) -> bool:
        return self.window_from is not None and now < self.window_from + WINDOW


@dataclass
class Model:
    """Everything of one workspace."""

    now: int = 0
    of: dict[str, Fingerprint] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    silences: list[Quiet] = field(default_factory=list)
    counted: int = 0
    withheld: int = 0

    def fingerprint(self, name: str) -> Fingerprint:
        return self.of.setdefault(name, Fingerprint())

    def trigger(self, name: str, severity: str) -> None:
        print_ = self.fingerprint(name)
        last = print_.last
        self.counted += 1
        if last is None or (not last.open and not print_.in_window(self.now)):
            self._open(name, severity)
        elif last.open:
            self._fold(name, last, severity)
        elif print_.notified_severity is not None and RANK[severity] > RANK[print_.notified_severity]:
            self._open(name, severity)  # a higher severity breaks through the window
        elif last.by_person and not last.cleared:
            last.occurrences += 1  # stays closed
            self.withheld += 1
        else:
            last.occurrences += 1
            last.since = self.now
            last.status, last.by_person, last.cleared, last.announced = "firing", False, False, False
            self.withheld += 1

    def _open(self, name: str, severity: str) -> None:
        self.fingerprint(name).episodes.append(Episode(severity, self.now))
        self._triggered(name, "fired")

    def _fold(self, name: str, episode: Episode, severity: str) -> None:
        episode.occurrences += 1
        if RANK[severity] > RANK[episode.severity]:
            episode.severity = severity
            self._triggered(name, "escalation")
        elif self.fingerprint(name).in_window(self.now) or episode.status == "acknowledged":
            self.withheld += 1
        else:
            self._triggered(name, "reminder" if episode.announced else "fired")

    def _triggered(self, name: str, why: str) -> None:
        """A trigger that people are told of, unless a silence or a snooze is in effect."""
        self.withheld += not self._notify(name, why)

    def silenced(self, name: str) -> bool:
        """Whether a silence fits it and is in effect."""
        return any(name in one.names and one.starts_at <= self.now < one.ends_at for one in self.silences)

    def silence_ends(self, name: str) -> None:
        """What is still so, and was kept from people, is told once."""
        print_, episode = self.fingerprint(name), self.fingerprint(name).open
        if episode is None or self.silenced(name):
            return
        if episode.overslept:
            self._wake(name, episode)
        if episode.kept is None or episode.snoozed_until is not None:
            return
        told = print_.notified_severity
        raised = told is not None and RANK[episode.severity] > RANK[told]
        if episode.announced and raised:
            self._notify(name, "escalation")
        elif episode.status == "acknowledged":
            return
        elif not episode.announced and (raised or not print_.in_window(self.now)):
            self._notify(name, "fired")
        elif episode.announced and episode.kept == "reminder":
            self._notify(name, "reminder")

    def _notify(self, name: str, why: str) -> bool:
        """Whether people were told."""
        print_ = self.fingerprint(name)
        assert print_.last is not None
        if self.silenced(name) or print_.last.snoozed_until is not None:
            print_.last.kept = why
            return False
        print_.last.kept = None
        print_.last.announced = True
        print_.window_from, print_.notified_severity = self.now, print_.last.severity
        self.told.append((self.now, name, why))
        return True

    def clear(self, name: str) -> None:
        """The condition has ended."""
        last = self.fingerprint(name).last
        if last is None:
            return
        if last.open:
            self._end(name, last)
            last.cleared = True
        elif last.by_person:
            last.cleared = True

    def _end(self, name: str, episode: Episode) -> None:
        episode.status = "resolved"
        episode.kept = None
        episode.snoozed_until, episode.overslept = None, False
        if episode.announced:
            self.told.append((self.now, name, "resolved"))
        episode.announced = False

    def acknowledge(self, name: str) -> bool:
        """Whether it was possible."""
        episode = self.fingerprint(name).open
        if episode is None or episode.status != "firing":
            return False
        episode.status = "acknowledged"
        if episode.snoozed_until is not None:
            self._unsnooze(name, episode)
        return True

    def snooze(self, name: str, until: int) -> bool:
        """Whether it was possible."""
        episode = self.fingerprint(name).open
        if episode is None:
            return False
        episode.snoozed_until, episode.overslept = until, False
        return True

    def unsnooze(self, name: str) -> bool:
        """Whether it was possible: what was kept from people is told."""
        episode = self.fingerprint(name).open
        if episode is None or episode.snoozed_until is None:
            return False
        self._unsnooze(name, episode)
        return True

    def _unsnooze(self, name: str, episode: Episode) -> None:
        episode.snoozed_until, episode.overslept = None, False
        self.silence_ends(name)

    def _wake(self, name: str, episode: Episode) -> None:
        """The end of a snooze is told, whatever was or was not told before."""
        if self.silenced(name):
            episode.overslept = True
            return
        episode.snoozed_until, episode.overslept = None, False
        told = self.fingerprint(name).notified_severity
        raised = told is not None and RANK[episode.severity] > RANK[told]
        self._notify(name, "fired" if not episode.announced else "escalation" if raised else "reminder")

    def resolve(self, name: str) -> bool:
        """Whether it was possible."""
        episode = self.fingerprint(name).open
        if episode is None:
            return False
        self._end(name, episode)
        episode.by_person, episode.cleared = True, False
        return True

    def source_fires(self, name: str, starts_at: int, ends_at: int | None, severity: str) -> None:
        """Another tool sends its alert, for the first time or again."""
        print_ = self.fingerprint(name)
        if print_.starts_at is not None and starts_at < print_.starts_at:
            return  # about an episode that is over
        resend = print_.starts_at == starts_at
        if resend and print_.open is not None:
            print_.ends_at = ends_at
            return
        last = print_.last
        if resend and last is not None and last.by_person and not last.cleared and print_.in_window(self.now):
            return
        print_.starts_at, print_.ends_at = starts_at, ends_at
        self.trigger(name, severity)

    def source_resolves(self, name: str, starts_at: int) -> None:
        print_ = self.fingerprint(name)
        if print_.starts_at is None or starts_at >= print_.starts_at:
            self.clear(name)

    def timers(self) -> None:
        """Everything that is due by now happens, the earliest first."""
        due: list[tuple[int, int, str]] = []
        for name, print_ in self.of.items():
            if print_.open is not None and print_.ends_at is not None and print_.ends_at <= self.now:
                due.append((print_.ends_at, 0, name))
            if print_.window_from is not None and print_.window_from + WINDOW <= self.now:
                due.append((print_.window_from + WINDOW, 1, name))
        for name in self.of:
            ended = [one.ends_at for one in self.silences if name in one.names and one.ends_at <= self.now]
            due += [(max(ended), -2, name)] if ended else []
            episode = self.fingerprint(name).open
            if episode is not None and episode.snoozed_until is not None and episode.snoozed_until <= self.now:
                due.append((episode.snoozed_until, -1, name))
        for at, kind, name in sorted(due):
            if kind == -2:
                self.silence_ends(name)
                continue
            episode = self.fingerprint(name).open
            if episode is None:
                continue
            if kind == -1:
                if episode.snoozed_until is not None and not episode.overslept:
                    self._wake(name, episode)
            elif kind == 0:
                self.clear(name)
            elif (
                not episode.announced
                and episode.status == "firing"
                and not self.fingerprint(name).in_window(self.now)
                and episode.since < at  # else it did not begin in that window
            ):
                self._notify(name, "fired")
