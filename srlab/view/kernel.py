"""Widgets and their kernel: a word when it is gone, and an end for what a cell showed when it was run before."""

import weakref
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import anywidget
import ipywidgets
from IPython import get_ipython

WATCH = files("srlab.view").joinpath("kernel.js").read_text(encoding="utf-8")
STYLE = files("srlab.view").joinpath("kernel.css").read_text(encoding="utf-8")
# Cell -> the request that ran it last, and what it showed, as long as the registry of ipywidgets holds that.
_SHOWN: dict[str, tuple[str, weakref.WeakSet]] = {}


class Watched(anywidget.AnyWidget):
    """A widget whose page can ask whether its kernel is still there (``watchKernel`` in ``kernel.js``)."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(lambda widget, *_: widget.send("here"))


class KernelNotice(Watched):
    """A line that is empty as long as the kernel answers those who use the box in which it stands."""

    _esm = (
        WATCH
        + """
export default {
  render({ model, el }) {
    const words = document.createElement("div");
    words.className = "srlab-words";
    words.setAttribute("role", "status");
    el.append(words);
    return watchKernel(model, el, (text) => { words.textContent = text; });
  },
};
"""
    )
    _css = STYLE


class CellBox(ipywidgets.VBox):
    """A box of widgets that a cell shows; run again, the cell closes it.

    The registry of ipywidgets keeps every widget, and with it the networks and pictures behind it, until it is closed.

    Parameters
    ----------
    children
        From top to bottom.
    others
        Widgets that are not always among them, or not at all.
    """

    _others: Sequence[ipywidgets.Widget] = ()  # of a box, too, that an error has left unfinished

    def __init__(self, children: Sequence[ipywidgets.Widget], others: Sequence[ipywidgets.Widget] = ()) -> None:
        super().__init__(children)
        self._others = others
        shell = get_ipython()
        request = shell.get_parent() if hasattr(shell, "get_parent") else {}  # of a kernel, not of a terminal
        cell = request.get("metadata", {}).get("cellId")
        if cell is None:
            return
        run = request["header"]["msg_id"]
        before, boxes = _SHOWN.get(cell, (run, weakref.WeakSet()))
        if before != run:
            for box in list(boxes):
                box.close()
            boxes = weakref.WeakSet()
        boxes.add(self)
        _SHOWN[cell] = (run, boxes)

    def close(self) -> None:
        """Close it with all that is in it, which then lets go of what it showed."""
        for widget in (*self.children, *self._others):
            close(widget)
        super().close()


def close(widget: ipywidgets.Widget) -> None:
    """Take a widget, and what belongs to it, out of the registry of ipywidgets."""
    widget.unobserve_all()
    for name in ("layout", "style"):
        if name in widget.keys:
            getattr(widget, name).close()
    for child in getattr(widget, "children", ()):
        close(child)
    widget.close()
