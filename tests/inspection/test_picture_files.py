import pytest

from endash.errors import EndashError
from endash.inspection.files import write_whole


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("former")
    assert write_whole(path, b"new") == path
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_if_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("former")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("endash.inspection.files.os.replace", full)
    with pytest.raises(EndashError, match=r"page.html cannot be written: No space left on device"):
        write_whole(path, b"new")
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(EndashError, match=r"there is no folder .*missing; create it first"):
        write_whole(tmp_path / "missing" / "page.html", b"")
    with pytest.raises(EndashError, match="is a folder: give the name of a file in it"):
        write_whole(tmp_path, b"")
