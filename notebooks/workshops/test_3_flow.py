"""Tests of workshop 3. Each states a promise of the specification, and after it a hint.

python -m pytest test_3_flow.py --mine my_file.py -k test_walk
"""

import copy
import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn


def random_image(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def downscaled(hr):
    return F.interpolate(hr, scale_factor=1 / 4, mode="bicubic", antialias=True)


# --- Flow ---------------------------------------------------------------------------------------


def moved(flow):
    """Add noise to all weights, because zeros would hide what other layers do."""
    with torch.no_grad():
        for weight in flow.parameters():
            inputs = weight[0].numel() if weight.ndim > 1 else 25
            weight += torch.randn_like(weight) * 0.5 / inputs**0.5
    return flow.eval()


def three_images():
    x, lr = 2 * random_image(3, 3, 48, 64) - 1, random_image(3, 3, 12, 16, seed=1)
    return {"x": x, "t": torch.tensor([0.2, 0.5, 0.7]), "lr": lr}


def velocity(flow, x, t, lr):
    with torch.no_grad():
        return flow(x.clone(), t.clone(), lr.clone())


def change(one, other):
    """Return how much two velocities differ, compared with their spread."""
    return ((one - other).square().mean().sqrt() / one.std()).item()


def idle(network, loss):
    """Train for some steps, and return the parameters that are unused, or stay 0 forever.

    Zeros hide the layers before them in the first step, and from each other forever.
    """
    learned, optimizer = set(), torch.optim.Adam(network.parameters(), 1e-3)
    parameters = {name: one for name, one in network.named_parameters() if one.requires_grad}
    for _ in range(6):
        optimizer.zero_grad()
        if (value := loss()).requires_grad:
            value.backward()
        grads = {name: one.grad for name, one in parameters.items() if one.grad is not None}
        learned |= {name for name, grad in grads.items() if grad.any()}
        optimizer.step()
    if not learned:
        return list(parameters)
    rest = [name for name in parameters if name not in learned]
    return [name for name in rest if parameters[name].grad is None or not parameters[name].any()]


@pytest.mark.parametrize("time", [0.0, 1.0])
@pytest.mark.parametrize("size", [(2, 8, 8), (1, 12, 16), (3, 20, 8)])
def test_flow_returns_a_velocity_for_each_pixel(mine, size, time):
    """flow(x, t, lr) has the shape of x, for images of any size, at t = 0 and at t = 1.

    Is Flow the class, and not an object of it? Is a number looked up that isn't there for t = 1?
    """
    count, height, width = size
    x, lr = random_image(count, 3, 4 * height, 4 * width), random_image(count, 3, height, width)
    result = mine.Flow()(x, torch.full((count,), time), lr)
    assert result.shape == x.shape
    assert result.dtype == torch.float32


@pytest.mark.parametrize("name", ["x", "t", "lr"])
def test_flow_depends_on_each_input_of_its_own_image(mine, name):
    """Another x, t or lr of the first image changes its velocity, and no other one.

    Does the forward pass use all three, and one time per image? Is anything mixed, or random in
    eval mode?
    """
    flow, inputs = moved(mine.Flow()), three_images()
    before = velocity(flow, **inputs)
    inputs[name][0] = 0.6 if name == "t" else 1 - inputs[name][0]
    after = velocity(flow, **inputs)
    assert change(before[:1], after[:1]) > 3e-3
    assert change(before[1:], after[1:]) < 1e-3


def test_flow_tells_the_start_from_the_end(mine):
    """The velocities at t = 0 and at t = 1 differ, and both are finite.

    Sines and cosines of whole turns are the same at 0 and 1. Is something divided by t or 1 - t?
    Both can be 0: keep it away from 0 with clamp(min=...).
    """
    flow, inputs = moved(mine.Flow()), three_images()
    first, last = (velocity(flow, inputs["x"], torch.full((3,), t), inputs["lr"]) for t in (0, 1.0))
    assert torch.cat([first, last]).isfinite().all().item()
    assert change(first, last) > 1e-4


def test_flow_is_aligned_with_lr(mine):
    """If the upper half of LR changes, the upper half of the velocity changes more than the lower.

    How do features become pixels? pixel_shuffle keeps places together, view and reshape don't.
    """
    flow, inputs = moved(mine.Flow()), three_images()
    before = velocity(flow, **inputs)
    inputs["lr"][0, :, :6] = random_image(3, 6, 16, seed=3)
    after = velocity(flow, **inputs)
    upper, lower = (before - after)[0].square().mean((0, 2)).sqrt().chunk(2)
    assert upper.mean().item() > 1.3 * lower.mean().item()


def test_flow_can_learn_with_every_parameter(mine):
    """Every parameter can learn.

    These never change. Are they unused, or is a detach or a round() after them? Two layers that
    start with zeros and are multiplied hide their gradients from each other.
    """
    flow, t = mine.Flow().train(), torch.linspace(0, 1, 8)
    x, target, lr = torch.rand(8, 3, 32, 32), torch.rand(8, 3, 32, 32), torch.rand(8, 3, 8, 8)
    never_change = idle(
        flow, lambda: (flow(2 * x - 1, t.clone(), lr.clone()) - target).square().mean()
    )
    assert never_change == []


def test_flow_has_all_it_draws_in_its_state_dict(mine):
    """With the state_dict of the first, a second Flow computes the same.

    Are layers in an nn.ModuleList, and random frequencies in a register_buffer?
    """
    flow, again = moved(mine.Flow()), mine.Flow().eval()
    first = velocity(flow, **three_images())
    again.load_state_dict(flow.state_dict())
    assert change(first, velocity(again, **three_images())) < 1e-3


# --- flow_loss ----------------------------------------------------------------------------------


class Known(nn.Module):
    """A flow with the same velocity everywhere, which writes down what it gets."""

    def __init__(self, value):
        super().__init__()
        self.value, self.calls = nn.Parameter(torch.tensor(value)), []

    def forward(self, x, t, lr):
        assert x.shape == (len(lr), 3, 4 * lr.shape[2], 4 * lr.shape[3])
        assert t.shape == (len(lr),)
        result = self.value.expand(x.shape).contiguous()
        result.retain_grad()
        self.calls.append((x.detach().clone(), t.detach().clone(), lr.detach().clone(), result))
        return result


def pairs(count=24):
    """Return pairs with more contrast from image to image."""
    hr = 0.5 + torch.linspace(0.1, 0.4, 24).view(-1, 1, 1, 1) * (
        2 * random_image(24, 3, 32, 48) - 1
    )
    return downscaled(hr)[:count], hr[:count]


def line(mine, lr, hr, seed=0, random=None):
    """Return x, t and lr that flow_loss passes, and the velocity that makes the loss smallest.

    A squared error has a slope that is linear in the velocity, so two values of it are enough.
    """
    random = random or torch.Generator().manual_seed(seed)
    state, slopes = random.get_state(), []
    for value in (0.0, 1.0):
        flow = Known(value)
        random.set_state(state)
        mine.flow_loss(flow, lr, hr, random).backward()
        x, t, given, results = (list(part) for part in zip(*flow.calls, strict=True))
        slopes.append(torch.cat([result.grad for result in results]))
    weight = slopes[1] - slopes[0]
    return (
        torch.cat(x),
        torch.cat(t).view(-1, 1, 1, 1),
        torch.cat(given),
        -slopes[0] / weight,
        weight,
    )


def ends(mine, lr, hr, seed=0):
    """Return where the line of each image begins and ends: noise at t = 0, data at t = 1."""
    x, t, _, speed, _ = line(mine, lr, hr, seed)
    return x - t * speed, x + (1 - t) * speed


def apart(one, other):
    return (one - other).square().mean().sqrt().item()


def test_loss_is_a_mean_with_a_gradient(mine):
    """It is a tensor () with a gradient: the mean over all pixels of the squared error, maybe with
    a weight that depends on the time.

    Do you sum over the pixels or the images? Then it depends on their number. Is something
    detached?
    """
    lr, hr = pairs()
    assert mine.flow_loss(Known(0.0), lr, hr, torch.Generator().manual_seed(0)).shape == ()
    *_, weight = line(mine, lr, hr)
    times_the_mean = (weight * weight.numel() / 2).median().item()
    assert times_the_mean < 20


def test_loss_passes_lr_as_it_is(mine):
    """The flow gets lr as it is, x with the shape of HR, and one time per image, from 0 to 1.

    Which lr do you pass?
    """
    lr, hr = pairs()
    _, t, given, *_ = line(mine, lr, hr)
    assert apart(given, lr) < 1e-5
    assert 0 <= t.min().item() <= t.max().item() <= 1


def test_loss_leads_to_the_same_data_from_any_noise(mine):
    """Data, the end of the line at t = 1, doesn't depend on the noise or on the time.

    x = (1 - t) noise + t data, with one t in all pixels. What is its derivative with respect to t?
    """
    (_, data), (_, again) = (ends(mine, *pairs(), seed=seed) for seed in (0, 1))
    assert apart(data, again) < 0.03


def test_loss_leads_to_data_that_is_not_that_of_the_batch(mine):
    """Data of an image is the same in another batch.

    Is a scale or a mean computed from the batch? It has to be a constant.
    """
    (_, data), (_, again) = ends(mine, *pairs()), ends(mine, *pairs(12))
    assert apart(data[:12], again) < 0.03


def test_loss_leads_to_data_of_hr(mine):
    """Another HR has other data.

    Data is HR, or what HR has more than upscaled LR.
    """
    lr, hr = pairs()
    (_, data), (_, other) = ends(mine, lr, hr), ends(mine, lr, hr.flip(0))
    assert apart(data, other) > 1e-3


def check_standard_normal(noise):
    """Check that noise has the mean 0 and the standard deviation 1, and is new in each pixel."""
    assert noise.mean().item() == pytest.approx(0, abs=0.05)
    assert noise.std().item() == pytest.approx(1, abs=0.05)
    assert noise.pow(4).mean().item() == pytest.approx(3, abs=0.5)  # uniform noise: 1.8
    for dimension in range(4):  # images, channels, rows, columns
        correlation = (noise * noise.roll(1, dimension)).mean().item()
        assert len(noise) == 1 or correlation == pytest.approx(0, abs=0.05)


def test_loss_starts_with_noise(mine):
    """At t = 0 there is standard normal noise, new for each image, channel and pixel.

    Which shape do you pass to torch.randn? Is the velocity data - noise, and t = 0 at noise?
    """
    noise, _ = ends(mine, *pairs())
    check_standard_normal(noise)


def test_loss_draws_with_random(mine):
    """`random` decides: the same state gives the same noise and times, and the next call others.

    Draw both with generator=random, and don't seed it.
    """
    random = torch.Generator().manual_seed(0)
    first, second = (line(mine, *pairs(), random=random) for _ in range(2))
    again = line(mine, *pairs())
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], second[0])


def test_loss_draws_a_time_per_image_from_everywhere(mine):
    """Each image has its own time, and the times come from everywhere between 0 and 1.

    Draw one per image. A network only learns times that it has seen, so a short list isn't enough.
    """
    flow, random = Known(0.0), torch.Generator().manual_seed(0)
    for _ in range(40):
        mine.flow_loss(flow, *pairs(), random)
    times = torch.cat([t for _, t, *_ in flow.calls])
    assert times.min().item() < 0.1
    assert times.max().item() > 0.9
    assert len(times.unique()) > len(times) / 5


# --- walk ---------------------------------------------------------------------------------------


class Velocity(nn.Module):
    """Return a velocity that is known on paper, and write down what each forward pass gets."""

    def __init__(self, velocity):
        super().__init__()
        self.velocity, self.calls = velocity, []
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x, t, lr):
        self.calls.append((x.detach().clone(), t.detach().clone(), lr))
        return self.weight * self.velocity(x, t.view(-1, 1, 1, 1))


LR = random_image(2, 3, 8, 8)


def noise():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("steps", [1, 2, 20])
@pytest.mark.parametrize("velocity", [1.0, -5.0])
def test_walk_with_constant_velocity_moves_by_it(mine, steps, velocity):
    """With a constant velocity, it ends where that leads in a time of 1, with any number of steps.

    Do the lengths of your steps sum to 1? Is x only changed by velocity times length?
    """
    end = mine.walk(Velocity(lambda x, t: velocity + 0 * x), noise(), LR, steps)
    assert (end - noise() - velocity).abs().max().item() < 1e-4


def test_walk_with_velocity_t_moves_by_a_half(mine):
    """With the velocity t, it moves by a half.

    Is the time a share from 0 to 1, or the number of a step?
    """
    end = mine.walk(Velocity(lambda x, t: t + 0 * x), noise(), LR, 100)
    assert (end - noise() - 0.5).abs().max().item() < 0.02


@pytest.mark.parametrize("steps", [1, 4])
def test_walk_passes_the_time_of_the_place(mine, steps):
    """Each forward pass gets lr, a place, and the time of this place, one per image; a step takes
    one or two.

    Begin at t = 0, and pass lr on. With the velocity 1, print x and t of each call: they have to be
    equal, also in the second call of a step.
    """
    flow = Velocity(lambda x, t: torch.ones_like(x))
    mine.walk(flow, torch.zeros(2, 3, 32, 32), LR, steps)
    assert steps <= len(flow.calls) <= 2 * steps
    for x, t, lr in flow.calls:  # from 0 with velocity 1, the place is the time
        assert torch.equal(lr, LR)
        assert t.shape == (2,)
        assert x[:, 0, 0, 0].tolist() == pytest.approx(t.tolist(), abs=1e-5)
        assert x.std((1, 2, 3)).max().item() < 1e-5


@pytest.mark.parametrize("training", [True, False])
def test_walk_leaves_its_arguments_as_they_are(mine, training):
    """It leaves the noise and the mode of the flow as they are.

    `x += ...` writes into the caller's tensor. Which line makes a new one? If you switch the mode,
    do you restore it?
    """
    start, flow = noise(), Velocity(lambda x, t: torch.ones_like(x)).train(training)
    mine.walk(flow, start, LR, 3)
    assert torch.equal(start, noise())
    assert flow.training == training


def test_walk_builds_no_graph(mine):
    """It builds no graph.

    Which block builds no graphs?
    """
    end = mine.walk(Velocity(lambda x, t: torch.ones_like(x)), noise(), LR, 3)
    assert not end.requires_grad


# --- sample -------------------------------------------------------------------------------------


class Straight(nn.Module):
    """A flow that leads straight from where x begins to an image, and writes down what it gets."""

    def __init__(self, image=None):
        super().__init__()
        self.layer, self.one = nn.Identity(), nn.Parameter(torch.ones(()))
        self.image, self.notes = image, SimpleNamespace(start=None, lr=None, modes=set())

    def forward(self, x, t, lr):
        assert not x.requires_grad, "a graph is built"
        self.notes.modes |= {module.training for module in self.modules()}
        self.notes.lr = lr
        if self.notes.start is None:
            self.notes.start = x.clone()
        return self.one * (0 * x if self.image is None else self.image - self.notes.start)

    def __deepcopy__(self, memo):  # of a sampler that leaves the mode of the flow as it is
        other = Straight(self.image)
        other.notes = self.notes
        return other


def test_sampler_starts_with_noise(mine):
    """It starts with standard normal noise from `random`, in the shape of HR.

    Draw it with torch.randn, or normal_, and generator=random.
    """
    flow = Straight()
    mine.sample(flow, random_image(1, 3, 24, 24), 1, torch.Generator().manual_seed(0))
    assert flow.notes.start.shape == (1, 3, 96, 96)
    check_standard_normal(flow.notes.start)


def test_sampler_draws_new_noise_for_each_image(mine):
    """The same state of `random` gives the same images. In a batch, and in the next call, the same
    LR image gets other noise.

    Don't seed `random`, and draw one number per image, channel and pixel.
    """
    lr, random = random_image(1, 3, 8, 8).repeat(2, 1, 1, 1), torch.Generator().manual_seed(0)
    first, second = (mine.sample(Straight(), lr, 1, random) for _ in range(2))
    again = mine.sample(Straight(), lr, 1, torch.Generator().manual_seed(0))
    assert apart(first, again) == 0
    assert apart(first, second) > 0
    assert apart(first[0], first[1]) > 0


@pytest.mark.parametrize("steps", [1, 4, 10])
def test_sampler_returns_an_image(mine, steps):
    """If the flow leads to what your flow_loss makes of HR, the result is HR.

    Undo what flow_loss does to HR, from lr only, and with the same scale.
    """
    (lr, hr), random = pairs(1), torch.Generator().manual_seed(1)
    _, data = ends(mine, lr, hr)
    sr = mine.sample(Straight(data), lr, steps, random)
    assert sr.shape == hr.shape
    assert (sr - hr).abs().max().item() < 5e-3


def test_sampler_passes_lr_as_flow_loss_does(mine):
    """The flow gets the lr that it gets in training.

    Which lr do you pass to walk?
    """
    lr, _ = pairs(1)
    flow = Straight()
    mine.sample(flow, lr, 1, torch.Generator().manual_seed(0))
    assert torch.equal(flow.notes.lr, lr)


@pytest.mark.parametrize("training", [True, False])
def test_sampler_runs_in_eval_mode_without_a_graph(mine, training):
    """The flow runs in eval mode and without a graph, and each of its layers has its mode back.

    Remember flow.training, and restore it with train(mode), which reaches every layer.
    """
    flow = Straight().train(training)
    sr = mine.sample(flow, random_image(1, 3, 8, 8), 3, torch.Generator().manual_seed(0))
    assert not sr.requires_grad
    assert flow.notes.modes == {False}
    assert {module.training for module in flow.modules()} == {training}


# --- train_flow ---------------------------------------------------------------------------------


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
    flow, losses = module.train_flow(shapes(), iters, 0, **paused)
    assert isinstance(flow, nn.Module)
    return copy.deepcopy(flow), [float(loss) for loss in losses]


def distance(one, other):
    a, b = one.state_dict(), other.state_dict()
    moves = [(a[name] - b[name]).double().flatten() for name in a if a[name].is_floating_point()]
    return torch.cat(moves).norm().item()


def test_train_flow_repeats_with_the_same_seed(mine):
    """It returns the loss of each step, all finite, and the same seed gives the same run. `stop`
    ends the call early.

    Return what `fit` returns. Seed PyTorch before you create the network, and the torch.Generator.
    """
    (_, first), (_, again) = train(mine, 1, 3), train(mine, 2, 3, stop=2)
    assert (len(first), len(again)) == (3, 2)
    assert all(map(math.isfinite, first)), first
    assert again == pytest.approx(first[:2], rel=1e-6)


def test_train_flow_draws_a_new_batch_in_each_step(mine):
    """Each step gets a new batch.

    Create the torch.Generator once, before the first step.
    """
    own_loss, batches = mine.flow_loss, []

    def noted(flow, lr, *rest):
        batches.append(lr.double().sum().item())
        return own_loss(flow, lr, *rest)

    mine.flow_loss = noted
    train(mine, 1, 4)
    assert len(set(batches)) == 4


def test_train_flow_improves_the_flow(mine):
    """After 9 steps, the loss of the flow that you return is smaller than after 2.

    Does the optimizer have its parameters, and does it take steps? Do you return an average of the
    weights that is very slow?
    """
    hr = torch.stack([photo[:, :96, :96] for photo in shapes().values()])
    errors = []
    for iters in (2, 9):
        flow, _ = train(mine, 1, iters)
        random = torch.Generator().manual_seed(0)
        with torch.no_grad():
            errors.append(mine.flow_loss(flow.eval(), downscaled(hr), hr, random).item())
    assert errors[1] < (1 - 1e-4) * errors[0]


def test_train_flow_leaves_all_in_the_weights(mine, mine_again):
    """In a new process, a new Flow with the weights draws the same samples.

    Does training set a global variable, such as a scale? A new process has that of the file.
    """
    flow, lr = moved(train(mine, 1, 2)[0]), random_image(1, 3, 8, 8)
    there = mine_again.Flow()
    there.load_state_dict(flow.state_dict())
    here = mine.sample(flow, lr, 2, torch.Generator().manual_seed(0))
    again = mine_again.sample(there.eval(), lr, 2, torch.Generator().manual_seed(0))
    assert change(here, again) < 1e-4


def test_train_flow_ends_like_a_run_that_never_stopped(mine, mine_again, tmp_path):
    """After a pause, the weights end where those of a run without a pause end.

    What changes from step to step, such as the random numbers? All of it belongs in the checkpoint.
    Is the schedule over `iters`, and not over `stop`?
    """
    straight, losses = train(mine, 1, 9)
    paused, first = train(mine, 2, 9, file=tmp_path / "run.pt", stop=6)
    resumed, rest = train(mine_again, 3, 9, file=tmp_path / "run.pt")
    assert (len(first), len(rest)) == (6, 3)
    apart = distance(resumed, straight) / distance(straight, paused)
    assert apart < 1e-3, f"losses after the pause: {rest}, without a pause: {losses[6:]}"
