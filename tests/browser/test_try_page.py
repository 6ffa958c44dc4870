"""Test the page that upscales photos: its results, its slider, its refusals, and that nothing leaves the site."""

import base64
import functools
import http.server
import io
import re
import threading

import numpy as np
import pytest
import torch
from PIL import Image

import srlab
from srlab.cli.main import main
from srlab.errors import SrlabError
from tests.conftest import ROOT, load_script

from .conftest import new_page, screen, settle

pytest.importorskip("onnxscript", reason="needs onnx, onnxruntime and onnxscript, which `make test` installs")

pytestmark = [pytest.mark.nightly, pytest.mark.xdist_group("browser")]

PATIENCE = 240_000  # milliseconds for a network, on a busy machine
UPSCALERS = {"bicubic": ["--method", "bicubic"], "MSRResNet": ["--run", "msrresnet"], "SRGAN": ["--run", "srgan"]}
UPSCALERS["RRDB"] = ["--run", "rrdb"]
PHONE = {"has_touch": True, "is_mobile": True, "viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}


class Server(http.server.ThreadingHTTPServer):
    """A server of a folder without special headers, which notes the paths that it is asked for."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
        self.asked = []
        self.address = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        self.server.asked.append(f"{self.command} {self.path}")


@pytest.fixture(scope="module")
def folder(browser, tmp_path_factory):
    """Build the page, without Real-ESRGAN, which takes longer than everything else."""
    target = tmp_path_factory.mktemp("site") / "try"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(srlab, "load_realesrgan", missing)
        script = load_script(ROOT / "docs" / "book" / "try_page.py")
        try:
            script.download()
        except SrlabError as error:
            pytest.skip(str(error))
        script.build(target)
    return target


def missing():
    raise SrlabError("Real-ESRGAN is not installed.")


@pytest.fixture(scope="module")
def servers(folder):
    """Serve the page, and another site, which the page must not reach."""
    both = Server(folder.parent), Server(folder.parent)
    yield both
    for server in both:
        server.shutdown()


@pytest.fixture(scope="module")
def page(browser, servers):
    """Open the page once; at the end, check that nothing violated its policy."""
    page, problems = new_page(browser), []
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
    page.goto(f"{servers[0].address}/try/")
    yield page
    page.context.close()
    assert [problem for problem in problems if servers[1].address not in problem] == []  # a test tries to reach it


def upscale_in_page(page, file, *labels):
    """Choose a photo and return the downloaded results, ``(H, W, 3)``."""
    page.locator("#file").set_input_files(file)
    results = []
    for label in labels:
        with page.expect_download() as download:
            page.locator(f'a[download="{file.stem}-{label}.png"]').click()
        results.append(np.asarray(Image.open(download.value.path()).convert("RGB")))
    return results


def by_command(file, label):
    target = file.with_name(f"{file.stem}-{label}-wanted.png")
    assert main(["upscale", str(file), str(target), *UPSCALERS[label], "--precision", "fp32"]) == 0
    return np.asarray(Image.open(target).convert("RGB"))


def crop(height, width, mode="RGB"):
    """Return a detailed part of a photo as a Pillow image."""
    photo = srlab.bundled_photos("validation")["chelsea"][0, :, 60 : 60 + height, 120 : 120 + width]
    return Image.fromarray((photo.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)).convert(mode)


@pytest.mark.parametrize(
    ("size", "mode"), [((140, 150), "RGB"), ((23, 37), "L"), ((1, 5), "RGB")], ids=["tiles", "gray", "tiny"]
)
def test_results_equal_command(page, tmp_path, size, mode):
    file = tmp_path / f"{size[0]}{mode}.png"
    crop(*size, mode).save(file)
    for label, result in zip(UPSCALERS, upscale_in_page(page, file, *UPSCALERS), strict=True):
        difference = np.abs(result.astype(int) - by_command(file, label))
        assert difference.max() <= 1, label


def test_turned_photo(page, tmp_path):
    exif, file = Image.Exif(), tmp_path / "turned.jpg"
    exif[0x0112] = 6
    crop(24, 40).save(file, quality=100, subsampling=0, exif=exif)
    (result,) = upscale_in_page(page, file, "bicubic")
    assert np.abs(result.astype(int) - by_command(file, "bicubic")).mean() < 1


def test_transparent_pixels_become_white(page, tmp_path):
    photo, file = crop(24, 40), tmp_path / "transparent.png"
    photo.putalpha(Image.new("L", photo.size, 0))
    photo.save(file)
    (result,) = upscale_in_page(page, file, "bicubic")
    assert result.min() == 255


def test_photo_opens_on_its_detail_and_is_not_shrunk(page, tmp_path):
    photo, file = Image.new("RGB", (300, 400), "gray"), tmp_path / "detail.png"
    photo.paste(crop(100, 100), (190, 290))
    photo.save(file)
    (result,) = upscale_in_page(page, file, "bicubic")
    stage = page.locator(".srlab-stage")
    assert stage.bounding_box()["width"] > 800  # all that the window has, for a photo in portrait format, too
    assert page.get_by_role("button", name="Reset the view (0)").inner_text() == "1×"
    stage.focus()
    page.keyboard.press("End")
    seen = screen(page, stage)
    top, left = (length - side for length, side in zip(result.shape, seen.shape[:2], strict=False))  # the lower right
    assert np.array_equal(seen[20:, 20:-40], result[top + 20 :, left + 20 : -40])  # without the line


def test_slider_shows_what_is_offered_for_download(another_page, tmp_path):
    """Check a large photo in its upper left corner, in a view that doesn't change while it is upscaled."""
    page, file = another_page, tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 512, 3), np.uint8)).save(file)
    stage, right = page.locator(".srlab-stage"), page.get_by_role("group", name="Right image")
    upscale_in_page(page, file, "bicubic")
    right.get_by_role("button", name="one step").click()
    stage.focus()
    for key in ["Home"] + ["Shift+ArrowUp", "Shift+ArrowLeft"] * 20:
        page.keyboard.press(key)
    names = {label: label for label in ("bicubic", "SRGAN", "MSRResNet", "RRDB")}
    for seed in (0, 1):
        if seed:
            page.get_by_role("button", name="Throw the die").click()
        for label, name in ({"one step": f"one-step-seed-{seed}"} | names).items():
            with page.expect_download() as download:
                page.locator(f'a[download="noise-{name}.png"]').click()
            wanted = np.asarray(Image.open(download.value.path()).convert("RGB"))
            right.get_by_role("button", name=label).click()
            stage.scroll_into_view_if_needed()
            seen = screen(page, stage)
            height, width, _ = seen.shape
            assert np.array_equal(seen[:, 40:], wanted[:height, 40:width]), (label, seed)  # without the grip


@pytest.mark.parametrize(("photo", "label"), [("Cat", "SRGAN"), ("Gravel", "one step")])
def test_photo_opens_with_a_network_that_suits_it(page, photo, label):
    page.get_by_role("button", name=photo).click()
    page.locator(".downloads", has_text=f"Download {photo.lower()}").wait_for()
    assert page.locator(".srlab-names b").all_inner_texts() == ["bicubic", label]


def test_psnr_only_with_ground_truth(page, tmp_path):
    file = tmp_path / "mine.png"
    crop(24, 40).save(file)
    upscale_in_page(page, file, "RRDB")
    settle(page)
    assert page.locator(".srlab-score").inner_text() == ""
    page.get_by_role("button", name="Cat").click()
    page.locator('a[download="cat-RRDB.png"]').wait_for()
    settle(page)
    assert "PSNR to HR" in page.locator(".srlab-score").inner_text()


def test_visitors_get_key_names_but_no_python(page):
    page.get_by_role("button", name="Flicker").wait_for()
    assert page.get_by_role("button", name="Copy view").count() == 0
    assert page.locator(".srlab-button small", has_text="Space").is_visible()


def test_12_megapixels(page, tmp_path):
    """Check that the part with the most detail is upscaled, and that it moves to the border of the photo."""
    file = tmp_path / "large.png"
    photo = Image.new("RGB", (4000, 3000), "gray")
    photo.paste(crop(200, 200), (900, 2000))
    photo.paste(crop(200, 100), (3850, 2000))
    photo.save(file, compress_level=1)

    def middle(result):  # close to the part that was upscaled
        return result.reshape(height, 4, width, 4, 3).mean((1, 3))

    (result,) = upscale_in_page(page, file, "bicubic")
    height, width = result.shape[0] // 4, result.shape[1] // 4
    assert 0.99 * 512**2 < height * width <= 512**2
    assert "large.png has 12.0 megapixels" in page.locator(".part").inner_text()
    detail = np.abs(middle(result) - 128).max(-1) > 8
    rows, columns = (np.flatnonzero(detail.any(axis)) for axis in (1, 0))
    assert abs(rows.mean() - height / 2) < 50
    assert abs(columns.mean() - width / 2) < 50
    before = page.locator('a[download="large-bicubic.png"]').get_attribute("href")
    page.locator(".part canvas").focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    with page.expect_download() as download:
        page.locator(f'a[download="large-bicubic.png"]:not([href="{before}"])').click()
    right = middle(np.asarray(Image.open(download.value.path()).convert("RGB")))
    top = 2000 - rows[0]
    seen = np.asarray(photo.crop((4000 - width, top, 4000, top + height)))
    assert np.abs(right - seen).mean() < 1


@pytest.fixture
def small_parts(browser, servers):
    """Open the page on a phone, changed so that photos of more than 64 x 64 pixels count as large."""
    page, script = new_page(browser, **PHONE), (ROOT / "docs" / "book" / "try" / "try.js").read_text("utf-8")
    assert "LIMIT = 512 ** 2" in script
    script = script.replace("LIMIT = 512 ** 2", "LIMIT = 64 ** 2")
    page.route("**/try.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    page.set_default_timeout(PATIENCE)
    page.goto(f"{servers[0].address}/try/")
    yield page
    page.context.close()


def test_large_photo_on_phone_gets_an_estimate_and_the_command(small_parts, tmp_path):
    page, file = small_parts, tmp_path / f"{'long_name_of_a_photo_' * 3}.png"
    crop(160, 160).resize((1600, 1280)).save(file)
    upscale_in_page(page, file, "RRDB")
    told = page.locator(".part").inner_text()
    assert "Tap the photo to move the part." in told
    assert "6400 × 5120 pixels" in told
    assert "srlab upscale PHOTO OUT.png --run msrresnet" in told
    page.locator(".srlab-group").nth(1).get_by_role("button", name="RRDB").click()
    seconds = float(page.locator(".srlab-right .srlab-note").inner_text().removesuffix(" s"))
    length, unit = re.search(r"(\d+) (seconds|minutes|hours) \(RRDB\)", told).groups()
    estimate = int(length) * {"seconds": 1, "minutes": 60, "hours": 3600}[unit]
    assert estimate == pytest.approx(seconds * 1600 * 1280 / 64**2, rel=0.5)  # both are rounded
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390


class Own(torch.nn.Module):
    """A network like a student's, without attributes for srlab; another scale makes it useless for the page."""

    def __init__(self, scale=4):
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(torch.nn.Conv2d(3, 3 * scale**2, 3, padding=1), torch.nn.PixelShuffle(scale))

    def forward(self, lr):
        return self.layers(lr).sigmoid()


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return srlab.export(Own(), tmp_path_factory.mktemp("own") / "ada's net.onnx")


@pytest.fixture
def another_page(browser, servers):
    """Open the page again, because a network stays in its list."""
    page = new_page(browser)
    page.set_default_timeout(PATIENCE)
    page.goto(f"{servers[0].address}/try/")
    yield page
    page.context.close()


DROP = """([name, content]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(content), (byte) => byte.charCodeAt(0))], name));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
}"""


@pytest.mark.parametrize("way", ["network", "file", "drop"])
def test_own_network(another_page, servers, own, tmp_path, way):
    page, file = another_page, tmp_path / "photo.png"
    crop(140, 30).save(file)  # two tiles
    if way == "drop":
        page.evaluate(DROP, [own.name, base64.b64encode(own.read_bytes()).decode()])
    else:
        page.locator(f"#{way}").set_input_files(own)
    page.locator("#status", has_text="is in the list as “yours: ada's net.onnx”").wait_for()
    page.locator(".srlab-right b", has_text="yours: ada's net.onnx").wait_for()
    (result,) = upscale_in_page(page, file, "yours-ada-s-net.onnx")
    wanted = srlab.to_uint8(srlab.upscale(Own(), srlab.read_image(file))).permute(1, 2, 0).numpy()
    assert np.abs(result.astype(int) - wanted).max() <= 1
    upscale_in_page(page, file, "MSRResNet")
    assert not [line for line in servers[0].asked if "ada" in line]  # nothing is uploaded


def test_file_that_is_no_network_gets_a_sentence(another_page, own, tmp_path):
    page = another_page
    text, double = tmp_path / "text.onnx", srlab.export(Own(2), tmp_path / "double.onnx")
    text.write_bytes(b"Not a network.")
    for file, reason in ((text, "of four times the size"), (double, "it made float32 1 × 3 × 32 × 48, not float32")):
        page.locator("#network").set_input_files(file)
        page.locator("#status", has_text=f"{file.name} can't be used here").filter(has_text=reason).wait_for()
        assert page.get_by_role("button", name="yours").count() == 0
    page.locator("#network").set_input_files(own)
    page.locator("#status", has_text="is in the list").wait_for()
    page.locator("#network").set_input_files(text)  # the network before stays
    page.locator("#status", has_text="text.onnx can't be used").wait_for()
    assert page.get_by_role("button", name="yours").count() > 0


def encoded(kind, **options):
    file = io.BytesIO()
    crop(24, 40).save(file, kind, **options)
    return file.getvalue()


MOVING = {"save_all": True, "append_images": [Image.new("RGB", (40, 24), "red")]}
REFUSED = {
    "text.png": (b"Not an image.", "isn't an image"),
    "half.png": (encoded("PNG")[:900], "isn't an image"),
    "moving.gif": (encoded("GIF", **MOVING), "is a GIF"),
    "moving.webp": (encoded("WEBP", **MOVING), "is animated"),
    "moving.png": (encoded("PNG", **MOVING), "is animated"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unusable_file_gets_a_sentence(page, tmp_path, name):
    content, reason = REFUSED[name]
    file = tmp_path / name
    file.write_bytes(content)
    page.locator("#file").set_input_files(file)
    page.locator("#status", has_text=f"{name} {reason}").wait_for()


def test_file_refused_during_computation(another_page, tmp_path):
    """Check that the photo before it, its slider and its downloads stay, with one message at a time."""
    page, first, second = another_page, tmp_path / "first.png", tmp_path / "scan.tif"
    network = tmp_path / "text.onnx"
    crop(120, 160).save(first)
    second.write_bytes(b"II*\0" + bytes(100))
    network.write_bytes(b"Not a network.")
    upscale_in_page(page, first, "bicubic")
    page.locator("#network").set_input_files(network)
    page.locator("#status", has_text="text.onnx can't be used").wait_for()
    page.locator("#file").set_input_files(second)
    page.locator("#status", has_text="scan.tif isn't an image").wait_for()
    assert "text.onnx" not in page.locator("main").inner_text()
    page.locator('a[download="first-RRDB.png"]').wait_for()
    page.locator(".progress").wait_for(state="hidden")
    assert "scan.tif" in page.locator("#status").inner_text()
    page.get_by_role("group", name="Right image").get_by_role("button", name="RRDB").click()
    settle(page)
    assert screen(page, page.locator(".srlab-stage"))[:, 400:].std() > 10
    assert page.locator(".downloads").inner_text().startswith("Download first.png")


# A runtime whose sessions start but cannot run, as with a lost device or a missing kernel.
BROKEN = """
export const env = { wasm: {} };
export class Tensor {}
export const InferenceSession = { create: async () => ({ run: async () => { throw new Error("device lost"); } }) };
"""
ADAPTER = """
Object.defineProperty(navigator, "gpu", { value: { requestAdapter: async () => ({ info: {} }) } });
WebAssembly.Suspending ??= class {};
"""


def test_gpu_that_cannot_run_is_left(browser, folder, tmp_path):
    server, page, tried = Server(folder.parent), new_page(browser), []

    def fail(route):
        tried.append(route.request.url)
        route.fulfill(body=BROKEN, content_type="text/javascript")

    page.set_default_timeout(PATIENCE)
    page.add_init_script(ADAPTER)
    page.route("**/ort/webgpu.js", fail)
    page.goto(f"{server.address}/try/")
    file = tmp_path / "photo.png"
    crop(24, 40).save(file)
    (result,) = upscale_in_page(page, file, "MSRResNet")
    assert np.abs(result.astype(int) - by_command(file, "MSRResNet")).max() <= 1
    assert "they run in WebAssembly" in page.locator("#gpu").inner_text()
    page.reload()
    upscale_in_page(page, file, "MSRResNet")
    assert len(tried) == 1  # not again after the page was reloaded
    page.context.close()
    server.shutdown()


def test_offline_once_loaded(page, tmp_path):
    files = [tmp_path / name for name in ("before.png", "after.png")]
    for file in files:
        crop(24, 40).save(file)
    wanted = upscale_in_page(page, files[0], "RRDB")
    page.context.set_offline(True)
    try:
        page.get_by_role("button", name="Gravel").click()
        page.locator('a[download="gravel-bicubic.png"]').wait_for()
        assert np.array_equal(upscale_in_page(page, files[1], "RRDB"), wanted)
    finally:
        page.context.set_offline(False)


def test_nothing_leaves_the_site(page, servers, tmp_path):
    """Check the policy in the page and in its workers, and that the site itself was only asked for its files."""
    file = tmp_path / "private.png"
    crop(24, 40).save(file)
    upscale_in_page(page, file, "MSRResNet")
    site, other = servers
    send = f"() => fetch('{other.address}/', {{ method: 'POST', mode: 'no-cors', body: 'x' }}).then(() => 1, () => 0)"
    assert page.workers
    assert [context.evaluate(send) for context in (page, *page.workers)] == [0] * (1 + len(page.workers))
    assert other.asked == []
    assert {line.split()[0] for line in site.asked} == {"GET"}
    assert not [line for line in site.asked if "private" in line or "?" in line]


def test_slider_on_phone(browser, servers):
    page = new_page(browser, **PHONE)
    page.set_default_timeout(PATIENCE)
    page.goto(f"{servers[0].address}/try/")
    page.locator('a[download="cat-bicubic.png"]').wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
    assert page.locator(".srlab-button small").count() == 0  # names of keys
    stage = page.locator(".srlab-stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 4, box["y"] + box["height"] / 3)
    page.locator('.srlab-stage[aria-valuenow="25"]').wait_for()
    stage.focus()
    page.keyboard.press("PageUp")
    page.locator('.srlab-stage[aria-valuenow="35"]').wait_for()
    page.context.close()


def test_page_opened_as_file_names_a_server(open_page, folder):
    page = open_page((folder / "index.html").as_uri())
    assert "python3 -m http.server" in page.locator("#status").inner_text()
