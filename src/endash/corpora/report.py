"""What one pass over a corpus read, kept and dropped."""

from __future__ import annotations

from dataclasses import dataclass, field

from endash.corpora.record import BadLine

SHOWN = 10


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """Counts of one pass over one part: read = kept + dropped + held_out + elsewhere; bad lines come on top.

    `held_out` are records whose key, or source or a near-duplicate of it, is in a file given as valid or test; `elsewhere` are those that
    the split put into another part; `shown` are the first bad lines.
    """

    part: str
    read: int = 0
    kept: int = 0
    bad: int = 0
    shown: tuple[BadLine, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    held_out: int = 0
    elsewhere: int = 0

    def __str__(self) -> str:
        lines = [f"{self.part}: {self.kept:,} of {self.read:,} records kept"]
        lines += [f"  {count:,} dropped by {kind}" for kind, count in self.dropped.items()]
        if self.held_out:
            lines.append(
                f"  {self.held_out:,} held out elsewhere: their key, or source, is in a file given as valid or test"
            )
        if self.elsewhere:
            lines.append(f"  {self.elsewhere:,} in the other parts of the split")
        if self.bad:
            lines.append(f"  {self.bad:,} bad lines" + (", the first:" if self.bad > len(self.shown) else ":"))
            lines += [f"    {line}" for line in self.shown]
        return "\n".join(lines)
