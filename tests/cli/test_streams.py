"""Standard input as lines, and standard output as lines."""

from __future__ import annotations

import io
import sys

import pytest

from endash.cli.streams import read_lines


def test_a_byte_order_mark_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.BytesIO("\ufeffone\r\n\ufefftwo".encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(given, encoding="utf-8"))
    assert list(read_lines()) == ["one", "\ufefftwo"]
