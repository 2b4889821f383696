"""gettext catalogues: PO, which people edit, and MO, which programs read. Each is loaded whole, through polib."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from endash.config import Config
from endash.corpora.files import read_bytes, surrogate_in
from endash.corpora.readers import Job, Reader, readers
from endash.corpora.record import BadLine, Record, excerpt
from endash.corpora.scripts import known_language
from endash.errors import CorpusError

_WIDTH = 80  # gettext breaks longer lines
_CHARSET = re.compile(rb'"?Content-Type:[^"\n]*charset=([A-Za-z0-9_.:-]+)')


class PoConfig(Config):
    """Settings of the reader `po`: the path. The source is the msgid, the target the msgstr."""

    kind: Literal["po"] = "po"
    path: str = Field(min_length=1)


class MoConfig(Config):
    """Settings of the reader `mo`: the path. The source is the msgid, the target the msgstr."""

    kind: Literal["mo"] = "mo"
    path: str = Field(min_length=1)


@readers.register
class Po(Reader):
    """Reads translated entries; untranslated, fuzzy and obsolete ones are passed over."""

    Config = PoConfig
    leaves_out = True
    config: PoConfig

    def read(self) -> Iterator[Record | BadLine]:
        """The pairs of each entry; see `entry_pairs` for plurals. Raises CorpusError if the file is no PO file."""
        path = self.config.path
        for entry in parse_po(path, read_bytes(path)):
            yield from entry_pairs(entry, f"{path}:{entry.linenum}")

    def target_language(self) -> str | None:
        """That of the header."""
        return known_language(parse_po(self.config.path, read_bytes(self.config.path)).metadata.get("Language"))

    def jobs(self) -> Iterator[Job]:
        """Each entry without a translation; then the file, for it is written whole."""
        path = self.config.path
        text = _decode(path, read_bytes(path))
        if half := surrogate_in(text):
            line = text.count("\n", 0, text.index(chr(int(half[2:], 16)))) + 1
            raise CorpusError(f"{path}:{line}: {_wrong_byte(half)}: mend the line, nothing was written")
        catalogue = _parse_text(path, text)
        forms = _plural_forms(catalogue)
        for entry in catalogue:
            if not entry.obsolete:
                yield Job(*_blanks(entry, forms), f"{path}:{entry.linenum}")
        if "Content-Type" in catalogue.metadata:  # what is written is UTF-8, whatever was read
            catalogue.metadata["Content-Type"] = "text/plain; charset=UTF-8"
        yield Job((), lambda _: _written(catalogue, like=text))


@readers.register
class Mo(Reader):
    """Reads the pairs of a compiled catalogue."""

    Config = MoConfig
    config: MoConfig

    def read(self) -> Iterator[Record | BadLine]:
        """The pairs of each entry; see `entry_pairs` for plurals. Raises CorpusError if the file is no MO file."""
        path = self.config.path
        for number, entry in enumerate(parse_mo(path, read_bytes(path)), start=1):
            yield from entry_pairs(entry, f"{path}#{number}")

    def target_language(self) -> str | None:
        """That of the header."""
        return known_language(parse_mo(self.config.path, read_bytes(self.config.path)).metadata.get("Language"))


def parse_po(path: str, raw: bytes) -> Any:
    """The polib catalogue in `raw`. Bytes that are not in its charset (UTF-8 unless it says otherwise) become surrogates."""
    return _parse_text(path, _decode(path, raw))


def _decode(path: str, raw: bytes) -> str:
    found = _CHARSET.search(raw)
    charset = found.group(1).decode("ascii") if found else "utf-8"
    if charset.lower() in ("charset", "utf-8", "utf8"):  # a template says CHARSET
        charset = "utf-8-sig"
    try:
        return raw.decode(charset, "surrogateescape")
    except LookupError:
        raise CorpusError(f"{path}: charset={charset} is unknown: write UTF-8, and say so in the header") from None
    except ValueError as error:  # of codecs that cannot escape
        raise CorpusError(f"{path} is not in its charset {charset}: {error}") from None


def _parse_text(path: str, text: str) -> Any:
    import polib

    try:
        return polib.pofile(_Lines(text), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path} is not a PO file: {error}") from None


def parse_mo(path: str, raw: bytes) -> Any:
    """The polib catalogue in `raw`."""
    import struct

    import polib

    try:
        return polib.mofile(raw, encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is not UTF-8 ({error.reason}): make it anew from a UTF-8 PO file") from None
    except (OSError, struct.error, ValueError) as error:
        raise CorpusError(f"{path} is not an MO file, or is cut short: make it anew with msgfmt ({error})") from None


class _Lines(str):
    """The content of a PO file, whose lines end in a line feed only; `str` would also split them at U+2028 and its like."""

    __slots__ = ()

    def splitlines(self, keepends: bool = False) -> list[str]:
        return self.split("\n")


def entry_pairs(entry: Any, where: str) -> Iterator[Record | BadLine]:
    """The pairs of a polib entry; none where the translation is missing, fuzzy or obsolete.

    With plurals, the singular goes with the first form and the plural with the last; where the target has but one form
    (Chinese, Japanese) that belongs to the plural.
    """
    if entry.obsolete or getattr(entry, "fuzzy", False):  # an MO file holds no fuzzy ones
        return
    if not entry.msgid_plural:
        pairs = [(entry.msgid, entry.msgstr)]
    else:
        forms = [entry.msgstr_plural[number] for number in sorted(entry.msgstr_plural)]
        pairs = [(entry.msgid, forms[0])] if len(forms) > 1 else []
        pairs += [(entry.msgid_plural, forms[-1])] if forms else []
    for source, target in pairs:
        if half := surrogate_in(source + target):
            yield BadLine(
                where, _wrong_byte(half), excerpt((source + " " + target).encode("utf-8", "backslashreplace").decode())
            )
        elif source and target:
            yield Record(source, target, where)


def _wrong_byte(surrogate: str) -> str:
    return f"byte 0x{surrogate[-2:]} does not belong to the file's encoding"


def _written(catalogue: Any, *, like: str) -> str:
    """A catalogue as text: line ends, the header's order, and whether long lines are broken, as in the text it was read from."""
    catalogue.ordered_metadata = lambda: list(catalogue.metadata.items())
    if any(len(line) > _WIDTH and line.startswith(('"', "msg")) for line in like.splitlines()):
        catalogue.wrapwidth = 0  # as by msgcat --no-wrap
    text = str(catalogue).rstrip("\n") + "\n"
    text = text if catalogue.header else text.removeprefix("#\n")  # polib's own
    return text.replace("\n", "\r\n") if "\r\n" in like else text


def _plural_forms(catalogue: Any) -> int:
    found = re.search(r"nplurals\s*=\s*(\d+)", catalogue.metadata.get("Plural-Forms", ""))
    return int(found.group(1)) if found else 2


def _blanks(entry: Any, forms: int) -> tuple[tuple[str, ...], Any, int]:
    """What an entry needs: the texts, what puts their translations in place, and how many translations stay."""
    if not entry.msgid_plural:
        texts: tuple[str, ...] = () if entry.msgstr else (entry.msgid,)

        def write(translations: list[str]) -> str:
            if translations:
                entry.msgstr = _framed(translations[0], entry.msgid)
            return ""

        return texts, write, 1 - len(texts)
    numbers = sorted(entry.msgstr_plural) or list(range(forms))
    missing = [number for number in numbers if not entry.msgstr_plural.get(number)]
    singular = missing[:1] == [0] and len(numbers) > 1
    texts = ((entry.msgid,) if singular else ()) + ((entry.msgid_plural,) if missing[singular:] else ())

    def write_plural(translations: list[str]) -> str:
        for number in missing:
            text = translations[0] if singular and number == 0 else translations[-1]
            entry.msgstr_plural[number] = _framed(text, entry.msgid)
        return ""

    return texts, write_plural, len(numbers) - len(missing)


def _framed(text: str, msgid: str) -> str:
    """`text` between the line breaks that `msgid` begins and ends with: msgfmt refuses one side without the other."""
    inner = msgid.strip("\n")
    if not inner:
        return msgid
    begin, end = msgid.split(inner)
    return begin + text.strip("\n") + end
