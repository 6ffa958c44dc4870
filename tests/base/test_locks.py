"""Who holds a run, a folder of crops or a file in the making: one process, and a sentence for the others."""

import pytest
from filelock import FileLock

from srlab.base import disk
from srlab.base.errors import SrlabError
from srlab.data.prepared import Prepared
from srlab.training.runs import Run


@pytest.fixture(params=["run", "prepared", "file"])
def lock(request, tmp_path):
    """Makes the same lock as often as it is called."""
    holders = {
        "run": lambda: Run("lab", "run").lock(),
        "prepared": lambda: Prepared(tmp_path / "crops", {"scale": 4}).lock(),
        "file": lambda: disk.one_writer(tmp_path / "new" / "photos.zip"),
    }
    return holders[request.param]


def test_it_is_free_again_after_an_error(lock):
    with pytest.raises(RuntimeError, match="inside"), lock():
        raise RuntimeError("inside")
    with lock():
        pass


def test_a_disk_without_locks_gives_a_sentence_with_the_folder(lock, monkeypatch):
    def acquire(*args, **settings):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(FileLock, "acquire", acquire)
    words = r"Cannot write into \S+ \(FileSystem does not .* flock\); (set|choose) "
    with pytest.raises(SrlabError, match=words), lock():
        pass


def test_a_second_process_waits_for_a_file_and_says_so(tmp_path, capsys, monkeypatch):
    path, order = tmp_path / "photos.zip", []
    holder = FileLock(tmp_path / ".photos.zip.lock")
    holder.acquire()
    acquire = FileLock.acquire

    def waiting(self, *args, **settings):
        if settings.get("timeout") != 0:  # the wait itself: the other process ends
            order.append("waited")
            holder.release()
        return acquire(self, *args, **settings)

    monkeypatch.setattr(FileLock, "acquire", waiting)
    with disk.one_writer(path):
        assert order == ["waited"]
    assert capsys.readouterr().out == f"Another process is at work on {path}; waiting for it.\n"
