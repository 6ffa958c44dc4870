"""Lab 03: the whole training run of a GAN, around the student's own step."""

import copy
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F

from srlab import losses
from srlab.course.exercise import Answer, Exercise, IncorrectAnswer, filled, sample
from srlab.course.exercises.srgan.discriminator_loss import discriminator_loss
from srlab.course.exercises.srgan.patch_discriminator import PatchDiscriminator
from srlab.course.exercises.srgan.train_step import train_step


def train_gan(
    trainer: Any,
    pretrained: nn.Module,
    fixed: dict[str, nn.Module],
    patches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    iters: int,
    g_loss: Callable[[torch.Tensor, torch.Tensor, nn.Module], torch.Tensor],
    rates: tuple[float, float],
    betas: tuple[float, float],
    noise: float,
    **options: Any,
) -> nn.Module:
    """Train a copy of a pretrained network against a new discriminator (Goodfellow et al. 2014, algorithm 1).

    Parameters
    ----------
    trainer
        `srlab.Trainer`, which runs the loop.
    pretrained
        Generator to begin with. It does not change.
    fixed
        Networks without trainable weights that `g_loss` uses, for ``trainer.prepare``.
    patches, iters, options
        Arguments of ``trainer.fit``, besides the step.
    g_loss
        ``g_loss(sr, hr, discriminator)``, the whole loss of G.
    rates, betas
        Learning rate of G and of D, and the betas of both Adams.
    noise
        Standard deviation of the noise on D's inputs in the first step, in units of [0, 1].

    Returns
    -------
    torch.nn.Module
        Moving average of the generator.
    """
    generator = copy.deepcopy(pretrained).train()
    g_optimizer = torch.optim.Adam(generator.parameters(), rates[0], betas, fused=True)
    discriminator = PatchDiscriminator()
    d_optimizer = torch.optim.Adam(discriminator.parameters(), rates[1], betas, fused=True)
    networks = {"generator": generator, "discriminator": discriminator}
    optimizers = {"g_optimizer": g_optimizer, "d_optimizer": d_optimizer}
    generator, discriminator, g_optimizer, d_optimizer, *_ = trainer.prepare(**networks, **optimizers, **fixed)

    class BehindNoise(nn.Module):
        """D, which sees each image through new noise; a module, so that train_step can freeze it."""

        def __init__(self) -> None:
            super().__init__()
            self.discriminator = discriminator

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            image = image.contiguous()  # or drawing the noise takes several times as long
            strength = noise * (1 - trainer.progress)
            return self.discriminator(image + strength * torch.randn_like(image))

    noisy, log = BehindNoise(), {}

    def d_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        log["d_real"] = real.detach().sigmoid().mean()
        log["d_fake"] = fake.detach().sigmoid().mean()
        return discriminator_loss(real, fake)

    def step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        log["d_loss"], log["g_loss"] = train_step(generator, noisy, g_optimizer, d_optimizer, lr, hr, d_loss, g_loss)
        return log

    return trainer.fit(step, patches, iters, **options)


# --- A trainer that runs three steps, and what it observes ----------------------------------------------------

RATES, BETAS, NOISE = (0.002, 0.003), (0.5, 0.9), 0.2
PROGRESS = (0.0, 0.5, 0.75)
NAMES = ("generator", "discriminator", "g_optimizer", "d_optimizer")
_NAMES = "The names in `trainer.prepare` are not those of the list. What is missing: D, an optimizer, or **fixed?"


class _Trainer:
    """Stand-in for `srlab.Trainer` on the CPU; `fit` takes three steps at different progress."""

    def __init__(self) -> None:
        self.device, self.progress = torch.device("cpu"), torch.zeros(())
        self.prepared: dict[str, Any] = {}
        self.first: dict[str, Any] = {}  # the generator's weights when it is prepared
        self.calls: list[tuple[Any, ...]] = []
        self.rows: list[Any] = []
        self.watch = _Watch()
        self.steps_done, self.averaged = 0, nn.Identity()

    def prepare(self, **objects: Any) -> Any:
        """Keep the objects and return them."""
        if sorted(objects) != sorted((*NAMES, "features")):
            raise IncorrectAnswer(_NAMES)
        for name, kind in zip(NAMES, (nn.Module, nn.Module, *2 * [torch.optim.Optimizer]), strict=True):
            if not isinstance(objects[name], kind):
                raise IncorrectAnswer(f"The {name} in `trainer.prepare` is a {type(objects[name]).__name__}.")
        self.prepared = objects
        self.first = copy.deepcopy(objects["generator"].state_dict())
        return tuple(objects.values())

    def fit(self, step: Any, sampler: Any, iters: int, schedule: Any = None, **options: Any) -> nn.Module:
        """Take a step at each progress, and return the average."""
        if not self.prepared:
            raise IncorrectAnswer("Call trainer.prepare before trainer.fit: it moves everything to the device.")
        self.calls.append((sampler, iters, schedule, options))
        if len(self.calls) > 1:
            return self.averaged
        self.watch.attach(self.prepared)
        for number, progress in enumerate(PROGRESS):
            self.steps_done = int(progress * iters)
            self.progress = torch.tensor(progress)
            lr, hr = sample(2, 3, 8, 8, seed=number), sample(2, 3, 16, 16, seed=10 + number)
            self.watch.begin(hr)
            row = filled(step(lr, hr))
            if not isinstance(row, dict):
                raise IncorrectAnswer('The function step must return its losses by name, such as {"d_loss": value}.')
            self.rows.append({name: float(value) for name, value in row.items()})
        self.steps_done = iters
        return self.averaged


class _Watch:
    """What the networks and optimizers did in each step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.is_module = True  # what g_loss gets as D
        self.reaches_g = True  # whether D's logits have a gradient for SR
        self.inside: torch.Tensor | None = None  # what the first layer of D gets

    def attach(self, objects: dict[str, Any]) -> None:
        """Hook the networks and the optimizers."""
        objects["generator"].register_forward_hook(lambda _, inputs, sr: self.steps[-1]["sr"].append(sr.detach()))
        objects["discriminator"].register_forward_hook(self._see)
        for layer in objects["discriminator"].modules():
            if layer is not objects["discriminator"] and list(layer.parameters(recurse=False)):
                layer.register_forward_pre_hook(self._look_inside)
        for name, optimizer in objects.items():
            if isinstance(optimizer, torch.optim.Optimizer):
                optimizer.register_step_pre_hook(lambda *_, name=name: self.steps[-1]["order"].append(name))

    def begin(self, hr: torch.Tensor) -> None:
        """Begin the record of a step."""
        self.steps.append({"hr": hr, "sr": [], "order": [], "seen": [], "given": []})

    def _look_inside(self, layer: nn.Module, inputs: Any) -> None:
        if self.inside is None:
            self.inside = inputs[0].detach()

    def _see(self, network: nn.Module, inputs: Any, logits: torch.Tensor) -> None:
        step = self.steps[-1]
        image, logits, inside = inputs[0].detach(), logits.detach(), self.inside
        self.inside = None
        known = {"HR": step["hr"]} | ({"SR": step["sr"][-1]} if step["sr"] else {})
        clean = all(any(torch.equal(one, each) for batch in known.values() for each in batch) for one in image)
        if clean and inside is not None and inside[:, :3].shape == image.shape:
            image = _undo_scaling(inside[:, :3], image)  # D may add the noise itself
        for part, output in zip(image.split(len(step["hr"])), logits.split(len(step["hr"])), strict=True):
            kind = min(known, key=lambda name: (part - known[name]).square().mean())
            step["seen"].append((kind, part - known[kind], output, bool(step["order"])))


def _scene() -> tuple[Any, ...]:
    generator = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))
    for seed, parameter in enumerate(generator.parameters()):
        parameter.data = sample(*parameter.shape, low=-0.2, high=0.2, seed=seed)
    return _Trainer(), generator.eval(), {"features": nn.Identity()}, iter(()), 40


def _observe(
    answer: Answer, trainer: _Trainer, pretrained: nn.Module, fixed: dict[str, nn.Module], patches: Any, iters: int
) -> dict[str, Any]:
    """Run an answer with the stand-in, and record causes before effects."""
    weights = copy.deepcopy(pretrained.state_dict())
    given = {"schedule": lambda number: 1.0, "validate_every": 7}

    def g_loss(sr: torch.Tensor, hr: torch.Tensor, discriminator: nn.Module) -> torch.Tensor:
        step = trainer.watch.steps[-1]
        trainer.watch.is_module &= isinstance(discriminator, nn.Module)
        logits = discriminator(sr)
        trainer.watch.reaches_g &= _has_gradient(logits, sr)
        value = F.l1_loss(sr, hr) + 2 * F.softplus(-logits).mean()
        step["given"].append((sr.detach(), hr, value.item()))
        return value

    result = filled(answer(trainer, pretrained, fixed, patches, iters, g_loss, RATES, BETAS, NOISE, **given))
    made, steps = trainer.prepared, trainer.watch.steps
    if not trainer.calls:
        raise IncorrectAnswer("Your function never calls trainer.fit, so nothing trains. Which loop runs your step?")
    generator, discriminator, *adams = (made[name] for name in NAMES)
    runs = [[(kind, after) for kind, *_, after in step["seen"]] for step in steps]
    sampler, number, schedule, options = trainer.calls[0]
    return {
        "the generator is a copy": generator is not pretrained and not _shared(generator, pretrained),
        "the copy begins with the pretrained weights": _same(trainer.first, weights),
        "whose weights each optimizer has": " and ".join(_owner(adam, generator, discriminator) for adam in adams),
        "the learning rates": [adam.param_groups[0]["lr"] for adam in adams],
        "the betas": [list(adam.param_groups[0].get("betas", ())) for adam in adams],
        "what fit gets": sampler is patches and number == iters,
        "the options of fit": {"schedule": schedule, **options} == given,
        "the number of fits": len(trainer.calls),
        "steps of the optimizers": "; ".join(", ".join(step["order"]) for step in steps),
        "what D sees": "; ".join(" ".join(sorted({kind for kind, _ in seen})) for seen in runs),
        "the noise on HR": _strengths(steps, "HR", False),
        "the noise on SR": _strengths(steps, "SR", False),
        "the noise on SR in G's half": _strengths(steps, "SR", True),
        "new noise each time": all(_is_new(step) for step in steps),
        "a gradient from D for G": trainer.watch.reaches_g,
        "the images in g_loss": all(
            torch.equal(sr, step["sr"][-1]) and torch.equal(hr, step["hr"])
            for step in steps
            for sr, hr, _ in step["given"]
        ),
        "the names in the log": ", ".join(sorted(trainer.rows[-1])),
        **{name: _off(name, trainer.rows, steps) for name in ("d_real", "d_fake", "d_loss", "g_loss")},
        "D is a module": trainer.watch.is_module,
        "training mode": generator.training,
        "pretrained is unchanged": _same(pretrained.state_dict(), weights) and not pretrained.training,
        "the result": "the average" if result is trainer.averaged else _named(result, generator, pretrained),
    }


def _undo_scaling(inside: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Return what a layer gets on the scale of the image, for a D that first centers and scales its input."""
    centered = image - image.mean()
    gain = (inside * centered).mean() / centered.square().mean()
    return (inside - inside.mean()) / gain + image.mean()


def _has_gradient(logits: torch.Tensor, sr: torch.Tensor) -> bool:
    if not (logits.requires_grad and sr.requires_grad):
        return False
    (gradient,) = torch.autograd.grad(logits.sum(), sr, retain_graph=True, allow_unused=True)
    return gradient is not None and bool(gradient.any())


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def _shared(one: nn.Module, other: nn.Module) -> bool:
    theirs = {id(parameter) for parameter in other.parameters()}
    return any(id(parameter) in theirs for parameter in one.parameters())


def _owner(adam: torch.optim.Optimizer, generator: nn.Module, discriminator: nn.Module) -> str:
    having = {id(parameter) for group in adam.param_groups for parameter in group["params"]}
    found = []
    for name, network in (("G", generator), ("D", discriminator)):
        theirs = {id(parameter) for parameter in network.parameters()}
        found += [name] if theirs and theirs <= having else []
    return "+".join(found) or "other weights"


def _strengths(steps: list[dict[str, Any]], kind: str, after: bool) -> list[float]:
    """Return the strength of the noise in each step as a share of `NOISE`, to a quarter; -1 if D did not run."""
    found = []
    for step in steps:
        rests = [rest for name, rest, _, late in step["seen"] if name == kind and late == after]
        share = max((rest.flatten(1).std(1).mean().item() for rest in rests), default=-NOISE) / NOISE
        found.append(round(4 * share) / 4)
    return found


def _is_new(step: dict[str, Any]) -> bool:
    rests = [image.flatten() for _, rest, *_ in step["seen"] for image in rest]
    return all(torch.corrcoef(torch.stack(pair))[0, 1].abs() < 0.3 for pair in itertools.combinations(rests, 2))


def _off(name: str, rows: list[dict[str, float]], steps: list[dict[str, Any]]) -> list[float]:
    """Return how far a logged value is from the one that was computed, in each step."""
    found = []
    for row, step in zip(rows, steps, strict=True):
        logits = {kind: output for kind, _, output, late in reversed(step["seen"]) if not late}
        if name == "d_loss":
            wanted = losses.discriminator_loss(logits["HR"], logits["SR"]).item()
        elif name == "g_loss":
            wanted = step["given"][-1][-1]
        else:
            wanted = logits["HR" if name == "d_real" else "SR"].sigmoid().mean().item()
        found.append(row.get(name, 100.0) - wanted)
    return found


def _named(result: Any, generator: nn.Module, pretrained: nn.Module) -> str:
    if result is pretrained:
        return "the pretrained network"
    return "the generator of the last step" if result is generator else type(result).__name__


# --- Right and wrong answers ----------------------------------------------------------------------------------


class _Noisy(nn.Module):
    def __init__(self, see: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.forward = see


def _behind(
    strength: Callable[[float, Any], Any] = lambda noise, progress: noise * (1 - progress),
    draw: Callable[[torch.Tensor], torch.Tensor] = torch.randn_like,
    see: Callable[[torch.Tensor], torch.Tensor] = lambda image: image,
    as_module: bool = True,
    kinds: tuple[bool, ...] = (True, True, True),
) -> Answer:
    """Return a maker of D behind noise: how strong, how drawn, and in which of the three runs of a step."""

    def make(discriminator: nn.Module, trainer: Any, noise: float) -> Answer:
        turns = itertools.cycle(kinds)

        def noisy(image: torch.Tensor) -> torch.Tensor:
            level = strength(noise, trainer.progress) if next(turns) else 0.0
            return discriminator(see(image + level * draw(image)))

        return _Noisy(noisy) if as_module else noisy

    return make


def _outputs(
    output: Callable[[torch.Tensor], torch.Tensor] = lambda logits: logits.sigmoid().mean(),
    names: tuple[str, ...] = ("d_real", "d_fake", "d_loss", "g_loss"),
) -> Answer:
    """Return what an answer logs, from both logits and both losses."""

    def row(real: torch.Tensor, fake: torch.Tensor, of_d: torch.Tensor, of_g: torch.Tensor) -> dict[str, torch.Tensor]:
        values = (output(real.detach()), output(fake.detach()), of_d, of_g)
        return dict(zip(names, values, strict=False))

    return row


WITH_NOISE, ALL_FOUR = _behind(), _outputs()


def _run(
    begin: Callable[[nn.Module], nn.Module] = lambda pretrained: copy.deepcopy(pretrained).train(),
    owners: tuple[int, int] = (0, 1),
    rates: Callable[[Any], Any] = lambda rates: rates,
    adam: Callable[[Any], dict[str, Any]] = lambda betas: {"betas": betas},
    behind: Answer = WITH_NOISE,
    row: Answer = ALL_FOUR,
    batch: Callable[[torch.Tensor], torch.Tensor] = lambda hr: hr,
    late: bool = False,
    anew: bool = False,
    keep: tuple[bool, bool] = (True, True),
    end: Callable[..., Any] = lambda averaged, generator, pretrained: averaged,
) -> Answer:
    """Return a training run with some parts replaced."""

    def answer(
        trainer: Any,
        pretrained: nn.Module,
        fixed: Any,
        patches: Any,
        iters: int,
        g_loss: Any,
        both: Any,
        betas: Any,
        noise: float,
        **options: Any,
    ) -> Any:
        networks = begin(pretrained), PatchDiscriminator()
        g_optimizer, d_optimizer = (
            torch.optim.Adam(networks[owner].parameters(), rate, **adam(betas))
            for owner, rate in zip(owners, rates(both), strict=True)
        )
        trainer.prepare(
            generator=networks[0],
            discriminator=networks[1],
            g_optimizer=g_optimizer,
            d_optimizer=d_optimizer,
            **(fixed if keep[0] else {}),
        )
        noisy = behind(networks[1], trainer, noise)

        def step(lr: torch.Tensor, hr: torch.Tensor) -> Any:
            judge = behind(PatchDiscriminator(), trainer, noise) if anew else noisy
            seen: list[torch.Tensor] = []

            def d_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
                seen.extend([real, fake])
                return discriminator_loss(real, fake)

            hr = batch(hr)
            found = train_step(networks[0], judge, g_optimizer, d_optimizer, lr, hr, d_loss, g_loss)
            if late:
                seen[:] = [judge(hr), judge(networks[0](lr))]
            return row(*seen[:2], *found)

        averaged = trainer.fit(step, patches, iters, **(options if keep[1] else {}))
        return end(averaged, networks[0], pretrained)

    return answer


def _by_hook(*scene: Any, **options: Any) -> nn.Module:
    """Add the noise with a hook, so that D stays one module, and fade it with the number of steps."""
    trainer, pretrained, fixed, patches, iters, g_loss, rates, betas, noise = scene
    generator, discriminator = copy.deepcopy(pretrained), PatchDiscriminator()
    adams = [
        torch.optim.Adam(network.parameters(), lr=rate, betas=betas)
        for network, rate in zip((generator.train(), discriminator), rates, strict=True)
    ]
    names = dict(zip(("g_optimizer", "d_optimizer"), adams, strict=True))
    trainer.prepare(generator=generator, discriminator=discriminator, **names, **fixed)

    def add_noise(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return inputs[0] + noise * (1 - trainer.steps_done / iters) * torch.randn(inputs[0].shape)

    discriminator.register_forward_pre_hook(add_noise)

    def step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, float]:
        row = {}

        def d_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
            row.update(d_real=torch.sigmoid(real).mean().item(), d_fake=torch.sigmoid(fake).mean().item())
            return discriminator_loss(real, fake)

        of_d, of_g = train_step(generator, discriminator, *adams, lr, hr, d_loss, g_loss)
        return row | {"d_loss": of_d.item(), "g_loss": of_g.item()}

    return trainer.fit(step, patches, iters, **options)


def _by_subclass(*scene: Any, **options: Any) -> nn.Module:
    """Add the noise in a D that is derived from PatchDiscriminator."""
    trainer, pretrained, fixed, patches, iters, g_loss, rates, betas, noise = scene

    class NoisyDiscriminator(PatchDiscriminator):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return super().forward(image + noise * (1 - trainer.progress) * torch.randn_like(image))

    generator, discriminator = copy.deepcopy(pretrained).train(), NoisyDiscriminator()
    g_optimizer = torch.optim.Adam(generator.parameters(), rates[0], betas)
    d_optimizer = torch.optim.Adam(discriminator.parameters(), rates[1], betas)
    names = {"generator": generator, "discriminator": discriminator}
    trainer.prepare(**names, g_optimizer=g_optimizer, d_optimizer=d_optimizer, **fixed)

    def step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        outputs: list[torch.Tensor] = []

        def d_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
            outputs.extend(logits.detach().sigmoid().mean() for logits in (real, fake))
            return discriminator_loss(real, fake)

        found = train_step(generator, discriminator, g_optimizer, d_optimizer, lr, hr, d_loss, g_loss)
        return dict(zip(("d_real", "d_fake", "d_loss", "g_loss"), (*outputs, *found), strict=True))

    return trainer.fit(step, patches, iters, **options)


def _other_weights(pretrained: nn.Module) -> nn.Module:
    other = copy.deepcopy(pretrained).train()
    for parameter in other.parameters():
        parameter.data = torch.rand_like(parameter)
    return other


def _without_adversary(*scene: Any, **options: Any) -> nn.Module:
    """Pass only the generator to prepare."""
    trainer, *others = scene

    class Less:
        def __getattr__(self, name: str) -> Any:
            return getattr(trainer, name)

        def prepare(self, **objects: Any) -> Any:
            trainer.prepare(generator=objects.pop("generator"), g_optimizer=objects.pop("g_optimizer"))
            return (*trainer.prepared.values(), *objects.values())

    return _run()(Less(), *others, **options)


def _one_batch(*scene: Any, **options: Any) -> Any:
    """Pass a single batch to fit."""
    return _run()(*scene[:3], [next(scene[3], None)], *scene[4:], **options)


_ONE_KIND = (
    "Only some of D's inputs have noise, so D can tell them apart by the noise alone. Which of its inputs need it?"
)

EXERCISE = Exercise(
    train_gan,
    level="hard",
    points=5,
    cases={"three steps, at the beginning, at half-time and after three quarters of the run": _scene},
    observe=_observe,
    known_mistakes={
        "You train `pretrained` itself, but three later runs begin with it, so it must not change. How do you get an "
        "equal network with other weights in memory?": _run(begin=lambda network: network.train()),
        "Your generator doesn't begin with the weights of `pretrained`. How can you copy a network with its weights?": (
            _run(begin=_other_weights)
        ),
        "Your generator is in eval mode, which the copy has from `pretrained`. Which method switches the mode?": (
            _run(begin=copy.deepcopy)
        ),
        "You switch `pretrained` itself to training mode, but later cells use it as it is. Copy it first, and switch "
        "the mode of what?": _run(begin=lambda network: copy.deepcopy(network.train())),
        "Your D behind noise is a plain function, but a `train_step` that freezes D needs its parameters. Which class "
        "do all networks derive from?": _run(behind=_behind(as_module=False)),
        _NAMES: [_run(keep=(False, True)), _without_adversary],
        "Both optimizers have the weights of the same network, so the other one never learns. Whose parameters does "
        "each of them need?": [_run(owners=(0, 0)), _run(owners=(1, 1))],
        "You swapped the networks of the two optimizers: g_optimizer has D's weights. What does `train_step` do with "
        "g_optimizer?": _run(owners=(1, 0)),
        "Both networks learn at the same rate. `rates` has two: which is G's, and which is D's?": [
            _run(rates=lambda rates: (rates[0], rates[0])),
            _run(rates=lambda rates: (rates[1], rates[1])),
        ],
        "You swapped the two learning rates. `rates` has G's first.": _run(rates=lambda rates: rates[::-1]),
        "Your Adams have the usual betas (0.9, 0.999), with which a GAN oscillates more. Where do you pass `betas`?": (
            _run(adam=lambda betas: {})
        ),
        "`trainer.fit` doesn't get `options`, so there is no learning-rate schedule and no validation. How do you pass "
        "on keyword arguments?": _run(keep=(True, False)),
        "`trainer.fit` draws the batches itself. Which two arguments of your function does it need?": _one_batch,
        "The D that you passed to `prepare` never sees an image. Do you build a new D in each step, which forgets "
        "everything?": _run(anew=True),
        "D sees the images without noise, or with one random number for a whole image. How do you get noise onto each "
        "pixel of D's inputs if `train_step` calls D for you?": [
            _run(behind=_behind(strength=lambda noise, progress: 0.0)),
            _run(behind=_behind(draw=lambda image: torch.randn(len(image), 1, 1, 1))),
        ],
        "The noise is as strong at half-time as in the first step. What does `trainer.progress` tell your step?": (
            _run(behind=_behind(strength=lambda noise, progress: noise))
        ),
        "The noise grows from 0. It should begin with `noise` and end with 0. What is 1 - progress?": (
            _run(behind=_behind(strength=lambda noise, progress: noise * progress))
        ),
        _ONE_KIND: [
            _run(behind=_behind(kinds=(True, False, False))),
            _run(behind=_behind(kinds=(False, True, True))),
            _run(behind=_behind(kinds=(False, False, True))),
        ],
        "In G's half, D sees the SR image without noise: a D that G doesn't know. Which D should `train_step` get?": (
            _run(behind=_behind(kinds=(True, True, False)))
        ),
        "The noise repeats in each step, or in each image of a batch, and D can learn to ignore a pattern that it "
        "knows. When should you draw it, and in which shape?": [
            _run(behind=_behind(draw=lambda image: sample(*image.shape, low=-1.73, high=1.73))),
            _run(behind=_behind(draw=lambda image: torch.randn_like(image[:1]))),
        ],
        "No gradient passes from D's logits to the SR image, so G can't learn from D. Does your noise layer detach the "
        "image, or draw a new one around it, as torch.normal does?": [
            _run(behind=_behind(see=torch.Tensor.detach)),
            _run(behind=_behind(see=lambda image: torch.normal(image, 1e-9))),
        ],
        "Your noise is uniform, between 0 and 1, so it makes each image brighter. Which function draws Gaussian noise, "
        "with mean 0?": _run(behind=_behind(draw=torch.rand_like)),
        "You clamp the noisy images, which takes the noise off all bright and dark pixels. D may see values outside of "
        "[0, 1].": _run(behind=_behind(see=lambda image: image.clamp(0, 1))),
        "g_loss gets images with noise, so the pixel loss learns to draw noise. Only D should see it. Where is the "
        "place that only D's inputs pass?": _run(
            batch=lambda hr: hr + NOISE * torch.randn_like(hr), behind=_behind(kinds=(False, True, True))
        ),
        "The step returns the losses without D's outputs, or D's outputs without the losses. Your log needs four "
        "values: which of them?": [
            _run(row=lambda real, fake, of_d, of_g: {"d_loss": of_d, "g_loss": of_g}),
            _run(row=_outputs(names=("d_real", "d_fake"))),
            _run(row=lambda real, fake, of_d, of_g: {"loss": of_d + of_g}),
        ],
        "You log the mean logit, which can be any number. D's output is a probability. Which function turns logits "
        "into probabilities?": _run(row=_outputs(torch.mean)),
        "You log the sigmoid of the mean logit. D's output is one probability per logit. Which comes first, sigmoid or "
        "mean?": _run(row=_outputs(lambda logits: logits.mean().sigmoid())),
        "You swapped d_real and d_fake. Which logits come first in d_loss?": (
            _run(row=_outputs(names=("d_fake", "d_real", "d_loss", "g_loss")))
        ),
        "You swapped the two losses in the log. Which does your `train_step` return first?": (
            _run(row=_outputs(names=("d_real", "d_fake", "g_loss", "d_loss")))
        ),
        "The logged outputs are those of D after its update, for which it runs again. Where do you get the logits of "
        "D's own half without another run?": _run(late=True),
        "You return the generator of the last step, which still fluctuates. What does `trainer.fit` return?": (
            _run(end=lambda averaged, generator, pretrained: generator)
        ),
        "You return `pretrained`, the network before the training. What does `trainer.fit` return?": (
            _run(end=lambda averaged, generator, pretrained: pretrained)
        ),
    },
    also_accepted=[_run(), _by_hook, _by_subclass],
    fallback_messages={
        "whose weights each optimizer has": "g_optimizer and d_optimizer have the weights of {given}. They should have "
        "those of G and of D.",
        "what fit gets": "Pass the patches and iters to `trainer.fit` as your function got them.",
        "the number of fits": "Your function calls `trainer.fit` {given} times. One call runs all the steps.",
        "steps of the optimizers": "In each step, D's optimizer and then G's should take a step. Yours: {given}. Does "
        "your step call `train_step` once?",
        "what D sees": "In each step D should see HR and SR, but in your three steps it saw: {given}.",
        **{
            f"the noise on {kind}": f"As shares of `noise`, the noise on {kind} is {{given}} at progress 0, 0.5, 0.75. "
            "It should fall in a straight line, to 0 at the end."
            for kind in ("HR", "SR")
        },
        "the names in the log": "The step returned the names {given}. The log needs d_loss, g_loss, d_real and d_fake.",
        "d_real": "The logged d_real is not D's mean output for the HR images in D's half of the step.",
        "d_fake": "The logged d_fake is not D's mean output for the SR images in D's half of the step.",
        "d_loss": "The logged d_loss is not the loss of D in this step.",
        "g_loss": "The logged g_loss is not the loss of G in this step.",
        "the result": "Your function returned {given}. It should return what `trainer.fit` returns.",
    },
    reveal=False,
    hints=(
        "There are four parts: two networks with their optimizers; `trainer.prepare`; a function `step(lr, hr)` that "
        "calls your `train_step` and returns four values; and `trainer.fit`, whose result you return.",
        "`train_step` calls d_loss with D's logits for HR and SR. So a function of yours around discriminator_loss can "
        "note D's outputs.",
        "For the noise, write a small nn.Module around D that adds noise * (1 - trainer.progress) times "
        "torch.randn_like(image) to its input, and pass it to `train_step` in place of D.",
    ),
)
