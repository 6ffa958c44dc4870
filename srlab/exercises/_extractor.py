"""The exercises of lab 02 about the network that sees features: it is frozen, and used to images of another range."""

import torch
import torch.nn as nn

from srlab.exercises._steps import Answer, Exercise, Wrong, compare, filled, near, sample, tensor
from srlab.models.features import MEAN, STD

# --- Freezing -------------------------------------------------------------------------------------------------


def freeze(network: nn.Module) -> nn.Module:
    """Make a network fit to judge images: its weights learn nothing, and batch norm and dropout stand still.

    Parameters
    ----------
    network
        Changed in place.

    Returns
    -------
    torch.nn.Module
        The same network. Gradients still flow through it, to the image.
    """
    return network.requires_grad_(False).eval()


def _extractor() -> nn.Module:
    """Two convolutions at the top, one of them below another module, with batch norm and dropout."""
    torch.manual_seed(1)
    inner = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), inner)


def _frozen(answer: Answer) -> nn.Module:
    result = filled(answer(_extractor()))
    if not torch.is_grad_enabled():
        torch.set_grad_enabled(True)
        raise Wrong("Gradients are now off for all that follows, also for G. Only this network should stop learning.")
    if not isinstance(result, nn.Module):
        raise Wrong(f"The result should be the network, but is a {type(result).__name__}.")
    return result


def _freeze_weights(answer: Answer) -> None:
    network = _frozen(answer)
    parameters = dict(network.named_parameters())
    learning = [name for name, parameter in parameters.items() if parameter.requires_grad]
    if not learning:
        return
    modules = [module for module in network.modules() if "requires_grad" in vars(module)]
    if modules:
        raise Wrong(
            f"{learning[0]} still takes a gradient: `requires_grad = False` was set on a module, where it is a new "
            "attribute that nobody reads. The same line is in published training code. What has a gradient, if not "
            "a module?"
        )
    if any("requires_grad_" in vars(thing) for thing in (*network.modules(), *parameters.values())):
        raise Wrong("requires_grad_ with an underscore at its end is a method. It is called, and not assigned to.")
    if len(learning) == len(parameters):
        mode = "eval() switches batch norm and dropout, and no more. " if not network.training else ""
        raise Wrong(
            f"All {len(parameters)} parameters still take a gradient. {mode}Which attribute of a parameter says "
            "whether it does?"
        )
    left = f"{len(learning)} of {len(parameters)} parameters still take a gradient, the first is {learning[0]}."
    if all(name.startswith("2.") for name in learning):
        raise Wrong(f"{left} It is in a module within a module. Did your code only go through the uppermost layers?")
    if len(parameters) - len(learning) == 1:
        raise Wrong(f"{left} Did your code stop after the first one?")
    if all(name.endswith("bias") for name in learning):
        raise Wrong(f"{left} A bias is a parameter as well as a weight.")
    raise Wrong(left)


def _freeze_mode(answer: Answer) -> None:
    network = _frozen(answer)
    moving = [name for name, module in network.named_modules() if module.training]
    if len(moving) == len(list(network.modules())):
        raise Wrong(
            "The network is still in training mode: each image would change the running statistics of batch norm, "
            "which are no parameters, and dropout would blot out other features each time."
        )
    if moving:
        name = moving[0] or "the network as a whole"
        raise Wrong(f"Still in training mode: {name}. One call on the whole network reaches all layers, at any depth.")


def _freeze_flow(answer: Answer) -> None:
    network, original, image = _frozen(answer), _extractor().eval(), sample(2, 3, 5, 5).requires_grad_()
    result = filled(network(image))
    wanted = original(image)
    if not near(result, wanted):
        raise Wrong("The network now says something else about an image. Its weights should stay as they are.")
    if not result.requires_grad:
        raise Wrong(
            "No gradient comes back to the image any more: the computation itself was cut off, as by no_grad or "
            "detach. G learns from the loss only if a gradient flows through the network to its picture. It is the "
            "weights alone that should take none."
        )
    (gradient,) = torch.autograd.grad(result.square().sum(), image)
    (right,) = torch.autograd.grad(wanted.square().sum(), image)
    compare(gradient, right, otherwise="The gradient at the image is another one than before freezing.")


# --- What the network expects as its input ----------------------------------------------------------------------


def to_imagenet(image: torch.Tensor) -> torch.Tensor:
    """Bring an image to the mean and the standard deviation that ImageNet's networks were trained on.

    Parameters
    ----------
    image
        ``(N, 3, H, W)``, RGB in [0, 1].

    Returns
    -------
    torch.Tensor
        ``(N, 3, H, W)``, about -2.1 to 2.6.
    """
    return (image - image.new_tensor(MEAN).view(3, 1, 1)) / image.new_tensor(STD).view(3, 1, 1)


def _normal_mistakes(x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    own = "Each image was brought to its own mean and spread, so a dark one looks like a bright one. What did the "
    own += "network see in training?"
    levels = "Levels of 0 to 255 are mixed with values of 0 to 1. All of image, mean and standard deviation should "
    levels += "be in the same units."
    order = "Red and blue have changed places. The image is RGB, and so are the constants."
    wide = "A vector of three was set against the {}. Which of the four axes are the colours?"
    right = (x - mean) / std
    found = [
        ("The image came back as it was. The network was trained on other numbers than 0 to 1.", x),
        ("That maps [0, 1] to [-1, 1], as other networks like it. ImageNet's have a mean for each colour.", x * 2 - 1),
        ("Mean and standard deviation have changed places.", (x - std) / mean),
        ("The mean is taken off, but then it is multiplied by the standard deviation.", (x - mean) * std),
        ("That is the way back, from normalised values to an image.", x * std + mean),
        ("The mean is added. A colour of average strength should come out as 0.", (x + mean) / std),
        ("It is divided first here, and the mean is taken off afterwards. The mean is one of images.", x / std - mean),
        ("The mean is taken off, but the spread is still that of an image. What is left to do?", x - mean),
        ("It is divided by the standard deviation, but the mean is still there.", x / std),
        ("It is divided by the squared standard deviation, which is a variance.", (x - mean) / std**2),
        ("The standard deviation is already the root of a variance.", (x - mean) / std.sqrt()),
        (levels, (x * 255 - mean) / std),
        (levels, (x - mean * 255) / (std * 255)),
        (levels, (x / 255 - mean) / std),
        (levels, x * 255 - mean * 255),
        (levels, x - mean * 255),
        (order, ((x - mean) / std).flip(1)),
        (order, (x.flip(1) - mean) / std),
        (order, (x - mean.flip(0)) / std.flip(0)),
        ("The values are cut off at 0 and 1. What is darker than the mean should be negative.", right.clamp(0, 1)),
        ("The values are cut off at -1 and 1, but white is at 2.6 here.", right.clamp(-1, 1)),
        (
            "One mean serves all three colours. ImageNet's pictures have more red than blue.",
            (x - mean.mean()) / std.mean(),
        ),
        *(
            (own, (x - x.mean(d, keepdim=True)) / x.std(d, keepdim=True, unbiased=u))
            for d in _OWN
            for u in (True, False)
        ),
    ]
    for word, shape in (("columns", (3,)), ("rows", (3, 1)), ("images of a batch", (3, 1, 1, 1))):
        if x.shape == (3, 3, 3, 3):  # elsewhere torch refuses it, or it is right
            found.append((wide.format(word), (x - mean.view(shape)) / std.view(shape)))
    for m, s in (
        ((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
        ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.201)),
    ):
        m, s = (torch.tensor(values).view(3, 1, 1) for values in (m, s))
        found.append(("These are the constants of CIFAR-10. VGG and ResNet were trained on ImageNet.", (x - m) / s))
    return found


_OWN = ((1, 2, 3), (2, 3), (0, 2, 3), (0, 1, 2, 3), (1,))


def _normal(*shape: int) -> Answer:
    def step(answer: Answer) -> None:
        x = sample(*shape)
        given = x.clone()
        result = tensor(answer(given), shape, "The shape stays.")
        if not torch.equal(given, x):
            raise Wrong("The image was changed in place, and the pixel loss would then be about other numbers.")
        compare(result, to_imagenet(x), _normal_mistakes(x), "Other numbers come out.")

    return step


def _normal_gradient(answer: Answer) -> None:
    x = sample(1, 3, 4, 5).requires_grad_()
    result = filled(answer(x))
    if not result.requires_grad:
        raise Wrong(
            "The result has no graph, so no gradient would come back from the features to the picture of G. Is there "
            "a no_grad, a detach or a new tensor made from the values?"
        )
    (gradient,) = torch.autograd.grad(result.sum(), x)
    wanted = to_imagenet(torch.ones_like(x)) - to_imagenet(torch.zeros_like(x))
    compare(gradient, wanted, otherwise="The gradient is not that of a division by the standard deviation.")


EXERCISES = {
    "content_loss.freeze": Exercise(
        freeze,
        (
            ("no parameter takes a gradient", _freeze_weights),
            ("batch norm and dropout stand still", _freeze_mode),
            ("the gradient still reaches the image", _freeze_flow),
        ),
        "easy",
        (
            "Two things move while a network trains: its parameters, by gradients, and running statistics, by what it "
            "sees.",
            "A parameter has requires_grad, and a network has a mode. Which of the two does each of the things above "
            "depend on?",
        ),
    ),
    "content_loss.to_imagenet": Exercise(
        to_imagenet,
        (
            ("a small square image", _normal(3, 3, 3, 3)),
            ("any size", _normal(1, 3, 4, 6)),
            ("the gradient comes through", _normal_gradient),
        ),
        "easy",
        (
            "The constants are MEAN and STD of srlab.models.features, one number for each of R, G and B.",
            "Afterwards an average colour should be 0, and one that is a standard deviation brighter 1. To line the "
            "constants up with the second of four axes, give them the shape (3, 1, 1).",
        ),
    ),
}
