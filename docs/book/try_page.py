"""Build the page that upscales photos in the browser: the networks as ONNX, and onnxruntime-web from npm."""

import hashlib
import json
import shutil
import subprocess
import tarfile
from base64 import b64encode
from pathlib import Path

import srlab
import srlab_course as course
from srlab.errors import SrlabError
from srlab.models import FlowNet
from srlab.models.loading import ONE_STEP
from srlab.slider import encode

ROOT = Path(__file__).resolve().parents[2]
PAGE, SLIDER = Path(__file__).with_name("try"), ROOT / "srlab" / "slider"
# To update: `npm view onnxruntime-web@VERSION dist.integrity`.
PACKAGE = "onnxruntime-web@1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# Its smallest builds: without WebGPU, and with WebGPU for browsers in which WebAssembly can wait for it (JSPI).
RUNTIME = {
    "wasm.js": "ort.wasm.bundle.min.mjs",
    "wasm.wasm": "ort-wasm-simd-threaded.wasm",
    "webgpu.js": "ort.jspi.bundle.min.mjs",
    "webgpu.wasm": "ort-wasm-simd-threaded.jspi.wasm",
}
# RRDB sees 34 LR pixels on each side, but with 16 its tiles differ from the whole image by less than 0.001 levels.
LARGEST_MARGIN = 16
# Label -> name. The page compares bicubic with the first one, or with the one that learned the photo's subject.
NETWORKS = {"SRGAN": "srgan", "one step": ONE_STEP, "MSRResNet": "msrresnet", "RRDB": "rrdb"}
SUBJECTS = {ONE_STEP: "gravel"}
PHOTOS = {"cat": "A cat's face", "astronaut": "A woman in a space suit", "gravel": "Gravel"}


def build(target: Path) -> None:
    """Write the page into an empty folder. It works from any web server, without special headers.

    Raises
    ------
    SrlabError
        npm or a Python package is missing, or the download failed; the message is one sentence for each.
    """
    runtime = download()
    target.mkdir(parents=True)
    for file in (*PAGE.iterdir(), *SLIDER.glob("slider*.js"), SLIDER / "slider.css"):
        shutil.copy(file, target)
    (target / "ort").mkdir()
    with tarfile.open(runtime) as archive:
        for name, member in RUNTIME.items():
            (target / "ort" / name).write_bytes(archive.extractfile(f"package/dist/{member}").read())
    networks = [add_network(label, name, target) for label, name in NETWORKS.items()]
    (target / "photos").mkdir()
    sizes = {backend: megabytes(target, backend) for backend in ("wasm", "webgpu")}
    contents = {"networks": networks, "photos": add_photos(target / "photos"), "megabytes": sizes}
    (target / "contents.json").write_text(json.dumps(contents, indent=1), encoding="utf-8")


def download() -> Path:
    """Return the npm package, downloaded into ``build/`` unless it is there, with its hash checked."""
    file = ROOT / "build" / f"{PACKAGE.replace('@', '-')}.tgz"
    if not file.is_file():
        file.parent.mkdir(exist_ok=True)
        if not (npm := shutil.which("npm")):
            raise SrlabError(f"npm is missing, which downloads {PACKAGE}. Install Node.js.")
        command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", str(file.parent)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode:
            raise SrlabError(f"npm did not download {PACKAGE}: {' '.join(done.stderr.split())}")
    found = "sha512-" + b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
    if found != INTEGRITY:
        raise SrlabError(f"{file} is not {PACKAGE}: its hash is {found}. Delete the file.")
    return file


def add_network(label: str, name: str, target: Path) -> dict[str, str | int | bool | None]:
    """Export a bundled network, and return its entry in contents.json."""
    srlab.export(name, target / f"{name}.onnx")
    network = srlab.load_generator_file(name)
    margin, noise = min(network.radius, LARGEST_MARGIN), isinstance(network, FlowNet)
    return {"name": name, "label": label, "margin": margin, "noise": noise, "subject": SUBJECTS.get(name)}


def megabytes(target: Path, backend: str) -> int:
    """Return how much a visitor loads before the first network runs."""
    loaded = [*target.glob("*.*"), *(target / "ort").glob(f"{backend}.*")]
    return round(sum(file.stat().st_size for file in loaded) / 1e6)


def add_photos(folder: Path) -> list[dict[str, str | list[str]]]:
    """Write LR, HR and, if it is installed, Real-ESRGAN's SR of the course's photos; return their entries."""
    validation, half = srlab.bundled_photos("validation"), course.split_photo("gravel")[1]  # not used in training
    photos = {"cat": validation["chelsea"], "astronaut": validation["astronaut"], "gravel": half["gravel"]}
    try:
        published = srlab.load_realesrgan()
    except SrlabError as error:
        print(f"The photos of the try-it page are without Real-ESRGAN: {error}")
        published = None
    entries = []
    for name, alt in PHOTOS.items():
        hr = srlab.mod_crop(photos[name], 4)
        lr = srlab.downsample(hr, 4)
        srlab.write_image(lr, folder / f"{name}.png")
        references = {"Real-ESRGAN": srlab.upscale(published, lr)} if published else {}
        references["HR"] = hr
        for label, image in references.items():
            (folder / f"{name}-{label}.webp").write_bytes(encode(image[0], effort=4))
        entries.append({"name": name, "alt": alt, "references": list(references)})
    return entries
