"""Test the capstone's checks: the reference solution keeps each promise, and known mistakes break the right ones."""

import re
import shutil
from functools import partial

import pytest
import torch
import torch.nn.functional as F

import srlab
from srlab import course, losses
from srlab.course import capstone
from srlab.data.resampling import upsample

PART = {  # check -> the answers that it gets
    "check_photos": ("load_photos",),
    "check_pairs": ("sample_pairs",),
    "check_generator": ("Generator",),
    "check_psnr": ("psnr",),
    "check_validation": ("validate",),
    "check_training": ("train",),
    "check_adversary": ("Discriminator", "d_loss", "g_loss"),
    "check_gan_step": ("gan_step",),
}
SMALL = ("num_blocks=4, features=32", "num_blocks=1, features=8")
AGAIN = ('"text"}', '"text", "astronaut_again"}')  # the scene of a held-out photo


@pytest.fixture
def lines(folder, capsys):
    """Run a check on answers, and return the printed lines as pairs of a word and a text."""

    def lines(name, *answers):
        getattr(capstone, name)(*answers, *[folder][: name == "check_photos"])
        printed = re.sub(r"\n {10}", " ", capsys.readouterr().out)  # lines are wrapped
        return [(line[2:10].strip(), line[10:]) for line in printed.splitlines()]

    return lines


@pytest.mark.parametrize("name", PART)
def test_reference_keeps_all_promises(name, solve, lines):
    solution = solve(SMALL, AGAIN)
    printed = lines(name, *[solution[answer] for answer in PART[name]])
    assert {word for word, _ in printed} == {"kept"}, printed


def test_hidden_files_are_no_photos(folder, solve, tmp_path, capsys):
    copy = shutil.copytree(folder, tmp_path / "photos")
    (copy / "._a photo.jpg").write_bytes(b"written by macOS")
    every = "file for file in Path(folder).iterdir() if "
    skips = solve(AGAIN, (every, f'{every}file.name[0] != "." and '))["load_photos"]
    capstone.check_photos(skips, copy)
    assert "broken" not in capsys.readouterr().out


def test_fixed_parameter_needs_no_gradient(solve, lines):
    class Generator(solve(SMALL)["Generator"]):
        def __init__(self):
            super().__init__()
            self.mean = torch.nn.Parameter(torch.zeros(3), requires_grad=False)

    printed = lines("check_generator", Generator)
    assert {word for word, _ in printed} == {"kept"}, printed


@pytest.mark.parametrize("kind", ["vanilla", "lsgan", "hinge"])
def test_losses_of_the_course_keep_all_promises(kind, solve, lines):
    def g_loss(sr, hr, discriminator):
        return F.l1_loss(sr, hr) + 5e-3 * losses.generator_loss(discriminator(hr), discriminator(sr), kind)

    d_loss = partial(losses.discriminator_loss, kind=kind)
    printed = lines("check_adversary", solve(SMALL)["Discriminator"], d_loss, g_loss)
    assert {word for word, _ in printed} == {"kept"}, printed


@pytest.mark.parametrize("name", PART)
def test_missing_answer(name, lines):
    assert lines(name, *[course.TODO for _ in PART[name]]) == [("to do", "Not written yet.")]


CREATE = "    random = torch.Generator().manual_seed(seed)\n    generator = Generator()\n"
D_STEP = "    loss_of_d.backward()\n    d_optimizer.step()\n"
G_STEP = "    loss_of_g.backward()\n    g_optimizer.step()\n"
# Mistake -> what to replace in the solution, and last: the check, the broken promise, and a part of its hint.
MISTAKES = {
    # training
    "resume forgets the optimizer of a network with batch norm": (
        (
            "        nn.init.zeros_(self.last.weight)",
            "        self.norm = nn.BatchNorm2d(features)\n        nn.init.zeros_(self.last.weight)",
        ),
        ("x = x + self.blocks(x)", "x = x + self.norm(self.blocks(x))"),
        ('        optimizer.load_state_dict(saved["optimizer"])\n', ""),
        ("check_training", "A resumed run ends", "the optimizer's memory"),
    ),
    "resume forgets the optimizer": (
        ('        optimizer.load_state_dict(saved["optimizer"])\n', ""),
        ("check_training", "A resumed run ends", "the optimizer's memory"),
    ),
    "resume forgets the schedule": (
        ('        schedule.load_state_dict(saved["schedule"])\n', ""),
        ("check_training", "A resumed run ends", "and of a schedule"),
    ),
    "resume forgets the random numbers": (
        ('        random.set_state(saved["random"])\n', ""),
        ("check_training", "A resumed run ends", "The first loss after resuming is"),
    ),
    "resume starts again": (
        ("if checkpoint and Path(checkpoint).is_file():", "if False:"),
        ("check_training", "the next call takes 40 steps", "takes the other 30"),
    ),
    "no checkpoint": (
        ("    if checkpoint:\n        save()\n", ""),
        ("check_training", "after 10 steps and no checkpoint", "save and return"),
    ),
    "no optimizer step": (
        ("        optimizer.step()\n        schedule", "        schedule"),
        ("check_training", "Training lowers the loss", "In which order"),
    ),
    "the seed comes too late": (
        (f"    torch.manual_seed(seed)\n{CREATE}", f"{CREATE}    torch.manual_seed(seed)\n"),
        ("check_training", "The same seed repeats", "before you create the generator"),
    ),
    # adversary
    "labels swapped": (
        ("F.softplus(-real).mean() + F.softplus(fake).mean()", "F.softplus(real).mean() + F.softplus(-fake).mean()"),
        ("check_adversary", "d_loss rewards a good D", "belongs to HR"),
    ),
    "the logarithm of a sigmoid": (
        ("F.softplus(-real).mean() + F.softplus(fake)", "-real.sigmoid().log().mean() - (1 - fake.sigmoid()).log()"),
        ("check_adversary", "d_loss survives", "Compute it from logits"),
    ),
    "G wants to be caught": (
        ("F.softplus(-discriminator(sr))", "F.softplus(discriminator(sr))"),
        ("check_adversary", "g_loss does not fall", "Check the sign"),
    ),
    "D's opinion detached in g_loss": (
        ("F.softplus(-discriminator(sr))", "F.softplus(-discriminator(sr).detach())"),
        ("check_adversary", "g_loss does not fall", "no detach"),
    ),
    "only the adversary": (
        ("F.l1_loss(sr, hr) + 0.1", "0.1"),
        ("check_adversary", "g_loss keeps SR near HR", "ties SR"),
    ),
    "missing detach": (
        ("sr.detach()", "sr"),
        ("check_gan_step", "3. D's half leaves G alone: it sends a gradient", "sr is data"),
    ),
    "G's graph in D's half, kept for G's": (
        ("sr.detach()", "sr"),
        ("loss_of_d.backward()", "loss_of_d.backward(retain_graph=True)"),
        ("check_gan_step", "3. D's half leaves G alone: it sends a gradient", "sr is data"),
    ),
    "D detached in its own half": (
        ("discriminator(sr.detach())", "discriminator(sr).detach()"),
        ("check_gan_step", "4. D learns from d_loss", "the graph that leads to D"),
    ),
    "D updated in G's half": (
        (G_STEP, f"{G_STEP}    d_optimizer.step()\n"),
        ("check_gan_step", "7. G's half leaves D alone", "must not train D"),
    ),
    "no step of D": (
        (D_STEP, "    loss_of_d.backward()\n"),
        ("check_gan_step", "2. Each optimizer takes one step, D's first. Your steps: G", "one half for D"),
    ),
    "D outdated in G's half": (
        ("    loss_of_g = g_loss(sr, hr, discriminator)\n", ""),
        (
            "    d_optimizer.zero_grad()\n",
            "    loss_of_g = g_loss(sr, hr, lambda _: fake)\n    d_optimizer.zero_grad()\n",
        ),
        ("discriminator(sr.detach()))", "fake.detach())"),
        ("    sr = generator(lr)\n", "    sr = generator(lr)\n    fake = discriminator(sr)\n"),
        ("check_gan_step", "5. G's half runs the updated D", "outdated"),
    ),
    "sr detached in G's half": (
        ("g_loss(sr, hr, discriminator)\n    g_opt", "g_loss(sr.detach(), hr, discriminator)\n    g_opt"),
        ("check_gan_step", "6. g_loss reaches G through D", "detach"),
    ),
    "gradients left in D": (
        ("    d_optimizer.zero_grad()\n" + D_STEP, f"{D_STEP}    d_optimizer.zero_grad()\n"),
        ("check_gan_step", "8. Nothing is left over", "G's backward also fills"),
    ),
    "gradients left in G": (
        ("    g_optimizer.zero_grad()\n", ""),
        ("check_gan_step", "8. Nothing is left over", "When do you clear"),
    ),
    "the generator runs twice": (
        ("    loss_of_g = g_loss(sr,", "    loss_of_g = g_loss(generator(lr),"),
        ("check_gan_step", "G ran 2 times", "Run G once"),
    ),
    "losses in the wrong order": (
        ("return loss_of_d.item(), loss_of_g.item()", "return loss_of_g.item(), loss_of_d.item()"),
        ("check_gan_step", "9. It returns d_loss and g_loss", "d_loss first"),
    ),
    "losses with their graphs": (
        ("return loss_of_d.item(), loss_of_g.item()", "return loss_of_d, loss_of_g"),
        ("check_gan_step", "One of them still has its graph", "detach"),
    ),
}


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_breaks_promise(mistake, solve, lines):
    *replacements, (name, promise, hint) = MISTAKES[mistake]
    solution = solve(SMALL, *replacements)
    torch.manual_seed(0)
    printed = lines(name, *[solution[answer] for answer in PART[name]])
    broken = [place for place, (word, text) in enumerate(printed) if word == "broken" and promise in text]
    assert len(broken) == 1, printed
    assert not hint or hint in printed[broken[0] + 1][1], printed


def test_error_in_answer_ends_check(lines):
    def gan_step(*scene):
        raise KeyError("loss")

    assert lines("check_gan_step", gan_step) == [
        ("broken", "Your code stopped with KeyError: 'loss' (in the line: raise KeyError(\"loss\")).")
    ]


@pytest.mark.parametrize("answer", [lambda *_, **__: course.TODO, lambda *_, **__: None])
def test_empty_answer(answer, lines):
    for name, answers in PART.items():
        printed = lines(name, *[answer for _ in answers])
        assert "kept" not in {word for word, _ in printed[:1]}, (name, printed)


def test_results(lines):
    hr = 0.3 + 0.4 * upsample(torch.rand(1, 3, 16, 18, generator=torch.Generator().manual_seed(0)), 4)
    held_out = {"a.png": hr[0]}

    def contrast(factor, offset=0.0):
        return lambda lr: factor * (upsample(lr, 4) - 0.5) + 0.5 + offset

    for method, word in ((contrast(1.0), "broken"), (lambda lr: (upsample(lr, 4) + hr) / 2, "kept")):
        assert lines("check_result", method, held_out)[0][0] == word
    for method, words in (
        (contrast(0.8), ["broken", "hint", "kept"]),
        (contrast(0.9), ["kept", "kept"]),
        (contrast(0.9, offset=0.25), ["kept", "broken", "hint"]),
    ):
        assert [word for word, _ in lines("check_sharpness", method, contrast(0.8), held_out)] == words


def test_folder_of_photos(tmp_path, monkeypatch):
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path))
    mine = tmp_path / "bundled_photos" / "camera.png"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    assert len(list(capstone.photo_folder().iterdir())) == 16
    assert mine.read_bytes() == b"mine"
    assert capstone.photo_folder(str(tmp_path)) == tmp_path
    with pytest.raises(srlab.SrlabError, match=r"none not found\. Correct `images`"):
        capstone.photo_folder("none")
