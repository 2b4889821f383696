"""Find what a translation has to keep as it is: format fields, template variables and tags."""

from __future__ import annotations

import re

_NAME = r"(?:[^\W\d][\w.-]*|\d+)"
_PRINTF = r"[-+#0]*(?:\d{1,3}|\*)?(?:\.(?:\d{1,3}|\*))?(?:hh|h|ll|l|[jztLq])?[sdiuoxXfFeEgGcr@]"
_KINDS = (
    r"""</?(?:[^\W\d][\w:.-]*|\d+)(?:\s+[\w:@.-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>=]+))*\s*/?>""",  # <a href="x"> </0>
    r"\$?\{\{\s*[^{}\s][^{}]*\}\}",  # {{x}} ${{ x }}
    r"[$%#]?\{" + _NAME + r"?(?:\[\w+\])*(?:![rsa])?(?::[^{}\s]*)?\}",  # {} {name} {x[0]!r:>8} ${name} %{name} #{name}
    r"\{\s*" + _NAME + r"\s*(?:,\s*(?:number|date|time|ordinal|spellout|duration)\b[^{}]*)?\}",  # { n } {n, number}
    r"%\([^()%]+\)" + _PRINTF,  # %(name)s %(ratio).2f
    r"(?<!\d)%\d{1,2}\$" + _PRINTF,  # %1$s
    r"(?<!\d)%(?!20|[2-7][A-F])" + _PRINTF,  # %s %-5d %.2f, but not 100%sure, nor the %20 and %3A of an address
    r"(?<!\d)%[AaBbHIjMmpSYyZ](?![^\W_])",  # %Y-%m of a date
    r"(?<![\w%])%[1-9](?![\w%])",  # %1 of Qt
)
_PATTERN = re.compile("%%|(" + "|".join(_KINDS) + ")")  # an escaped percent sign is passed over: %%s is no placeholder


def find_placeholders(text: str) -> list[str]:
    """The placeholders of `text` from left to right, as often as they occur: ``["{name}", "%s", "<b>", "</b>"]``."""
    return [found.group(1) for found in _PATTERN.finditer(text) if found.group(1) is not None]


def cut_at_placeholders(text: str) -> list[str]:
    """`text` in pieces that join to it: ordinary text (maybe empty) at even places, a placeholder at odd ones."""
    pieces, end = [], 0
    for found in _PATTERN.finditer(text):
        if found.group(1) is not None:
            pieces += [text[end : found.start()], found.group(1)]
            end = found.end()
    return [*pieces, text[end:]]
