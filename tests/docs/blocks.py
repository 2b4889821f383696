"""The fenced code blocks of a page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
README = ROOT / "README.md"
_FENCE = re.compile(r"^```(\S*)[ ]?([^\n]*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code: its language, and the file that its page says it is, where it says so."""

    language: str
    file: str
    code: str


def blocks(page: Path, language: str | None = None) -> list[Block]:
    found = _FENCE.findall(page.read_text(encoding="utf-8"))
    return [Block(name, note.removeprefix("file="), code) for name, note, code in found if language in {None, name}]
