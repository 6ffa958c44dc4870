"""Watch the layers of a network while it runs: what each gets and returns, in the order of execution."""

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Use:
    """One run of a layer: its name in the network, copies of its input and output, and whether it had run before."""

    name: str
    layer: nn.Module
    given: torch.Tensor | None
    result: torch.Tensor | None
    again: bool

    @property
    def kind(self) -> str:
        """Name of PyTorch's class of the layer, or of its own class if it is not derived from one."""
        classes = [one for one in type(self.layer).__mro__[:-1] if one is not nn.Module]
        return next((one.__name__ for one in classes if one.__module__.startswith("torch.nn.")), classes[0].__name__)

    @property
    def parameters(self) -> dict[str, torch.Tensor]:
        """Name -> value of each parameter, in the order of registration."""
        return {name: value.detach().cpu() for name, value in self.layer.named_parameters(recurse=False)}

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the parameters."""
        return [tuple(value.shape) for value in self.parameters.values()]

    @property
    def settings(self) -> str:
        """The layer as PyTorch prints it, with the kind that is compared."""
        return f"{self.kind}({self.layer.extra_repr()})"


def watch(network: nn.Module, lr: torch.Tensor) -> tuple[list[Use], torch.Tensor | None, BaseException | None]:
    """Run a network in eval mode; return each run of a layer, the output, and the exception that stopped it."""
    uses: list[Use] = []
    inputs: list[torch.Tensor | None] = []
    seen: set[nn.Module] = set()
    hooks = []
    for name, layer in network.named_modules():
        if next(layer.children(), None) is None and layer is not network:

            def before(layer: nn.Module, args: tuple) -> None:
                inputs.append(_copy(args[0] if args else None))

            def after(layer: nn.Module, args: tuple, result: object, name: str = name) -> None:
                uses.append(Use(name, layer, inputs.pop(), _copy(result), layer in seen))
                seen.add(layer)

            hooks += [layer.register_forward_pre_hook(before), layer.register_forward_hook(after)]
    modes = {layer: layer.training for layer in network.modules()}
    place = next((parameter.device for parameter in network.parameters()), lr.device)
    output, error = None, None
    try:
        with torch.no_grad():
            output = _copy(network.eval()(lr.to(place)))
    except (Exception, SystemExit) as raised:  # a network with a mistake may raise anything
        error = raised
    finally:
        for hook in hooks:
            hook.remove()
        for layer, mode in modes.items():
            layer.training = mode
    return uses, output, error


def _copy(value: object) -> torch.Tensor | None:
    """Copy a tensor, because a later layer may overwrite it; return None for anything else."""
    return value.detach().cpu().clone() if isinstance(value, torch.Tensor) else None
