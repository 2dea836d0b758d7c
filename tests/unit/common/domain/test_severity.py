"""Severities are ordered, and other tools' words for them are understood."""

from __future__ import annotations

import pytest

from convex_common.domain.severity import FOREIGN, Severity, from_label


def test_the_order() -> None:
    worst_first = sorted(Severity, key=lambda severity: -severity.rank)
    assert [severity.value for severity in worst_first] == ["critical", "error", "warning", "info"]
    for n, one in enumerate(worst_first):
        for m, other in enumerate(worst_first):
            assert one.exceeds(other) is (n < m)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("critical", Severity.CRITICAL),
        ("page", Severity.CRITICAL),
        ("CRITICAL", Severity.CRITICAL),
        (" Warn ", Severity.WARNING),
        ("major", Severity.ERROR),
        ("minor", Severity.WARNING),
        ("none", Severity.INFO),
        ("", Severity.WARNING),
        (None, Severity.WARNING),
        ("sev-7", Severity.WARNING),
    ],
)
def test_labels_of_other_tools(label: str | None, expected: Severity) -> None:
    assert from_label(label) is expected


def test_our_own_words_mean_themselves() -> None:
    assert {word: FOREIGN[word] for word in Severity} == {severity.value: severity for severity in Severity}
