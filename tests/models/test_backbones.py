"""Test srlab.models.backbones: no unrequested downloads, no wrong weights, no partial files."""

import hashlib
import io
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from srlab.errors import SrlabError
from srlab.models import backbones
from srlab.models.backbones import find_weights, load_weights


def saved(weights) -> bytes:
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    return buffer.getvalue()


WEIGHTS = {"0.weight": torch.arange(6.0).view(2, 3), "0.bias": torch.zeros(2)}
CONTENT = saved(WEIGHTS)
NAME = f"alexnet-owt-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture(autouse=True)
def cache(hub):
    """Set up an empty torch cache."""
    return hub


@pytest.fixture
def asked(monkeypatch):
    """Mock a server that has the weights, and record downloads."""
    asked = []

    def download(url, path, digits):
        asked.append((url, digits))
        Path(path).write_bytes(CONTENT)

    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    monkeypatch.setattr(backbones, "weights_url", lambda _: f"https://somewhere/{NAME}")
    return asked


# --- Finding -------------------------------------------------------------------------------------------------


def test_auto_never_downloads_and_imagenet_downloads_once(cache, asked):
    assert find_weights("alexnet") is None
    assert asked == []
    assert find_weights("alexnet", "imagenet") == cache / NAME
    assert find_weights("alexnet", "imagenet") == find_weights("alexnet") == cache / NAME
    assert asked == [(f"https://somewhere/{NAME}", NAME[-12:-4])]


def test_empty_cache_is_known_without_torchvision(monkeypatch):
    monkeypatch.setattr(backbones, "weights_url", None)  # it imports torchvision, which takes seconds
    assert find_weights("vgg19") is None


def test_failed_download_is_one_line(cache, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(backbones, "weights_url", lambda _: f"http://127.0.0.1:1/{NAME}")
    with pytest.raises(SrlabError, match=rf"http://127\.0\.0\.1:1/{NAME} .*refused"):
        find_weights("alexnet", "imagenet")
    assert list(cache.iterdir()) == []


def test_path_is_never_replaced_by_cache(cache, tmp_path, asked):
    find_weights("alexnet", "imagenet")
    own = tmp_path / "own.pth"
    with pytest.raises(SrlabError, match=r"Weights file .* not found"):
        find_weights("alexnet", own)
    own.write_bytes(CONTENT)
    assert find_weights("alexnet", str(own)) == own
    (cache / NAME).write_bytes(CONTENT[:-1])  # its name ends in a hash, which is checked
    with pytest.raises(SrlabError, match=f"{NAME} does not match the hash in its name .* Delete it"):
        find_weights("alexnet")


# --- Reading -------------------------------------------------------------------------------------------------


class Trap:
    def __reduce__(self):
        return (open, ("sprung", "w"))


def test_pickled_code_is_rejected_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pth").write_bytes(saved({"0.weight": Trap()}))
    with pytest.raises(SrlabError, match=r"evil\.pth"):
        load_weights(tmp_path / "evil.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_file_is_read_or_reported(tmp_path, suffix):
    file = tmp_path / f"a{suffix}"
    save_file(WEIGHTS, file) if suffix == ".safetensors" else file.write_bytes(CONTENT)
    read, content = load_weights(file), file.read_bytes()
    assert read.keys() == WEIGHTS.keys()
    assert all(torch.equal(read[key], WEIGHTS[key]) for key in WEIGHTS)
    for damaged in (b"<html>not found</html>", content[: len(content) // 2]):
        file.write_bytes(damaged)
        with pytest.raises(SrlabError, match=rf"a\{suffix} is damaged"):
            load_weights(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (torch.zeros(3), "does not contain a state dict"),
        ({"epoch": 3, "0.weight": torch.zeros(2)}, "does not contain a state dict"),
        ({"0.bias": torch.zeros(1).expand(4 * 10**9)}, r"'0\.bias' must be an array of finite floats"),
        ({"0.bias": torch.zeros(2, dtype=torch.int64)}, r"'0\.bias' must be an array of finite floats"),
        ({"0.bias": torch.tensor([0, torch.nan])}, r"'0\.bias' must be an array of finite floats"),
    ],
    ids=["tensor", "more", "expanded", "integers", "nan"],
)
def test_non_state_dict_is_rejected(tmp_path, content, said):
    (tmp_path / "other.pth").write_bytes(saved(content))
    with pytest.raises(SrlabError, match=rf"other\.pth .*{said}"):
        load_weights(tmp_path / "other.pth")


def test_network_is_loaded_completely_or_not_at_all(tmp_path):
    network = nn.Sequential(nn.Linear(3, 2))
    before = network[0].weight.clone()
    for weights in ({"0.weight": WEIGHTS["0.weight"]}, WEIGHTS | {"0.bias": torch.zeros(3)}):
        with pytest.raises(SrlabError, match=r"a\.pth.*'0\.bias' is missing or does not have the shape"):
            backbones.fill(network, weights, tmp_path / "a.pth")
        assert torch.equal(network[0].weight, before)
    backbones.fill(network, WEIGHTS | {"1.weight": torch.zeros(1)}, tmp_path / "a.pth")
    assert torch.equal(network[0].weight, WEIGHTS["0.weight"])
