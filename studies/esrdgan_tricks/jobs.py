"""The jobs of the study of ESRDGAN's tricks."""

from typing import Any

from studies.presets import Job

from .configurations import LAB, Row, degradation, degradations, leader, parameters, read_preset, rows

__all__ = ["jobs", "read_preset"]


def jobs(preset: dict[str, Any]) -> dict[str, Job]:
    """Return all jobs of a preset by name: the rows, the PSNR stages of the bases, and bicubic."""
    shared = {"scored": preset["scored"], "benchmarks": preset.get("benchmarks", [])}
    all_kinds = {"degradations": degradations(preset)}
    found = {"bicubic": Job(shared | all_kinds | {"known": {"trick": "bicubic", "seed": 0}})}
    for row in rows(preset):
        given, first = parameters(row, preset), leader(row, preset)
        own = degradation(given)
        kinds = all_kinds if row.trick == "base" else {"degradations": [{}, own] if own else [{}]}
        facts = {"known": {"trick": row.trick, "seed": row.seed}, "run": f"{LAB}/{row.name}"}
        facts |= {"iters": given["iters"], "layers": given["features"]}
        found[row.name] = Job(shared | kinds | facts, LAB, given, first.name if first else "")
    if preset["parameters"]["pretrain_iters"]:
        for seed in preset["seeds"]:
            base = Row("base", seed).name
            facts = {"known": {"trick": "PSNR stage", "seed": seed}, "run": f"{LAB}/{base}-psnr"}
            found[f"psnr-stage-seed{seed}"] = Job(shared | all_kinds | facts, before=base)
    return found
