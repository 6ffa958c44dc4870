"""Test srlab.training.trainer: learning, logs and checkpoints of the loop, and rejected input."""

import copy
import math
import os
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from srlab.data.degradation import Degradation
from srlab.models import MSRResNet, SRResNet
from srlab.models.loading import load_generator, load_generator_file
from srlab.training import calendar, runs
from srlab.training.calendar import LOG_EVERY
from srlab.training.launch import compiled
from srlab.training.schedules import Milestones, OneCycle, constant
from srlab.training.settings import environment
from srlab.training.trainer import Trainer
from tests.conftest import files_in

from .little_run import LAB, LittleRun, plain, refusal, what_is_left


def small():
    return MSRResNet(1, 4)


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


# --- Learning ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ema", "ema_warmup"), [(0.9, 3), (0, 10)])
def test_ema_generator_matches_hand_computation_and_disk(ema, ema_warmup):
    little = LittleRun(ema=ema, ema_warmup=ema_warmup, network=lambda: SRResNet(1, 4))
    snapshots = []
    little.before_step = lambda number: snapshots.append(weights(little.network))
    fitted = little.fit(12)
    average = snapshots[0]
    for step, current in enumerate([*snapshots[1:], weights(little.network)], start=1):
        decay = min(ema, (1 + step) / (ema_warmup + step))
        average = decay * average + (1 - decay) * current
    assert torch.allclose(weights(fitted), average, atol=1e-7)
    assert torch.allclose(weights(fitted), weights(little.network), atol=1e-5) == (ema == 0)
    assert not fitted.training
    assert not any(p.requires_grad for p in fitted.parameters())
    statistics = dict(fitted.named_buffers())  # of batch norm: copied, not averaged
    assert all(torch.equal(buffer, statistics[name]) for name, buffer in little.network.named_buffers())
    assert int(statistics["fuse.1.num_batches_tracked"]) == 12
    loaded = load_generator(LAB).state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in fitted.state_dict().items())


def test_training_depends_on_no_other_random_numbers():
    first, other = LittleRun("first"), LittleRun("other")
    next(other.sampler)  # as if it had trained before
    first.fit(4, validate=lambda network: {"psnr": 20.0}, validate_every=1)
    other.fit(4, validate=lambda network: {"psnr": 20.0 + float(torch.rand(()))}, validate_every=1)
    assert first.losses == other.losses


# --- Schedules -----------------------------------------------------------------------------------------------


def test_schedule_and_progress_use_absolute_steps_after_resume():
    first, second = LittleRun(rate=1e-2), LittleRun(rate=1e-2)
    first.fail_at(6, KeyboardInterrupt(), 9, validate_every=5)
    shares = []
    second.before_step = lambda number: shares.append(second.trainer.progress.item())
    second.fit(9)
    assert shares == pytest.approx([step / 9 for step in range(len(first.rates), 9)])
    assert first.rates + second.rates == pytest.approx([1e-2 * OneCycle(9)(step) for step in range(9)])


def test_learning_rate_is_correct_in_second_fit():
    little = LittleRun(rate=1e-2)
    little.fit(4, schedule=Milestones((2, 6)))
    little.fit(8, schedule=Milestones((2, 6)))
    assert little.rates == pytest.approx([1e-2] * 2 + [5e-3] * 4 + [2.5e-3] * 2)
    little.raw_optimizer.param_groups[0]["lr"] = 1e-6
    refusal("rate was set to 1e-06 between two calls of fit", little.fit, 9)


def test_longer_run_resumes_with_new_schedule(capsys):
    LittleRun(ema=0.9).fit(6)
    assert "Resuming" not in capsys.readouterr().out
    longer = LittleRun(ema=0.99)  # the schedule may also depend on the length
    longer.fit(30)
    assert "from step 6, iters=6 (now 30)." in capsys.readouterr().out
    assert longer.rates == pytest.approx([1e-3 * OneCycle(30)(step) for step in range(6, 30)])
    manifest = longer.run.manifest()
    assert manifest["continued"] == [{"step": 6, "from": 6, "to": 30}]
    assert (manifest["schedule_total"], manifest["parameters"]["ema"]) == (30, 0.99)


# --- Records -------------------------------------------------------------------------------------------------


def test_validation_and_checkpoint_steps():
    seen, drawn = [], []
    little = LittleRun()

    def validate(generator):
        assert not generator.training
        seen.append(little.trainer.steps_done)
        return {"psnr": 1.0}

    little.fit(19, validate=validate, validate_every=8, monitor=lambda trainer: drawn.append(trainer.steps_done))
    logged = [row["step"] for row in little.run.metrics() if "val_psnr" in row]
    assert seen == drawn == logged == [0, 2, 4, 8, 16, 19]
    assert sorted(file.name for file in (little.run.path / "checkpoints").iterdir()) == ["000000016.pt", "000000019.pt"]


def test_log_events_and_manifest(monkeypatch):
    monkeypatch.setattr(runs, "environment", environment)
    settings = {"loss": "L1", "betas": (0.9, 0.99), "path": Path("a"), "values": torch.ones(2)}
    little = LittleRun(network=small, rate=2**-10, settings=settings)
    little.change = lambda number, made: made | {"number": float(number)}
    little.validate = lambda generator: {"psnr": 20.0 + little.trainer.steps_done}
    little.fit(15, validate=little.validate, validate_every=20, schedule=constant)
    logged = [row for row in little.run.metrics() if "loss" in row]
    assert [(row["step"], row["number"], row["rate"]) for row in logged] == [(n, n, 2**-10) for n in (5, 10, 15)]
    events = EventAccumulator(str(little.run.path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [5, 10, 15]
    assert [event.value for event in events.Scalars("val_psnr")] == [20.0, 25.0, 30.0, 35.0]
    manifest = little.run.manifest()
    facts = {"status": "finished", "step": 15, "precision": "fp32", "device": "cpu", "lab": LAB, "compiled": ""}
    assert manifest.items() >= facts.items()
    assert (manifest["metrics"]["val_psnr"], manifest["versions"]["torch"]) == (35.0, version("torch"))
    assert 0 < manifest["wall_time_s"] < 30
    assert manifest["peak_memory_mib"] > 0
    parameters = manifest["parameters"]
    expected = {"loss": "L1", "betas": [0.9, 0.99], "path": "a", "values": [1.0, 1.0]}
    expected["generator"] = {"network": "MSRResNet", "num_blocks": 1, "num_features": 4, "scale": 4}
    assert parameters.items() >= expected.items()
    assert parameters["optimizer"].items() >= {"optimizer": "Adam", "initial_lr": 2**-10}.items()
    assert parameters["sampler"]["batch"] == 2


def test_best_weights_are_kept_with_the_last():
    scores = {0: 20.0, 2: 25.0, 4: 24.0, 8: 25.0, 10: 23.0}
    little, kept = LittleRun(network=small), {}

    def validate(generator):
        kept[little.trainer.steps_done] = weights(generator)
        return {"psnr": scores[little.trainer.steps_done], "ssim": little.trainer.steps_done / 10}

    little.fit(10, validate=validate, validate_every=8)
    for name, step in (("psnr", 2), ("ssim", 10)):
        best = load_generator_file(f"{LAB}/default/generator-best-{name}.safetensors")
        assert torch.equal(weights(best), kept[step])


def test_checkpoint_is_saved_between_validations(monkeypatch):
    monkeypatch.setattr(calendar, "SAVE_EVERY_S", -1)
    little, seen = LittleRun(), set()
    little.before_step = lambda number: seen.add(little.run.load_checkpoint()["step"])
    little.fit(2 * LOG_EVERY + 1, validate=None, validate_every=10**6)
    assert seen == {0, LOG_EVERY, 2 * LOG_EVERY}


def test_finished_run_changes_nothing(capsys):
    first, drawn, again = LittleRun(), [], LittleRun()
    fitted = first.fit()
    before = files_in(first.run.path)
    again.before_step = pytest.fail
    for iters in (6, 4):
        returned = again.fit(iters, validate=pytest.fail, monitor=drawn.append)
        assert f"already done 6 of {iters} steps" in capsys.readouterr().out
        assert torch.equal(weights(returned), weights(fitted))
        assert files_in(first.run.path) == before
    assert drawn == [again.trainer] * 2


# --- Divergence -------------------------------------------------------------------------------------------------


def nan_weight(little):
    little.network.tail[2].bias.data[0] = math.nan


@torch.no_grad()
def thousandfold(little):
    for weight in little.network.parameters():
        weight.mul_(1000)


# Fault before a step, changed losses, scores; message; step of the last good checkpoint.
RUINS = {
    "a loss is infinite": (None, {3: math.inf, 5: math.nan}, {}, "NaN or infinite at step 3", 2),
    "a weight is NaN": ((7, nan_weight), {7: 0.5, 8: 0.5}, None, "a weight became NaN or infinite by step 8"),
    "a weight is NaN at a validation": ((7, nan_weight), {7: 0.5, 8: 0.5}, {}, "a weight became NaN .* by step 8"),
    "the loss runs away": ((5, thousandfold), {}, None, "the loss is .* at step 8, more than 100 times .*step 4"),
    "the picture is ruined": (None, {}, {1: 12, 2: 20, 4: 28, 8: 14}, "fallen from 28.00 to 14.00 dB at step 8, below"),
}


@pytest.mark.parametrize("ruin", RUINS)
def test_diverged_run_stops_and_keeps_last_good_checkpoint(ruin):
    """Check that the run stops before a bad checkpoint replaces a good one, and while the log is finite."""
    fault, losses, scores, words, *kept = RUINS[ruin]
    little, kept = LittleRun(network=small), kept[0] if kept else 4
    little.before_step = lambda number: fault[1](little) if fault and number == fault[0] else None
    little.change = lambda number, made: {"loss": torch.as_tensor(losses.get(number, made["loss"]))}

    def validate(averaged):
        assert weights(averaged).isfinite().all()
        return {"psnr": scores.get(little.trainer.steps_done, 7)}

    settings = {"validate": None if scores is None else validate, "min_psnr": 25.0 if scores else 0.0}
    said = refusal(words, little.fit, 12, validate_every=4, **settings)
    run = little.run
    assert run.manifest()["failure"] in said
    assert (run.manifest()["status"], run.is_usable(), run.load_checkpoint()["step"]) == ("failed", False, kept)
    assert all(math.isfinite(value) for row in run.metrics() for value in row.values())
    assert weights(load_generator(LAB)).isfinite().all()


# --- Rejected input ---------------------------------------------------------------------------------------------


def in_groups(parameters, lr):
    first, *others = parameters
    return torch.optim.Adam([{"params": [first]}, {"params": others, "weight_decay": 0.1}], lr=lr)


CHANGES = [  # settings changes (from loss L1 and old 1), arguments of fit, message
    ({"settings": {"loss": "MSE", "new": 2}}, {}, r"loss='L1' \(now 'MSE'\), old=1 \(now None\), new=None \(now 2\)"),
    ({"ema": 0.99}, {}, r"ema=0.9 \(now 0.99\)"),
    ({"sampler": {"degradation": Degradation(noise=0.1)}}, {}, r"degradation\.noise=\[0.0, 0.1\] \(now 0.1\)"),
    ({"network": lambda: MSRResNet(1, 6)}, {}, r"made with generator\.num_features=4 \(now 6\)"),
    ({"optimizer": in_groups}, {}, r"weight_decay=0 \(now \[0, 0.1\]\)"),
    ({"rate": 2e-3}, {}, r"initial_lr=0.001 \(now 0.002\)"),
    ({}, {"schedule": lambda step: 1 - step / 11}, "with schedule="),
]


def test_resume_rejects_changed_settings():
    settings = {"settings": {"loss": "L1", "old": 1}, "network": small}
    for _ in range(2):
        LittleRun(**settings).fit(2, schedule=lambda step: 1 - step / 12)
    before = what_is_left()
    for change, of_fit, words in CHANGES:
        little = LittleRun(**settings | change)
        said = refusal(words, little.fit, 2, **{"schedule": lambda step: 1 - step / 12} | of_fit)
        assert "Choose another run name" in said
        assert what_is_left() == before


def test_resume_rejects_changed_layers():
    LittleRun().fail_at(3, ZeroDivisionError())
    other = LittleRun(network=lambda: nn.Sequential(nn.Conv2d(3, 48, 1), nn.PixelShuffle(4)))
    refusal("layers of the generator differ", other.fit)


def test_settings_may_change_before_the_first_step():
    LittleRun().fail_at(1, ZeroDivisionError())
    second = LittleRun(rate=2e-3)
    second.fit()
    assert second.run.manifest()["parameters"]["optimizer"]["initial_lr"] == 2e-3


LAYER = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ({"discriminator": LAYER}, "Pass .* as generator="),
        ({"generator": LAYER, "loss": abs}, "loss is a builtin"),
        ({"generator": LAYER, "ema": LAYER}, "uses the name 'ema'"),
        ({"generator": nn.Linear(2, 2).double()}, r"float64 weights.* Pass generator.float\(\)"),
        # The cell that creates the network ran again, but not the cell that creates the optimizer.
        ({"generator": plain(), "optimizer": torch.optim.Adam(LAYER.parameters())}, "optimizer updates a network that"),
    ],
)
def test_prepare_rejects_invalid_objects(objects, words):
    refusal(words, Trainer(LAB, "default", device="cpu", precision="fp32").prepare, **objects)


REFUSED = [
    (lambda: Trainer(LAB, "run", device=torch.device("xpu")), "cannot use xpu. Use cpu or cuda"),
    (lambda: Trainer(LAB, "run", max_gradient=-1.0), "max_gradient must be at least 0"),
    (lambda: Trainer(LAB, "run", launch="fast"), r"'fast' is not a valid launch\. Use auto, graph, python"),
    (lambda: Trainer(LAB, "run", device="cpu", precision="fp32").fit(None, None, 3), "Call prepare"),
    (lambda: LittleRun().fit(0), "at least 1, but is 0"),
    (lambda: LittleRun().fit(1.5), "at least 1, but is 1.5"),
    (lambda: LittleRun().fit(2, validate_every=0), "validate_every must be at least 1"),
    (lambda: LittleRun(settings={"seed": 3}).fit(2), "The trainer itself records 'seed'"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_invalid_settings_are_rejected_before_writing(home, call, words):
    refusal(words, call)
    assert files_in(home) == {}


@pytest.mark.parametrize(
    ("losses", "scores", "words"),
    [
        ({}, {}, "must return its losses by name"),
        (0.5, {}, "must return its losses by name"),
        ({"loss": torch.ones(2)}, {}, r"'loss' of step has shape \(2,\)"),
        ({"loss": 0.5, "rate": 0.5}, {}, "'rate' is a reserved column of the log. Rename that loss"),
        ({"loss": 0.5}, None, "validate must return its scores by name"),
    ],
)
def test_losses_and_scores_must_be_named_scalars(losses, scores, words):
    little = LittleRun()
    little.change = lambda number, made: losses
    refusal(words, little.fit, validate=lambda _: scores)


def test_out_of_memory_names_batch_and_patch():
    little = LittleRun()
    little.before_step = lambda number: torch.empty(2**60)
    assert str(little.run.path) in refusal("memory.*batch.*2.*patch.*16", little.fit)


def test_only_the_current_gpu_trains(monkeypatch):
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    refusal("cannot use cuda:1. .* CUDA_VISIBLE_DEVICES", Trainer, LAB, "run", device=torch.device("cuda:1"))


# --- Precision and compiling ---------------------------------------------------------------------------------


def test_bf16_run_returns_float32_generator():
    little = LittleRun(network=small, precision="bf16")
    seen = []
    little.network.blocks[0].conv1.register_forward_hook(lambda module, x, out: seen.append(out.dtype))
    fitted = little.fit(3)
    assert seen == [torch.bfloat16] * 3
    assert {p.dtype for p in fitted.parameters()} == {torch.float32}
    lr = torch.rand(1, 3, 6, 6)
    with torch.no_grad():
        assert torch.allclose(fitted(lr), load_generator(LAB)(lr), atol=1e-6)


def test_precision_can_change_within_process():
    alone = {}
    for number, precision in enumerate(("fp32", "bf16", "fp32")):
        little, rounds = LittleRun(f"run{number}", precision=precision), set()
        little.before_step = lambda number, rounds=rounds: rounds.add(torch.backends.cudnn.allow_tf32)
        little.fit(3)
        assert rounds == {precision == "bf16"}
        assert little.run.manifest()["precision"] == precision
        now = what_is_left(f"run{number}")["generator.safetensors"]
        assert alone.setdefault(precision, now) == now
    assert alone["fp32"] != alone["bf16"]


@pytest.mark.parametrize("error", [None, NameError("a slip")])
def test_network_computes_in_bf16_only_while_it_trains(error):
    little, lr = LittleRun(network=small, precision="bf16"), torch.rand(1, 3, 6, 6)
    network, before, inside = little.network, little.network(lr), []

    def step(number):
        if number == 1:
            copied = copy.deepcopy(network)
            torch.nn.init.ones_([*copied.parameters()][-1])  # the last bias
            inside.extend([network(lr), copied(lr)])

    if error:
        little.fail_at(1, error)
    little.before_step = step
    little.fit(2)
    assert not torch.equal(inside[0], before), "in bf16"
    assert (inside[1] - inside[0]).min() > 0.5, "a copy has its own weights"
    exact = small().to(memory_format=torch.channels_last)
    exact.load_state_dict(network.state_dict())
    assert torch.equal(network(lr), exact(lr))


@pytest.mark.parametrize("bound", [0.0, 0.1, 1e6])
def test_gradient_is_bounded_before_the_optimizer_uses_it(bound):
    little, before, after = LittleRun(max_gradient=bound), [], []

    def norm(*_):
        return nn.utils.get_total_norm([weight.grad for weight in little.network.parameters()]).item()

    little.raw_optimizer.register_step_pre_hook(lambda *_: before.append(norm()))  # comes first
    little.raw_optimizer.register_step_post_hook(lambda *_: after.append(norm()))
    little.fit()
    assert min(before) > 0.1
    assert after == pytest.approx([min(one, bound or one) for one in before], rel=1e-4)


def test_update_returns_the_norm_of_the_gradient():
    little = LittleRun()
    first = next(little.network.parameters())[0, 0, 0]
    loss = 3.0 * first[0] + 4.0 * first[1]
    assert little.trainer.update(loss, little.things["optimizer"]).item() == pytest.approx(5.0)


def test_networks_are_compiled_only_inside_the_block(monkeypatch):
    calls, little = [], LittleRun()
    monkeypatch.setattr(torch, "compile", lambda call, **_: lambda *inputs: calls.append(call) or call(*inputs))
    with compiled([little.network], little.trainer.device) as reason:
        assert reason == ""
        assert torch._dynamo.config.suppress_errors
        little.fit(2)  # its validations call the EMA
    assert len(calls) == 3, "the first attempt and two steps"
    assert not torch._dynamo.config.suppress_errors
    little.fit(4)
    assert len(calls) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, each account has its own folder of temporary files")
@pytest.mark.parametrize(("own", "used"), [("", "/home/ada/.cache/srlab/torch"), ("/mine", "/mine")])
def test_compiled_code_is_cached_where_others_cannot_write(own, used, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~" / ".cache" / "srlab" / "torch").mkdir(parents=True)  # a stranger's
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", own)
    if not own:
        monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    monkeypatch.setattr(torch, "compile", lambda call: call)
    with compiled([], torch.device("cpu")):
        assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == used


def test_reason_without_compiler(monkeypatch):
    def without_compiler(function):
        raise RuntimeError("Failed to find C++ compiler. Please specify\nmore of it")

    monkeypatch.setattr(torch, "compile", without_compiler)
    with compiled([plain()], torch.device("cpu")) as reason:
        assert not torch._dynamo.config.suppress_errors
    assert reason == "Failed to find C++ compiler. Please specify"
