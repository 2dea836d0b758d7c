"""The Dockerfile as its stages, and a stage's own COPY and RUN lines carried out in a folder instead of an image."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DOCKERFILE = REPOSITORY / "Dockerfile"
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")


@dataclass(frozen=True)
class Instruction:
    """One line of the Dockerfile, continuations joined: `RUN`, its --flags, and the rest."""

    word: str
    flags: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Stage:
    """What one FROM begins."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def of(self, word: str) -> list[Instruction]:
        return [found for found in self.instructions if found.word == word]

    def last(self, word: str) -> str:
        return self.of(word)[-1].text

    @property
    def environment(self) -> dict[str, str]:
        """Its ARG defaults and ENV, in order, as a RUN of it sees them."""
        known: dict[str, str] = {}
        for instruction in self.instructions:
            if instruction.word in ("ARG", "ENV"):
                for name, _, value in (pair.partition("=") for pair in _words(instruction.text)):
                    known[name] = expanded(value, known)
        return known

    @property
    def copied(self) -> list[str]:
        """What it takes from the build's context, from the repository's top."""
        return [
            source
            for copy in self.of("COPY")
            if not any(flag.startswith("--from") for flag in copy.flags)
            for source in copy.text.split()[:-1]
        ]


def stages(text: str | None = None) -> dict[str, Stage]:
    """All stages by name, in order; an ARG before the first FROM stands in its base."""
    found: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    for instruction in _instructions(DOCKERFILE.read_text() if text is None else text):
        if instruction.word == "FROM":
            base, _, name = expanded(instruction.text, arguments).partition(" AS ")
            found[name] = Stage(name, base)
        elif found:
            list(found.values())[-1].instructions.append(instruction)
        else:
            name, _, value = instruction.text.partition("=")
            arguments[name] = value
    return found


def expanded(text: str, known: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: known.get(match[1] or match[2], ""), text)


def carry_out(stage: Stage, root: Path, above: Mapping[str, str]) -> dict[str, str]:
    """Do the stage's COPY and RUN lines below `root`, where /opt and /src are meant to be; its environment.

    `above` is the environment of the stage that it is built on.
    """
    environment = {**above, **stage.environment}
    environment = {
        name: str(root) + value if value.startswith("/opt/") else value for name, value in environment.items()
    }
    folder = root / "src"
    folder.mkdir(parents=True, exist_ok=True)
    for instruction in stage.instructions:
        if instruction.word == "COPY":
            *sources, target = instruction.text.split()
            elsewhere = any(flag.startswith("--from") for flag in instruction.flags)
            for source in sources:
                if elsewhere:
                    _take(source, folder / target)
                else:
                    _copy(source, folder / target)
        elif instruction.word == "RUN":
            _run(instruction.text, folder, environment)
    return environment


def _run(command: str, folder: Path, environment: Mapping[str, str]) -> None:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "UV_"))
    }
    path = f"{Path(sys.base_prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env={**inherited, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def _take(source: str, target: Path) -> None:
    """What another stage makes below /src, as `make web` has made it in the repository by the same command."""
    made = REPOSITORY / Path(source).relative_to("/src")
    assert made.is_dir(), f"{made} is missing: run make web"
    shutil.copytree(made, target, dirs_exist_ok=True)


def _copy(source: str, target: Path) -> None:
    """What git knows of it, as a clean checkout has it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", source],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in listed.stdout.split("\0") if name and (REPOSITORY / name).is_file()]
    assert names, f"COPY {source}: there is no such thing"
    for name in names:
        to = target / Path(name).relative_to(source) if (REPOSITORY / source).is_dir() else target / Path(name).name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, to)


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    for line in joined.splitlines():
        word, _, rest = line.strip().partition(" ")
        flags = []
        while rest.startswith("--"):
            flag, _, rest = rest.partition(" ")
            flags.append(flag)
            rest = rest.lstrip()
        yield Instruction(word, tuple(flags), rest)


def _words(text: str) -> list[str]:
    """`A=1 B="two words"` as its pairs, quotes removed."""
    return [match[0].replace('"', "") for match in re.finditer(r'(?:[^\s"]|"[^"]*")+', text)]
