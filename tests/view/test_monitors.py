"""What is drawn of a training while it runs."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import torch

from srlab.view import monitors
from srlab.view.plots import COLORS


def log(*pairs):
    return [
        {"step": 10 * i, "d_real": real, "d_fake": fake, "d_loss": 1.2, "g_loss": 0.1, "d_norm": 1.0, "g_norm": 0.1}
        for i, (real, fake) in enumerate(pairs)
    ]


def test_the_judgements_are_drawn_with_their_bands():
    figure, axis = plt.subplots()
    monitors.draw_judgements(axis, [*log((0.6, 0.4), (0.8, 0.2)), {"step": 20, "val_psnr": 28.0}])
    real, fake = axis.get_lines()
    assert real.get_ydata().tolist() == [0.6, 0.8]
    assert fake.get_ydata().tolist() == [0.4, 0.2]
    assert fake.get_color() == COLORS["SRGAN"]
    assert len(axis.patches) == 2
    plt.close(figure)


def test_the_monitor_draws_four_panels_and_keeps_the_crop(tmp_path, monkeypatch):
    class Run:
        path = tmp_path

    class Trainer:
        run, step, ema = Run(), 20, torch.nn.Upsample(scale_factor=4)
        history = (*log((0.6, 0.4), (0.8, 0.2)), {"step": 20, "val_psnr": 28.0})

    hr = torch.rand(1, 3, 64, 64)
    monitor = monitors.GanMonitor(hr[..., ::4, ::4], hr, (0, 0, 32, 32), {"bicubic": 27.0})
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda picture, **_: shown.append(picture))
    figures = []
    monkeypatch.setattr("srlab.view.plots.to_png", lambda figure: figures.append(figure.axes) or b"\x89PNG\r\n\x1a\n")
    monitor(Trainer())
    (_, curve, *crops) = figures[0]
    assert len(crops) == 2
    assert curve.get_lines()[0].get_color() == COLORS["SRGAN"]  # not that of its start, which is a line beside it
    assert "What D says" in shown[0].alt
    assert (tmp_path / "samples" / "step-0000020.png").is_file()
    plt.close("all")


def test_the_legend_of_a_falling_curve_hides_no_point():
    points = {0: 29.8, 25: 28.2, 50: 28.5, 100: 28.4, 200: 28.1}
    trainer = SimpleNamespace(history=[{"step": step, "val_psnr": psnr} for step, psnr in points.items()])
    figure, axis = plt.subplots(figsize=(5, 3.8))
    monitors.Monitor(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 32, 32), (0, 0, 32, 32), {"bicubic": 28.18})._draw_curve(
        axis, trainer
    )
    figure.canvas.draw()
    covered = axis.get_legend().get_window_extent()
    assert not [point for point in points.items() if covered.contains(*axis.transData.transform(point))]
    plt.close("all")
