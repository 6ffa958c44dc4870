"""Test srlab.files: files are complete or missing, written by one process at a time, and tensors are exact."""

import errno
import os
import re
import shutil
import stat
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors.torch import save_file

from srlab import files
from srlab.errors import SrlabError
from srlab.files import write_atomic
from srlab.paths import locate
from srlab.tensor_files import read_safetensors, write_safetensors
from tests.conftest import make_link


def full_disk(*args, **settings):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root can read everything")
def test_folder_without_permission_is_reported(tmp_path):
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked").chmod(0)
    files.refuse_existing(tmp_path / "locked" / "a.png")
    with pytest.raises(SrlabError, match=r"Could not write .*a\.png \(Permission denied\)"):
        write_atomic(tmp_path / "locked" / "a.png", b"")
    for place in ("run", "sub/run"):
        with pytest.raises(SrlabError, match="not found"):
            locate(tmp_path / "locked" / place)
    with pytest.raises(SrlabError, match="already exists"):
        files.refuse_existing(tmp_path / "locked")


@pytest.mark.parametrize("fails", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.open"])
def test_full_disk_keeps_old_file_and_no_partial(tmp_path, monkeypatch, fails):
    file = tmp_path / "file"
    write_atomic(file, b"old")
    with monkeypatch.context() as broken:
        broken.setattr(fails, full_disk)
        with pytest.raises(SrlabError, match=f"Could not write {file} .No space left.* Free some space"):
            write_atomic(file, b"new and longer")
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    write_atomic(file, b"new and longer")
    assert file.read_bytes() == b"new and longer"


@pytest.mark.parametrize("fails", ["open", "fsync"])
def test_disk_without_folder_fsync_works(tmp_path, monkeypatch, fails):
    """Check shared folders of virtual machines and older CIFS; on Windows a folder cannot even be opened."""
    works = getattr(os, fails)

    def refuse(what, *rest):
        if Path(what).is_dir() if fails == "open" else stat.S_ISDIR(os.fstat(what).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return works(what, *rest)

    monkeypatch.setattr(os, fails, refuse)
    write_atomic(tmp_path / "new" / "file", b"content")
    assert (tmp_path / "new" / "file").read_bytes() == b"content"
    files.publish(tmp_path / "new", tmp_path / "photos")
    assert (tmp_path / "photos" / "file").is_file()


def test_content_is_synced_before_rename(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (calls.append("fsync"), fsync(number)))
    monkeypatch.setattr(Path, "replace", lambda *paths: (calls.append("replace"), replace(*paths)))
    write_atomic(tmp_path / "new" / "file", b"content")
    assert calls == ["fsync", "replace", "fsync"]
    write_atomic(tmp_path / "new" / "another", b"content")
    calls.clear()
    files.publish(tmp_path / "new", tmp_path / "photos")
    assert calls == ["fsync", "fsync", "replace", "fsync"]


def test_disk_without_modes(tmp_path, monkeypatch):
    """Refuse chmod, as shares of Windows do."""

    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", refuse)
    for content in (b"old", b"new"):
        files.write_atomic(tmp_path / "a.txt", content)
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a.txt": content}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_new_file_looks_like_the_one_it_replaces(tmp_path):
    file, link = tmp_path / "grades.csv", tmp_path / "link.csv"
    file.write_bytes(b"old")
    file.chmod(0o440)
    link.symlink_to(file)
    with files.open_atomic(link) as part:
        assert stat.S_IMODE(Path(part.name).stat().st_mode) == 0o440, "private before it has any content"
        part.write(b"new")
    assert link.is_symlink()
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"new", 0o440)
    if groups := set(os.getgroups()) - {file.stat().st_gid} or ({65534} if os.geteuid() == 0 else set()):
        os.chown(file, -1, max(groups))
        write_atomic(file, b"newer")
        assert file.stat().st_gid == max(groups)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SrlabError, match=r"Could not write .*pipe \(not a regular file\)"):
        write_atomic(tmp_path / "pipe", b"")


@pytest.mark.parametrize(
    ("code", "refused", "calls", "result"),
    [(errno.EACCES, 2, 3, b"new"), (errno.EACCES, 9, 3, b"old"), (errno.ENOSPC, 9, 1, b"old")],
    ids=["for a moment", "for good", "full disk"],
)
def test_busy_file_on_windows_is_replaced_a_moment_later(tmp_path, monkeypatch, code, refused, calls, result):
    write_atomic(tmp_path / "run.json", b"old")
    replace, tried = os.replace, []

    def busy(source, target):
        tried.append(target)
        if len(tried) <= refused:
            raise OSError(code, "Access is denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", busy)
    monkeypatch.setattr(files, "PAUSES_S", (0, 0))
    monkeypatch.setattr(files.sys, "platform", "win32")
    with pytest.raises(SrlabError, match="Access is denied") if result == b"old" else nullcontext():
        write_atomic(tmp_path / "run.json", b"new")
    assert ((tmp_path / "run.json").read_bytes(), len(tried)) == (result, calls)


# --- Locks ---------------------------------------------------------------------------------------------------


def test_lock_is_released_after_error(tmp_path):
    for _ in range(2):
        with pytest.raises(RuntimeError, match="inside"), files.lock(tmp_path / "new" / ".lock"):
            raise RuntimeError("inside")


def test_disk_without_locks_is_reported(tmp_path, monkeypatch):
    def acquire(*args, **settings):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(FileLock, "acquire", acquire)
    words = r"Could not write \S+/.lock \(FileSystem does not .* Check the path with SRLAB_HOME"
    with pytest.raises(SrlabError, match=words), files.lock(tmp_path / ".lock", where="with SRLAB_HOME"):
        pass


def test_second_process_waits_for_lock(tmp_path, capsys, monkeypatch):
    holder = FileLock(tmp_path / ".lock")
    holder.acquire()
    acquire = FileLock.acquire

    def waiting(self, *args, **settings):
        if settings.get("timeout") != 0:  # while waiting, the other process ends
            holder.release()
        return acquire(self, *args, **settings)

    monkeypatch.setattr(FileLock, "acquire", waiting)
    with files.lock(tmp_path / ".lock"):
        assert not holder.is_locked
    assert f"working in {tmp_path}. Waiting" in capsys.readouterr().out


# --- Tensors -------------------------------------------------------------------------------------------------


def test_safetensors_are_deterministic_and_exact(tmp_path):
    tensors = {
        "float": torch.tensor([1.0, float("nan"), -0.0]),
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "empty": torch.zeros(0, 2),
        "kernels": torch.nn.Parameter(torch.rand(2, 3, 4, 5)),
    }
    notes = {"step": 3, "config": {"num_blocks": 1}}
    write_safetensors(tmp_path / "a", tensors, notes)
    other = tensors | {"kernels": tensors["kernels"].to(memory_format=torch.channels_last)}
    write_safetensors(tmp_path / "b", dict(reversed(other.items())), dict(reversed(notes.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    back, found = read_safetensors(tmp_path / "a")
    assert found == notes
    for key, value in tensors.items():
        assert torch.equal(back[key].nan_to_num(7), value.nan_to_num(7))
        assert back[key].dtype == value.dtype


def test_missing_file_is_reported_and_foreign_file_has_no_notes(tmp_path):
    file = tmp_path / "a.safetensors"
    with pytest.raises(SrlabError, match=f"Weights file {file} not found. Run the lab"):
        read_safetensors(file)
    save_file({"x": torch.ones(2)}, file, {"format": "pt"})
    assert read_safetensors(file)[1] == {}


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "result.png"
    first, second = files.open_atomic(path), files.open_atomic(path)
    one, two = first.__enter__(), second.__enter__()
    two.write(b"half")
    two.flush()
    one.write(b"whole of one")
    first.__exit__(None, None, None)
    assert path.read_bytes() == b"whole of one"
    two.write(b" and whole of two")
    second.__exit__(None, None, None)
    assert path.read_bytes() == b"half and whole of two"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "Choose a folder that you may write to with SRLAB_HOME"),
        (errno.ENOENT, "Check the path"),
    ],
)
def test_error_names_its_own_cause(tmp_path, number, advice):
    with pytest.raises(SrlabError, match=advice), files.writing(tmp_path, "with SRLAB_HOME"):
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("links", [True, False])
def test_file_made_in_the_meantime_is_kept(tmp_path, monkeypatch, links):
    def refuse(*_):
        raise OSError(errno.EPERM, "a memory card")

    if not links:
        monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    path = tmp_path / "a.png"
    files.write_atomic(path, b"first", replace=False)
    assert path.read_bytes() == b"first"
    path.unlink()
    with pytest.raises(SrlabError, match="already exists"):  # noqa: PT012, SIM117 - the error is that of the block's end
        with files.open_atomic(path, replace=False) as file:
            file.write(b"ours")
            path.write_bytes(b"mine")
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == b"mine"


def test_only_what_srlab_wrote_is_replaced(tmp_path):
    path = tmp_path / "new" / "page.html"
    for content in (b"first", b"second", b"second", b"third"):
        files.write_own(path, content)
        assert path.read_bytes() == content
    for content in (b"mine", b""):
        path.write_bytes(content)
        with pytest.raises(SrlabError, match=r"did not write .*page\.html, or it has been changed"):
            files.write_own(path, b"fourth")
        assert path.read_bytes() == content
    path.rename(path.with_name("moved.html"))
    files.write_own(path, b"fourth")
    shutil.copy(path, path.with_name("copy.html"))
    with pytest.raises(SrlabError, match=r"copy\.html"):
        files.write_own(path.with_name("copy.html"), b"fifth")


@pytest.mark.parametrize("name", ["page.html", files.RECORD])
@pytest.mark.parametrize("there", [True, False])
def test_links_are_not_written_through(tmp_path, name, there):
    """Keep what links in a stranger's folder lead to, even if it looks as if srlab had written it."""
    folder, target = tmp_path / "theirs", tmp_path / "mine"
    files.write_own(folder / "page.html", b"first")
    if there:
        (folder / name).rename(target)
    (folder / name).unlink(missing_ok=True)
    make_link(folder / name, target)
    with pytest.raises(SrlabError, match=rf"{re.escape(name)} is a link"):
        files.write_own(folder / "page.html", b"second")
    assert target.exists() == there
    assert not there or b"second" not in target.read_bytes()
