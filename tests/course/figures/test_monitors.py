"""Test the figures drawn during training."""

from types import SimpleNamespace

import torch

from srlab_course.figures import monitors
from srlab_course.figures.plots import COLORS

VALIDATED = {0: 29.8, 25: 28.2, 50: 28.5, 100: 28.4, 200: 28.1}


def test_gan_monitor_plots_d_outputs_validation_and_crop(tmp_path, monkeypatch):
    history = [{"step": 10, "d_real": 0.6, "d_fake": 0.4}, {"step": 20, "d_real": 0.8, "d_fake": 0.2}]
    history += [{"step": step, "val_psnr": psnr} for step, psnr in VALIDATED.items()]
    upsample = torch.nn.Upsample(scale_factor=4)
    trainer = SimpleNamespace(run=SimpleNamespace(path=tmp_path), steps_done=200, ema=upsample, history=history)
    figures = []
    monkeypatch.setattr(monitors, "picture", lambda figure, alt: figures.append(figure))
    hr = torch.rand(1, 3, 64, 64)
    monitors.GanMonitor(hr[..., ::4, ::4], hr, (0, 0, 32, 32), {"bicubic": 28.18})(trainer)
    said, curve, sr, _ = figures[0].axes
    assert [line.get_ydata().tolist() for line in said.get_lines()] == [[0.6, 0.8], [0.4, 0.2]]
    assert len(said.patches) == 2, "both curves need their band"
    drawn, to_beat = curve.get_lines()
    assert drawn.get_color() == COLORS["SRGAN"]  # not the color of its start, which has its own line
    assert (to_beat.get_label(), set(to_beat.get_ydata())) == ("bicubic", {28.18})
    assert sr.get_images()[0].get_array().shape == (32, 32, 3)
    assert (tmp_path / "samples" / "step-0000200.png").is_file()
    figures[0].canvas.draw()
    covered = curve.get_legend().get_window_extent()
    assert not [point for point in VALIDATED.items() if covered.contains(*curve.transData.transform(point))]
