"""Test srlab.torch_files: what torch saves is read, and a small file cannot take much memory."""

import io
import struct
import tracemalloc
import zipfile
from collections import Counter

import pytest
import torch
from torch import nn

from srlab.torch_files import read_torch

FORMATS = pytest.mark.parametrize("archive", [True, False], ids=["zip", "before torch 1.6"])
LARGE = 10**8


def saved(content, archive=True) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=archive)
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path):
    """Return a function that writes bytes to a file and reads it as torch's."""

    def read(content):
        (tmp_path / "a.pth").write_bytes(content)
        return read_torch(tmp_path / "a.pth")

    return read


@FORMATS
def test_state_dicts_and_checkpoints_are_read(read, archive):
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    content = {"network": network.state_dict(), "step": 3, "best": {"psnr": 2.5}, "others": ["text", None, (1, 2)]}
    content |= {"parameter": network[0].weight, "view": torch.arange(9.0).view(3, 3).T[1:]}
    types = (torch.float64, torch.float16, torch.bfloat16, torch.complex64, torch.int64, torch.uint8, torch.bool)
    content |= {str(kind): torch.ones(2, dtype=kind) for kind in types}
    found = read(saved(content, archive))
    assert found.pop("others") == content.pop("others")
    torch.testing.assert_close(found, content, rtol=0, atol=0)


class Call:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


CALLS = [(bytearray, (LARGE,)), (torch.FloatTensor, (LARGE,)), (torch.UntypedStorage, (LARGE,)), (Counter, ("a",))]


@FORMATS
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0].__name__)
def test_call_that_tensors_do_not_need_is_rejected(read, call, archive):
    tracemalloc.start()
    with pytest.raises(ValueError, match="it needs"):
        read(saved({"a": Call(*call)}, archive))
    assert tracemalloc.get_traced_memory()[1] < LARGE / 10
    tracemalloc.stop()


def enlarged(pickle: bytes, of_storage: bool) -> bytes:
    """Replace the numbers 200 in a pickle: the size of the storage, if `of_storage`, and of the tensor."""
    before, between, after = pickle.split(b"K\xc8")
    large = b"J" + struct.pack("<i", LARGE)
    return before + (large if of_storage else b"K\xc8") + between + large + after


@pytest.mark.parametrize("of_storage", [True, False])
def test_tensor_larger_than_an_archive_is_rejected(read, of_storage):
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved({"a": torch.zeros(200)}))) as old, zipfile.ZipFile(file, "w") as archive:
        for name in old.namelist():
            content = old.read(name)
            archive.writestr(name, enlarged(content, of_storage) if name.endswith(".pkl") else content)
    with pytest.raises((RuntimeError, ValueError), match=r"does not match|not resizable|larger than the file"):
        read(file.getvalue())


@pytest.mark.parametrize("of_storage", [True, False])
def test_tensor_larger_than_an_older_file_is_rejected(read, of_storage):
    content = enlarged(saved({"a": torch.zeros(200)}, archive=False), of_storage)
    start = content.rindex(b"\x80\x02]")  # of the list of storages that the file fills
    with pytest.raises(ValueError, match="larger than the file"):
        read(content[:start] + b"\x80\x02].")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_archive_is_rejected(read, method):
    """Reject what may need any amount of memory, whatever size its header states."""
    file = io.BytesIO(saved({"a": torch.zeros(200)}))
    with zipfile.ZipFile(file, "a", method) as archive:
        archive.writestr("archive/b", bytes(100))
    with pytest.raises(ValueError, match="compressed"):
        read(file.getvalue())


def test_archive_is_read_as_it_was_checked(read):
    """Append an archive to another: Python finds the second one, and torch the first."""
    assert read(saved({"a": torch.ones(3)}) + saved({"a": torch.zeros(3)}))["a"].sum() == 0


def test_pickle_of_empty_lists_is_rejected(read, monkeypatch):
    """Reject many lists, each of which takes a byte in the file and a hundred in memory."""
    monkeypatch.setattr("srlab.torch_files.LARGEST", 1000)
    assert len(read(saved([[] for _ in range(100)]))) == 100
    with pytest.raises(ValueError, match="too many"):
        read(saved([[] for _ in range(1000)]))


def test_nested_content_takes_no_time(read):
    """Nest each list twice in the next: all paths through them would be 2**60."""
    nested = [torch.zeros(1)]
    for _ in range(60):
        nested = [nested, nested]
    nested.append(nested)
    assert len(read(saved(nested))) == 3


def archive_of(pickle: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(torch.ones(1)))) as old, zipfile.ZipFile(file, "w") as archive:
        for name in old.namelist():
            archive.writestr(name, pickle if name.endswith(".pkl") else old.read(name))
    return file.getvalue()


def nested_twice(levels: int) -> bytes:
    """Return pickled ((1, 1), (1, 1)) and so on, in which each pair contains the same object twice."""
    return b"K\x01" + b"".join(b"q%ch%c\x86" % (level, level) for level in range(levels))


@pytest.mark.parametrize("key", [nested_twice(24), b"K\x01" + b"\x85" * 5000], ids=["wide", "deep"])
def test_key_that_takes_long_to_hash_is_rejected(read, key):
    """Reject what a few more levels make endless, or end Python with."""
    assert read(archive_of(b"\x80\x02}" + nested_twice(9) + b"Ns.")).popitem()[1] is None
    with pytest.raises(ValueError, match="too many"):
        read(archive_of(b"\x80\x02}" + key + b"Ns."))


STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu%btQ"
UNKNOWN = [b"]K\x01a)R", b"])\x81", STORAGE % b"]K\x01a"]


@pytest.mark.parametrize("unknown", UNKNOWN, ids=["function", "class", "size"])
def test_list_that_an_error_would_print_is_rejected(read, unknown):
    assert isinstance(read(archive_of(b"\x80\x02" + STORAGE % b"K\x01" + b".")), torch.storage.TypedStorage)
    with pytest.raises(ValueError, match="unknown form"):
        read(archive_of(b"\x80\x02" + unknown + b"."))


def test_list_in_place_of_the_older_format_is_rejected(read):
    """Reject it before torch does, whose error would print it."""
    content = saved([], archive=False)
    assert content.count(b"M\xe9\x03.") == 1
    with pytest.raises(ValueError, match="didn't write it"):
        read(content.replace(b"M\xe9\x03.", b"]."))


def test_tensor_that_repeats_a_number_is_rejected(tmp_path):
    file = tmp_path / "repeats.pth"
    torch.save({"log": torch.zeros(1, dtype=torch.uint8).as_strided((10**13,), (0,))}, file)
    with pytest.raises(ValueError, match="larger than the file"):
        read_torch(file)
