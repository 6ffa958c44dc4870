"""srlab.training.trainer: the loop learns, keeps its promises, stops cleanly, and goes on bit for bit."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srlab.base.devices import pick_precision
from srlab.base.errors import SrlabError
from srlab.data.datasets import ImageSet
from srlab.data.degradation import Degradation
from srlab.data.images import to_uint8
from srlab.data.patches import PatchSampler
from srlab.data.resampling import upsample
from srlab.evaluation.scoring import score
from srlab.models import MSRResNet, RRDBNet, SRResNet
from srlab.models.weights import load_generator
from srlab.training import checkpoints
from srlab.training import trainer as training
from srlab.training.compiling import compile_networks
from srlab.training.runs import Run
from srlab.training.schedules import Milestones, OneCycle
from srlab.training.signals import Interrupts, TrainingStopped
from srlab.training.trainer import LOG_EVERY, Trainer

ROOT = Path(__file__).resolve().parents[2]
LAB = "01_srresnet"


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Several threads only wait for each other with networks as small as these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def blobs(count=3, size=40, seed=0):
    """Pictures with sharp edges, on which there is something to learn."""
    random = torch.Generator().manual_seed(seed)
    smooth = upsample(torch.rand(count, 3, size // 8, size // 8, generator=random), 8)
    return ImageSet("blobs", [f"blob{i}" for i in range(count)], list(to_uint8((smooth > 0.5).float() * 0.8 + 0.1)))


class Session:
    """What the cells of a lab make: everything new, as in a fresh kernel."""

    def __init__(
        self,
        run="default",
        network=MSRResNet,
        size=(1, 4),
        optimizer=torch.optim.Adam,
        rate=1e-3,
        sampler=None,
        **settings,
    ):
        torch.manual_seed(0)
        self.network = network(*size)
        self.raw_optimizer = optimizer(self.network.parameters(), lr=rate)
        images = blobs()
        self.sampler = PatchSampler(images, **({"patch": 16, "batch": 2} | (sampler or {})))
        self.trainer = Trainer(LAB, run, **({"device": "cpu", "precision": "no", "ema": 0.9} | settings))
        self.prepare()
        self.rates, self.losses = [], []
        self.before_step = lambda number: None

    def prepare(self):
        prepared = self.trainer.prepare(generator=self.network, optimizer=self.raw_optimizer)
        self.generator, self.optimizer = prepared

    def step(self, lr, hr):
        self.before_step(self.trainer.step + 1)
        self.rates.append(self.raw_optimizer.param_groups[0]["lr"])
        loss = F.l1_loss(self.generator(lr), hr)
        self.optimizer.zero_grad()
        self.trainer.backward(loss)
        self.optimizer.step()
        self.losses.append(loss.item())
        return {"loss": loss}

    def fit(self, iters, **settings):
        return self.trainer.fit(self.step, self.sampler, iters, **settings)

    def stop_at(self, number, how=signal.SIGINT):
        """Send the signal in the middle of a step, as from outside."""
        self.before_step = lambda step: signal.raise_signal(how) if step == number else None

    @property
    def path(self):
        return self.trainer.run.path

    def bytes(self):
        """The weights on disk."""
        return (self.path / "generator.safetensors").read_bytes()


def straight(iters, run="straight", fit=None, **settings):
    """The weights of a run that nothing disturbs."""
    session = Session(run, **settings)
    session.fit(iters, **(fit or {}))
    return session.bytes()


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def steps_of(run, name):
    return [row["step"] for row in run.metrics() if name in row]


# --- Learning ------------------------------------------------------------------------------------------------


def test_the_loss_goes_down_and_the_network_beats_its_start_on_images_it_has_not_seen():
    unseen = blobs(2, seed=1)
    session = Session(size=(1, 16), rate=1e-2, sampler={"batch": 4, "patch": 24})
    validate = lambda g: {"psnr": score(g, unseen)["psnr"].mean()}  # noqa: E731
    fitted = session.fit(150, schedule=OneCycle(150), validate=validate)
    assert sum(session.losses[-20:]) < 0.95 * sum(session.losses[:20])
    scores = [row["val_psnr"] for row in session.trainer.history if "val_psnr" in row]
    assert scores[-1] > scores[0] + 0.8
    assert score(fitted, unseen)["psnr"].mean() == pytest.approx(scores[-1])


def test_the_averaged_generator_is_the_average_computed_by_hand():
    session = Session(ema=0.5)
    snapshots = [weights(session.network)]
    session.before_step = lambda number: snapshots.append(weights(session.network))
    fitted = session.fit(12)
    average = snapshots[0]
    for step, current in enumerate([*snapshots[2:], weights(session.network)], start=1):
        decay = min(0.5, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * current
    assert len(snapshots) == 13
    assert torch.allclose(weights(fitted), average, atol=1e-7)
    assert not torch.allclose(weights(fitted), weights(session.network), atol=1e-5)
    assert not fitted.training
    assert not any(p.requires_grad for p in fitted.parameters())


def test_without_averaging_the_generator_is_the_network_itself():
    session = Session(ema=0, network=SRResNet)
    fitted = session.fit(3)
    assert all(torch.equal(value, fitted.state_dict()[key]) for key, value in session.network.state_dict().items())


def test_batch_norm_statistics_are_copied_and_not_averaged():
    session = Session(ema=0.99, network=SRResNet)
    buffers = dict(session.fit(3).named_buffers())
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in session.network.named_buffers())
    assert int(buffers["fuse.1.num_batches_tracked"]) == 3


def test_the_generator_on_disk_is_the_one_that_fit_returns():
    fitted = Session().fit(5)
    loaded = load_generator(LAB)
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in fitted.state_dict().items())


def test_a_network_that_is_no_generator_and_an_object_that_is_neither_are_refused():
    trainer = Trainer(LAB, "default", device="cpu", precision="no")
    with pytest.raises(SrlabError, match="must be passed as generator="):
        trainer.prepare(discriminator=nn.Linear(2, 2))
    with pytest.raises(SrlabError, match="patches is a PatchSampler"):
        trainer.prepare(generator=MSRResNet(1, 4), patches=PatchSampler(blobs(), patch=16, batch=2))


# --- Schedules -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", [Milestones((3, 6)), OneCycle(9, 0.3)])
def test_learning_rates_follow_the_schedule_at_absolute_steps_also_after_a_resume(schedule):
    first = Session(rate=1e-2)
    first.stop_at(5)
    with pytest.raises(TrainingStopped):
        first.fit(9, schedule=schedule)
    second = Session(rate=1e-2)
    second.fit(9, schedule=schedule)
    assert first.rates + second.rates == pytest.approx([1e-2 * schedule(step) for step in range(9)])


def test_the_rate_is_right_again_when_one_trainer_is_fitted_twice():
    session = Session(rate=1e-2)
    session.fit(4, schedule=Milestones((2, 6)))
    session.fit(8, schedule=Milestones((2, 6)))
    assert session.rates == pytest.approx([1e-2] * 2 + [5e-3] * 4 + [2.5e-3] * 2)


def test_a_longer_run_goes_on_by_the_schedule_of_its_new_length_and_says_so(capsys):
    Session().fit(6, schedule=OneCycle(6))
    capsys.readouterr()
    longer = Session(rate=1e-3)
    longer.fit(60, schedule=OneCycle(60))
    said = capsys.readouterr().out
    assert "laid out for 6 steps and goes on to 60: from step 6 on" in said
    assert longer.rates == pytest.approx([1e-3 * OneCycle(60)(step) for step in range(6, 60)])
    manifest = longer.trainer.run.manifest()
    assert manifest["schedule_total"] == 60
    assert manifest["continued"] == [{"step": 6, "from": 6, "to": 60}]


def test_a_run_that_goes_on_to_the_same_length_keeps_its_schedule():
    """Another schedule for the same length is another run."""
    Session().fit(6, schedule=OneCycle(9))
    with pytest.raises(SrlabError, match="another name"):
        Session().fit(6, schedule=OneCycle(9, warmup=0.5))


def test_what_follows_the_length_of_a_run_may_change_with_it_and_nothing_else():
    Session(ema=0.9).fit(4)
    Session(ema=0.99).fit(6)
    with pytest.raises(SrlabError, match="ema"):
        Session(ema=0.9).fit(6)
    with pytest.raises(SrlabError, match="seed"):
        Session(ema=0.99, seed=5).fit(8)


# --- Ruin ----------------------------------------------------------------------------------------------------


def test_a_loss_that_runs_away_stops_the_run_while_it_is_finite_and_the_last_good_state_stays():
    session = Session()
    session.fit(40)
    again = Session()

    @torch.no_grad()
    def ruin(number):
        for weight in again.network.parameters() if number == 61 else ():
            weight.mul_(30)

    again.before_step = ruin
    with pytest.raises(SrlabError, match=r"the loss is .* at step 70, more than 100 times .*state of step 40 is kept"):
        again.fit(90)
    run = again.trainer.run
    assert run.manifest()["state"] == "failed"
    assert run.state_steps()[-1] == 40
    assert not run.is_trained()


def test_a_deep_network_at_too_high_a_rate_is_stopped_before_a_state_of_it_is_kept():
    """What RRDBNet-23 did at 2e-3: no NaN, a loss of 1e30, and the next stage began with it."""
    deep = Session(network=RRDBNet, size=(23, 8, 4), rate=3e-2, sampler={"batch": 1})
    with pytest.raises(SrlabError, match=r"Training stopped: the loss is .* more than 100 times"):
        deep.fit(60, schedule=OneCycle(60))
    assert not deep.trainer.run.is_trained()
    assert all(value.isfinite().all() for value in deep.trainer.run.load_state().values() if torch.is_tensor(value))


def test_a_picture_that_falls_below_the_floor_stops_the_run_but_a_slow_start_does_not():
    scores = {0: 7.0, 5: 12.0, 10: 20.0, 20: 28.0, 40: 14.0}
    session = Session()
    with pytest.raises(SrlabError, match=r"fallen from 28.00 to 14.00 dB at step 40, below the 25.00 dB"):
        session.fit(60, validate=lambda g: {"psnr": scores[session.trainer.step]}, validate_every=20, floor=25.0)
    assert session.trainer.run.manifest()["state"] == "failed"
    assert session.trainer.run.state_steps()[-1] == 20


def test_a_new_one_cycle_run_says_nothing_of_its_layout(capsys):
    Session().fit(3, schedule=OneCycle(3))
    assert "laid out" not in capsys.readouterr().out


# --- Validation and records ----------------------------------------------------------------------------------


def test_validation_comes_at_the_start_twice_early_at_every_interval_and_at_the_end():
    seen, drawn = [], []
    session = Session()

    def validate(generator):
        assert not generator.training
        seen.append(session.trainer.step)
        return {"psnr": 1.0}

    session.fit(19, validate=validate, validate_every=8, monitor=lambda trainer: drawn.append(trainer.step))
    assert seen == drawn == [0, 2, 4, 8, 16, 19]
    assert steps_of(session.trainer.run, "val_psnr") == seen
    assert session.trainer.run.state_steps() == [16, 19]


def test_metrics_and_tensorboard_events_hold_what_was_logged():
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    session = Session()
    session.fit(25, validate=lambda g: {"psnr": 20.0}, validate_every=20)
    run = session.trainer.run
    assert steps_of(run, "loss") == [5, 10, 20, 25]
    logged = {row["step"]: row["loss"] for row in run.metrics() if "loss" in row}
    assert all(logged[step] == pytest.approx(session.losses[step - 1]) for step in logged)
    assert [row["rate"] for row in run.metrics() if "rate" in row] == [1e-3] * 4
    events = EventAccumulator(str(session.path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [5, 10, 20, 25]
    assert [event.value for event in events.Scalars("val_psnr")] == [20.0] * 5


def test_the_manifest_says_how_it_ended():
    session = Session(recipe={"loss": "L1"})
    session.before_step = lambda number: time.sleep(0.02)
    session.fit(7, validate=lambda g: {"psnr": 20.0 + session.trainer.step})
    manifest = json.loads((session.path / "run.json").read_text())
    assert (manifest["state"], manifest["step"], manifest["precision"], manifest["device"]) == (
        "finished",
        7,
        "no",
        "cpu",
    )
    assert manifest["metrics"]["val_psnr"] == 27.0
    assert manifest["metrics"]["loss"] == pytest.approx(session.losses[-1])
    assert 0.1 <= manifest["wall_time_s"] < 30
    assert manifest["peak_memory_mib"] > 0
    parameters = manifest["parameters"]
    assert parameters["loss"] == "L1"
    assert parameters["generator"] == {"network": "MSRResNet", "blocks": 1, "features": 4, "scale": 4}
    assert parameters["optimizer"]["optimizer"] == "Adam"
    assert parameters["sampler"]["batch"] == 2


def test_the_weights_with_the_best_score_are_kept_beside_the_last():
    scores = {0: 20.0, 2: 25.0, 4: 24.0, 8: 25.0, 10: 23.0}
    session, kept = Session(), {}

    def validate(generator):
        kept[session.trainer.step] = weights(generator)
        return {"psnr": scores[session.trainer.step], "ssim": session.trainer.step / 10}

    session.fit(10, validate=validate, validate_every=8, best=("psnr", "ssim"))
    assert torch.equal(weights(load_generator(LAB, best="psnr")), kept[2])
    assert torch.equal(weights(load_generator(LAB, best="ssim")), kept[10])


def test_a_resumed_run_remembers_its_best_score():
    scores = {0: 20.0, 1: 21.0, 2: 25.0, 4: 22.0, 6: 24.0, 8: 23.0}
    for stop in (4, None):
        session = Session()
        if stop:
            session.stop_at(stop)
        try:
            session.fit(
                8,
                validate=lambda g, session=session: {"psnr": scores[session.trainer.step]},
                validate_every=2,
            )
        except TrainingStopped:
            best = weights(load_generator(LAB, best="psnr"))
    assert torch.equal(weights(load_generator(LAB, best="psnr")), best)


def test_nothing_in_a_run_folder_is_pickled():
    session = Session()
    session.fit(4, validate=lambda g: {"psnr": 1.0}, validate_every=2)
    files = [file for file in session.path.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if file.suffix in (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".npy", ".part")]
    assert not [file for file in files if file.read_bytes()[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04")]


# --- How many steps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("iters", [0, -1, 1.5])
def test_a_number_of_steps_that_makes_no_sense_is_refused(iters, home):
    with pytest.raises(SrlabError, match=f"at least 1, but is {iters}"):
        Session().fit(iters)
    assert not home.exists()


@pytest.mark.parametrize("iters", [6, 4])
def test_a_run_that_is_done_says_so_trains_nothing_and_stays_finished(capsys, iters):
    first = Session()
    fitted = first.fit(6)
    before = first.trainer.run.manifest()
    again = Session()
    returned = again.fit(iters, validate=lambda g: pytest.fail("validated"))
    assert f"already done 6 of {iters} steps; nothing to train" in capsys.readouterr().out
    assert again.losses == []
    assert torch.equal(weights(returned), weights(fitted))
    after = again.trainer.run.manifest()
    assert (after["state"], after["step"]) == ("finished", 6)
    assert after["metrics"] == before["metrics"]


def test_a_finished_run_can_be_extended_and_is_then_the_longer_run():
    Session().fit(4)
    longer = Session()
    longer.fit(8)
    assert len(longer.losses) == 4
    assert longer.bytes() == straight(8)


# --- Refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": {"loss": "MSE"}}, r"loss='L1' \(now 'MSE'\)"),
        ({"seed": 1}, r"seed=0 \(now 1\)"),
        ({"sampler": {"batch": 4}}, "sampler="),
        ({"sampler": {"degradation": Degradation(noise=0.1)}}, "sampler="),
        ({"network": SRResNet}, "generator=.*MSRResNet.*now.*SRResNet"),
        ({"network": lambda blocks, features: MSRResNet(blocks, 6)}, "generator="),
        ({"optimizer": torch.optim.SGD}, "optimizer=.*Adam.*now.*SGD"),
        ({"rate": 2e-3}, "optimizer=.*0.001.*now.*0.002"),
    ],
)
def test_a_run_is_not_resumed_with_other_settings_and_is_left_as_it_was(change, words):
    settings = {"recipe": {"loss": "L1"}}
    first = Session(**settings)
    first.fit(2)
    before = first.bytes(), (first.path / "run.json").read_bytes()
    with pytest.raises(SrlabError, match=words) as caught:
        Session(**(settings | change)).fit(4)
    assert "give this one another name" in str(caught.value)
    assert (first.bytes(), (first.path / "run.json").read_bytes()) == before


def test_a_run_in_use_is_refused():
    with Run(LAB, "default").lock(), pytest.raises(SrlabError, match="in use by another process"):
        Session().fit(2)


# --- NaN -----------------------------------------------------------------------------------------------------


def test_a_nan_loss_stops_the_run_names_the_step_and_keeps_the_last_good_state():
    session = Session()

    def step(lr, hr):
        losses = session.step(lr, hr)
        return losses | {"extra": torch.tensor(math.nan if session.trainer.step + 1 == 13 else 0.0)}

    assert LOG_EVERY == 10
    with pytest.raises(SrlabError, match="a loss became NaN or infinite at step 13; the state of step 12 is kept"):
        session.trainer.fit(step, session.sampler, 40, validate_every=12)
    assert session.trainer.run.manifest()["state"] == "failed"
    assert session.trainer.run.state_steps() == [6, 12]
    state = session.trainer.run.load_state()
    assert all(value.isfinite().all() for value in state.values() if isinstance(value, torch.Tensor))
    assert all(math.isfinite(value) for row in session.trainer.run.metrics() for value in row.values())
    assert weights(load_generator(LAB)).isfinite().all()


def test_an_infinite_loss_counts_as_nan_and_the_first_bad_step_is_named():
    session = Session()

    def step(lr, hr):
        session.step(lr, hr)
        return {"loss": torch.tensor({3: math.inf, 7: math.nan}.get(session.trainer.step + 1, 0.0))}

    with pytest.raises(SrlabError, match="at step 3; "):
        session.trainer.fit(step, session.sampler, 40)


@pytest.mark.parametrize("validates", [False, True])
def test_a_nan_weight_behind_a_finite_loss_is_caught_before_anything_is_scored_or_saved(validates):
    unseen = blobs(1, seed=1)
    session = Session()

    def step(lr, hr):
        session.step(lr, hr)
        if session.trainer.step + 1 == 5:
            session.network.tail[2].bias.data[0] = math.nan
        return {"loss": torch.tensor(0.5)}

    validate = (lambda g: {"psnr": score(g, unseen)["psnr"].mean()}) if validates else None
    with pytest.raises(SrlabError, match="a weight became NaN or infinite by step 8; the state of step 4 is kept"):
        session.trainer.fit(step, session.sampler, 40, validate=validate, validate_every=8)
    assert session.trainer.run.manifest()["state"] == "failed"
    assert session.trainer.run.state_steps()[-1] == 4
    assert weights(load_generator(LAB)).isfinite().all()


@pytest.mark.parametrize(("at", "state"), [(0, "running"), (9, "failed")])
def test_a_step_that_refuses_its_images_after_others_went_well_is_a_run_that_failed(at, state):
    session = Session()

    def step(lr, hr):
        if session.trainer.step == at:
            raise SrlabError("A discriminator judges images in [0, 1].")
        return session.step(lr, hr)

    with pytest.raises(SrlabError, match="judges images"):
        session.trainer.fit(step, session.sampler, 40)
    assert session.trainer.run.manifest()["state"] == state


# --- Stopping ------------------------------------------------------------------------------------------------

SCRIPT = f"""if True:
    import sys
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    from test_training import Session, TrainingStopped
    session = Session(sys.argv[1])
    session.before_step = lambda number: print("step", number, flush=True)
    try:
        session.fit(100_000, validate_every=100_000)
    except TrainingStopped as stopped:
        print("raised:", stopped)
        raise SystemExit(7)
"""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Two processes in training, one stopped by SIGINT and one by SIGTERM: exit code, output, home."""
    home = tmp_path_factory.mktemp("runs")
    environment = os.environ | {"SRLAB_HOME": str(home), "OMP_NUM_THREADS": "1"}
    processes = {
        number: subprocess.Popen(
            [sys.executable, "-c", SCRIPT, number.name],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    ended = {}
    try:
        for number, process in processes.items():
            for line in process.stdout:
                if line == "step 13\n":
                    break
            process.send_signal(number)
        for number, process in processes.items():
            ended[number] = (process.communicate(timeout=60)[0], process.returncode)
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    return home, ended


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 7), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_signal_lets_the_step_end_saves_and_says_how_to_go_on(stopped, monkeypatch, number, code):
    home, ended = stopped
    said, returncode = ended[number]
    assert returncode == code
    assert ("raised: Stopped at step" in said) == (number == signal.SIGINT)
    monkeypatch.setenv("SRLAB_HOME", str(home))
    run = Run(LAB, number.name)
    manifest, step = run.manifest(), run.state_steps()[-1]
    assert step >= 13
    assert f"Stopped at step {step} of 100000; everything is saved in {run.path}." in said
    assert "Run the same cell or command again to go on." in said
    assert (manifest["state"], manifest["step"]) == ("stopped", step)
    assert weights(load_generator(LAB, number.name)).isfinite().all()
    assert steps_of(run, "loss")[-1] == step
    with run.lock():
        pass


def test_tensorboard_has_everything_logged_before_a_sigterm(stopped, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    home, _ = stopped
    monkeypatch.setenv("SRLAB_HOME", str(home))
    run = Run(LAB, "SIGTERM")
    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == steps_of(run, "loss")


def test_a_stop_in_a_notebook_is_shown_as_one_sentence():
    session = Session()
    session.stop_at(3)
    with pytest.raises(KeyboardInterrupt) as caught:
        session.fit(9)
    assert isinstance(caught.value, TrainingStopped)
    assert caught.value._render_traceback_() == [str(caught.value)]
    assert "Stopped at step 3 of 9" in str(caught.value)


def test_signals_have_their_usual_effect_again_after_training():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    Session().fit(2)
    session = Session("other")
    session.stop_at(1)
    with pytest.raises(TrainingStopped):
        session.fit(2)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.fixture
def ctrl_c():
    """Ctrl-C as Python has it, also where the tests run in the background and a shell has switched it off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_a_second_ctrl_c_acts_at_once():
    caught_first = []

    def train():
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            caught_first.append(interrupts.caught)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        train()
    assert caught_first == [signal.SIGINT]
    assert not isinstance(caught.value, TrainingStopped)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# --- Going on bit for bit ------------------------------------------------------------------------------------


def fused(parameters, lr):
    return torch.optim.Adam(parameters, lr=lr, fused=True)


def momentum(parameters, lr):
    return torch.optim.SGD(parameters, lr=lr, momentum=0.9)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": fused},
        {"optimizer": momentum},
        {"network": SRResNet},
        {"network": SRResNet, "optimizer": fused, "precision": "bf16"},
        {"sampler": {"degradation": Degradation(blur=(0.2, 2), noise=(0, 0.1)), "rotate": 5.0}},
    ],
    ids=["Adam", "fused Adam", "SGD with momentum", "batch norm", "fused Adam in bf16", "noisy sampler"],
)
def test_a_stopped_run_goes_on_bit_for_bit(settings):
    fit = {"schedule": OneCycle(14), "validate_every": 8, "validate": lambda g: {"psnr": 1.0}}
    for stop in (3, 9):
        session = Session(**settings)
        session.stop_at(stop)
        with pytest.raises(TrainingStopped):
            session.fit(14, **fit)
    session = Session(**settings)
    session.fit(14, **fit)
    assert len(session.losses) == 5
    assert next(p for p in session.network.parameters() if p.ndim == 4).is_contiguous(memory_format=torch.channels_last)
    assert session.bytes() == straight(14, fit=fit, **settings)


def test_a_step_that_draws_global_random_numbers_goes_on_bit_for_bit():
    class Noisy(Session):
        def step(self, lr, hr):
            return super().step((lr + 0.1 * torch.randn_like(lr)).clamp(0, 1), hr)

    def weights_after(run, stops):
        for stop in stops:
            session = Noisy(run)
            session.stop_at(stop)
            with pytest.raises(TrainingStopped):
                session.fit(12)
        torch.rand(5)  # whatever else happened in the process
        session = Noisy(run)
        session.fit(12)
        return session.bytes()

    assert weights_after("stopped", (4, 9)) == weights_after("straight", ())


def test_two_networks_and_two_optimizers_go_on_bit_for_bit():
    class Critic(nn.Sequential):
        config = {}  # noqa: RUF012

    def adversarial(run, stop=None):
        torch.manual_seed(0)
        g, d = MSRResNet(1, 4), Critic(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3))
        optimizers = [torch.optim.Adam(network.parameters(), lr=1e-3) for network in (g, d)]
        trainer = Trainer("03_srgan", run, device="cpu", precision="no")
        g, d, g_opt, d_opt = trainer.prepare(generator=g, critic=d, g_opt=optimizers[0], d_opt=optimizers[1])

        def step(lr, hr):
            if trainer.step + 1 == stop:
                signal.raise_signal(signal.SIGINT)
            sr = g(lr)
            d_loss = F.softplus(-d(hr)).mean() + F.softplus(d(sr.detach())).mean()
            d_opt.zero_grad()
            trainer.backward(d_loss)
            d_opt.step()
            g_loss = F.l1_loss(sr, hr) + 0.1 * F.softplus(-d(sr)).mean()
            g_opt.zero_grad()
            trainer.backward(g_loss)
            g_opt.step()
            return {"g": g_loss, "d": d_loss}

        trainer.fit(step, PatchSampler(blobs(), patch=16, batch=2), 8)
        return (trainer.run.path / "generator.safetensors").read_bytes()

    with pytest.raises(TrainingStopped):
        adversarial("stopped", stop=4)
    assert adversarial("stopped") == adversarial("straight")


def test_running_the_cell_again_in_the_same_kernel_goes_on_bit_for_bit():
    session = Session()
    session.stop_at(5)
    with pytest.raises(TrainingStopped):
        session.fit(9)
    session.fit(9)
    assert session.bytes() == straight(9)


def test_a_step_that_fails_and_is_put_right_in_the_same_kernel_trains_as_if_nothing_had_been():
    for failing in (1, 4):
        session = Session(f"put-right-{failing}")

        def fail(number, failing=failing):
            if number == failing:
                raise NameError("a slip of the reader")

        session.before_step = fail
        with pytest.raises(NameError):
            session.fit(6)
        session.before_step = lambda number: None
        session.fit(6)
        assert session.bytes() == straight(6, f"straight-{failing}")


def test_a_trainer_whose_folder_was_deleted_does_not_go_on_from_its_trained_networks():
    session = Session()
    session.fit(3)
    shutil.rmtree(session.path)
    with pytest.raises(SrlabError, match=r"states of the run 'default' are gone.*run the cells"):
        session.fit(3)


def test_running_the_prepare_cell_again_changes_nothing():
    session = Session(precision="bf16")
    session.fit(3)
    session.network, session.raw_optimizer = session.generator, session.optimizer
    session.trainer = Trainer(LAB, "default", device="cpu", precision="bf16", ema=0.9)
    session.prepare()
    session.fit(6)
    assert session.bytes() == straight(6, precision="bf16")


def test_after_a_crash_each_step_is_logged_once():
    session = Session()
    with pytest.raises(ZeroDivisionError):
        session.fit(20, validate=lambda g: {"psnr": 1.0 / (session.trainer.step != 10)}, validate_every=10)
    again = Session()
    again.fit(20, validate=lambda g: {"psnr": 1.0}, validate_every=10)
    assert steps_of(again.trainer.run, "val_psnr") == [0, 2, 5, 10, 20]
    assert steps_of(again.trainer.run, "loss") == [2, 5, 10, 20]

    early = Session("early")
    with pytest.raises(ZeroDivisionError):
        early.fit(4, validate=lambda g: {"psnr": 1.0}, monitor=lambda trainer: 1 / 0)
    again = Session("early")
    again.fit(4, validate=lambda g: {"psnr": 1.0})
    assert steps_of(again.trainer.run, "val_psnr") == [0, 4]


# --- Precision -----------------------------------------------------------------------------------------------


def test_bf16_trains_in_bf16_and_returns_a_generator_that_computes_in_float32():
    session = Session(precision="bf16")
    seen = []
    session.network.blocks[0].conv1.register_forward_hook(lambda module, x, out: seen.append(out.dtype))
    fitted = session.fit(3)
    assert seen == [torch.bfloat16] * 3
    assert {p.dtype for p in fitted.parameters()} == {torch.float32}
    fitted.blocks[0].conv1.register_forward_hook(lambda module, x, out: seen.append(out.dtype))
    lr = torch.rand(1, 3, 6, 6)
    with torch.no_grad():
        assert torch.allclose(fitted(lr), load_generator(LAB)(lr), atol=1e-6)
    assert seen[3:] == [torch.float32]


def test_the_precision_can_change_within_a_process():
    alone = straight(3, "first")
    for number, precision in enumerate(("bf16", "no", "bf16")):
        session = Session(f"run{number}", precision=precision)
        session.fit(3)
        assert (session.bytes() == alone) == (precision == "no")
        assert session.trainer.run.manifest()["precision"] == precision


def test_a_network_trained_in_bf16_can_go_on_to_a_run_in_float32():
    session = Session(precision="bf16")
    session.fit(2)
    seen = []
    session.network.blocks[0].conv1.register_forward_hook(lambda module, x, out: seen.append(out.dtype))
    session.trainer = Trainer(LAB, "second", device="cpu", precision="no", ema=0.9)
    session.prepare()
    session.fit(2)
    assert seen == [torch.float32] * 2


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_a_compiled_network_gives_what_it_gave():
    torch.manual_seed(0)
    network, image = nn.Conv2d(3, 4, 1), torch.rand(1, 3, 4, 4)
    before = network(image)
    assert compile_networks([network], "default", torch.device("cpu")) == ""
    assert torch.allclose(network(image), before, atol=1e-6)
    assert list(network.state_dict()) == ["weight", "bias"]


def test_a_run_compiles_all_its_networks_in_the_way_asked_for_and_not_the_average(monkeypatch):
    modes = []
    monkeypatch.setattr(torch, "compile", lambda function, mode: modes.append(mode) or function)
    session = Session(compiled="max-autotune")
    session.fit(2)
    assert modes == ["max-autotune"] * 2, "a first try, and the one network"
    assert session.network._compiled_call_impl is not None
    assert session.trainer.ema._compiled_call_impl is None
    assert session.trainer.run.manifest()["compiled"] == "max-autotune"
    Session("plain").trainer.prepare(generator=session.network, optimizer=session.raw_optimizer)
    assert session.network._compiled_call_impl is None, "another trainer, which does not ask for it"


def test_where_nothing_can_be_compiled_the_run_goes_on_and_says_why(monkeypatch, capsys):
    def without_compiler(function, mode):
        raise RuntimeError("Failed to find C++ compiler. Please specify\nmore of it")

    monkeypatch.setattr(torch, "compile", without_compiler)
    session = Session(compiled="default")
    session.fit(2)
    assert "does not work here (Failed to find C++ compiler. Please specify); going on" in capsys.readouterr().out
    assert (session.trainer.step, session.trainer.run.manifest()["compiled"]) == (2, "")


def test_an_unknown_way_of_compiling_is_refused():
    with pytest.raises(SrlabError, match="Unknown mode 'fast' of compiling; choose one of default, reduce-overhead"):
        Session(compiled="fast")


def test_an_unknown_precision_is_refused():
    with pytest.raises(SrlabError, match="Unknown precision 'half'"):
        Trainer(LAB, "default", device="cpu", precision="half")


def test_gradient_scaler_state_comes_back_without_loss():
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**11)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    scaler.scale(optimizer.param_groups[0]["params"][0].sum()).backward()
    scaler.step(optimizer)
    scaler.update(1234.5678)
    other = torch.amp.GradScaler("cpu")
    checkpoints.Numbers(other).load_state_dict(checkpoints.Numbers(scaler).state_dict())
    assert other.state_dict() == scaler.state_dict()


def test_fp16_on_a_cpu_is_refused():
    with pytest.raises(SrlabError, match="fp16 needs a GPU"):
        pick_precision("fp16", torch.device("cpu"))


@pytest.mark.parametrize("result", [None, {}, 0.5])
def test_a_step_without_named_losses_gets_one_sentence(result):
    session = Session()
    with pytest.raises(SrlabError, match="must return its losses by name"):
        session.trainer.fit(lambda lr, hr: result, session.sampler, 2)


def test_losses_may_be_plain_numbers():
    session = Session()
    session.trainer.fit(lambda lr, hr: {"loss": 0.5}, session.sampler, 2)
    assert session.trainer.history[-1]["loss"] == 0.5


def test_the_trainers_own_names_cannot_be_taken():
    with pytest.raises(SrlabError, match="uses the name ema"):
        Session().trainer.prepare(generator=nn.Conv2d(3, 3, 1), ema=nn.Conv2d(3, 3, 1))


def test_opening_a_finished_run_changes_nothing_on_disk_and_still_draws():
    Session().fit(6)
    run = Run(LAB, "default")
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    drawn = []
    again = Session()
    again.trainer.fit(lambda lr, hr: pytest.fail("trained"), again.sampler, 3, monitor=drawn.append)
    assert drawn == [again.trainer]
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_the_state_is_saved_from_time_to_time_between_validations(monkeypatch):
    monkeypatch.setattr(training, "SAVE_EVERY_S", -1)
    session = Session()
    seen = []

    def step(lr, hr):
        seen.append(session.trainer.run.trained_steps())
        return {"loss": torch.zeros(())}

    session.trainer.fit(step, session.sampler, 25, validate_every=10**6)
    assert set(seen) == {0, LOG_EVERY, 2 * LOG_EVERY}


def test_fit_before_prepare_gets_one_sentence():
    with pytest.raises(SrlabError, match="Call prepare"):
        Trainer(LAB, "default", device="cpu").fit(lambda lr, hr: {}, None, 3)


@pytest.mark.parametrize("iters", [float("nan"), float("inf"), None, "5"])
def test_iters_that_are_no_number_get_one_sentence(iters):
    session = Session()
    with pytest.raises(SrlabError, match="must be at least 1"):
        session.trainer.fit(lambda lr, hr: {}, session.sampler, iters)


class Scaled:
    """Stands for the scaler of float16."""

    def scale(self, outputs):
        return outputs * 1024.0


@pytest.mark.parametrize(("factor", "norm"), [(1.0, 5.0), (1024.0, 5.0), (math.inf, 0.0)])
def test_the_norm_of_the_gradients_is_free_of_the_scale_of_float16(monkeypatch, factor, norm):
    session = Session()
    for parameter in session.network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    gradient = next(session.network.parameters()).grad
    gradient[0, 0, 0, :2] = torch.tensor([3.0, 4.0]) * factor
    if factor != 1:
        monkeypatch.setattr(session.trainer.accelerator, "scaler", Scaled())
    assert session.trainer.gradient_norm(session.network).item() == pytest.approx(norm)
