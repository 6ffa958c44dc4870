"""Test the checks of workshop 3: right styles keep each promise, and known mistakes break the right one."""

import math

import pytest
import torch

from srlab.data.resampling import downsample, upsample
from srlab_course.feedback.exercise import IncorrectAnswer
from srlab_course.workshops import check_samples, load
from srlab_course.workshops.parts import PARTS

from .files import FILES, joined

FLOW = (FILES / "mine_3.py").read_text(encoding="utf-8")
FLOW = FLOW.replace("num_blocks=6, features=64", "num_blocks=1, features=16")
FLOW = FLOW.replace(
    "        x = F.pixel_un", "        image = x\n        x = F.pixel_un"
)  # styles and mistakes need it
START = joined(2)  # what workshop 3 continues with


@pytest.fixture
def promises(tmp_path):
    """Return a function that checks a part of the reference, with some of its text replaced."""

    def promises(part: str, *replacements: tuple[str, str]) -> list[tuple[bool, str, str]]:
        flow = FLOW
        for old, new in replacements:
            assert flow.count(old) == 1, f"{old!r} occurs {flow.count(old)} times"
            flow = flow.replace(old, new)
        file = tmp_path / "mine.py"
        file.write_text(f"{START}\n\n{flow}", encoding="utf-8")
        try:
            return list(PARTS[part].promises(load(file), tmp_path))
        except (IncorrectAnswer, IndexError, RuntimeError, TypeError) as wrong:  # errors are printed, too
            return [(False, ". ".join([*getattr(wrong, "__notes__", ()), str(wrong)]), "")]

    with torch.random.fork_rng(devices=[]):
        yield promises


CLASS = FLOW[FLOW.index("class Flow(") : FLOW.index("def flow_loss(")]
LOSS = FLOW[FLOW.index("def flow_loss(") : FLOW.index("def walk(")]
SAMPLE = FLOW[FLOW.index("def sample(") : FLOW.index("def train_flow(")]
EULER = "            x = x + flow(x, t, lr) / steps\n"
TO_DATA, TO_IMAGE = "(hr - upscaled(lr)) / DETAIL", "upscaled(lr) + DETAIL * x"
VELOCITY = "F.pixel_shuffle(self.last(F.silu(features)) + noisy, SCALE)"
CHANNEL = """class Flow(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(7, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.1)),
            nn.Conv2d(16, 3, 3, padding=1),
        )

    def forward(self, x, t, lr):
        plane = t.view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
        return self.layers(torch.cat([x, upscaled(lr), plane], dim=1))


"""
UNET = """class Flow(nn.Module):
    def __init__(self, features=16):
        super().__init__()
        self.register_buffer("frequencies", torch.randn(8))
        self.time = nn.Linear(16, 2 * features)
        self.head = nn.Conv2d(6, features, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(features, features, 4, 2, 1) for _ in range(4))
        self.middle = nn.MultiheadAttention(features, 2, batch_first=True)
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * features, features, 4, 2, 1) for _ in range(4))
        self.norm = nn.GroupNorm(4, features)
        self.last = nn.Conv2d(2 * features, 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.time.weight)

    def forward(self, x, t, lr):
        angles = 6.28 * t[:, None] * self.frequencies
        scale, shift = self.time(torch.cat([angles.sin(), angles.cos()], 1))[:, :, None, None].chunk(2, 1)
        kept = [self.head(torch.cat([x, upscaled(lr)], 1))]
        for down in self.down:
            kept.append(F.silu(down(kept[-1])))
        x = self.norm(kept[-1]) * (1 + scale) + shift
        tokens = x.flatten(2).transpose(1, 2)
        x = x + self.middle(tokens, tokens, tokens)[0].transpose(1, 2).view_as(x)
        for up in self.up:
            x = F.silu(up(torch.cat([x, kept.pop()], 1)))
        return self.last(torch.cat([x, kept.pop()], 1))


"""
HEUN = """            v = flow(x, t, lr)
            if step < steps - 1:
                v = (v + flow(x + v / steps, t + 1 / steps, lr)) / 2
            x = x + v / steps
"""
HEUN_TO_THE_END = """            v = flow(x, t, lr)
            x = x + (v + flow(x + v / steps, t + 1 / steps, lr)) / 2 / steps
"""
MIDPOINT = """            middle = x + flow(x, t, lr) / (2 * steps)
            x = x + flow(middle, t + 0.5 / steps, lr) / steps
"""
UNEVEN = """            t, end = (torch.full((len(lr),), (k / steps) ** 2) for k in (step, step + 1))
            x = x + flow(x, t, lr) * (end - t).view(-1, 1, 1, 1)
"""
COPY = """def sample(flow, lr, steps, random):
    flow = copy.deepcopy(flow).eval().requires_grad_(False)
    times, x = torch.linspace(0, 1, steps + 1), torch.empty(len(lr), 3, *(4 * n for n in lr.shape[2:]))
    x.normal_(generator=random)
    for t, end in zip(times, times[1:]):
        x = x + (end - t) * flow(x, t.expand(len(lr)), lr)
    return (upscaled(lr) + DETAIL * x).clamp(0, 1)


"""
MSE = "    return F.mse_loss(velocity, data - noise)\n"
TIME = "    t = torch.rand(len(data), generator=random)\n"
RETURN = FLOW[FLOW.index("    parts = {") :]


def averaged(rate):
    """Return the end of `train_flow` with an average, which moves by a share of the way in each step."""
    return f"""    average = copy.deepcopy(flow)

    def moved():
        loss = step()
        for a, b in zip(average.parameters(), flow.parameters()):
            a.data.lerp_(b.data, {rate})
        return loss

{RETURN.replace("flow, fit(step", "average, fit(moved").replace("}", ', "average": average}')}"""


# A right style -> what to replace in the reference.
STYLES = {
    "the reference": (),
    "velocity, time as a channel, batch norm and dropout": (
        (CLASS, CHANNEL),
        ('"random": random}', '"random": random, "dropout": torch.default_generator}'),
    ),
    "a slow average of the weights": ((RETURN, averaged(1e-3)),),
    "a U-Net with attention, random frequencies and zeros": ((CLASS, UNET),),
    "velocity from data": ((VELOCITY, f"({VELOCITY} - image) / (1 - t).clamp(min=0.05).view(-1, 1, 1, 1)"),),
    "x added at late times": ((VELOCITY, f"{VELOCITY} + t.view(-1, 1, 1, 1) ** 4 * image"),),
    "HR as data": ((TO_DATA, "hr"), (TO_IMAGE, "x")),
    "HR from -1 to 1 as data": ((TO_DATA, "2 * hr - 1"), (TO_IMAGE, "((x + 1) / 2).clamp(0, 1)")),
    "detail without a scale": ((TO_DATA, "hr - upscaled(lr)"), (TO_IMAGE, "upscaled(lr) + x")),
    "Heun": ((EULER, HEUN),),
    "Heun to the end": ((EULER, HEUN_TO_THE_END),),
    "midpoint": ((EULER, MIDPOINT),),
    "uneven steps": ((EULER, UNEVEN),),
    "a copy in eval mode": ((SAMPLE, COPY),),
    "logit-normal times": ((TIME, "    t = torch.randn(len(data), generator=random).sigmoid()\n"),),
    "a thousand times": ((TIME, "    t = torch.randint(1000, (len(data),), generator=random) / 1000\n"),),
    "stratified times": (
        (TIME, "    t = (torch.arange(len(data)) + torch.rand(len(data), generator=random)) / len(data)\n"),
    ),
    "weights by time": ((MSE, "    return ((velocity - data + noise).square() * (1 - part * 0.9)).mean()\n"),),
    "the error of the data that it leads to": (
        (MSE, "    x = (1 - part) * noise + part * data\n    return F.mse_loss(x + (1 - part) * velocity, data)\n"),
    ),
    "a little noise left in data": (
        ("(1 - part) * noise", "(1 - (1 - 1e-3) * part) * noise"),
        (MSE, "    return F.mse_loss(velocity, data - (1 - 1e-3) * noise)\n"),
    ),
    "image by image": (
        (
            LOSS,
            LOSS.replace("flow_loss", "loss_of_one")
            + """def flow_loss(flow, lr, hr, random):
    return torch.stack([loss_of_one(flow, lr[n : n + 1], hr[n : n + 1], random) for n in range(len(lr))]).mean()


""",
        ),
    ),
}


ALSO_TRAINED = [*STYLES][:5]  # the others take too long


@pytest.mark.parametrize("style", STYLES)
def test_right_style_keeps_all_promises(style, promises):
    for part in [*PARTS][-5:] if style in ALSO_TRAINED else [*PARTS][-5:-1]:
        broken = [line for line in promises(part, *STYLES[style]) if not line[0]]
        assert not broken, (part, broken)


X = "(1 - part) * noise + part * data"
NORMAL, ONE_TIME = "torch.randn(data.shape, generator=random)", "torch.rand(len(data), generator=random)"
START_X = "torch.randn(upscaled(lr).shape, generator=random)"
T = "torch.full((len(x),), step / steps)"
LAST = "self.last = nn.Conv2d(features, 3 * SCALE**2, 3, padding=1)"
BATCH = "*sample_pairs(photos, 8, 12, random), random)"
# Part -> mistakes: what to replace, what by, a part of the promise that breaks, and of its hint.
MISTAKES = {
    "flow": [
        ("nn.ModuleList(TimedBlock(features) for _ in range(num_blocks))", "[TimedBlock(features)]",
         "is kept and learns", "nn.ModuleList"),
        ("torch.arange(1, 17, device=t.device)", "self.__dict__.setdefault('waves', torch.randn(16))",
         "is kept and learns", "register_buffer"),
        ("angles = 3.14 * t", "angles = 3.14 * t.mean().expand(len(t))", "has its own velocity", "per image"),
        ("angles = 3.14 * t", "angles = 3.14 * t[:1].expand(len(t))", "has its own velocity", "per image"),
        ("angles = 3.14 * t", "angles = 3.14 * t.long()", "has its own velocity", "use all three"),
        ("angles = 3.14 * t", f"angles = {2 * math.pi} * t", "t = 0 and t = 1 differ by", "whole turns"),
        ("angles = 3.14 * t", "angles = torch.rand(9)[(9 * t).long()]", "(2, 3, 32, 32), and t = 1. index 9", ""),
        (VELOCITY, f"{VELOCITY} - image / (1 - t).view(-1, 1, 1, 1)", "at t = 0 and 1, except at t = 1", "clamp"),
        ("features = self.head(", "features = torch.zeros(12, 12) + self.head(",
         "x is (2, 3, 32, 32), and t = 0. The size", ""),
        ("4 * lr - 2", "0 * lr", "has its own velocity", "use all three"),
        ("unshuffle(x, SCALE)", "unshuffle(0 * x, SCALE)", "has its own velocity", "use all three"),
        (VELOCITY, "(self.last(F.silu(features)) + noisy).reshape(image.shape)", "is aligned", "pixel_shuffle"),
        (LAST, f"{LAST}; self.more = nn.Linear(3, 3)", "more.weight", "used"),
        (VELOCITY, "F.pixel_shuffle(self.last.weight.mean() * "
         "(self.last(F.silu(features)) - self.last.bias[:, None, None]) + noisy, SCALE)",
         "in 6 steps there is no gradient for", "are multiplied"),
        ("return x + self.conv2(", "return x + x.mean((0, 2, 3), keepdim=True).sigmoid() * self.conv2(",
         "has its own velocity", "mixed"),
        ("block(features, time)", "block(features, time).detach()", "is kept and learns", "detached"),
        ("return x + self.conv2(", "return x.mean(0) + self.conv2(", "has its own velocity", "mixed"),
        (VELOCITY, f"{VELOCITY}[..., 1:]", "should have the shape", ""),
        (VELOCITY, f"F.dropout({VELOCITY}, 0.5)", "has its own velocity", "random"),
        (VELOCITY, f"({VELOCITY}, t)", "should be a tensor, but it is a tuple", ""),
        ("def flow_loss(", "Flow = Flow()\n\n\ndef flow_loss(", "positional argument", ""),
    ],
    "flow loss": [
        (X, "part * noise + (1 - part) * data", "on a straight line", "at the time 1 - t"),
        ("data - noise)", "noise - data)", "on a straight line", "wrong sign"),
        ("data - noise)", "data)", "on a straight line", "Your target is data"),
        ("data - noise)", "noise)", "on a straight line", "derivative"),
        (X, "noise + part * data", "on a straight line", "derivative"),
        (X, "(1 - part).sqrt() * noise + part.sqrt() * data", "on a straight line", "derivative"),
        (ONE_TIME, "torch.rand(1, generator=random).expand(len(data))", "`random` decides", "one time per image"),
        (ONE_TIME, "torch.full((len(data),), 0.5)", "`random` decides", "one time per image"),
        (ONE_TIME, "torch.linspace(0, 1, len(data))", "`random` decides", "Draw"),
        (ONE_TIME, "torch.rand(len(data))", "`random` decides", "generator=random"),
        (ONE_TIME, "torch.randint(99, (len(data),), generator=random).float()", "`random` decides", "between 0 and 1"),
        (ONE_TIME, "torch.randn(len(data), generator=random)", "`random` decides", "between 0 and 1"),
        (ONE_TIME, "torch.randint(20, (len(data),), generator=random) / 20", "20 for 1020", "a short list"),
        (ONE_TIME, "0.1 * torch.rand(len(data), generator=random)", "`random` decides", "everywhere"),
        (ONE_TIME, "0.8 * torch.rand(len(data), generator=random)", "`random` decides", "everywhere"),
        (ONE_TIME, "0.9 * torch.rand(len(data), generator=random)", "`random` decides", "everywhere"),
        (ONE_TIME, "0.1 + 0.9 * torch.rand(len(data), generator=random)", "`random` decides", "everywhere"),
        (ONE_TIME, "0.2 + 0.8 * torch.rand(len(data), generator=random)", "`random` decides", "everywhere"),
        ("/ DETAIL\n    noise", "/ (hr - upscaled(lr)).std()\n    noise", "on a straight line", "constant"),
        ("t.view(-1, 1, 1, 1)", "torch.rand(data.shape, generator=random)", "on a straight line", "one t in all"),
        ("t.view(-1, 1, 1, 1)", "t.flip(0).view(-1, 1, 1, 1)", "on a straight line", "derivative"),
        ("t.view(-1, 1, 1, 1)", "t", "The size of tensor a", ""),
        (NORMAL, "torch.randn(data.shape)", "`random` decides", "generator=random"),
        (NORMAL, "torch.randn(data.shape, generator=random.manual_seed(0))", "`random` decides", "seed"),
        (NORMAL, "torch.rand(data.shape, generator=random)", "there is noise", "randn"),
        (NORMAL, "3.46 * (torch.rand(data.shape, generator=random) - 0.5)", "there is noise", "randn"),
        (NORMAL, "0.5 * torch.randn(data.shape, generator=random)", "there is noise", "randn"),
        (NORMAL, "torch.randn(data[:1].shape, generator=random)", "of neighboring images 0.95", "per image"),
        (NORMAL, "torch.randn(data[:, :1].shape, generator=random)", "there is noise", "channel"),
        (NORMAL, "torch.randn((len(data), 3, 1, 1), generator=random)", "there is noise", "pixel"),
        ("F.mse_loss(velocity", "F.l1_loss(velocity", "isn't a squared error", ""),
        ("F.mse_loss(velocity", "F.smooth_l1_loss(velocity", "isn't a squared error", ""),
        ("F.mse_loss(velocity", "F.mse_loss(velocity.detach()", "sends no gradient", ""),
        ("data - noise)", "data - noise, reduction='none')", "should have the shape ()", ""),
        ("data - noise)", "data - noise).item()", "should be a tensor, but it is float", ""),
        ("part * data, t, lr)", "part * data, part, lr)", "The t of", ""),
        ("part * data, t, lr)", "part * data, t, upscaled(lr))", "The x of", ""),
        ("part * data, t, lr)", "part * data, t, lr.flip(0))", "Data comes from HR", "as it is"),
        ("part * data, t, lr)", "part * data, t, 2 * lr - 1)", "Data comes from HR", "as it is"),
        (MSE, "    return (velocity - (data - noise)).square().sum((1, 2, 3)).mean()\n", "4608.0 times", "sum over"),
        (MSE, "    return (velocity - (data - noise)).square().mean((1, 2, 3)).sum()\n", "is 24.0 times", "sum over"),
        (TO_DATA, "upscaled(lr)", "Data comes from HR", "Data is HR"),
        (TO_DATA, "hr / hr.std()", "on a straight line", ""),
    ],
    "walk": [
        (EULER, "            x = x + flow(x, t, lr)\n", "it ends where that leads", "Do the lengths"),
        (EULER, "            x = x - flow(x, t, lr) / steps\n", "it ends where that leads", "Do the lengths"),
        (EULER, f"{EULER}            x = x + 0.1 * torch.randn(x.shape)\n", "it ends where that leads", ""),
        (EULER, EULER.replace("x = x + flow", "x += flow"), "doesn't change the noise", "a new one"),
        (T, "torch.full((len(x),), (step + 1) / steps)", "the time of this place", "at t = 0"),
        (T, "torch.full((len(x),), 1 - step / steps)", "the time of this place", "at t = 0"),
        (T, "torch.full((len(x),), step / max(steps - 1, 1))", "the time of this place", ""),
        (T, "torch.full((len(x),), float(step))", "moves by a half", "a share"),
        (T, "torch.zeros(len(x))", "moves by a half", ""),
        ("step / steps)", "step / steps)[:1]", "the time of this place", "one per image"),
        ("range(steps)", "range(steps - 1)", "it ends where that leads", ""),
        ("range(steps)", "range(steps + 1)", "it ends where that leads", ""),
        ("range(steps)", "range(20)", "it ends where that leads", ""),
        ("torch.no_grad()", "torch.enable_grad()", "It builds no graph", "Which block"),
    ],
    "sampler": [
        (TO_IMAGE, "upscaled(lr) + x", "It returns an image", "Undo"),
        (TO_IMAGE, "DETAIL * x", "It returns an image", "Undo"),
        (TO_IMAGE, "x", "It returns an image", "Undo"),
        (START_X, "torch.randn(upscaled(lr).shape)", "It starts with noise", "generator=random"),
        (START_X, "torch.zeros(upscaled(lr).shape)", "It starts with noise", "torch.randn"),
        (START_X, "torch.rand(upscaled(lr).shape, generator=random)", "starts with noise", "torch.randn"),
        (START_X, "torch.randn(1, *upscaled(lr).shape[1:], generator=random).repeat(len(lr), 1, 1, 1)",
         "starts with noise", "each image"),
        (START_X, "torch.randn(upscaled(lr).shape, generator=random.manual_seed(0))", "starts with noise", ""),
        ("flow.eval()", "flow", "runs in training mode", "eval mode"),
        ("    flow.train(was_training)\n", "", "another mode at the end", "restore"),
        ("    flow.train(was_training)\n", "    flow.training = was_training\n", "another mode at the end",
         "every layer"),
        ("    flow.train(was_training)\n", "    flow.train()\n", "another mode at the end", "restore"),
        (", lr, steps)\n    flow", ", 2 * lr - 1, steps)\n    flow", "it gets another lr", ""),
        ("return upscaled(lr) + DETAIL * x", "return x, lr", "should be a tensor, but it is a tuple", ""),
        ("    return upscaled(lr) + DETAIL * x\n", "", "is None", ""),
        ("data - noise)", "noise - data)", "breaks a promise", "Fix it first"),
    ],
    "train_flow": [
        ("    torch.manual_seed(seed)\n", "", "The same seed repeats", "Seed PyTorch"),
        ("        loss = flow", "        random.manual_seed(seed)\n        loss = flow", "draws the same", "once"),
        (BATCH, BATCH.replace("12, random", "12, torch.Generator()"), "draws the same", "once"),
        ("*sample_pairs(photos,", "*sample_pairs({'a': torch.rand(3, 99, 99)},", "on other photos", "no others"),
        ("        optimizer.step()\n        schedule", "        schedule", "lowers the loss", "In which order"),
        ("        optimizer.zero_grad()\n        loss.backward()\n", "        loss.backward()\n        "
         "optimizer.zero_grad()\n", "lowers the loss", "In which order"),
        (RETURN, averaged(1e-4), "has moved from its start 0.0", "hardly moves"),
        ('"optimizer": optimizer, ', "", "A run resumes", "optimizer"),
        ('"schedule": schedule, ', "", "A run resumes", "schedule"),
        (', "random": random}', "}", "A run resumes", "random"),
        ("F.silu(features)) + noisy", "F.dropout(F.silu(features), 0.01, self.training)) + noisy", "A run resumes",
         "dropout"),
        ("    flow = Flow()\n", "    flow = Flow()\n    global DETAIL\n    DETAIL = 0.2\n", "a new process needs",
         "constant"),
        ("Checkpoint(file, parts) if file else None, stop)", "None, stop)", "next call takes 10", "`file`"),
        ("if file else None, stop)", "if file else None)", "stop=4 gives 10", ""),
        ("return loss.item()", "return loss.item", "should be a number", ""),
        ("return flow, fit(", "return fit(", "should be 2 values", ""),
        ("return flow, fit(", "return Flow, fit(", "the class Flow, not an object", ""),
    ],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize(
    ("part", "number"), [(part, number) for part, mistakes in MISTAKES.items() for number in range(len(mistakes))]
)
def test_mistake_breaks_promise(part, number, promises):
    old, new, promise, hint = MISTAKES[part][number]
    broken = [line for line in promises(part, (old, new)) if not line[0]]
    if part == "walk":  # its model tests don't wait for one another
        broken = [line for line in broken if promise in line[1]]
    assert len(broken) == 1, broken
    assert promise in broken[0][1], broken
    assert hint in broken[0][2], broken


def test_samples(capsys):
    hr = 0.5 + 0.1 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    noise = 0.1 * torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert check_samples(hr + noise, hr)
    assert not check_samples(hr + noise[:1].expand(8, -1, -1, -1), hr)
    assert not check_samples([hr], hr)
    bicubic = upsample(downsample(hr, 4), 4)
    assert not check_samples(bicubic + noise, hr)
    printed = capsys.readouterr().out
    assert "The 8 samples differ" in printed
    assert "broken  Their mean beats bicubic" in printed
