"""Test steps that are recorded as CUDA graphs: on a GPU, or on the CPU with a fake that records."""

import random
import weakref

import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab import losses
from srlab.models import MSRResNet, PatchDiscriminator, RRDBNet
from srlab.training import cuda_graph
from srlab.training import trainer as training
from srlab.training.cuda_graph import AS_WRITTEN
from srlab.training.wrapping import repeated_blocks

from .fake_cuda import FakeCuda
from .little_run import Crash, LittleRun, tensors_in, timeless

CALLS = AS_WRITTEN + 3  # of a recorded step: another one as written, for the comparison, and two recordings
RATE = 2**-10  # the same number in float32 and in float64
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def fused_adam(parameters, lr):
    return torch.optim.Adam(parameters, RATE, fused=True)


@pytest.fixture(autouse=True)
def cuda(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    if DEVICE == "cpu":
        FakeCuda(monkeypatch)


class Recorded(LittleRun):
    """A little run with a rate that changes in the middle, noise that fades, and no batch norm."""

    def __init__(self, run="recorded", launch="graph", optimizer=fused_adam, gan=None, **settings):
        settings = {"network": lambda: MSRResNet(2, 4), "rate": RATE, "device": DEVICE} | settings
        settings["sampler"] = {"degradation": None, "device": DEVICE}
        super().__init__(run, launch=launch, optimizer=optimizer, gan=gan, **settings)
        self.calls, self.extra = 0, lambda lr: 0.0

    def step(self, lr, hr):
        self.calls += 1
        noise = 0.1 * (1 - self.trainer.progress)
        lr = lr + noise * torch.randn_like(lr) + self.extra(lr)
        if self.discriminator:
            turn = self.trainer.turn == self.trainer.turns - 1
            return self.gan_step(lr, hr, turn, noise=0.1)
        loss, optimizer = F.mse_loss(self.things["generator"](lr), hr), self.things["optimizer"]
        optimizer.zero_grad()
        self.trainer.backward(loss)
        optimizer.step()
        return {"loss": loss}

    def fit(self, iters=24, **settings):
        settings = {
            "schedule": lambda step: 1.0 if step < 12 else 0.5,
            "validate": None,
            "validate_every": 20,
        } | settings
        super().fit(iters, **settings)
        return self


def state_of(little):
    state = tensors_in(little.trainer._state_dict(little.sampler))
    if little.trainer.turns == 1:  # otherwise they are those of the turn that was recorded last
        state |= {f"gradient of {name}": weight.grad for name, weight in little.network.named_parameters()}
    return state


def written_and_recorded(change, iters=24, **settings):
    """Train a run as written and a recorded run, after a change to each."""
    runs = [Recorded("written", "python", **settings), Recorded(**settings)]
    for little in runs:
        random.seed(0)
        change(little)
        little.fit(iters)
    return runs


def assert_same(first, second):
    for name, value in state_of(first).items():
        assert torch.equal(value, state_of(second)[name]), name
    rows = [[timeless(row) for row in little.run.metrics()] for little in (first, second)]
    assert rows[0] == rows[1]


def gan():
    return PatchDiscriminator(4)


@pytest.mark.parametrize("gan", [None, gan])
def test_recorded_run_equals_run_as_written(gan, capsys):
    written, recorded = Recorded("written", "python", gan=gan).fit(), Recorded(gan=gan).fit()
    assert recorded.calls == CALLS
    assert_same(written, recorded)
    assert [little.run.manifest()["recorded"] for little in (written, recorded)] == [False, True]
    assert cuda_graph.WARNING not in capsys.readouterr().out, "the first replay starts from another state"


def test_recorded_run_resumes_with_same_bits():
    straight, stopped = Recorded("straight").fit(), Recorded()
    average = stopped.trainer._update_average

    def crash():
        average()
        if stopped.trainer.steps_done == 13:  # the last checkpoint is of step 10
            raise Crash

    stopped.trainer._update_average = crash
    with pytest.raises(Crash):
        stopped.fit()
    assert stopped.calls == CALLS
    assert_same(straight, Recorded().fit())


def test_second_fit_and_other_code_find_rates_that_are_numbers():
    little = Recorded().fit(12)
    assert type(little.raw_optimizer.param_groups[0]["lr"]) is float
    little.fit(24)
    assert (little.trainer.steps_done, little.raw_optimizer.param_groups[0]["lr"]) == (24, RATE / 2)


def test_each_turn_has_its_own_recording():
    written, recorded = Recorded("written", "python", gan=gan, turns=2).fit(), Recorded(gan=gan, turns=2).fit()
    assert recorded.calls == 2 * (CALLS)
    assert_same(written, recorded)


def count(little):
    return lambda lr: 0.3 * little.calls


def alternate(little):
    return lambda lr: lr - 0.5 if little.calls % 2 else 0.5 - lr


def read_step(little):
    return lambda lr: 0.0 * little.trainer.steps_done


def draw(little):
    return lambda lr: random.random() * 1e-3


def wait(little):
    return lambda lr: lr.mean().item() * 1e-3


def lack_memory(little, turn=0, calls=0):
    def extra(lr):
        if torch.cuda.is_current_stream_capturing() and little.trainer.turn == turn and little.calls > calls:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return 0.0

    return extra


def lack_memory_again(little):
    return lack_memory(little, calls=CALLS - 1)


def note_agreements(little, elsewhere=()):
    """Return a list of the reasons in all agreements, whose last one is that of another process if `elsewhere`."""
    reasons = []

    def common(reason):
        reasons.append(elsewhere[len(reasons)] if elsewhere else reason)
        return reasons[-1]

    little.trainer._common = common
    return reasons


@pytest.mark.parametrize(
    ("extra", "agreements", "reason"),
    [
        (count, 3, "a replay has a different loss than the step itself, which depends on a value in Python"),
        (alternate, 3, "a replay has a different update than the step itself, which depends on a value in Python"),
        (read_step, 2, "it reads trainer.steps_done, which would never change (use trainer.progress)"),
        (draw, 2, "it draws random numbers on the CPU"),
        (wait, 1, "it waits for a number from the GPU, as .item() does"),
        (lack_memory, 2, "the recording stopped (CUDA out of memory. Tried to allocate 2 GiB)"),
        (lack_memory_again, 4, "the recording stopped (CUDA out of memory. Tried to allocate 2 GiB)"),
    ],
)
def test_step_that_cannot_be_recorded_trains_as_written(capsys, extra, agreements, reason):
    reasons = []

    def change(little):
        little.extra = extra(little)
        reasons[:] = [note_agreements(little)]

    runs = written_and_recorded(change)
    assert f"Each step is trained as written, not as a CUDA graph, because {reason}." in capsys.readouterr().out
    assert reasons == [[""] * (agreements - 1) + [reason]], "other processes wait for this one"
    if extra not in (count, alternate, draw):  # the recording was a call, too
        assert_same(*runs)
    assert runs[1].run.manifest()["recorded"] is False


@pytest.mark.parametrize("agreed", range(4))
def test_reason_of_another_process_counts(capsys, agreed):
    written, recorded = Recorded("written", "python").fit(), Recorded()
    elsewhere = [""] * agreed + ["another process cannot"]
    reasons = note_agreements(recorded, elsewhere)
    recorded.fit()
    assert reasons == elsewhere, "this process waits for others that do not come"
    assert "because another process cannot." in capsys.readouterr().out
    assert_same(written, recorded)


@pytest.mark.parametrize("extra", [None, alternate, lack_memory_again])
def test_memory_of_a_recording_is_given_back_before_the_next(monkeypatch, extra):
    make, empty, graphs, counts = torch.cuda.CUDAGraph, torch.cuda.empty_cache, weakref.WeakSet(), []

    def new_graph():
        counts.append(len(graphs))
        graphs.add(graph := make())
        return graph

    def empty_cache():
        counts.append(len(graphs))
        empty()

    monkeypatch.setattr(torch.cuda, "CUDAGraph", new_graph)
    monkeypatch.setattr(torch.cuda, "empty_cache", empty_cache)
    little = Recorded()
    if extra:
        little.extra = extra(little)
    little.fit()
    assert counts == ([0, 0, 0] if extra == lack_memory_again else [0, 0])


def plain_sgd(parameters, lr):
    return torch.optim.SGD(parameters, lr)


class NoState(torch.optim.Adam):
    """An optimizer that keeps no state."""

    def step(self, closure=None):
        with torch.no_grad():
            for parameter in self.param_groups[0]["params"]:
                parameter -= self.param_groups[0]["lr"] * parameter.grad


@pytest.mark.parametrize(
    ("optimizer", "reason"),
    [
        (plain_sgd, "SGD, which has no option capturable, would keep its first learning rate"),
        (NoState, "NoState has no state so far"),
    ],
)
def test_optimizer_that_cannot_be_recorded(capsys, optimizer, reason):
    runs = [Recorded(run, launch, optimizer).fit() for run, launch in (("written", "python"), ("recorded", "graph"))]
    assert f"because {reason}." in capsys.readouterr().out
    assert_same(*runs)


def test_number_that_is_not_on_the_gpu(capsys):
    little = Recorded()
    step = little.step
    little.step = lambda lr, hr: step(lr, hr) | {"weight": 0.5}
    little.fit()
    assert "because 'weight', which it returns, is not a tensor on the GPU." in capsys.readouterr().out
    assert little.trainer.history[-1]["weight"] == 0.5


def test_counter_that_changes_little_is_reported(capsys):
    def count_slowly(little):
        little.extra = lambda lr: 1e-4 * little.calls

    runs = written_and_recorded(count_slowly, iters=AS_WRITTEN + 1)
    assert cuda_graph.WARNING in capsys.readouterr().out
    assert runs[1].run.manifest()["recorded"], "operations that are not deterministic look the same"
    assert_same(*runs)  # the step as written counts, not its replay


def test_no_turn_is_recorded_if_another_cannot_be(capsys):
    runs = [Recorded(run, launch, gan=gan, turns=2) for run, launch in (("written", "python"), ("recorded", "graph"))]
    for little in runs:
        little.extra = lack_memory(little, turn=1)
        little.fit()
    assert capsys.readouterr().out.count("the recording stopped (CUDA out of memory") == 1
    assert_same(*runs)


def test_turns_that_add_up_gradients_are_not_recorded(capsys):
    def accumulate(little):
        def step(lr, hr):
            loss = F.mse_loss(little.things["generator"](lr), hr)
            if little.trainer.turn == 0:
                little.things["optimizer"].zero_grad()
            little.trainer.backward(loss)
            if little.trainer.turn == 1:
                little.things["optimizer"].step()
            return {"loss": loss}

        little.step = step

    runs = written_and_recorded(accumulate, turns=2)
    assert "because its turns add up gradients." in capsys.readouterr().out
    assert_same(*runs)


def test_gradients_of_a_failed_recording_are_not_used():
    def accumulate(little):
        def step(lr, hr):
            loss, optimizer = F.mse_loss(little.things["generator"](lr), hr), little.things["optimizer"]
            clears = little.trainer._steps_done % 2  # also the step that is recorded
            if clears:
                optimizer.zero_grad()
            little.trainer.backward(loss)
            if not clears:
                optimizer.step()
            return {"loss": loss, "weight": 0.5}  # which cannot be recorded

        little.step = step

    assert AS_WRITTEN % 2
    assert_same(*written_and_recorded(accumulate))


def test_gradients_that_add_up_in_one_turn_are_recorded(capsys):
    def accumulate(little):
        little.things["optimizer"].zero_grad = lambda: None

    runs = written_and_recorded(accumulate)
    assert_same(*runs)
    assert runs[1].run.manifest()["recorded"]
    assert cuda_graph.WARNING not in capsys.readouterr().out, "the first replay starts from other gradients"


def test_other_losses_in_each_step(capsys):
    little = Recorded()
    step = little.step
    little.step = lambda lr, hr: {f"loss{little.calls}": step(lr, hr)["loss"]}
    little.fit()
    assert "because it does not return the same losses each time." in capsys.readouterr().out


def test_small_network_that_a_recording_does_not_update(capsys):
    little = Recorded(gan=lambda: PatchDiscriminator(16))
    optimizer = little.things["g_optimizer"]
    update = optimizer.step
    optimizer.step = lambda: None if torch.cuda.is_current_stream_capturing() else update()
    little.fit()
    assert "because a replay has a different update than the step itself" in capsys.readouterr().out


def test_shift_of_content_loss_changes_in_replays():
    features = srlab.FeatureExtractor("vgg6 relu1_1").to(DEVICE)
    runs = []
    for run, launch in (("written", "python"), ("recorded", "graph")):
        runs.append(little := Recorded(run, launch))
        little.extra = lambda lr: losses.content_loss(features, lr, 1 - lr, max_shift=2)
        little.fit()
    assert_same(*runs)
    assert runs[1].run.manifest()["recorded"]


def test_only_the_comparison_is_deterministic(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    little, modes = Recorded(), []
    little.extra = lambda lr: modes.append(torch.backends.cudnn.deterministic) or 0.0
    little.fit()
    assert modes == [False] * AS_WRITTEN + [True, True, False]


def recorded_in_float16(before_update):
    """Return a recorded step, its scaler, whose scale every step doubles, and ones as a batch."""
    network, scaler = torch.nn.Linear(1, 1).to(DEVICE), torch.amp.GradScaler(DEVICE, 1.0, growth_interval=1)
    optimizer = fused_adam(network.parameters(), RATE)

    def step(lr, hr):
        optimizer.zero_grad()
        loss = F.mse_loss(network(lr), hr)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        before_update()
        scaler.update()
        return {"loss": loss}

    recorded = cuda_graph.RecordedStep(step, [network], [optimizer], torch.cuda.Stream(), scaler=scaler)
    return recorded, scaler, torch.ones(1, 1, device=DEVICE)


def test_overflow_in_float16_postpones_recording():
    recorded, scaler, ones = recorded_in_float16(lambda: None)
    for number in range(AS_WRITTEN + 2):
        assert recorded.recordings == [None], f"at step {number}"
        recorded(ones, ones * torch.inf if number == AS_WRITTEN else ones)
    assert recorded.recordings != [None]
    assert scaler.get_scale() == 2**AS_WRITTEN, "an overflow halves it"
    recorded(ones, ones * torch.inf)
    assert scaler.get_scale() == 2 ** (AS_WRITTEN - 1)


def test_training_in_float16_continues_after_a_failed_recording():
    def fail():
        if torch.cuda.is_current_stream_capturing():
            raise ValueError

    recorded, scaler, ones = recorded_in_float16(fail)
    for _ in range(AS_WRITTEN + 2):
        recorded(ones, ones)
    assert recorded.reason == "the recording stopped (ValueError)"
    assert scaler.get_scale() == 2 ** (AS_WRITTEN + 2)


def test_network_without_parameters():
    little = Recorded()
    little.prepare(features=torch.nn.Identity())
    assert little.fit().run.manifest()["recorded"]


def test_auto_compiles_blocks_only_in_long_runs_on_a_gpu(monkeypatch):
    compiled = []
    monkeypatch.setattr(training, "compile_in_place", lambda modules, device: compiled.extend(modules) or "")
    monkeypatch.setattr(training, "PAYS_FROM", 10)
    short, long = Recorded("short", "auto").fit(9), Recorded("long", "auto").fit(10)
    assert compiled == list(long.network.blocks)
    manifests = [little.run.manifest() for little in (short, long)]
    assert [(about["compiled"], about["recorded"]) for about in manifests] == [("", True), ("blocks", True)]
    monkeypatch.setattr(training, "RECORDS_ON", "another")
    cpu = Recorded("cpu", "auto").fit(10).run.manifest()
    assert (cpu["compiled"], cpu["recorded"]) == ("", False)


def test_graph_without_a_gpu_trains_as_written(monkeypatch, capsys):
    monkeypatch.setattr(training, "RECORDS_ON", "another")
    little = Recorded().fit(4)
    assert f"A CUDA graph needs a GPU. On the {DEVICE}, each step is trained as written." in capsys.readouterr().out
    assert little.run.manifest()["recorded"] is False


def test_blocks_that_repeat():
    own = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.Conv2d(3, 3, 1), Pair(), Pair(), torch.nn.ReLU())
    assert list(repeated_blocks(own)) == [own[2], own[3]]
    network = RRDBNet(2, 8, 4)
    assert list(repeated_blocks(network)) == list(network.body)
    assert list(repeated_blocks(PatchDiscriminator(4))) == []


class Pair(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.ReLU(), torch.nn.ReLU())
