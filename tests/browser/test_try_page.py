"""Test the page that upscales photos: its results, slider, die and refusals, and that nothing leaves the site."""

import base64
import functools
import http.server
import io
import threading

import numpy as np
import pytest
import torch
from PIL import Image

import srlab
from srlab.cli.main import main
from srlab.errors import SrlabError
from srlab.models import FlowNet
from srlab.training.runs import Run
from tests.conftest import ROOT, load_script

from .conftest import new_page, screen, settle

pytest.importorskip("onnxscript", reason="needs onnx, onnxruntime and onnxscript, which `make test` installs")

pytestmark = [pytest.mark.nightly, pytest.mark.xdist_group("browser")]

PATIENCE = 240_000  # milliseconds for a network, on a busy machine
UPSCALERS = {"bicubic": ["--method", "bicubic"], "MSRResNet": ["--run", "msrresnet"], "SRGAN": ["--run", "srgan"]}
UPSCALERS |= {"RRDB": ["--run", "rrdb"], "one-step-seed-0": ["--run", "one_step"]}
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


@pytest.fixture
def visit(browser, servers):
    """Open the page; at the end, check that nothing raised an error or violated its policy."""
    pages, problems = [], []

    def visit(prepare=None, **options):
        page = new_page(browser, **options)
        pages.append(page)
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda told: problems.append(told.text) if "Content Security" in told.text else None)
        if prepare:
            prepare(page)
        page.goto(f"{servers[0].address}/try/")
        page.locator('a[download="cat-bicubic.png"]').wait_for()  # it is ready
        return page

    yield visit
    for page in pages:
        page.context.close()
    assert [problem for problem in problems if servers[1].address not in problem] == []  # a test tries to reach it


def download(page, name):
    """Download a file, whose link must appear, and return its levels ``(H, W, 3)``."""
    with page.expect_download() as found:
        page.locator(f'a[download^="{name}"]').click()
    return np.asarray(Image.open(found.value.path()).convert("RGB")).astype(int)


def upscale_in_page(page, file, *labels):
    """Choose a photo and return the downloaded results."""
    page.locator("#file").set_input_files(file)
    return [download(page, f"{file.stem}-{label}.png") for label in labels]


def by_command(file, *options):
    target = file.with_name("wanted.png")
    target.unlink(missing_ok=True)
    assert main(["upscale", str(file), str(target), *options, "--precision", "fp32", "--device", "cpu"]) == 0
    return np.asarray(Image.open(target).convert("RGB")).astype(int)


def crop(height, width, mode="RGB"):
    """Return a detailed part of a photo as a Pillow image."""
    photo = srlab.bundled_photos("validation")["chelsea"][0, :, 60 : 60 + height, 120 : 120 + width]
    return Image.fromarray((photo.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)).convert(mode)


def save(photo, file, **options):
    photo.save(file, **options)
    return file


# --- Results -----------------------------------------------------------------------------------------------------


def test_results_equal_command(visit, tmp_path):
    page = visit()
    for size, mode in (((140, 150), "RGB"), ((23, 37), "L"), ((1, 5), "RGB")):  # tiles, gray, tiny
        file = save(crop(*size, mode), tmp_path / f"{size[0]}{mode}.png")
        for label, result in zip(UPSCALERS, upscale_in_page(page, file, *UPSCALERS), strict=True):
            assert np.abs(result - by_command(file, *UPSCALERS[label])).max() <= 1, (size, label)
    exif = Image.Exif()
    exif[0x0112] = 6
    file = save(crop(24, 40), tmp_path / "turned.jpg", quality=100, subsampling=0, exif=exif)
    (result,) = upscale_in_page(page, file, "bicubic")
    assert np.abs(result - by_command(file, *UPSCALERS["bicubic"])).mean() < 1
    photo = crop(24, 40)
    photo.putalpha(Image.new("L", photo.size, 0))
    (result,) = upscale_in_page(page, save(photo, tmp_path / "transparent.png"), "bicubic")
    assert result.min() == 255, "transparent pixels become white"


def test_gpu_that_cannot_run_is_left(visit, tmp_path):
    """Check a runtime whose sessions start but cannot run, as with a lost device or a missing kernel."""
    broken = "export const env = { wasm: {} }; export class Tensor {} export const InferenceSession = "
    broken += "{ create: async () => ({ run: async () => { throw new Error('device lost'); } }) };"
    gpu = "Object.defineProperty(navigator, 'gpu', { value: { requestAdapter: async () => ({ info: {} }) } });"
    tried = []

    def fail(route):
        tried.append(route.request.url)
        route.fulfill(body=broken, content_type="text/javascript")

    def prepare(page):
        page.add_init_script(f"{gpu} WebAssembly.Suspending ??= class {{}};")
        page.route("**/ort/webgpu.js", fail)

    page, file = visit(prepare), save(crop(24, 40), tmp_path / "photo.png")
    (result,) = upscale_in_page(page, file, "MSRResNet")
    assert np.abs(result - by_command(file, *UPSCALERS["MSRResNet"])).max() <= 1
    assert "they run in WebAssembly" in page.locator("#gpu").inner_text()
    page.reload()
    upscale_in_page(page, file, "MSRResNet")
    assert len(tried) == 1  # not again after the page was reloaded


def test_nothing_leaves_the_site_and_it_works_offline(visit, servers, tmp_path):
    site, other = servers
    site.asked.clear()
    page = visit()
    file, again = (save(crop(24, 40), tmp_path / name) for name in ("private.png", "again.png"))
    wanted = upscale_in_page(page, file, "RRDB")
    send = f"() => fetch('{other.address}/', {{ method: 'POST', mode: 'no-cors', body: 'x' }}).then(() => 1, () => 0)"
    assert page.workers
    assert [context.evaluate(send) for context in (page, *page.workers)] == [0] * (1 + len(page.workers))
    assert other.asked == []
    assert {line.split()[0] for line in site.asked} == {"GET"}
    assert not [line for line in site.asked if "private" in line or "?" in line]
    page.context.set_offline(True)
    page.get_by_role("button", name="Gravel").click()
    page.locator('a[download="gravel-bicubic.png"]').wait_for()
    assert np.array_equal(upscale_in_page(page, again, "RRDB"), wanted)


def test_page_opened_as_file_names_a_server(open_page, folder):
    page = open_page((folder / "index.html").as_uri())
    assert "python3 -m http.server" in page.locator("#status").inner_text()


# --- Slider and large photos -------------------------------------------------------------------------------------


def test_slider_shows_what_is_offered_for_download(visit, tmp_path):
    """Check a large photo in its upper left corner, in a view that doesn't change while it is upscaled."""
    page, file = visit(), tmp_path / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)).save(file)
    stage, right = page.locator(".srlab-stage"), page.get_by_role("group", name="Right image")
    upscale_in_page(page, file, "bicubic")
    right.get_by_role("button", name="one step").click()
    stage.focus()
    for key in ["Home"] + ["Shift+ArrowUp", "Shift+ArrowLeft"] * 20:
        page.keyboard.press(key)
    names = {label: label for label in ("bicubic", "SRGAN", "MSRResNet", "RRDB")}
    for seed in (0, 1):
        if seed:
            page.get_by_role("button", name="Roll the die").click()
        for label, name in ({"one step": f"one-step-seed-{seed}"} | names).items():
            wanted = download(page, f"noise-{name}.png")
            right.get_by_role("button", name=label).click()
            stage.scroll_into_view_if_needed()
            seen = screen(page, stage)
            height, width, _ = seen.shape
            assert np.array_equal(seen[:, 40:], wanted[:height, 40:width]), (label, seed)  # without the grip


def test_photos_of_the_page_and_own_ones(visit, tmp_path):
    page = visit()
    for photo, label in (("Cat", "SRGAN"), ("Gravel", "one step")):  # a network that suits it
        page.get_by_role("button", name=photo).click()
        page.locator(f'a[download="{photo.lower()}-RRDB.png"]').wait_for()
        settle(page)
        assert page.locator(".srlab-names b").all_inner_texts() == ["bicubic", label]
        assert "PSNR to HR" in page.locator(".srlab-score").inner_text()
    assert page.get_by_role("button", name="Copy view").count() == 0  # visitors have no Python
    assert page.locator(".srlab-button small", has_text="Space").is_visible()
    photo = Image.new("RGB", (300, 400), "gray")
    photo.paste(crop(100, 100), (190, 290))
    (result,) = upscale_in_page(page, save(photo, tmp_path / "detail.png"), "bicubic")
    stage = page.locator(".srlab-stage")
    assert stage.bounding_box()["width"] > 800  # all that the window has, for a photo in portrait format, too
    assert page.get_by_role("button", name="Reset the view (0)").inner_text() == "1×"
    assert page.locator(".srlab-score").inner_text() == ""
    stage.focus()
    page.keyboard.press("End")
    seen = screen(page, stage)
    top, left = (length - side for length, side in zip(result.shape, seen.shape[:2], strict=False))  # the lower right
    assert np.array_equal(seen[20:, 20:-40], result[top + 20 :, left + 20 : -40])  # without the line


def test_part_of_a_large_photo_on_a_phone(visit, tmp_path):
    """Check that the part with the most detail is upscaled, and that it moves to the border of the photo."""
    script = (ROOT / "docs" / "book" / "try" / "try.js").read_text("utf-8")
    assert "LIMIT = 512 ** 2" in script
    script = script.replace("LIMIT = 512 ** 2", "LIMIT = 64 ** 2")  # so that 12 megapixels are not needed
    answer = {"body": script, "content_type": "text/javascript"}
    page = visit(lambda page: page.route("**/try.js", lambda route: route.fulfill(**answer)), **PHONE)
    photo, name = Image.new("RGB", (1600, 1280), "gray"), "long_name_of_a_photo_" * 3
    photo.paste(crop(30, 30), (360, 800))
    photo.paste(crop(30, 15), (1575, 800))
    result, _ = upscale_in_page(page, save(photo, tmp_path / f"{name}.png"), "bicubic", "RRDB")
    height, width = result.shape[0] // 4, result.shape[1] // 4
    assert 0.95 * 64**2 < height * width <= 64**2
    told = page.locator(".part").inner_text()
    for words in ("2.0 megapixels", "Tap the photo to move the part.", "6400 × 5120 pixels", "srlab upscale PHOTO"):
        assert words in told
    assert page.evaluate("() => document.documentElement.scrollWidth") == 390

    def middle(result):  # close to the part that was upscaled
        return result.reshape(height, 4, width, 4, 3).mean((1, 3))

    detail = np.abs(middle(result) - 128).max(-1) > 8
    rows, columns = (np.flatnonzero(detail.any(axis)) for axis in (1, 0))
    assert min(len(rows), len(columns)) >= 30, "all of the detail"
    before = page.locator(f'a[download="{name}-bicubic.png"]').get_attribute("href")
    page.locator(".part canvas").focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    page.locator(f'a[download="{name}-bicubic.png"]:not([href="{before}"])').wait_for()
    top = 800 - rows[0]
    seen = np.asarray(photo.crop((1600 - width, top, 1600, top + height)))
    assert np.abs(middle(download(page, f"{name}-bicubic.png")) - seen).mean() < 1
    stage = page.locator(".srlab-stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 4, box["y"] + box["height"] / 3)
    page.locator('.srlab-stage[aria-valuenow="25"]').wait_for()


# --- Own networks, and files that are refused --------------------------------------------------------------------


def new_flow():
    """Return a network like a student's of lab 07, whose answers differ visibly."""
    torch.manual_seed(0)
    flow = FlowNet(1, 16, detail_std=0.1, steps=1)
    for module in flow.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, 0.5)
    return flow


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return srlab.export(new_flow(), tmp_path_factory.mktemp("own") / "ada's net.onnx")


DROP = """([name, content]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(content), (byte) => byte.charCodeAt(0))], name));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
}"""


@pytest.mark.parametrize("way", ["network", "file", "drop"])
def test_own_network_is_added_and_not_uploaded(visit, servers, own, way):
    page = visit()
    if way == "drop":
        page.evaluate(DROP, [own.name, base64.b64encode(own.read_bytes()).decode()])
    else:
        page.locator(f"#{way}").set_input_files(own)
    page.locator("#status", has_text="is in the list as “yours: ada's net.onnx”").wait_for()
    page.locator(".srlab-right b", has_text="yours: ada's net.onnx").wait_for()
    assert not [line for line in servers[0].asked if "ada" in line]


def encoded(kind, **options):
    file = io.BytesIO()
    crop(24, 40).save(file, kind, **options)
    return file.getvalue()


def test_unusable_files_get_a_sentence_and_nothing_is_lost(visit, own, tmp_path):
    page, moving = visit(), {"save_all": True, "append_images": [Image.new("RGB", (40, 24), "red")]}
    upscale_in_page(page, save(crop(120, 160), tmp_path / "first.png"), "bicubic")  # still at work
    page.locator("#network").set_input_files(own)
    page.locator("#status", has_text="is in the list").wait_for()
    twice = torch.nn.Upsample(scale_factor=2)
    double = srlab.export(twice, tmp_path / "double.onnx").read_bytes()
    refused = {
        "text.onnx": (b"Not a network.", "can't be used here"),
        "double.onnx": (double, "it made float32 1 × 3 × 32 × 48, not float32"),
        "scan.tif": (b"II*\0" + bytes(100), "isn't an image"),
        "half.png": (encoded("PNG")[:900], "isn't an image"),
        "moving.gif": (encoded("GIF", **moving), "is a GIF"),
        "moving.webp": (encoded("WEBP", **moving), "is animated"),
        "moving.png": (encoded("PNG", **moving), "is animated"),
    }
    for name, (content, reason) in refused.items():
        (tmp_path / name).write_bytes(content)
        page.locator("#network" if name.endswith("onnx") else "#file").set_input_files(tmp_path / name)
        page.locator("#status", has_text=name).filter(has_text=reason).wait_for()
        told = page.locator("#status").inner_text()
        assert [other for other in refused if other in told] == [name], "one message at a time"
    page.locator('a[download="first-RRDB.png"]').wait_for()
    page.locator(".progress").wait_for(state="hidden")
    assert name in page.locator("#status").inner_text()
    assert page.get_by_role("button", name="yours").count() > 0
    page.get_by_role("group", name="Right image").get_by_role("button", name="RRDB").click()
    settle(page)
    assert screen(page, page.locator(".srlab-stage"))[:, 400:].std() > 10


# --- The die -----------------------------------------------------------------------------------------------------


def test_die_throws_the_answers_of_the_command(visit, own, tmp_path):
    page, file, answers = visit(), save(crop(150, 140), tmp_path / "photo.png"), []  # four tiles
    Run("07_one_step", "default").save_generator(new_flow(), 1)
    page.locator("#network").set_input_files(own)
    page.locator(".srlab-right b", has_text="yours").wait_for()
    page.locator("#file").set_input_files(file)
    for seed in (0, 1, 2, 2**32 - 1):
        if seed in (1, 2):
            page.locator(".throw").click()
        elif seed:
            page.locator('.throw:not([aria-disabled="true"])').wait_for()
            page.locator("#die input").fill(str(seed))
            page.locator("#die input").press("Enter")
        answers.append(download(page, f"photo-yours-ada-s-net.onnx-seed-{seed}.png"))
        wanted = by_command(file, "--run", "07_one_step/default", "--seed", str(seed))
        assert np.abs(answers[-1] - wanted).max() <= 1, seed
    assert np.abs(answers[0] - answers[1]).mean() > 2
    assert page.locator(".legend").is_hidden()
    page.locator(".mapping").click()
    found, spread = download(page, "photo-where-they-differ"), np.sqrt(np.stack(answers).var(0, ddof=1).mean(-1))
    assert np.abs(found - np.minimum(255 / 32 * spread, 255)[..., None]).max() <= 1
    assert page.locator(".legend").is_visible()
    assert "gray levels" in page.locator("#die [role=status]").inner_text()
