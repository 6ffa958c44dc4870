"""The flow that lab 07 learns from: the student's of lab 06, or one from a short training run if it is missing."""

from typing import Any

import torch

import srlab
from srlab.errors import SrlabError
from srlab.models import FlowNet
from srlab.models.flow import bicubic
from srlab.training.runs import SIDE_RUN
from srlab_course.exercises.flow.flow_loss import flow_loss
from srlab_course.lab.earlier.trained import load_trained, run_like
from srlab_course.lab.run_code import record_code

SCALE = 4
RATE, EMA = 2e-3, 0.99  # of the short training run; lab 06 averages over more steps


def load_teacher(lab: Any, run: str, shape: dict[str, Any]) -> FlowNet:
    """Return a flow in eval mode on the lab's device, with its run "LAB/NAME" as `origin`.

    It is the given run, or else the run of lab 06 that is named like this one, or "default". If neither is finished
    and on the lab's subject, train one of the given shape for `lab.teacher_iters` steps with the course's code.

    Parameters
    ----------
    run
        "LAB/NAME", or "".
    shape
        Arguments of `FlowNet`, such as its number of blocks.
    """
    origin = run or run_like(lab, "06_flow", lab.subject)
    teacher = next(iter(load_trained([origin], SCALE).values())) if origin else _train_shortly(lab, shape)
    if not isinstance(teacher, FlowNet) or "steps" in teacher.config:  # an earlier student has steps
        raise SrlabError(f"{origin} is not a run of lab 06. Pass one, such as 06_flow/default.")
    return teacher.to(lab.device).requires_grad_(False)


def _train_shortly(lab: Any, shape: dict[str, Any]) -> FlowNet:
    """Train a flow as lab 06 does, with fewer steps."""
    print(f"No finished run of lab 06 was found, so the course's code trains a flow: {lab.teacher_iters:,} steps.")
    sizes = {"scale": SCALE, "patch": lab.patch, "device": lab.device, "seed": lab.seed}
    lr, hr = next(srlab.PatchSampler(lab.train_set, batch=64, **sizes))
    sigma = round((hr - bicubic(lr, SCALE)).std().item(), 4)
    torch.manual_seed(lab.seed)
    network = FlowNet(**shape, detail_std=sigma)
    optimizer = torch.optim.Adam(network.parameters(), RATE, betas=(0.9, 0.99), fused=True)
    run = f"{lab.run}{SIDE_RUN}teacher"
    settings = {"subject": lab.subject}
    record_code(lab, run)  # none of the student's
    trainer = srlab.Trainer(lab.name, run, **lab.trainer_kwargs, ema=EMA, seed=lab.seed, settings=settings)
    network, optimizer = trainer.prepare(generator=network, optimizer=optimizer)

    def step(lr: torch.Tensor, hr: torch.Tensor) -> dict[str, torch.Tensor]:
        loss = flow_loss(lambda x, t: network(lr, x, t), (hr - bicubic(lr, SCALE)) / sigma)
        trainer.update(loss, optimizer)
        return {"loss": loss}

    patches = srlab.PatchSampler(lab.train_set, batch=lab.batch, **sizes)
    teacher: Any = trainer.fit(step, patches, lab.teacher_iters, srlab.OneCycle(lab.teacher_iters, warmup=0.05))
    teacher.origin = f"{lab.name}/{run}"
    return teacher
