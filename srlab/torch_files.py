"""Read files that ``torch.save`` wrote, also from people you don't know."""

import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch

# All functions and classes that state dicts and checkpoints need, as pickle names them. ``weights_only`` also allows
# some that take any amount of memory, such as bytearray(10**10).
NEEDED = {"collections OrderedDict"}
NEEDED |= {f"torch._utils _rebuild_{name}" for name in ("tensor", "tensor_v2", "parameter")}
TYPES = [
    "Double",
    "Float",
    "Half",
    "BFloat16",
    "ComplexDouble",
    "ComplexFloat",
    "Long",
    "Int",
    "Short",
    "Char",
    "Byte",
    "Bool",
]
NEEDED |= {f"{module} {name}Storage" for module in ("torch", "torch.cuda") for name in TYPES}

LARGEST = 2**23  # bytes of a pickle, enough for 50,000 tensors: one byte can become a list, which takes a hundred


def read_torch(path: Path) -> Any:
    """Read a file that ``torch.save`` wrote, on the CPU, without executing anything in it.

    It contains only tensors, which need no more memory than the file has bytes, and numbers, texts, lists and dicts.
    A file that is not like this raises errors of many kinds.
    """
    with path.open("rb") as file:  # torch rejects a path with another ending
        is_archive = file.read(4) == b"PK\3\4"  # torch decides by the same bytes
        file.seek(0)
        size = path.stat().st_size
        content = _checked_archive(file, size) if is_archive else file
        for _ in range(0 if is_archive else 5):  # before torch 1.6, a file was five pickles, and then the numbers
            _refuse_other_names(content)
        content.seek(0)
        found = torch.load(content, map_location="cpu", weights_only=True)
    storages = {one.data_ptr(): one.nbytes() for one in map(torch.Tensor.untyped_storage, _tensors_in(found))}
    if sum(storages.values()) > size:  # memory that was reserved, but not yet used
        raise ValueError("its tensors are larger than the file")
    return found


def _checked_archive(file: BinaryIO, size: int) -> BinaryIO:
    """Return a checked copy of an archive: in a manipulated one, torch might find other files than Python does.

    Checksums are compared, which torch does not do.
    """
    copy = io.BytesIO()
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(copy, "w") as checked:
        if any(one.compress_type or one.compress_size != one.file_size for one in archive.infolist()):
            raise ValueError("it is compressed")  # torch compresses nothing, and a header may state any size
        if sum(one.file_size for one in archive.infolist()) > size:
            raise ValueError("its content is larger than the file")
        for one in archive.infolist():
            content = archive.read(one)
            if one.filename.lower().endswith(".pkl"):
                _refuse_other_names(io.BytesIO(content))
            checked.writestr(one.filename, content)
    return copy


def _refuse_other_names(file: BinaryIO) -> None:
    """Read to the end of a pickle, without executing it, and reject it if it needs more than `NEEDED`."""
    for operation, argument, position in pickletools.genops(file):
        if operation.name == "GLOBAL" and argument not in NEEDED:  # torch rejects all other ways to name something
            raise ValueError(f"it needs {argument}")
        if position is None or position > LARGEST:
            raise ValueError("it lists too many tensors")


def _tensors_in(content: Any) -> Iterator[torch.Tensor]:
    """Yield all tensors in nested dicts, lists and tuples; visit each once, because a list may contain itself."""
    found, seen = [content], set()
    while found:
        one = found.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, torch.Tensor):
            yield one
        elif isinstance(one, dict):
            found += one.values()
        elif isinstance(one, list | tuple):
            found += one
