"""Test srlab.models.backbones: no unrequested downloads, no wrong weights, no code from a file."""

import hashlib
import io
import json
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn

from srlab import downloading
from srlab.errors import SrlabError
from srlab.models import backbones
from srlab.models.backbones import find_weights, load_weights
from tests.conftest import files_in
from tests.file_server import serving


def saved(weights) -> bytes:
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    return buffer.getvalue()


WEIGHTS = {"0.weight": torch.arange(6.0).view(2, 3), "0.bias": torch.zeros(2)}
CONTENT = saved(WEIGHTS)
NAME = f"alexnet-owt-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture
def site(monkeypatch):
    """Serve the weights under torchvision's name for them."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as site:
        site.files[NAME] = CONTENT
        monkeypatch.setattr(backbones, "weights_url", lambda _: f"{site.base}/{NAME}")
        yield site


def test_only_imagenet_downloads_and_the_hash_in_a_name_is_checked(hub, tmp_path, site):
    own = tmp_path / "own.pth"
    assert find_weights("alexnet") is None
    assert [find_weights("alexnet", weights) for weights in ("imagenet", "imagenet", "auto")] == [hub / NAME] * 3
    assert site.requests == [None]
    with pytest.raises(SrlabError, match=r"Weights file .* not found"):
        find_weights("alexnet", own)
    own.write_bytes(CONTENT)
    assert find_weights("alexnet", str(own)) == own
    (hub / NAME).write_bytes(CONTENT[:-1])
    with pytest.raises(SrlabError, match=f"{NAME} does not match the hash in its name .* Delete it"):
        find_weights("alexnet")


def test_failed_download_is_one_line_and_resumes(hub, site, monkeypatch):
    monkeypatch.setattr(downloading, "TIMEOUT_S", 0.1)
    monkeypatch.setattr(downloading, "BLOCK", 64)
    site.faults = ["stalls"]
    with pytest.raises(SrlabError, match=rf"127\.0\.0\.1:\d+/{NAME} \(timed out\)\. Check the network"):
        find_weights("alexnet", "imagenet")
    assert find_weights("alexnet", "auto") is None
    assert find_weights("alexnet", "imagenet").read_bytes() == CONTENT
    assert site.requests[1].startswith("bytes=")


def test_page_in_place_of_weights_is_not_kept(hub, site):
    site.files[NAME] = b"<html>log in</html>"
    with pytest.raises(SrlabError, match=f"{NAME} sent another file"):
        find_weights("alexnet", "imagenet")
    assert files_in(hub) == {}


READ = {name: saved({"epoch": 3, name: WEIGHTS}) for name in ("params", "state_dict", "model")}
READ |= {"plain": CONTENT, "safetensors": save(WEIGHTS)}
READ["averaged"] = saved({"params": {"0.weight": torch.zeros(1)}, "params_ema": WEIGHTS})


@pytest.mark.parametrize("name", READ)
def test_weights_are_found_in_files_of_training_programs(tmp_path, name):
    (tmp_path / name).write_bytes(READ[name])
    found = load_weights(tmp_path / name)
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[key], value) for key, value in WEIGHTS.items())


class Trap:
    def __reduce__(self):
        return (open, ("sprung", "w"))


NOT_FINITE, NO_WEIGHTS = r"'0\.bias' must be an array of finite floats", "does not contain a state dict"
REFUSED = {
    "html.pth": (b"<html>not found</html>", "is damaged"),
    "html.safetensors": (b"<html>not found</html>", "is damaged"),
    "half.pth": (CONTENT[: len(CONTENT) // 2], "is damaged"),
    "half.safetensors": (save(WEIGHTS)[:100], "is damaged"),
    "code.pth": (saved({"0.weight": Trap()}), "contains more than tensors"),
    "tensor.pth": (saved(torch.zeros(3)), NO_WEIGHTS),
    "more.pth": (saved({"epoch": 3, "0.weight": torch.zeros(2)}), NO_WEIGHTS),
    "expanded.pth": (saved({"0.bias": torch.zeros(1).expand(4 * 10**9)}), "contains more than tensors"),
    "integers.pth": (saved({"0.bias": torch.zeros(2, dtype=torch.int64)}), NOT_FINITE),
    "nan.pth": (saved({"0.bias": torch.tensor([0, torch.nan])}), NOT_FINITE),
}


def compressed(content):
    """Return a zip file with the same files, compressed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as stored, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in stored.namelist():
            archive.writestr(name, stored.read(name))
    return file.getvalue()


EIGHT = {"0.bias": {"dtype": "F8_E8M0", "shape": [2], "data_offsets": [0, 2]}}
EIGHT = json.dumps(EIGHT).encode()
REFUSED["kind.safetensors"] = (struct.pack("<Q", len(EIGHT)) + EIGHT + bytes(2), "it contains torch.float8_e8m0fnu")
REFUSED["unfolds.pth"] = (compressed(saved({"0.bias": torch.zeros(10**5)})), "is damaged or contains more")
REFUSED["empty.pth"] = (saved({"0.bias": torch.zeros(2, device="meta")}), "is damaged or contains more")


@pytest.mark.parametrize("name", REFUSED)
def test_file_without_usable_weights_is_rejected(tmp_path, monkeypatch, name):
    content, words = REFUSED[name]
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    with pytest.raises(SrlabError, match=f"{name} .*{words}"):
        load_weights(Path(name))
    assert [path.name for path in tmp_path.iterdir()] == [name], "the code in the file must not run"


def test_network_is_loaded_completely_or_not_at_all(tmp_path):
    network = nn.Sequential(nn.Linear(3, 2))
    before = network[0].weight.clone()
    for weights in ({"0.weight": WEIGHTS["0.weight"]}, WEIGHTS | {"0.bias": torch.zeros(3)}):
        with pytest.raises(SrlabError, match=r"a\.pth.*'0\.bias' is missing or does not have the shape"):
            backbones.fill(network, weights, tmp_path / "a.pth")
        assert torch.equal(network[0].weight, before)
    backbones.fill(network, WEIGHTS | {"1.weight": torch.zeros(1)}, tmp_path / "a.pth")
    assert torch.equal(network[0].weight, WEIGHTS["0.weight"])
