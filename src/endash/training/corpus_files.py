"""Whether the files of a corpus are still what a run began with: it goes on with what it made of them then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from endash.corpora import CorpusConfig
from endash.files import write_text
from endash.training.checkpoints import seal


def changed_files(corpus: CorpusConfig, record: Path) -> list[str]:
    """The files of `corpus` whose content is another than `record` says, which is written where it is not there.

    One that is gone, or cannot be read, is not among them: a run that goes on needs it no more, and a reader tells it.
    """
    now = dict(_files(corpus))
    if not record.exists():
        record.parent.mkdir(parents=True, exist_ok=True)
        write_text(record, json.dumps({place: held for place, (_, held) in now.items()}, indent=2))
        return []
    former = json.loads(record.read_text(encoding="utf-8"))
    return sorted({path for place, (path, held) in now.items() if place in former and former[place] != held})


def _files(corpus: CorpusConfig) -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
    """Each file by its place in the recipe, which stays where a project is moved: its path, and the seal of its content."""
    for part in ("train", "valid", "test"):
        for number, reader in enumerate(getattr(corpus, part)):
            for name in getattr(reader, "paths", ("path",)):
                path = getattr(reader, name, None)
                if isinstance(path, str) and Path(path).is_file():
                    with suppress(OSError):
                        yield f"{part}.{number}.{name}", (path, seal(Path(path)))
