"""The way over a GPU, rehearsed without one: what is computed where, and what waits for it.

`FakeGpu` stands in for one. Its tensors have a shape, a type and a place, and no numbers; those on the CPU stay real,
so `Trainer.fit` runs as it is, from patches to validation and saved states. What is read from the fake GPU is True, 1.0
or 0, and `backward`, for which autograd wants a device, only gives each parameter that it reaches a gradient.
"""

import importlib
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from accelerate.state import AcceleratorState
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

import srlab
from srlab import losses
from srlab.course import gan_plumbing
from srlab.data import resampling
from srlab.data.degradation import Degradation
from srlab.training.trainer import Trainer
from tests.conftest import ROOT

from .little_run import images, tensors_in

sys.path.insert(0, str(ROOT / "benchmarks"))  # scripts, and no package
steps = importlib.import_module("steps")
aten = torch.ops.aten
pytestmark = [pytest.mark.nightly, pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")]
PHOTOS = images((60, 50), (41, 80))
STAGED = 2**16  # bytes up to which CUDA takes a copy from ordinary memory at once, and nobody waits


class FakeTensors(FakeTensorMode):
    avoid_device_init = True  # although `torch.cuda.is_available` says that there is one

    def __deepcopy__(self, memo):
        return self


class FakeGpu(TorchDispatchMode):
    """Runs on the CPU what is on the CPU, and notes what waits for the GPU: its numbers being read, and copies."""

    def __init__(self):
        super().__init__()
        self.tensors, self.waits = FakeTensors(), []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        place = kwargs.get("device") or torch.device("cpu")
        if place.type == "cpu" and not any(isinstance(tensor, FakeTensor) for tensor in given):
            with unset_fake_temporarily():
                return func(*args, **kwargs)
        if func is aten._local_scalar_dense.default:
            self.waits.append("a number is read")
            kind = given[0].dtype
            return True if kind == torch.bool else 1.0 if kind.is_floating_point else 0
        args, kwargs = tree_map_only(torch.Tensor, self._faked, (args, kwargs))
        out = func(*args, **kwargs)
        self.tensors.fake_tensor_converter.tensor_memo.clear()  # its weak references would forbid Module.to
        places = {x.device.type for x in (*given, *tree_leaves(out)) if isinstance(x, torch.Tensor)}
        if "device" in kwargs and place.type == "cpu":
            self.waits.append(f"{tuple(out.shape)} to the CPU")
            with unset_fake_temporarily():
                return torch.zeros(out.shape, dtype=out.dtype)
        sent = given[0] if func is aten._to_copy.default and given[0].device.type == "cpu" else None
        at_once = sent is not None and kwargs.get("non_blocking") and sent.nbytes <= STAGED
        if (len(places) > 1 or sent is not None) and not at_once:
            self.waits.append(f"{func} of {[(x.device.type, tuple(x.shape)) for x in given]}")
        return out

    @staticmethod
    def _faked(tensor):
        if isinstance(tensor, FakeTensor):
            return tensor
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)


class Generator(torch.Generator):
    """Of random numbers on the CPU, that says to be on the device that was asked for."""

    def __new__(cls, device="cpu"):
        made = super().__new__(cls)
        made.place = torch.device(device)
        return made

    device = property(lambda self: self.place)


def reach(loss, *_, **__):
    """In place of ``loss.backward()``."""
    seen, waiting = {None}, [loss.grad_fn]
    while waiting:
        if (node := waiting.pop()) not in seen:
            seen.add(node)
            waiting += [following for following, _ in node.next_functions]
            if hasattr(node, "variable"):
                node.variable.grad = torch.empty_like(node.variable)


@pytest.fixture
def gpu(monkeypatch):
    for name, answer in {
        "is_available": True,
        "is_bf16_supported": True,
        "is_current_stream_capturing": False,
        "mem_get_info": (2**34, 2**34),
        "get_rng_state": torch.zeros(16, dtype=torch.uint8),
        "set_rng_state": None,
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, _answer=answer, **__: _answer)
    monkeypatch.setattr(fake_tensor, "init_gpu_context", lambda device: None)  # that of torch 2.11 wants a driver
    monkeypatch.setattr(torch.Tensor, "backward", reach)
    monkeypatch.setattr(torch, "save", lambda state, file: None)  # it has no numbers
    monkeypatch.setattr(torch, "Generator", Generator)
    resampling._bands.cache_clear()
    torch.__future__.set_swap_module_params_on_conversion(True)
    fake = FakeGpu()
    with fake.tensors, fake:
        yield fake
    torch.__future__.set_swap_module_params_on_conversion(False)
    resampling._bands.cache_clear()
    AcceleratorState._reset_state(reset_partial_state=True)


# --- The labs -------------------------------------------------------------------------------------------------


def step_of(task, trainer):
    """The step of labs 03 and 04 with all that their recipes may put into its losses."""
    lab = SimpleNamespace(label_real=0.9, label_flip=0.1, pixel="l1")

    def content(sr, hr):
        return losses.content_loss(trainer.prepared["features"], sr, hr, F.l1_loss, relative=True, shift=4)

    weights = {"pixel": 1.0, "content": 1.0, "adversary": 0.1}
    goals = gan_plumbing.losses_of(lab, task.gan, weights, content)
    relative = task.gan.startswith("relativistic")
    return lambda lr, hr: srlab.gan_step(trainer, lr, hr, *goals, noise=0.1, relative=relative)


@pytest.mark.parametrize(("name", "precision"), [("srgan", "bf16"), ("esrgan", "fp16")])
def test_a_lab_stays_on_the_gpu_and_no_step_waits_for_it(name, precision, gpu):
    """From its patches to the moving average; what is logged, validated and saved may be read."""
    task = replace(steps.resized(steps.TASKS[name], 2, 32, 1, 4), layers="vgg19 relu2_1")  # sizes decide nothing here
    networks = steps.build(task)
    objects = networks | steps.optimizers_of(networks, task.rate, fused=True)
    trainer = Trainer("03_srgan", "rehearsal", "cuda", precision)
    trainer.prepare(**objects)
    sampler = srlab.PatchSampler(PHOTOS, 4, task.patch, task.batch, device="cuda")

    def validate(averaged):
        return srlab.evaluate(averaged, images((40, 44)), 4)[["psnr", "ssim"]].mean().to_dict()

    begin, check, end = trainer._set_learning_rates, trainer._checked, trainer._update_average

    def clear_and_begin(schedule):
        gpu.waits.clear()
        begin(schedule)

    def check_places(made):
        assert {value.device for value in made.values()} == {torch.device("cuda", 0)}
        return check(made)

    def end_and_count():
        end()
        assert trainer.step == 1 or gpu.waits == []  # the first one sends the matrices that make LR

    trainer._set_learning_rates, trainer._checked, trainer._update_average = (
        clear_and_begin,
        check_places,
        end_and_count,
    )
    trainer.fit(step_of(task, trainer), sampler, 2, srlab.OneCycle(2), validate, 8)
    assert trainer.run.manifest()["state"] == "finished"
    assert (trainer.accelerator.scaler is None) == (precision == "bf16")
    state = trainer._state(sampler)
    del state["networks"]["sampler"]  # random numbers on the CPU
    places = {key: value.device.type for key, value in tensors_in(state).items()}
    assert set(places.values()) == {"cuda"}, [key for key, place in places.items() if place != "cuda"]


# --- Patches --------------------------------------------------------------------------------------------------

BLIND = Degradation(blur=(0.2, 3.0), noise=(0.0, 0.05))
BATCHES = [  # what the sampler is asked for, free bytes on the GPU, what waits
    ({"degradation": BLIND, "rotate": 10.0}, 2**34, []),
    ({"degradation": Degradation(blur=2.0)}, 2**34, []),
    (
        {},
        0,
        ["aten._to_copy.default of [('cpu', (16, 48, 48, 3))]"],
    ),  # the patches alone are sent, of a set on the disk
]


@pytest.mark.parametrize(("settings", "free", "waits"), BATCHES)
def test_a_batch_is_made_on_the_gpu_and_nobody_waits_for_it(settings, free, waits, gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (free, free))
    sampler = srlab.PatchSampler(PHOTOS, 4, 32, 16, device="cuda", **settings)
    next(sampler)
    gpu.waits.clear()
    assert {batch.device.type for batch in next(sampler)} == {"cuda"}
    assert gpu.waits == waits


def test_memory_that_torch_keeps_for_later_counts_as_free(gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (0, 2**34))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda *_: 2**34)
    for allocated, fits in ((0, True), (2**34, False)):
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda *_, value=allocated: value)
        sampler = srlab.PatchSampler(PHOTOS, 4, 32, 16, device="cuda")
        assert (sampler._pixels.device.type == "cuda") == fits
