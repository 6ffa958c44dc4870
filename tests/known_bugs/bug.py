"""What a bug of the list is: the text that makes it, and the check that must see it."""

from dataclasses import dataclass
from enum import StrEnum


class Known(StrEnum):
    """Bugs that were found in real super-resolution code: in a study of content losses, then elsewhere."""

    STALE = "G's adversarial term comes from a detached output of D"
    SHARED = "One batch norm is shared by both convolutions of a block"
    ON_A_MODULE = "`requires_grad = False` is set on a module"
    BEST = "The test for the best PSNR compares with SSIM"
    SUM = "The MSE of PSNR is a sum"
    PAST_LAYER1 = "The ResNet extractor slices past layer1"
    INSIDE = "The mean loss is divided inside the loop"
    PLAIN_INPUT = "VGG is fed un-normalised input"
    LINEAR = "A Linear stands before the average pool"
    HALF = "RaGAN with half of G's loss missing"
    THRICE = "G is forwarded three times a step"
    HR_GRAPH = "D's features of HR are not detached in the generator step"
    STATISTICS = "Batch norm's running statistics are updated by both passes"
    SCHEDULE = "The learning-rate schedule is wrong after resume"
    FIELD = "The receptive field is ignored in tiling"
    SWALLOWED = "Errors of single tiles are swallowed"
    CUT = "VGG is cut at the wrong side of the ReLU or pool"
    UNCHECKED = "Weights of others are loaded without a look at their hash"


@dataclass(frozen=True)
class Bug:
    """A bug that people really made, as one replacement of text.

    Parameters
    ----------
    name
        One bug may stand in several places.
    place
        Where and how it is planted, in words.
    file
        Below the root of the repository.
    old, new
        ``old`` occurs exactly once in the file; in a notebook it is within a line.
    check
        What must fail with it: the id of a test (or of all its parameters).
    exercise
        Where an exercise recognises the same bug in an answer, its name and how the hint begins, as in
        ``"degradation.psnr: The squared errors were added up"``; "" where no exercise is about it.
    """

    name: Known
    place: str
    file: str
    old: str
    new: str
    check: str
    exercise: str = ""
