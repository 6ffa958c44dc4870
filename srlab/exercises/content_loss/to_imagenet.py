"""Lab 02: images as ImageNet's networks expect them."""

from typing import Any

import torch

from srlab.exercises import Answer, Exercise, sample
from srlab.exercises.difference import take
from srlab.exercises.networks import gradient, reaches
from srlab.models.features import MEAN, STD


def to_imagenet(image: torch.Tensor) -> torch.Tensor:
    """Bring an image to the mean and the standard deviation that ImageNet's networks were trained on.

    Parameters
    ----------
    image
        ``(N, 3, H, W)``, RGB in [0, 1].

    Returns
    -------
    torch.Tensor
        ``(N, 3, H, W)``, about -2.1 to 2.6, in the dtype of `image`.
    """
    return (image - image.new_tensor(MEAN).view(3, 1, 1)) / image.new_tensor(STD).view(3, 1, 1)


def _observe(answer: Answer, image: torch.Tensor) -> dict[str, Any]:
    result = take(answer(image), image)
    return {
        "other numbers come out": result,
        "the graph": reaches(result.sum(), [image]),
        "the gradient": gradient(result.sum(), [image]),
    }


def _own(dims: tuple[int, ...], unbiased: bool) -> Answer:
    return lambda x: (x - x.mean(dims, keepdim=True)) / x.std(dims, unbiased, keepdim=True)


_M, _S = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
_CIFAR = torch.tensor((0.4914, 0.4822, 0.4465)).view(3, 1, 1)

EXERCISE = Exercise(
    to_imagenet,
    level="easy",
    cases={
        "a small square image": (sample(3, 3, 3, 3),),
        "any size": (sample(1, 3, 4, 6),),
        "the gradient comes through": lambda: (sample(1, 3, 4, 5).requires_grad_(),),
    },
    observe=_observe,
    mistakes={
        "The image came back as it was. The network was trained on other numbers than 0 to 1.": lambda x: x,
        "That maps [0, 1] to [-1, 1], as other networks like it. ImageNet's have a mean for each colour.": (
            lambda x: 2 * x - 1
        ),
        "Mean and standard deviation have changed places.": lambda x: (x - _S) / _M,
        "One of the two steps is turned round, or both, as on the way back to an image. First the mean is taken off, "
        "then it is divided by the standard deviation.": [
            lambda x: (x - _M) * _S,
            lambda x: (x + _M) / _S,
            lambda x: x * _S + _M,
        ],
        "It is divided first here, and the mean is taken off afterwards. The mean is one of images.": (
            lambda x: x / _S - _M
        ),
        "Only one of the two steps is made. The mean is taken off, and it is divided by the standard deviation.": [
            lambda x: x - _M,
            lambda x: x / _S,
        ],
        "It is divided by the square or by the root of the standard deviation, which is the root of a variance "
        "already.": [
            lambda x: (x - _M) / _S.square(),
            lambda x: (x - _M) / _S.sqrt(),
        ],
        "Levels of 0 to 255 are mixed with values of 0 to 1. All of image, mean and standard deviation should be in "
        "the same units.": [
            lambda x: (255 * x - _M) / _S,
            lambda x: (x / 255 - _M) / _S,
            lambda x: (x - 255 * _M) / (255 * _S),
            lambda x: x - 255 * _M,
        ],
        "Red and blue have changed places. The image is RGB, and so are the constants.": [
            lambda x: to_imagenet(x).flip(1),
            lambda x: to_imagenet(x.flip(1)),
            lambda x: (x - _M.flip(0)) / _S.flip(0),
        ],
        "The values are cut off. What is darker than the mean should be negative, and white is at 2.6 here.": [
            lambda x: to_imagenet(x).clamp(0, 1),
            lambda x: to_imagenet(x).clamp(-1, 1),
        ],
        "One mean serves all three colours. ImageNet's pictures have more red than blue.": (
            lambda x: (x - _M.mean()) / _S.mean()
        ),
        "Each image was brought to its own mean and spread, so a dark one looks like a bright one. What did the "
        "network see in training?": [
            _own(dims, unbiased) for dims in ((2, 3), (1, 2, 3), (0, 2, 3), (0, 1, 2, 3)) for unbiased in (True, False)
        ],
        "A vector of three was set against the columns, the rows or the images of a batch. Which of the four axes are "
        "the colours?": [
            lambda x: (x - _M.view(3)) / _S.view(3),
            lambda x: (x - _M.view(3, 1)) / _S.view(3, 1),
            lambda x: (x - _M[:, None]) / _S[:, None],
        ],
        "These are the constants of CIFAR-10. VGG and ResNet were trained on ImageNet.": [
            lambda x: (x - _CIFAR) / torch.tensor((0.2470, 0.2435, 0.2616)).view(3, 1, 1),
            lambda x: (x - _CIFAR) / torch.tensor((0.2023, 0.1994, 0.2010)).view(3, 1, 1),
        ],
        "The result is in float64, as numpy's numbers are, while the image and the network's weights are in float32, "
        "and torch doesn't mix the two. Stay in torch, and make the constants in the dtype of the image.": [
            lambda x: (x - torch.from_numpy(_M.double().numpy())) / _S,
            lambda x: torch.from_numpy(to_imagenet(x).detach().double().numpy()),
        ],
        "The result has no graph, so no gradient would come back from the features to the picture of G. Is there a "
        "no_grad, a detach or a new tensor made from the values?": lambda x: to_imagenet(x).detach(),
    },
    also_right=[lambda x: (255 * x - 255 * _M) / (255 * _S)],
    otherwise={
        "other numbers come out": "Other numbers come out.",
        "the gradient": "The gradient is not that of a division by the standard deviation.",
    },
    hints=(
        "The constants are MEAN and STD of srlab.models.features, one number for each of R, G and B.",
        "Afterwards an average colour should be 0, and one that is a standard deviation brighter 1. To line the "
        "constants up with the second of four axes, give them the shape (3, 1, 1).",
    ),
)
