"""Test the die of the page that upscales photos, in Chromium and in Firefox: answers, seeds, the map, and seams."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from srlab.cli.main import main
from srlab.models import FlowNet
from srlab.training.runs import Run

from .conftest import new_page
from .firefox import start_firefox
from .test_try_page import PATIENCE, crop, folder, servers  # noqa: F401  fixtures

pytestmark = [pytest.mark.nightly, pytest.mark.xdist_group("browser")]

GIVE = """([field, name, content]) => {
  const data = new DataTransfer(), input = document.querySelector(field);
  data.items.add(new File([Uint8Array.from(atob(content), (byte) => byte.charCodeAt(0))], name));
  input.files = data.files;
  input.dispatchEvent(new Event("change"));
}"""
UNTIL = """([code, patience]) => new Promise((resolve, reject) => {
  const found = new Function(`return ${code}`), start = performance.now(), again = () => {
    if (found()) resolve(true);
    else if (performance.now() - start > patience) reject(new Error(`${code}: ${document.body.innerText}`));
    else setTimeout(again, 50);
  };
  again();
})"""
PNG = """async (selector) => {
  const image = Object.assign(new Image(), { src: document.querySelector(selector).href });
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/png").split(",")[1];
}"""


class Visitor:
    """Somebody with the page in a browser, who throws the die."""

    def __init__(self, page):
        self.page = page

    def give(self, field, name, content):
        self.page.evaluate(GIVE, [field, name, base64.b64encode(content).decode()])

    def click(self, selector):
        self.page.evaluate("(selector) => document.querySelector(selector).click()", selector)

    def until(self, code):
        self.page.evaluate(UNTIL, [code, PATIENCE])

    def download(self, start):
        """Wait for the image whose file name begins like this, and return its levels ``(H, W, 3)``."""
        selector = f'a[download^="{start}"]'
        self.until(f"document.querySelector('{selector}')")
        image = Image.open(io.BytesIO(base64.b64decode(self.page.evaluate(PNG, selector))))
        return np.asarray(image.convert("RGB")).astype(int)

    def throw(self, seed, start):
        """Throw the die, and return the answer, which must have this seed."""
        self.until("document.querySelector('.throw').ariaDisabled !== 'true'")
        self.click(".throw")
        answer = self.download(f"{start}-seed-{seed}.png")
        self.until(f"document.querySelector('#die input').value === '{seed}'")
        return answer

    def map(self, start):
        self.until("document.querySelector('.throw').ariaDisabled !== 'true'")
        self.click(".mapping")
        return self.download(f"{start}-where-they-differ-seeds-")


@pytest.fixture(params=["chromium", "firefox"])
def visitor(request, servers, tmp_path):  # noqa: F811
    """Open the page in a browser."""
    if request.param == "firefox":
        with start_firefox(tmp_path / "profile") as tab:
            tab.goto(f"{servers[0].address}/try/")
            yield Visitor(tab)
    else:
        page = new_page(request.getfixturevalue("browser"))
        page.goto(f"{servers[0].address}/try/")
        yield Visitor(page)
        page.context.close()


def encoded(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def by_command(run, file, seed):
    target = file.with_name(f"{seed}.png")
    options = ["--run", run, "--seed", str(seed), "--precision", "fp32", "--device", "cpu", "--force"]
    assert main(["upscale", str(file), str(target), *options]) == 0
    return np.asarray(Image.open(target).convert("RGB")).astype(int)


def test_bundled_network_draws_the_answers_of_the_command(visitor, tmp_path):
    file = tmp_path / "photo.png"
    crop(150, 140).save(file)  # four tiles
    visitor.give("#file", file.name, file.read_bytes())
    answers = [visitor.download("photo-one-step-seed-0.png")]
    answers += [visitor.throw(seed, "photo-one-step") for seed in (1, 2, 3)]
    for seed in (0, 3):
        assert np.abs(answers[seed] - by_command("one_step", file, seed)).max() <= 1  # so there are no seams
    check_map(visitor.map("photo"), answers)


def check_map(found, answers):
    """Check that a map is the standard deviation of answers, so that two of them differ only where it isn't black."""
    spread = np.sqrt(np.stack(answers).var(0, ddof=1).mean(-1))
    wanted = np.minimum(255 / 32 * spread, 255)
    assert np.abs(found - wanted[..., None]).max() <= 1
    apart = np.abs(answers[0] - answers[1]).max(-1)
    assert apart[found[..., 0] == 0].max(initial=0) == 0
    assert apart[found[..., 0] > 128].mean() > 2 * apart[found[..., 0] < 64].mean()


def test_exported_run_can_be_thrown(visitor, tmp_path):
    """Check a student's network: its seeds, another answer for a seed that is typed, and the legend of the map."""
    torch.manual_seed(0)
    flow = FlowNet(1, 16, detail_std=0.1, steps=1)
    for module in flow.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, 0.5)
    Run("07_one_step", "default").save_generator(flow, 1)
    file, network = tmp_path / "photo.png", tmp_path / "ada.onnx"
    assert main(["export", "07_one_step/default", str(network)]) == 0
    crop(24, 40).save(file)
    visitor.give("#network", network.name, network.read_bytes())
    visitor.until("document.querySelector('#status').textContent.includes('is in the list')")
    visitor.give("#file", file.name, file.read_bytes())
    start = "photo-yours-ada.onnx"
    first = visitor.download(f"{start}-seed-0.png")
    assert np.abs(first - by_command("07_one_step/default", file, 0)).max() <= 1
    other = visitor.throw(1, start)
    assert np.abs(other - first).mean() > 2
    type_seed = "(seed) => { const field = document.querySelector('#die input'); field.value = seed; "
    type_seed += "field.dispatchEvent(new Event('change')); }"
    for seed, wanted in ((4294967295, None), (0, first)):
        visitor.until("document.querySelector('.throw').ariaDisabled !== 'true'")
        visitor.page.evaluate(type_seed, seed)
        again = visitor.download(f"{start}-seed-{seed}.png")
        wanted = by_command("07_one_step/default", file, seed) if wanted is None else wanted
        assert np.abs(again - wanted).max() <= 1
    assert visitor.page.evaluate("() => document.querySelector('.legend').hidden")
    visitor.map("photo")
    shown = "() => [document.querySelector('.legend').hidden, document.querySelector('.mapping').ariaPressed]"
    assert visitor.page.evaluate(shown) == [False, "true"]
    told = visitor.page.evaluate("() => document.querySelector('#die [role=status]').textContent")
    assert "gray levels" in told


class Partial(nn.Module):
    """A network whose answers differ only where the photo is bright."""

    def forward(self, lr, noise):
        larger = nn.functional.interpolate(lr, scale_factor=4)
        return larger + 0.1 * noise * (larger > 0.5)


def test_answers_differ_only_where_the_map_says_so(visitor, tmp_path):
    file, axes = tmp_path / "partial.onnx", {0: "batch", 2: "height", 3: "width"}
    noise_axes = {0: "batch", 2: "noise_height", 3: "noise_width"}
    inputs = torch.rand(2, 3, 16, 24), torch.rand(2, 3, 64, 96)
    names = {"input_names": ["lr", "noise"], "output_names": ["sr"], "dynamic_shapes": (axes, noise_axes)}
    torch.onnx.export(Partial(), inputs, file, dynamo=True, external_data=False, verbose=False, **names)
    photo = Image.new("RGB", (40, 24), (60, 60, 60))
    photo.paste((180, 180, 180), (20, 0, 40, 24))
    visitor.give("#network", file.name, file.read_bytes())
    visitor.until("document.querySelector('#status').textContent.includes('is in the list')")
    visitor.give("#file", "photo.png", encoded(photo))
    start = "photo-yours-partial.onnx"
    answers = [visitor.download(f"{start}-seed-0.png"), *(visitor.throw(seed, start) for seed in (1, 2, 3))]
    found = visitor.map("photo")
    assert found[:, :80].max() == 0
    assert np.abs(answers[0] - answers[1])[:, :80].max() == 0
    assert found[:, 80:].mean() > 100
    assert np.abs(answers[0] - answers[1])[:, 80:].mean() > 10
    srgb = np.sqrt(np.stack(answers).var(0, ddof=1).mean(-1))
    assert np.abs(found[..., 0] - np.minimum(255 / 32 * srgb, 255)).max() <= 1
