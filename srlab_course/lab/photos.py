"""Choose the photos for training and for validation, which never overlap."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import srlab
from srlab.data.catalog import data_set, folder_of, is_named
from srlab.data.datasets import PHOTOS, load_images
from srlab.data.image_set import ImageSet
from srlab.errors import SrlabError
from srlab_course.lab.settings import Settings
from srlab_course.material.subjects import split_photo, subject_file


def find_subject(given: dict[str, Any], subject: str) -> str:
    """Return the subject, the one photo to train on: a bundled photo, a full path, or "" if the user set other photos.

    `given` are the parameters as typed, and `subject` is from the recipe.
    """
    if others := [name for name in ("images", "validation") if given.get(name)]:
        if given.get("subject", "auto") not in ("auto", ""):
            print(f"The subject {subject} is not used, because you set {' and '.join(others)}.")
        return ""
    return subject if subject in ("", *PHOTOS) else str(subject_file(subject))


def choose_photos(
    values: dict[str, Any], offered: ImageSet, read: Callable[..., ImageSet]
) -> tuple[ImageSet, ImageSet]:
    """Return the photos to train on and the photos to validate on.

    `values` are parameters and entries of the recipe, and `offered` are the training photos without a subject. `read`
    loads a folder or a named set: `srlab.load_images` or `planned_set`.
    """
    if values.get("subject"):
        return split_photo(values["subject"])
    if values.get("validation"):
        unseen = read(values["validation"], values.get("scale", 4))
    else:
        unseen = srlab.bundled_photos("validation").subset(*values["photos"].split())
    _reject_shared(offered, unseen)
    return offered, unseen.center_crop(values["center_crop"]) if values.get("center_crop") else unseen


def _reject_shared(train_set: ImageSet, unseen: ImageSet) -> None:
    """Raise an error if both sets contain the same photo, compared pixel by pixel."""
    if any(image.is_meta for image in (*train_set.hr, *unseen.hr)):  # planned sets have no pixels
        return
    learned: dict[Any, list[tuple[str, torch.Tensor]]] = {}
    for name, image in zip(train_set.names, train_set.hr, strict=True):
        learned.setdefault(_sketch(image), []).append((name, image))
    for other, image in zip(unseen.names, unseen.hr, strict=True):
        for name, candidate in learned.get(_sketch(image), ()):
            if torch.equal(image, candidate):
                raise SrlabError(
                    f"Validation photo {other} of {unseen.name} is training photo {name} of {train_set.name}. Leave "
                    "it out of one set."
                )


def _sketch(image: torch.Tensor) -> tuple[torch.Size, bytes]:
    """Return shape and a few pixels, so that only photos that may be equal are read in full from disk."""
    return image.shape, image[:, ::64, ::64].numpy().tobytes()


def large_enough(values: dict[str, Any], train_set: ImageSet, unseen: ImageSet, lab: type[Settings]) -> Any:
    """Return both sets without the photos that are too small for the lab, and print which ones those are."""
    scale = values.get("scale", 4)
    train_set = train_set.at_least(values.get("patch", 1))
    unseen = unseen.at_least(max(lab.smallest("validation"), 12 * scale))
    if values.get("photo"):
        height, width = srlab.read_image(values["photo"]).shape[-2:]
        if min(height, width) < (least := max(lab.smallest("photo"), 16 * scale)):
            raise SrlabError(
                f"{values['photo']} is {width} x {height}. Use a photo with at least {least} pixels per side."
            )
    return train_set, unseen


def planned_set(where: str | Path, scale: int = 4) -> ImageSet:
    """Return what `load_images` returns, but images without pixels for a dataset that is not downloaded yet.

    They have the usual size of the dataset, which is enough to plan a training run.
    """
    if not is_named(where) or Path(where).exists():
        return load_images(where, scale)
    if (folder_of(where) / "HR").is_dir():
        return load_images(folder_of(where), scale)
    known = data_set(where)
    names, (height, width) = [str(number) for number in range(known.images)], known.usual
    pixels = torch.empty(known.images * height * width, 3, dtype=torch.uint8, device="meta")
    return ImageSet(Path(known.folder).name, names, pixels, [known.usual] * known.images, digest="not there yet")
