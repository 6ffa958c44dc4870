"""Tests of workshop 2. Each states a promise of the specification, and after it a hint.

python -m pytest test_2_adversary.py --mine my_file.py -k test_gan_step
"""

import copy
import math
import os
from contextlib import suppress
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parameters_to_vector


def random_image(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


# --- Checkpoint ---------------------------------------------------------------------------------


def new_parts(seed):
    """Return a network with batch norm, its optimizer and schedule, and random numbers."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1))
    optimizer = torch.optim.Adam(network.parameters(), 0.01 * seed)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    random = torch.Generator().manual_seed(seed)
    return {"network": network, "optimizer": optimizer, "schedule": schedule, "random": random}


def take_steps(parts, count):
    network, optimizer, schedule, random = parts.values()
    for _ in range(count):
        optimizer.zero_grad()
        network(torch.rand(2, 3, 5, 5, generator=random)).square().mean().backward()
        optimizer.step()
        schedule.step()


def state_of(part):
    state = part.get_state() if isinstance(part, torch.Generator) else part.state_dict()
    return copy.deepcopy(state)


def equal(a, b):
    try:
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    except AssertionError:
        return False
    return True


def load_in_a_new_process(module, file):
    """Load the file into new objects; return the number of steps, or None if that's an error."""
    with suppress(Exception):
        return module.Checkpoint(file, new_parts(seed=3)).load()
    return None


def test_checkpoint_starts_at_0(mine, tmp_path):
    """Without a file, load() returns 0.

    No step has been taken yet.
    """
    assert mine.Checkpoint(str(tmp_path / "run.pt"), new_parts(seed=1)).load() == 0


def test_checkpoint_writes_its_file(mine, tmp_path):
    """save() writes exactly the file that Checkpoint gets, a string or a Path.

    Does Path(file) turn both into a Path?
    """
    for file in (tmp_path / "run.pt", str(tmp_path / "text.pt")):
        mine.Checkpoint(file, new_parts(seed=1)).save(2)
    assert {"run.pt", "text.pt"} <= {file.name for file in tmp_path.iterdir()}


@pytest.mark.parametrize("name", ["network", "optimizer", "schedule", "random"])
def test_checkpoint_restores_each_part(mine, mine_again, tmp_path, name):
    """load() restores what save() wrote, in new objects, in place.

    Is its state in the file? Batch norm's running statistics are in state_dict(), and not in
    parameters(). A global variable is empty in a new process.
    """
    parts = new_parts(seed=1)
    take_steps(parts, 3)
    mine.Checkpoint(tmp_path / "run.pt", dict(parts)).save(3)
    saved = state_of(parts[name])
    take_steps(parts, 1)  # the file must not change with them
    others = new_parts(seed=2)
    take_steps(others, 2)
    mine_again.Checkpoint(tmp_path / "run.pt", dict(others)).load()
    assert equal(state_of(others[name]), saved)


def test_checkpoint_returns_the_steps(mine, mine_again, tmp_path):
    """load() returns the number of steps that save() got.

    Is it in the file?
    """
    mine.Checkpoint(tmp_path / "run.pt", new_parts(seed=1)).save(3)
    assert mine_again.Checkpoint(tmp_path / "run.pt", new_parts(seed=2)).load() == 3


class FullDisk:
    """A part that can't be saved: the write stops in the middle, as if the disk were full."""

    def state_dict(self):
        return {"first": torch.zeros(9), "second": self}

    def __reduce__(self):
        raise OSError("No space left on device")


def test_checkpoint_survives_a_write_that_stops(mine, mine_again, tmp_path):
    """A write that stops halfway leaves the previous checkpoint.

    Write another file first. Which function of os puts it in the place of the old one at once?
    """
    file, parts = tmp_path / "run.pt", new_parts(seed=1)
    mine.Checkpoint(file, dict(parts)).save(3)
    with suppress(OSError):
        mine.Checkpoint(file, parts | {"too much": FullDisk()}).save(6)
    assert load_in_a_new_process(mine_again, file) == 3


def test_checkpoint_replaces_the_old_file_at_once(mine, tmp_path):
    """The new file takes the place of the old one: it isn't written or copied over it.

    During a copy, the old checkpoint is gone, and the new one is half there.
    """
    file, parts = tmp_path / "run.pt", new_parts(seed=1)
    mine.Checkpoint(file, dict(parts)).save(2)
    os.link(file, tmp_path / "old.pt")  # the old file under another name
    old = (tmp_path / "old.pt").read_bytes()
    mine.Checkpoint(file, dict(parts)).save(3)
    assert (tmp_path / "old.pt").read_bytes() == old


class Trap:
    """An object that runs code when a file with it is loaded: it creates a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_checkpoint_loads_states_only(mine, tmp_path):
    """load() doesn't run code that is in a file.

    Save state_dict() and get_state(), not the objects, and load with weights_only=True.
    """
    torch.save(Trap(tmp_path / "folder"), tmp_path / "run.pt")
    load_in_a_new_process(mine, tmp_path / "run.pt")
    assert not (tmp_path / "folder").exists()


def test_checkpoint_rejects_a_damaged_file(mine, tmp_path):
    """A damaged file isn't a new run: load() raises an error.

    Return 0 only if there is no file. A run that begins again overwrites what could be saved.
    """
    (tmp_path / "run.pt").write_bytes(b"PK")
    assert load_in_a_new_process(mine, tmp_path / "run.pt") is None


# --- Saving in between --------------------------------------------------------------------------


def test_saving_every_100_steps(mine):
    """fit also saves in between: of 250 steps, at most 100 pass without a save.

    A power cut doesn't wait for the end of a call. Count all steps.
    """
    saves = []
    mine.fit(lambda: 0.0, 250, SimpleNamespace(load=lambda: 0, save=saves.append))
    assert max(later - earlier for earlier, later in pairwise([0, *saves, 250])) <= 100


# --- Resuming -----------------------------------------------------------------------------------


def shapes():
    """Return four gray photos of dark and bright shapes, which a network learns quickly."""
    photos = {}
    for k in range(4):
        spots = F.interpolate(
            random_image(1, 1, 20, 16 + k, seed=k), scale_factor=16, mode="bicubic"
        )
        photos[f"{k}.png"] = (0.2 + 0.6 * (spots > 0.5).float())[0].expand(3, -1, -1)
    return photos


def train(module, process, iters, **paused):
    """Train as in a new process, whose random numbers begin differently."""
    torch.manual_seed(process)
    network, losses = module.train(shapes(), iters, 0, **paused)
    return copy.deepcopy(network), losses


def train_gan(module, process, iters, network=None, **paused):
    torch.manual_seed(0)
    network = network or module.Generator()
    torch.manual_seed(process)
    gan, log = module.train_gan(shapes(), network, iters, 0, **paused)
    return copy.deepcopy(gan), log


def distance(one, other):
    a, b = one.state_dict(), other.state_dict()
    moved = [(a[name] - b[name]).double().flatten() for name in a if a[name].is_floating_point()]
    return torch.cat(moved).norm().item()


def test_resuming_counts_all_steps(mine, mine_again, tmp_path):
    """train(..., file, stop=2) takes 2 steps, and the next call takes the rest.

    Does fit get a Checkpoint(file, ...) and stop?
    """
    _, first = train(mine, 1, 3, file=tmp_path / "run.pt", stop=2)
    _, rest = train(mine_again, 2, 3, file=tmp_path / "run.pt")
    assert (len(first), len(rest)) == (2, 1)


def test_resuming_ends_like_a_run_that_never_stopped(mine, mine_again, tmp_path):
    """After a pause, the weights end where those of a run without a pause end.

    Does the first loss after the pause differ? Then think of weights, random numbers, and batches
    drawn ahead. Only the second? Optimizer, schedule (over `iters`, not `stop`), old gradients.
    Neither? An average of the weights, or batch norm. A global variable isn't in the file.
    """
    straight, losses = train(mine, 1, 9)
    paused, _ = train(mine, 2, 9, file=tmp_path / "run.pt", stop=6)
    resumed, rest = train(mine_again, 3, 9, file=tmp_path / "run.pt")
    lost = distance(resumed, straight) / distance(
        straight, paused
    )  # share of what came after the pause
    assert lost < 1e-3, f"losses after the pause: {rest}, without a pause: {losses[6:]}"


def test_resuming_leaves_a_finished_run(mine, mine_again, tmp_path):
    """Another call of a finished run takes no step.

    The call that reaches `iters` ends with a checkpoint, too.
    """
    train(mine, 1, 2, file=tmp_path / "run.pt")
    _, more = train(mine_again, 2, 2, file=tmp_path / "run.pt")
    assert len(more) == 0


# --- Discriminator, d_loss, g_loss --------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 64), (96, 128)])
def test_adversary_judges_images_of_any_size(mine, size):
    """D maps images (N, 3, H, W) to logits, one or more per image; the first dimension is N.

    Does a view or a linear layer expect one size? Do you average over the images?
    """
    logits = mine.Discriminator()(random_image(2, 3, *size))
    assert logits.shape[:1] == (2,)
    assert logits.dtype == torch.float32


def test_adversary_returns_logits(mine):
    """D returns logits, not probabilities: those of 16 new networks aren't all between 0 and 1.

    Does D end in a sigmoid? The loss has it already, and twice it teaches very slowly.
    """
    image = random_image(2, 3, 64, 64)
    logits = torch.cat([mine.Discriminator()(image).detach().flatten() for _ in range(16)])
    assert logits.min().item() <= 0 or logits.max().item() > 1


@pytest.mark.parametrize("logit", [0.5, 200.0])
def test_adversary_d_loss_teaches_d(mine, logit):
    """d_loss, a tensor (), falls if D's logits for HR rise, or those for SR fall, also where D is
    very wrong, with logits of -200 for HR and 200 for SR.

    Which argument belongs to HR? Is a half missing? The sigmoid of 200 is exactly 1 in float32,
    and the logarithm of 0 isn't finite: compute the loss from logits.
    """
    real = torch.full((2, 1), -logit, requires_grad=True)
    fake = torch.full((2, 1), logit, requires_grad=True)
    loss = mine.d_loss(real, fake)
    loss.backward()
    assert loss.shape == ()
    assert math.isfinite(loss.item())
    assert real.grad.sum().item() < 0
    assert fake.grad.sum().item() > 0


class Judge(nn.Module):
    """A D whose logit is a weighted sum of an image's mean color."""

    def __init__(self, red, green, blue, logit=0.0):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([red, green, blue]))
        self.logit = nn.Parameter(torch.tensor(logit))

    def forward(self, image):
        return (image.mean((2, 3)) * self.weights).sum(1, keepdim=True) + self.logit


@pytest.mark.parametrize("logit", [0.0, -200.0])
def test_adversary_g_loss_rewards_sr_that_fools_d(mine, logit):
    """Where SR equals HR, g_loss, a tensor (), falls if D's logit of SR rises, also where SR
    leaves [0, 1], and where D is sure: its logit is -200.

    Check the sign, and that no detach and no clamp is on the way. The sigmoid of -200 is 0, with
    no slope: compute the loss from logits. Call D as discriminator(sr), because it's another D.
    """
    color = torch.tensor([0.4, 0.5, -0.2]).view(1, 3, 1, 1)
    sr = color.expand(2, 3, 64, 64).clone().requires_grad_()
    loss = mine.g_loss(sr, sr.detach().clone(), Judge(1.0, -1.0, 1.0, logit))
    loss.backward()
    red, green, blue = (-sr.grad.sum((0, 2, 3))).tolist()  # the direction of a step
    assert loss.shape == ()
    assert red > 0
    assert green < 0
    assert blue > 0


def test_adversary_g_loss_keeps_sr_near_hr(mine):
    """If D can't tell, g_loss is smaller for SR equal to HR than for HR turned around.

    D only knows what photos look like. What ties SR to this photo, and each place to its place?
    """
    hr = random_image(2, 3, 64, 64)
    turned, equal = (mine.g_loss(sr, hr, Judge(0.0, 0.0, 0.0)).item() for sr in (hr.flip(2, 3), hr))
    assert turned > equal + 1e-6


# --- gan_step -----------------------------------------------------------------------------------


class OneWeight(nn.Module):
    """Multiply by one weight, and write down inputs and modes."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.inputs, self.modes, self.graphs = [], [], []

    def forward(self, x):
        self.inputs.append(x.detach().clone())
        self.modes.append(self.training)
        self.graphs.append(torch.is_grad_enabled())
        return self.weight * x


def d_loss(real, fake):
    return (fake - real).mean()


def g_loss(sr, hr, discriminator):
    return -discriminator(sr).mean()


LR, HR = torch.tensor([1.0]), torch.tensor([3.0])


def steps(mine, count, d_loss=d_loss, g_loss=g_loss):
    """Take steps from v = 1 and w = 2 with a rate of 0.1; return G, D and the losses of each."""
    g, d = OneWeight(1.0), OneWeight(2.0)
    optimizers = [torch.optim.SGD(network.parameters(), lr=0.1) for network in (g, d)]
    return g, d, [mine.gan_step(g, d, *optimizers, LR, HR, d_loss, g_loss) for _ in range(count)]


def test_gan_step_first_step_as_on_paper(mine):
    """D takes its step first. G learns from the updated D, and from nothing else.

    Each half is zero_grad, backward and one optimizer's step. In D's half, SR is data. In G's half,
    g_loss runs D again, and its gradient goes through D's output into G. Which of these lines is
    missing, or in the wrong half?
    """
    g, d, _ = steps(mine, 1)
    assert d.weight.item() == pytest.approx(2.2)  # 2 - 0.1 (1 - 3)
    assert g.weight.item() == pytest.approx(1.22)  # 1 + 0.1 * 2.2


def test_gan_step_second_step_as_on_paper(mine):
    """Nothing is left over: the second step doesn't notice the first.

    backward adds to .grad, and G's backward fills the .grad of D, too. When do you clear which? If
    you freeze D, where do you thaw it?
    """
    g, d, _ = steps(mine, 2)
    assert d.weight.item() == pytest.approx(2.378)  # 2.2 - 0.1 (1.22 - 3)
    assert g.weight.item() == pytest.approx(1.4578)  # 1.22 + 0.1 * 2.378


def test_gan_step_returns_the_losses_of_before(mine):
    """It returns D's loss and G's, each from before the update that it causes.

    Which comes first, and do you compute one of them again after a step?
    """
    _, _, [(of_d, of_g)] = steps(mine, 1)
    assert float(of_d) == pytest.approx(-4)  # 2 (1 - 3)
    assert float(of_g) == pytest.approx(-2.2)


def test_gan_step_returns_no_graph(mine):
    """Both are numbers without a graph.

    A loss with its graph keeps all activations of the step in memory. What does loss.item() return?
    """
    _, _, [losses] = steps(mine, 1)
    assert not any(getattr(loss, "requires_grad", False) for loss in losses)


def test_gan_step_runs_in_training_mode(mine):
    """Both networks arrive in training mode, run in it and stay in it.

    Where do you call eval()?
    """
    g, d, _ = steps(mine, 1)
    assert all(g.modes)
    assert all(d.modes)
    assert g.training
    assert d.training


def test_gan_step_calls_d_loss_once_with_both_logits(mine):
    """d_loss, the one that the step gets, is called once, with D's logits for HR and for SR as they
    are.

    A relativistic loss compares the two, so it can't be called for each. Do you clamp an image?
    """
    given = []
    _, d, _ = steps(
        mine, 1, lambda real, fake: given.append((real.item(), fake.item())) or d_loss(real, fake)
    )
    assert given == [(6.0, 2.0)]  # 2 * 3 and 2 * 1
    assert set(torch.cat(d.inputs).tolist()) == {1, 3}


def test_gan_step_passes_sr_and_hr_to_g_loss(mine):
    """g_loss, the one that the step gets, compares SR with HR.

    Most losses of G add a pixel loss, which is 0 if both images are the same. Which two do you
    pass?
    """
    given = []
    steps(
        mine, 1, g_loss=lambda sr, hr, d: given.append((sr.item(), hr.item())) or g_loss(sr, hr, d)
    )
    assert given == [(1.0, 3.0)]


def test_gan_step_builds_one_graph_of_g(mine):
    """G builds one graph per step, its most expensive part.

    If D's half runs G a second time, does it do so under no_grad?
    """
    g, _, _ = steps(mine, 1)
    assert 1 <= len(g.modes) <= 2
    assert g.graphs.count(True) == 1


# --- train_gan ----------------------------------------------------------------------------------


def numbers(log):
    """Return all numbers of a log, whose entries may be tuples, lists or dicts."""
    found = []
    for entry in log:
        entry = entry.values() if isinstance(entry, dict) else entry
        found += [float(one) for one in entry] if hasattr(entry, "__iter__") else [float(entry)]
    return found


def test_train_gan_leaves_network_as_it_is(mine):
    """`network` keeps its weights, its mode and its requires_grad: a copy of it is trained.

    What does copy.deepcopy(network) return? Is the mode switched in the copy only?
    """
    network = mine.Generator().eval()
    before = copy.deepcopy(network)
    train_gan(mine, 1, 2, network)
    assert distance(network, before) == 0
    assert not any(module.training for module in network.modules())
    assert [one.requires_grad for one in network.parameters()] == [
        one.requires_grad for one in before.parameters()
    ]


def test_train_gan_copies_any_network(mine):
    """`network` may be of another class than your Generator.

    Without workshop 1, it is the course's. What copies any object?
    """
    other = nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), nn.PixelShuffle(4))
    gan, _ = train_gan(mine, 1, 1, other)
    assert gan.state_dict().keys() == other.state_dict().keys()


def test_train_gan_trains_both_networks(mine):
    """Both networks arrive at gan_step in training mode, and each step moves D; in the end, G has
    moved.

    Do the optimizers have the parameters of the copy and of D, and a learning rate above 0?
    """
    own_step, modes, moves = mine.gan_step, [], []

    def noted(generator, discriminator, *rest):
        both = (*generator.modules(), *discriminator.modules())
        modes.append(all(module.training for module in both))
        before = parameters_to_vector(discriminator.parameters()).detach().clone()
        result = own_step(generator, discriminator, *rest)
        after = parameters_to_vector(discriminator.parameters())
        moves.append((after - before).abs().max().item())
        return result

    mine.gan_step = noted
    network = mine.Generator().eval()
    gan, _ = train_gan(mine, 1, 2, network)
    assert modes == [True, True]
    assert min(moves) > 0
    assert distance(gan, network) > 0


def test_train_gan_repeats_with_the_same_seed(mine):
    """It returns the losses of each step, all finite, and the same seed gives the same run.

    Seed PyTorch before you create D. Does the torch.Generator of the pairs get the seed?
    """
    (_, first), (_, again) = (train_gan(mine, process, 2) for process in (1, 2))
    assert len(first) == 2
    assert all(map(math.isfinite, numbers(first))), first
    assert numbers(again) == pytest.approx(numbers(first), rel=1e-6)


def test_train_gan_draws_a_new_batch_in_each_step(mine):
    """Each step gets a new batch.

    Create the torch.Generator once, before the first step.
    """
    own_step, batches = mine.gan_step, []

    def noted(*scene):
        batches.append(scene[5].double().sum().item())
        return own_step(*scene)

    mine.gan_step = noted
    train_gan(mine, 1, 4)
    assert len(set(batches)) == 4


def test_train_gan_ends_like_a_run_that_never_stopped(mine, mine_again, tmp_path):
    """After a pause, the weights end where those of a run without a pause end.

    There are two networks and two optimizers. Does a layer draw random numbers, such as noise in D?
    They come from torch.default_generator. Do you return an average of the weights?
    """
    straight, log = train_gan(mine, 1, 6)
    paused, first = train_gan(mine, 2, 6, file=tmp_path / "run.pt", stop=4)
    resumed, rest = train_gan(mine_again, 3, 6, file=tmp_path / "run.pt")
    assert (len(first), len(rest)) == (4, 2)
    lost = distance(resumed, straight) / distance(
        straight, paused
    )  # share of what came after the pause
    assert lost < 1e-3, f"losses after the pause: {rest}, without a pause: {log[4:]}"
