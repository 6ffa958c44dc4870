"""Time the training steps of the course in plain PyTorch, with BasicSR and with srlab, in turns within one run.

All use the same architectures, photos, batch and losses. The ratios show how much faster srlab is; other load on the
machine slows all of them equally. README.md explains how to install BasicSR; without it, its column is left out.

    python benchmarks/peers.py
    python benchmarks/peers.py --task rrdbnet --batch 4 --patch 96 --repeats 5 --steps 2
"""

import itertools
import logging
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch
from steps import SCALE, TASKS, TINY_RATE, Task, layer_by_layer, resized
from ways import (
    WORKERS,
    alternate,
    conditions,
    loaded,
    markdown,
    now,
    parser_for,
    plain_loop,
    ratios,
    sampled,
    spread,
    timed,
    timed_fit,
    write_photos,
)

import srlab
from srlab import models

MILLION = 10**6  # steps; schedules change nothing before


def import_basicsr() -> str:
    """Import BasicSR; return why it cannot be imported, or "".

    It needs a module that torchvision has renamed. It also loads ImageNet weights of VGG19, and gets random ones here.
    """
    if find_spec("basicsr") is None:
        return "BasicSR is not installed, so its column is left out. See benchmarks/README.md to install it."
    from torchvision.models import vgg19
    from torchvision.transforms.functional import rgb_to_grayscale

    renamed = ModuleType("torchvision.transforms.functional_tensor")
    renamed.rgb_to_grayscale = rgb_to_grayscale
    sys.modules.setdefault(renamed.__name__, renamed)
    try:
        from basicsr.archs import vgg_arch
        from basicsr.utils.registry import ARCH_REGISTRY
    except ImportError as error:
        return f"BasicSR cannot be imported ({error}), so its column is left out."
    vgg_arch.vgg = SimpleNamespace(vgg19=lambda pretrained: vgg19(weights=None))
    for build in (PlainSRResNet, PlainSRGANDiscriminator, PlainVGGDiscriminator):
        if build.__name__ not in ARCH_REGISTRY:
            ARCH_REGISTRY.register(build)
    logging.getLogger("basicsr").setLevel(logging.WARNING)
    return ""


def PlainSRResNet(**shape: int) -> models.SRResNet:
    """Return SRResNet for BasicSR, which finds it by this name; BasicSR's SRResNet has no batch norm."""
    return layer_by_layer(models.SRResNet(**shape))


def PlainSRGANDiscriminator(**shape: int) -> models.SRGANDiscriminator:
    """Return SRGAN's discriminator for BasicSR, which does not have it."""
    return models.SRGANDiscriminator(**shape)


def PlainVGGDiscriminator(**shape: int) -> models.VGGDiscriminator:
    """Return ESRGAN's discriminator for BasicSR, whose own one only accepts 128 and 256 px."""
    return models.VGGDiscriminator(**shape)


def basicsr_networks(task: Task) -> tuple[dict[str, object], dict[str, object], list[str]]:
    """Return options of G and D for BasicSR, and notes about differences."""
    shape, notes = task.shape, []
    if task.network == "SRResNet":
        generator = {"type": "PlainSRResNet", **shape, "scale": SCALE}
        notes.append("BasicSR's SRResNet has no batch norm, so it trains the course's SRResNet, written layer by layer")
    else:
        generator = {"type": task.network, "num_in_ch": 3, "num_out_ch": 3}
        generator |= {"num_feat": shape["num_features"], "num_block": shape["num_blocks"]}
        generator |= {"num_grow_ch": shape["growth"], "scale": SCALE} if "growth" in shape else {"upscale": SCALE}
    if task.discriminator == "VGGDiscriminator" and task.patch in (128, 256):
        discriminator = {"type": "VGGStyleDiscriminator", "num_in_ch": 3, "num_feat": task.d_features}
        discriminator["input_size"] = task.patch
    else:
        discriminator = {"type": f"Plain{task.discriminator}", "features": task.d_features, "size": task.patch}
        if task.discriminator:
            notes.append(f"BasicSR has no discriminator for {task.patch} px, so it trains the course's discriminator")
    return generator, discriminator, notes


def basicsr_options(task: Task, folder: Path, device: torch.device) -> tuple[dict[str, object], list[str]]:
    """Return the dictionary that BasicSR reads from a YAML file, and notes about differences."""
    generator, discriminator, notes = basicsr_networks(task)
    rate = TINY_RATE if task.layers else task.rate  # its content loss is L1
    adam = {"type": "Adam", "lr": rate, "weight_decay": 0, "betas": [0.9, 0.999]}
    train = {"ema_decay": 0.999, "optim_g": dict(adam), "optim_d": dict(adam)}
    train["scheduler"] = {"type": "MultiStepLR", "milestones": [MILLION], "gamma": 0.5}
    pixel, content, adversarial = task.weights
    if pixel:
        kind = {"mse": "MSELoss", "l1": "L1Loss"}[task.criterion]
        train["pixel_opt"] = {"type": kind, "loss_weight": pixel, "reduction": "mean"}
    if task.layers:
        layer = task.layers.split()[1]
        train["perceptual_opt"] = {"type": "PerceptualLoss", "layer_weights": {layer: 1.0}, "vgg_type": "vgg19"}
        train["perceptual_opt"] |= {"perceptual_weight": content, "criterion": "l1"}
        train["gan_opt"] = {"type": "GANLoss", "gan_type": "vanilla", "loss_weight": adversarial}
        if task.criterion == "mse":
            notes.append("BasicSR compares features with L1 where the task uses MSE, which costs the same")
    kind = "SRModel" if not task.layers else "ESRGANModel" if task.relativistic else "SRGANModel"
    data = {"name": "photos", "type": "PairedImageDataset", "phase": "train", "scale": SCALE, "gt_size": task.patch}
    data |= {"dataroot_gt": str(folder / "HR"), "dataroot_lq": str(folder / "LR"), "io_backend": {"type": "disk"}}
    data |= {"use_hflip": True, "use_rot": True, "num_worker_per_gpu": WORKERS, "batch_size_per_gpu": task.batch}
    data["pin_memory"] = device.type == "cuda"
    options = {"model_type": kind, "num_gpu": int(device.type == "cuda"), "dist": False, "is_train": True}
    options |= {"rank": 0, "path": {}, "network_g": generator, "network_d": discriminator, "train": train, "data": data}
    return options, notes


def basicsr_loop(options: dict[str, object]) -> Callable[[], None]:
    """Return the loop of BasicSR's ``train.py``, as a function that runs one step with the next batch."""
    from basicsr.data import build_dataloader, build_dataset
    from basicsr.data.data_sampler import EnlargedSampler
    from basicsr.data.prefetch_dataloader import CPUPrefetcher, CUDAPrefetcher
    from basicsr.models import build_model

    torch.manual_seed(0)
    model, data, gpus = build_model(options), options["data"], options["num_gpu"]
    dataset = build_dataset(data)
    sampler = EnlargedSampler(dataset, 1, 0, ratio=MILLION // len(dataset))
    loader = build_dataloader(dataset, data, gpus, sampler=sampler, seed=0)
    prefetcher = CUDAPrefetcher(loader, options) if gpus else CPUPrefetcher(loader)
    steps = itertools.count(1)

    def train() -> None:
        torch.backends.cudnn.benchmark = True  # train.py enables it; here only for BasicSR
        step = next(steps)
        batch = prefetcher.next()
        model.update_learning_rate(step)
        model.feed_data(batch)
        model.optimize_parameters(step)
        torch.backends.cudnn.benchmark = False

    return train


def write_lr(folder: Path) -> None:
    """Write the LR images that BasicSR needs in addition to `write_photos`, into ``folder/LR``."""
    photos = srlab.bundled_photos("train").with_lr(srlab.Degradation(), SCALE)
    for name in photos.names:
        srlab.write_image(photos.lr_of(name), folder / "LR" / f"{name}.png")


def sampling_share(task: Task, device: torch.device, step: float, count: int = 20) -> str:
    """Return the milliseconds that `PatchSampler` needs for a batch, and their share of a step of `step` seconds."""
    sampler = sampled(task, device)
    next(sampler)
    begun = now(device)
    for _ in range(count):
        next(sampler)
    seconds = (now(device) - begun) / count
    return f"{1000 * seconds:.1f} ms, {100 * seconds / step:.1f} %"


def compare(
    task: Task, folder: Path, device: torch.device, repeats: int, steps: int, peer: bool
) -> tuple[dict[str, str], list[str]]:
    """Time a task with every implementation; return cells of the table, and notes about differences."""
    plain, _ = plain_loop(task, loaded(task, folder / "HR", device), device)
    ways, notes = {"plain": timed(plain, steps, device, files=True)}, []
    if peer:
        options, notes = basicsr_options(task, folder, device)
        ways["BasicSR"] = timed(basicsr_loop(options), steps, device, files=True)
    ways["srlab"] = timed_fit(task, steps, device, f"peers-{task.network}-{task.discriminator}")
    seconds = alternate(ways, repeats)
    cells = {f"{way}, s": spread(times, 3) for way, times in seconds.items()}
    for way in list(ways)[:-1]:
        cells[f"{way} / srlab"] = spread(ratios(seconds[way], seconds["srlab"]))
    return cells | {"sampler of srlab": sampling_share(task, device, statistics.median(seconds["srlab"]))}, notes


def main() -> None:
    """Print the table and the notes."""
    parser = parser_for(__doc__.partition("\n")[0], repeats=5, steps=4)
    parser.add_argument("--task", nargs="+", choices=TASKS, default=list(TASKS))
    options = parser.parse_args()
    device = srlab.pick_device(options.device)
    size = options.batch, options.patch, options.blocks, options.features
    tasks = {name: resized(TASKS[name], *size) for name in options.task}
    problem = import_basicsr()
    notes, rows = [problem] if problem else [], []
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SRLAB_HOME"] = scratch
        folder = write_photos(Path(scratch) / "photos").parent
        if not problem:
            write_lr(folder)
        for name, task in tasks.items():
            step = {"step": f"{name}, {task.batch} of {task.patch} px"}
            cells, more = compare(task, folder, device, options.repeats, options.steps, peer=not problem)
            rows.append(step | cells)
            print(rows[-1], file=sys.stderr, flush=True)  # so that an interrupted run leaves results
            notes += [f"{name}: {note}." for note in more]
    print(f"{conditions(device)}; median (smallest to largest) of {options.repeats} turns, {options.steps} steps each")
    print(f"\n{markdown(rows)}\n", *notes, sep="\n")


if __name__ == "__main__":
    main()
