"""Prompts: a source that is put together from columns, such as ``"Does it follow? {premise} / {hypothesis}"``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from string import Formatter


@dataclass(frozen=True, slots=True)
class Prompt:
    """Ordinary text at even places of `pieces`, the names in braces at odd ones."""

    pieces: tuple[str, ...]

    @classmethod
    def parse(cls, template: str) -> Prompt:
        """The prompt of a template. Raises ValueError if its braces are not as they should be, or there are none."""
        pieces = [""]
        try:
            for text, name, form, conversion in Formatter().parse(template):
                pieces[-1] += text
                if name is None:
                    continue
                if not name or form or conversion:
                    raise ValueError("braces hold the name of a column and nothing else")
                pieces += [name, ""]
        except ValueError as error:
            raise ValueError(f"prompt = {template!r}: {error}; a brace that is text is written twice, {{{{") from None
        if len(pieces) == 1:
            raise ValueError(f'prompt = {template!r} names no column: put the source into it, as in "de: {{source}}"')
        return cls(tuple(pieces))

    @property
    def names(self) -> tuple[str, ...]:
        """The names in braces, from left to right."""
        return self.pieces[1::2]

    @property
    def family(self) -> str:
        """What stands before the first brace, or where nothing does the names themselves."""
        return self.pieces[0].strip() or " ".join(self.names)

    def fill(self, value: Callable[[str], str]) -> str:
        """The text, with `value` of each name in its place."""
        return "".join(value(piece) if place % 2 else piece for place, piece in enumerate(self.pieces))
