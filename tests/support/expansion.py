"""What is wrong with a migration while services of the version before it run: squawk's rules, and a few of our own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

BREAKING = frozenset(
    {
        "adding-not-nullable-field",
        "adding-required-field",
        "ban-drop-column",
        "ban-drop-default",
        "ban-drop-function",
        "ban-drop-policy",
        "ban-drop-table",
        "ban-revoke",
        "changing-column-type",
        "renaming-column",
        "renaming-table",
    }
)
"""Services of the version before cannot work any more: allowed in a contract step, which names the `oldest` code."""

NOT_OURS = (
    "require-lock-timeout",  # `migrate` sets it
    "require-statement-timeout",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-robust-stmts",  # a revision is one transaction
)

_OWN = {
    "ban-drop-policy": re.compile(r"\bDROP\s+POLICY\b", re.IGNORECASE),
    "ban-revoke": re.compile(r"\bREVOKE\b(?![^;]*\bFROM\s+PUBLIC\b)", re.IGNORECASE),
    "rewriting-every-row": re.compile(r"^\s*(UPDATE|DELETE)\b(?!.*\bWHERE\b)[^;]*;", re.IGNORECASE | re.MULTILINE),
}
_STRINGS = re.compile(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'", re.DOTALL)
_COMMENTS = re.compile(r"--.*")
_EXCUSED = re.compile(r"--\s*squawk-ignore\s+([\w-]+(?:\s*,\s*[\w-]+)*)")


def findings(sql: str) -> list[str]:
    """The broken rules, in order and once each; without those that a `-- squawk-ignore RULE` above excuses."""
    found = subprocess.run(
        [
            str(Path(sys.executable).with_name("squawk")),
            "--assume-in-transaction",
            "--pg-version=15",
            "--reporter=json",
            "--stdin-filepath=migration.sql",
            *(f"--exclude={rule}" for rule in NOT_OURS),
        ],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode in (0, 1), found.stderr
    rules = [finding["rule_name"] for finding in json.loads(found.stdout)]
    plain = _COMMENTS.sub("", _STRINGS.sub("''", sql))
    rules += [rule for rule, words in _OWN.items() if words.search(plain) and rule not in excused(sql)]
    return list(dict.fromkeys(rules))


def excused(sql: str) -> set[str]:
    """The rules that its comments make exceptions of."""
    return {rule.strip() for names in _EXCUSED.findall(sql) for rule in names.split(",")}
