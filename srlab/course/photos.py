"""Which photos a lab trains on and which it validates on; none is in both."""

from collections.abc import Callable
from typing import Any

import torch

import srlab
from srlab.base.errors import SrlabError
from srlab.data.datasets import ImageSet


def choose_photos(
    values: dict[str, Any], offered: ImageSet, read: Callable[..., ImageSet]
) -> tuple[ImageSet, ImageSet]:
    """Photos to train on, and others to validate on: the halves of a subject, or what is offered beside other ones.

    Parameters
    ----------
    values
        The lab's parameters and the numbers of its recipe.
    offered
        To train on, where there is no subject.
    read
        Reads a folder or a named set: `srlab.image_set`, or a stand-in for it.

    Raises
    ------
    SrlabError
        There are no such photos, or one is among both.
    """
    if values.get("subject"):
        return srlab.halves(values["subject"])
    if values.get("validation"):
        unseen = read(values["validation"], values.get("scale", 4))
    else:
        unseen = srlab.photos("validation").subset(*values["photos"].split())
    _refuse_shared(offered, unseen)
    return offered, unseen.center_crop(values["center_crop"]) if values.get("center_crop") else unseen


def _refuse_shared(train_set: ImageSet, unseen: ImageSet) -> None:
    """Refuse a photo that is in both sets, by its pixels, whatever it is called there."""
    if any(image.is_meta for image in (*train_set.hr, *unseen.hr)):  # stand-ins for photos that are still to come
        return
    learned: dict[Any, list[tuple[str, torch.Tensor]]] = {}
    for name, image in zip(train_set.names, train_set.hr, strict=True):
        learned.setdefault(_sketch(image), []).append((name, image))
    for name, image in zip(unseen.names, unseen.hr, strict=True):
        for other, theirs in learned.get(_sketch(image), ()):
            if torch.equal(image, theirs):
                raise SrlabError(
                    f"No photo may be trained on and validated on, but {name} of {unseen.name} is {other} of "
                    f"{train_set.name}; leave it out of one of them."
                )


def _sketch(image: torch.Tensor) -> tuple[torch.Size, bytes]:
    """Size and a few pixels, so that of many photos on the disk only those that may be the same are read whole."""
    return image.shape, image[:, ::64, ::64].numpy().tobytes()
