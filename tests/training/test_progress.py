"""Test the progress bar: in a notebook it is text in one place, with the losses below."""

from types import SimpleNamespace

from srlab.training.progress import RETURN, WIDTH, Progress


def test_notebook_bar_keeps_width(monkeypatch, capsys):
    shown = []

    def show(data, **_):
        shown.append(data["text/plain"])
        return SimpleNamespace(update=show)

    monkeypatch.setattr("IPython.display.display", show)
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(kernel=None))
    losses = {f"loss_{number}": "0.1234" for number in range(20)}
    with Progress(total=20, initial=5, desc="default", mininterval=0) as bar:
        bar.set_postfix(losses, refresh=False)
        bar.update(5)
        half = shown[-1]
        bar.update(10)
    first, *rest = half.split("\n")
    assert first.startswith("default:  50%|█████")
    assert len(first) == WIDTH
    assert all(len(line) <= WIDTH for line in rest[:-2])
    assert all(f"{name}={value}" in " ".join(rest) for name, value in losses.items())
    assert half.endswith(RETURN)
    assert "100%" in shown[-1]
    assert RETURN not in shown[-1], "there must be no second line"
    assert capsys.readouterr() == ("", "")
