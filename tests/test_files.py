"""Claims about files: whole or not at all, and never unpickled."""

from __future__ import annotations

import errno
import os
import stat
import zipfile

import numpy as np
import pytest

import bayesconv as bc
from bayesconv import files

ARRAYS = {"a/b": np.arange(6.0).reshape(2, 3), "file": np.array("text"), "empty": np.zeros([0, 2], np.float32)}


def _content(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_arrays_come_back_with_names_shapes_and_types(tmp_path):
    path = files.save_arrays(tmp_path / "deep" / "arrays.npz", ARRAYS)
    loaded = files.load_arrays(path)
    assert list(loaded) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)
    with np.load(path) as archive:  # an ordinary .npz file
        np.testing.assert_array_equal(archive["a/b"], ARRAYS["a/b"])


def test_text_is_utf8(tmp_path):
    path = files.write_text(tmp_path / "a.txt", "µ ± σ\n")
    assert path.read_bytes() == "µ ± σ\n".encode()


def test_a_new_file_has_the_permissions_of_any_other(tmp_path):
    path = files.write_text(tmp_path / "a.txt", "")
    (tmp_path / "b.txt").write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "b.txt").stat().st_mode)


def _full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["replace", "fsync", "chmod"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    layer = bc.Affine(2, 3)
    layer.save(tmp_path / "weights.npz")
    before = _content(tmp_path)
    monkeypatch.setattr(os, step, _full_disk)
    with pytest.raises(OSError, match="No space left on device") as caught:
        bc.Affine(2, 3).save(tmp_path / "weights.npz")
    assert _content(tmp_path) == before
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "weights.npz"))


def test_errors_name_the_file_and_not_the_temporary_one(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        files.write_text(tmp_path / "folder", "text")
    assert str(caught.value).startswith(f"{tmp_path / 'folder'} must be a file. It is a folder")

    def write(file):
        (tmp_path / "none").read_bytes()

    with pytest.raises(FileNotFoundError, match="none"):  # another file's error stays its own
        files.write_atomically(tmp_path / "a.txt", write)


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def write(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(tmp_path / "a.txt", write)
    assert _content(tmp_path) == {}


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        bc.Affine(2, 3).save(tmp_path / "file" / "weights.npz")
    assert _content(tmp_path) == {"file": b"in the way"}


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"There is no file .*Check the path"):
            files.load_arrays(path)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "boom"),))

    np.savez(tmp_path / "bomb.npz", a=np.array([Bomb()], object))
    with pytest.raises(ValueError, match=r"bomb\.npz is damaged or is not an \.npz file of plain arrays"):
        files.load_arrays(tmp_path / "bomb.npz")
    assert not (tmp_path / "boom").exists()


def test_other_files_are_refused(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "text.npz").write_text("not a zip")
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("one.npy", "text.npz", "empty.npz"):
        with pytest.raises(ValueError, match=r"is damaged or is not an .npz file .*: it is no archive") as failure:
            files.load_arrays(tmp_path / name)
        assert "pickle" not in str(failure.value)


@pytest.mark.parametrize("count", [10**6, 10**14, 10**30])
def test_an_array_that_announces_more_than_it_holds_is_refused(tmp_path, count):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count},), }}".ljust(117) + "\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + b"\0" * 12
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", data)
    with pytest.raises(ValueError, match=r"a\.npz is damaged"):
        files.load_arrays(tmp_path / "a.npz")


def test_an_entry_that_is_no_array_is_refused(tmp_path):
    path = files.save_arrays(tmp_path / "a.npz", ARRAYS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "text")
    with pytest.raises(ValueError, match=r"is damaged or .*: its entry 'readme\.txt' is no array"):
        files.load_arrays(path)


def test_a_file_cut_anywhere_is_refused(tmp_path):
    whole = files.save_arrays(tmp_path / "whole.npz", ARRAYS).read_bytes()
    cut = tmp_path / "cut.npz"
    for length in range(0, len(whole), 7):
        cut.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is damaged"):
            files.load_arrays(cut)


def test_a_flipped_byte_is_refused_or_harmless(tmp_path):
    whole = files.save_arrays(tmp_path / "whole.npz", ARRAYS).read_bytes()
    flipped = tmp_path / "flipped.npz"
    refused = 0
    for at in range(len(whole)):
        flipped.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        try:
            loaded = files.load_arrays(flipped)
        except ValueError as error:
            assert "is damaged" in str(error)  # noqa: PT017
            refused += 1
        else:
            for name in ARRAYS.keys() & loaded.keys():
                np.testing.assert_array_equal(loaded[name], ARRAYS[name])
    assert refused > len(whole) / 2


def test_a_target_is_checked_and_nothing_is_left_of_that(tmp_path, monkeypatch):
    files.check_target(tmp_path / "new" / "folder" / "a.txt")
    (tmp_path / "a.txt").write_text("kept")
    files.check_target(tmp_path / "a.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    with pytest.raises(IsADirectoryError, match=f"{tmp_path} must be a file. It is a folder"):
        files.check_target(tmp_path)
    with pytest.raises(NotADirectoryError, match=f"{tmp_path / 'a.txt'} is a file; choose"):
        files.check_target(tmp_path / "a.txt" / "b" / "c.txt")

    def read_only(**_):
        raise PermissionError(errno.EACCES, "Permission denied", "/temporary")

    monkeypatch.setattr(files.tempfile, "TemporaryFile", read_only)
    with pytest.raises(PermissionError, match=r"Permission denied: '.*b\.txt'"):
        files.check_target(tmp_path / "b.txt")
