"""Write hashes of srlab's results, to see whether a code change affected a result.

    python -m benchmarks.golden before.json         --quick omits the labs
    python -m benchmarks.golden after.json --against before.json

Results are only bit-identical on the same kind of CPU, so create both files on one machine. If you move or rename
something that is called here, change the call but keep the name of the entry.
"""

import argparse
import contextlib
import hashlib
import io
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ |= {"SRLAB_PRECISION": "fp32", "OMP_NUM_THREADS": "1"}

import torch

import srlab
import srlab_course as course
from srlab.tiling import upscale
from srlab_course.feedback.all_exercises import find, names
from srlab_course.feedback.checks import check
from srlab_course.lab.recipes import read_book
from srlab_course.notebook_files.execute import execute
from studies.content_loss.rotated import RotatedSampler

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
LABS = ("01_srresnet", "02_content_loss", "03_srgan", "04_esrgan")
# Values that change the name of a run.
CHANGED = (
    ("00_degradation", {"scale": 2}),
    ("01_srresnet", {"blur": [1, 2.5]}),
    ("02_content_loss", {"features": "resnet34 block16"}),
    ("03_srgan", {"subject": "brick", "iters": 700, "instance_noise": 0.0}),
    ("04_esrgan", {"betas": "[0.9, 0.99]", "batch": 4}),
)


def digest(*values: object) -> str:
    """Return a short SHA-256 of tensors, bytes and JSON values."""
    found = hashlib.sha256()
    for value in values:
        if isinstance(value, torch.Tensor):
            value = value.contiguous().cpu().numpy().tobytes()
        found.update(value if isinstance(value, bytes) else json.dumps(value, sort_keys=True, default=str).encode())
    return found.hexdigest()[:16]


def printed(call: Callable[[], object]) -> str:
    """Return the text that a call prints."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        call()
    return text.getvalue()


def samplers() -> Iterator[tuple[str, str]]:
    """Hash ten batches of each combination of augmentation, rotation and degradation."""
    kinds = {"bicubic": srlab.Degradation(), "area": srlab.Degradation("area")}
    kinds["blind"] = srlab.Degradation(blur=(0.5, 2.0), noise=(0.0, 0.05), jpeg=(40.0, 90.0))
    for (kind, degradation), augment, rotate in itertools.product(kinds.items(), ("all", "flip"), (0.0, 20.0)):
        settings = (srlab.bundled_photos("train"), 4, 64, 4, degradation, augment, 3)
        sampler = RotatedSampler(*settings, rotate=rotate) if rotate else srlab.PatchSampler(*settings)
        batches = list(itertools.chain.from_iterable(itertools.islice(sampler, 10)))
        described = {"rotate": 0.0, "black_corners": False} | sampler.describe()  # the same entries for both kinds
        yield f"{kind}, {augment}, rotate {rotate:g}", digest(*batches, described)


def image_sets() -> Iterator[tuple[str, str]]:
    """Hash names, fingerprints and pixels of photos, of halves, and of folders with and without LR."""
    found = {split: srlab.bundled_photos(split) for split in ("train", "validation")}
    for part, half in zip(("left", "right"), course.split_photo("gravel"), strict=True):
        found[part] = half
    with tempfile.TemporaryDirectory() as scratch:
        for name, hr in found["validation"]:
            srlab.write_image(hr, Path(scratch) / "one" / f"{name}.png")
            hr = srlab.mod_crop(hr, 4)
            srlab.write_image(hr, Path(scratch) / "two" / "HR" / f"{name}.png")
            srlab.write_image(srlab.downsample(hr, 4), Path(scratch) / "two" / "LRx4" / f"{name}.png")
        for name in ("one", "two"):
            found[name] = srlab.load_images(Path(scratch) / name, 4)
        found["LR of one"] = found["one"].with_lr(srlab.Degradation(noise=0.1), 4)
        for name, images in found.items():
            lr = [images.lr_of(image) for image, _ in images]
            yield name, digest(images.fingerprint(), *(hr for _, hr in images), *(x for x in lr if x is not None))


def scores() -> Iterator[tuple[str, str]]:
    """Hash score tables of the bundled networks, and their SR images as a whole and in tiles."""
    networks = srlab.load_bundled()
    table = srlab.evaluate_all(networks, srlab.bundled_photos("validation").center_crop(96))
    yield "table", digest(table.round(9).to_csv())
    hr = srlab.mod_crop(srlab.bundled_photos("validation")["chelsea"], 4)
    lr = srlab.downsample(hr, 4)
    for name, network in networks.items():
        yield f"{name}, whole", digest(upscale(network, lr))
        yield f"{name}, tiles", digest(upscale(network, lr, tile=40))
    slider = srlab.compare({"bicubic": srlab.upsample(lr, 4), "hr": hr})
    yield "slider", digest(slider._repr_html_())


def setups() -> Iterator[tuple[str, str]]:
    """Hash parameters and run names for all recipes and for some changed values."""
    given = list(CHANGED)
    for file in sorted((NOTEBOOKS / "recipes").glob("*.py")):
        given += [(file.stem, {"recipe": name} if name != "laptop" else {}) for name in read_book(file).recipes]
    for lab, values in given:
        parameters = read_book(NOTEBOOKS / "recipes" / f"{lab}.py").parameters
        overrides = {name: value for name, value in values.items() if name not in parameters}
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                found = course.setup(lab, parameters | values | {"overrides": overrides})
            result = f"{found.parameters.get('run')} {digest(found.parameters)}"
        except srlab.SrlabError as error:  # such as a strict recipe without its photos
            result = str(error)[:60]
        yield f"{lab} {values}", result


def checks() -> Iterator[tuple[str, str]]:
    """Hash the messages of each exercise for correct answers, remarks and mistakes."""
    for name in names():
        exercise = find(name)
        answers = [exercise.reference, *exercise.also_accepted]
        answers += [answer for mistake in (*exercise.notes, *exercise.known_mistakes) for answer in mistake.answers]
        yield name, digest([printed(lambda answer=answer, name=name: check(name, answer)) for answer in answers])


def labs() -> Iterator[tuple[str, str]]:
    """Hash weights, parameters and logs of labs 01 to 04, with smoke and with 40 steps of laptop."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SRLAB_HOME"] = scratch
        for recipe, iters in (("smoke", 0), ("laptop", 40)):
            for lab in LABS:
                values = {"recipe": recipe, "run": recipe} | ({"iters": iters} if iters else {})
                output = Path(scratch) / "out.ipynb"
                with contextlib.redirect_stdout(io.StringIO()):
                    headline = execute(NOTEBOOKS / f"{lab}.ipynb", output, values, "not-in-studies")
                yield f"{lab} {recipe} headline", f"{headline['value']}"
        for run in sorted(Path(scratch).rglob("run.json")):
            name, about = str(run.parent.relative_to(scratch)), json.loads(run.read_text(encoding="utf-8"))
            yield f"{name} parameters", digest(about["parameters"])
            rows = [json.loads(row) for row in (run.parent / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
            rows = [{key: value for key, value in row.items() if key != "ms_per_step"} for row in rows]
            yield f"{name} log", digest(rows)
            for weights in sorted(run.parent.glob("generator*.safetensors")):
                raw = weights.read_bytes()
                tensors = 8 + int.from_bytes(raw[:8], "little")  # after the header with names and notes
                yield f"{name} {weights.name}", digest(raw[tensors:])
        del os.environ["SRLAB_HOME"]


PARTS = {"samplers": samplers, "image sets": image_sets, "scores": scores, "setups": setups, "checks": checks}


def main() -> None:
    """Write the file and compare it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--quick", action="store_true", help="without labs")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for name, part in (PARTS if args.quick else PARTS | {"labs": labs}).items():
        found |= {f"{name}: {entry}": value for entry, value in part()}
        print(f"{name} done", file=sys.stderr, flush=True)
    args.file.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if args.against:
        before = json.loads(args.against.read_text(encoding="utf-8"))
        both = before.keys() & found.keys()
        changed = sorted(entry for entry in both if before[entry] != found[entry])
        missing = sorted(entry for entry in before if entry not in found and not (args.quick and "labs:" in entry))
        for entry in changed:
            print(f"changed  {entry}: {before[entry]} -> {found[entry]}")
        for entry in missing:
            print(f"missing  {entry}")
        print(f"{len(both) - len(changed)} of {len(before)} as before")
        sys.exit(bool(changed or missing))


if __name__ == "__main__":
    main()
