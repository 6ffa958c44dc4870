"""Read files that ``torch.save`` wrote, also from people you don't know."""

import io
import pickle
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
BEFORE_1_6 = b"".join(pickle.dumps(number, 2) for number in (0x1950A86A20F9469CFC6C, 1001))  # how older files begin
OBJECT, NAME, LIST = 1, 2, 100  # sizes in `_refuse_other_names`; what identifies a storage is smaller than a LIST
SIZES = {"MARK": None, "GLOBAL": NAME}
SIZES |= dict.fromkeys(("EMPTY_LIST", "EMPTY_DICT", "APPEND", "APPENDS", "SETITEM", "SETITEMS"), LIST)


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
        if not is_archive:
            if file.read(len(BEFORE_1_6)) != BEFORE_1_6:
                raise ValueError("torch didn't write it")
            for _ in range(3):  # then came three pickles, and then the numbers
                _refuse_other_names(file)
        content.seek(0)
        found = torch.load(content, map_location="cpu", weights_only=True)
    tensors = list(_tensors_in(found))
    storages = {one.data_ptr(): one.nbytes() for one in map(torch.Tensor.untyped_storage, tensors)}
    # Memory that was reserved, but not yet used, or one number that a tensor repeats.
    if max(sum(storages.values()), *(one.nbytes for one in tensors), 0) > size:
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
    """Read to the end of a pickle, without executing it, and reject it if it needs more than `NEEDED`.

    Also reject what a small file can nest without end: tuples, which Python hashes with all that they contain, and
    lists that an error of torch would print. The stack has a size for each object; a tuple's is that of its content.
    """
    stack: list[Any] = []
    memo, total = {}, 0
    for operation, argument, position in pickletools.genops(file):
        name, taken, before = operation.name, [], operation.stack_before
        if pickletools.markobject in before:
            while (size := stack.pop()) is not None:
                taken.append(size)
            before = before[:-2]  # without the mark and the objects after it
        taken += [stack.pop() for _ in before]
        made = SIZES.get(name, OBJECT)
        if name == "GLOBAL" and argument not in NEEDED:  # torch rejects all other ways to name something
            raise ValueError(f"it needs {argument}")
        if (name in ("REDUCE", "NEWOBJ") and taken[-1] != NAME) or (name == "BINPERSID" and taken[0] > LIST):
            raise ValueError(f"its {name} has an unknown form")
        if "PUT" in name:
            memo[argument] = stack[-1]
        elif "TUPLE" in name or "GET" in name:
            made = memo[argument] if "GET" in name else NAME + 1 + sum(taken)
            total += made or 0
        stack += [made for _ in operation.stack_after]
        if position is None or max(position, total) > LARGEST:
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
