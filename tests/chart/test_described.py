"""README and schema are made from the values that they are about; what the README shows can be installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from charts import describe
from tests.support.manifests import render

README = (describe.CHART / "README.md").read_text()


def test_readme_and_schema_are_those_of_the_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert describe.main(["--check"]) == 0, capsys.readouterr().err


UNFIT = {
    "a value that nobody described": ("a: 1\n", "a"),
    "a description of nothing": ("## @param b What\na: 1\n", "b"),
    "a value whose kind nobody can tell": ("## @param a What\na: null\n", "a"),
    "a value that was described twice": ("## @param a What\n## @param a What\na: 1\n", "once"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_values_and_comments_have_to_fit(case: str) -> None:
    text, named = UNFIT[case]
    with pytest.raises(describe.Undescribed, match=named):
        describe.schema(text)


def test_the_values_for_production_can_be_installed(tmp_path: Path) -> None:
    shown = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    values = tmp_path / "production.yaml"
    values.write_text(shown.group(1))
    installed = render([values])
    assert installed.one("Ingress").spec["rules"][0]["host"] == "alerts.example.com"
    assert not installed.all("Secret"), "yours is named"
    assert not installed.all("StatefulSet")
