"""srlab.models.pretrained: nothing is downloaded unasked, nothing wrong is loaded, nothing half-way is left behind."""

import hashlib
import http.server
import io
import pickle
import threading
from collections.abc import Iterator

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from srlab.base.errors import SrlabError
from srlab.models import pretrained as backbones


def saved(weights) -> bytes:
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    return buffer.getvalue()


WEIGHTS = {"0.weight": torch.arange(6.0).view(2, 3), "0.bias": torch.zeros(2)}
CONTENT = saved(WEIGHTS)
NAME = f"alexnet-owt-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of torch."""
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


class Server(http.server.BaseHTTPRequestHandler):
    """Serves NAME whole, with other bytes, or cut short, as the folder of the address says."""

    asked = 0

    def do_GET(self):
        type(self).asked += 1
        how = self.path.split("/")[1]
        if how == "none":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write({"good": CONTENT, "cut": CONTENT[:200], "other": bytes(len(CONTENT))}[how])

    def log_message(self, *_):
        pass


@pytest.fixture
def served(monkeypatch) -> Iterator:
    """Call with "good", "cut", "other" or "none": torchvision's address is then on this machine."""
    Server.asked = 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        from torchvision.models import AlexNet_Weights

        entry = AlexNet_Weights.IMAGENET1K_V1.value
        for proxy in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.delenv(proxy, raising=False)

        def serve(how: str) -> None:
            object.__setattr__(entry, "url", f"http://127.0.0.1:{server.server_port}/{how}/{NAME}")

        before = entry.url
        yield serve
        object.__setattr__(entry, "url", before)
        server.shutdown()


# --- Names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file", "digits"),
    [
        ("alexnet", "alexnet-owt-7be5be79.pth", "7be5be79"),
        ("vgg19", "vgg19-dcbb9e9d.pth", "dcbb9e9d"),
        ("resnet34", "resnet34-b627a593.pth", "b627a593"),
    ],
)
def test_the_address_and_the_hash_are_those_of_torchvision(cache, name, file, digits):
    assert backbones.source(name) == (f"https://download.pytorch.org/models/{file}", digits)
    assert backbones.cached(name) == cache / file


@pytest.mark.parametrize("weights", ["auto", "imagenet"])
def test_a_network_that_torchvision_does_not_have_is_refused(cache, weights):
    with pytest.raises(SrlabError, match="no ImageNet weights for 'vgg20'"):
        backbones.find_weights("vgg20", weights)


# --- auto ----------------------------------------------------------------------------------------------------


def test_auto_finds_nothing_in_an_empty_cache_and_asks_no_server(cache, served):
    served("good")
    assert backbones.find_weights("alexnet") is None
    assert Server.asked == 0
    assert not cache.exists()


def test_auto_and_imagenet_take_the_file_that_is_in_the_cache(cache, served):
    served("none")
    cache.mkdir(parents=True)
    (cache / NAME).write_bytes(CONTENT)
    assert backbones.find_weights("alexnet") == backbones.find_weights("alexnet", "imagenet") == cache / NAME
    assert Server.asked == 0


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], bytes(100)])
def test_a_wrong_file_in_the_cache_is_named_and_not_taken(cache, served, content):
    served("good")
    cache.mkdir(parents=True)
    (cache / NAME).write_bytes(content)
    for weights in ("auto", "imagenet"):
        with pytest.raises(SrlabError, match=f"{NAME} is not the file its name says.*delete it"):
            backbones.find_weights("alexnet", weights)


def test_the_remedy_is_a_line_that_downloads(cache, served):
    served("good")
    line = backbones.remedy("alexnet")
    start, code, end = line.split('"')
    assert (start, end) == ("python -c ", "")
    exec(code, {})
    assert (cache / NAME).read_bytes() == CONTENT


# --- imagenet ------------------------------------------------------------------------------------------------


def test_imagenet_downloads_once_and_auto_finds_it_then(cache, served, capfd):
    served("good")
    assert backbones.find_weights("alexnet", "imagenet") == cache / NAME
    assert "100%" in capfd.readouterr().err  # the progress bar
    assert backbones.find_weights("alexnet", "imagenet") == backbones.find_weights("alexnet") == cache / NAME
    assert Server.asked == 1
    assert [file.name for file in cache.iterdir()] == [NAME]


@pytest.mark.parametrize(
    ("how", "said"), [("cut", "cut short or altered"), ("other", "cut short or altered"), ("none", "404")]
)
def test_a_failed_download_is_an_error_that_leaves_no_file(cache, served, how, said):
    served(how)
    with pytest.raises(SrlabError, match=said):
        backbones.find_weights("alexnet", "imagenet")
    assert list(cache.iterdir()) == []
    assert backbones.find_weights("alexnet") is None
    served("good")  # and the next attempt is not hindered by it
    assert backbones.find_weights("alexnet", "imagenet").read_bytes() == CONTENT


def test_without_a_network_the_message_says_where_to_put_the_file(cache, served, monkeypatch):
    served("good")
    monkeypatch.setattr(backbones, "source", lambda name: (f"http://127.0.0.1:9/{NAME}", NAME[-12:-4]))
    with pytest.raises(SrlabError, match=f"put the file at {cache / NAME} yourself"):
        backbones.find_weights("alexnet", "imagenet")


def test_a_cache_that_cannot_be_written_is_said(tmp_path, served, monkeypatch):
    served("good")
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "file"))
    with pytest.raises(SrlabError, match="check network and disk"):
        backbones.find_weights("alexnet", "imagenet")


# --- A path --------------------------------------------------------------------------------------------------


def test_a_path_is_taken_or_refused_and_never_replaced_by_the_cache(cache, tmp_path, served):
    served("good")
    backbones.find_weights("alexnet", "imagenet")
    own = tmp_path / "own.pth"
    with pytest.raises(SrlabError, match=r"no weights file .*own\.pth"):
        backbones.find_weights("alexnet", own)
    own.write_bytes(CONTENT)
    assert backbones.find_weights("alexnet", str(own)) == own
    with pytest.raises(SrlabError, match="no weights file"):
        backbones.find_weights("alexnet", tmp_path)  # a folder


# --- Reading -------------------------------------------------------------------------------------------------


def test_pth_and_safetensors_give_the_same_state_dict(tmp_path):
    (tmp_path / "a.pth").write_bytes(CONTENT)
    save_file(WEIGHTS, tmp_path / "a.safetensors")
    for file in ("a.pth", "a.safetensors"):
        read = backbones.load_weights(tmp_path / file)
        assert read.keys() == WEIGHTS.keys()
        assert all(torch.equal(read[key], WEIGHTS[key]) for key in WEIGHTS)


class Trap:
    def __reduce__(self):
        return (open, ("sprung", "w"))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("dump", [saved, pickle.dumps], ids=["torch.save", "pickle"])
def test_a_file_with_code_in_it_is_refused_and_nothing_of_it_runs(tmp_path, monkeypatch, dump):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pth").write_bytes(dump({"0.weight": Trap()}))
    with pytest.raises(SrlabError, match=r"evil\.pth"):
        backbones.load_weights(tmp_path / "evil.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", CONTENT[:300], CONTENT[: len(CONTENT) // 2]])
def test_a_damaged_file_is_named(tmp_path, suffix, content):
    file = tmp_path / f"bad{suffix}"
    file.write_bytes(content)
    with pytest.raises(SrlabError, match=r"bad\.(pth|safetensors)"):
        backbones.load_weights(file)


@pytest.mark.parametrize("content", [[1, 2], torch.zeros(3), {"epoch": 3, "0.weight": torch.zeros(2)}], ids=str)
def test_what_is_no_state_dict_is_refused(tmp_path, content):
    (tmp_path / "other.pth").write_bytes(saved(content))
    with pytest.raises(SrlabError, match=r"other\.pth holds no state dict"):
        backbones.load_weights(tmp_path / "other.pth")


# --- Filling a network ---------------------------------------------------------------------------------------


def test_a_network_gets_the_weights_by_their_names_in_the_file(tmp_path):
    network = nn.Linear(3, 2)
    names = {"weight": "0.weight", "bias": "0.bias"}
    backbones.fill(network, WEIGHTS, names, tmp_path)
    assert torch.equal(network.weight, WEIGHTS["0.weight"])
    assert torch.equal(network.bias, WEIGHTS["0.bias"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"0.bias": None}, r"'0\.bias' is missing"),
        ({"0.bias": torch.zeros(3)}, r"'0\.bias' has shape \(3,\), but must have shape \(2,\)"),
        ({"0.bias": torch.tensor([0, torch.nan])}, r"NaN or infinity in '0\.bias'"),
    ],
)
def test_weights_of_another_network_are_refused_and_the_network_is_left_as_it_was(tmp_path, change, said):
    network = nn.Linear(3, 2)
    before = network.weight.clone()
    weights = {key: value for key, value in (WEIGHTS | change).items() if value is not None}
    with pytest.raises(SrlabError, match=rf"a\.pth.*{said}"):
        backbones.fill(network, weights, {"weight": "0.weight", "bias": "0.bias"}, tmp_path / "a.pth")
    assert torch.equal(network.weight, before)


def test_a_flipped_byte_in_a_pth_file_is_seen(tmp_path):
    whole = saved({"0.weight": torch.linspace(0, 1, 5000)})
    place = whole.index(torch.linspace(0, 1, 5000).numpy().tobytes()) + 7003
    (tmp_path / "flipped.pth").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(SrlabError, match=r"flipped.pth is damaged or cut short .*is not what was written"):
        backbones.load_weights(tmp_path / "flipped.pth")


def test_a_path_whose_name_ends_in_a_hash_is_held_to_it(tmp_path):
    digits = hashlib.sha256(CONTENT).hexdigest()[:8]
    right, wrong = tmp_path / f"vgg19-{digits}.pth", tmp_path / "vgg19-0123abcd.pth"
    for file in (right, wrong):
        file.write_bytes(CONTENT)
    assert backbones.find_weights("vgg19", right) == right
    with pytest.raises(SrlabError, match="is not the file its name says"):
        backbones.find_weights("vgg19", wrong)
