"""Test the page that upscales photos: its results, its slider, its refusals, and that nothing leaves the site."""

import functools
import http.server
import io
import threading

import numpy as np
import pytest
from PIL import Image

import srlab
from srlab.course.cli.main import main
from srlab.errors import SrlabError
from tests.conftest import ROOT, load_script

from .conftest import new_page

pytest.importorskip("onnxscript", reason="needs onnx, onnxruntime and onnxscript, which `make test` installs")

pytestmark = [pytest.mark.nightly, pytest.mark.xdist_group("browser")]

PATIENCE = 240_000  # milliseconds for a network, on a busy machine
UPSCALERS = {"bicubic": ["--method", "bicubic"], "MSRResNet": ["--run", "msrresnet"], "SRGAN": ["--run", "srgan"]}
UPSCALERS["RRDB"] = ["--run", "rrdb"]


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


def test_12_megapixels(page, tmp_path):
    file = tmp_path / "large.png"
    part = crop(200, 200)
    photo = Image.new("RGB", (4000, 3000), "gray")
    photo.paste(part, (1900, 1400))
    photo.paste(part, (3700, 1400))
    photo.save(file, compress_level=1)
    (result,) = upscale_in_page(page, file, "bicubic")
    height, width = result.shape[0] // 4, result.shape[1] // 4
    assert 0.99 * 512**2 < height * width <= 512**2
    assert "large.png has 12.0 megapixels" in page.locator(".part").inner_text()
    top, left = (3001 - height) // 2, (4001 - width) // 2
    seen = np.asarray(photo.crop((left, top, left + width, top + height)))
    middle = result.reshape(height, 4, width, 4, 3).mean((1, 3))  # close to the part that was upscaled
    assert np.abs(middle - seen).mean() < 1
    before = page.locator('a[download="large-bicubic.png"]').get_attribute("href")
    page.locator(".part canvas").focus()
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    with page.expect_download() as download:
        page.locator(f'a[download="large-bicubic.png"]:not([href="{before}"])').click()
    right = np.asarray(Image.open(download.value.path()).convert("RGB"))
    seen = np.asarray(photo.crop((4000 - width, top, 4000, top + height)))
    assert np.abs(right.reshape(height, 4, width, 4, 3).mean((1, 3)) - seen).mean() < 1


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
    phone = {"has_touch": True, "is_mobile": True, "viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    page = new_page(browser, **phone)
    page.set_default_timeout(PATIENCE)
    page.goto(f"{servers[0].address}/try/")
    page.locator('a[download="cat-bicubic.png"]').wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390
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
