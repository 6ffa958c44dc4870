"""Widgets and their kernel: what is seen without it, a word when it is gone, and an end for what a cell showed."""

import weakref
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any

import anywidget
import ipywidgets
import traitlets
from IPython import get_ipython
from IPython.display import display

WATCH = files("srlab.view").joinpath("kernel.js").read_text(encoding="utf-8")
STYLE = files("srlab.view").joinpath("kernel.css").read_text(encoding="utf-8")
# Cell -> the request that ran it last, and what it showed, as long as the registry of ipywidgets holds that.
_SHOWN: dict[str, tuple[str, weakref.WeakSet]] = {}


WIDGET = "application/vnd.jupyter.widget-view+json"
# When a kernel was restarted, JupyterLab puts a broken chain beside each control, and once the page is loaded again it
# says "model not found". Nobody can act on either: the page shows the still instead.
_BESIDE = ".jp-OutputArea-child:has([data-srlab-still]) + .jp-OutputArea-child"
_HIDE_LOST = (
    f"{_BESIDE} > .jupyter-widgets:not(:has(*)), {_BESIDE}:has(.jupyter-widgets-disconnected) {{ display: none; }}"
)


class Watched(anywidget.AnyWidget):
    """A widget whose page can ask whether its kernel is still there (``watchKernel`` in ``kernel.js``)."""

    still = traitlets.Unicode().tag(sync=True)  # names the HTML that gives way as long as this widget is on the page

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(lambda widget, *_: widget.send("here"))


class KernelNotice(Watched):
    """A line that is empty as long as the kernel answers those who use the box in which it stands."""

    _esm = WATCH + "export default kernelNotice();"
    _css = STYLE


class CellBox(ipywidgets.VBox):
    """A box of widgets that a cell shows; run again, the cell closes it.

    The registry of ipywidgets keeps every widget, and with it the networks and pictures behind it, until it is closed.
    A page without the kernel, such as the notebook opened again the next day, shows `still` instead.

    Parameters
    ----------
    children
        From top to bottom; a `Watched` among them.
    others
        Widgets that are not always among them, or not at all.
    """

    _others: Sequence[ipywidgets.Widget] = ()  # of a box, too, that an error has left unfinished

    def __init__(self, children: Sequence[ipywidgets.Widget], others: Sequence[ipywidgets.Widget] = ()) -> None:
        super().__init__(children)
        self._others = others
        for child in self.children:
            if isinstance(child, Watched):
                child.still = self.model_id
        cell, run = asking_cell()
        if not cell:
            return
        before, boxes = _SHOWN.get(cell, (run, weakref.WeakSet()))
        if before != run:
            for box in list(boxes):
                box.close()
            boxes = weakref.WeakSet()
        boxes.add(self)
        _SHOWN[cell] = (run, boxes)

    def still(self) -> str:
        """HTML that a page shows without the kernel."""
        return f"<p>{escape(repr(self))} Run this cell for its controls.</p>"

    def _ipython_display_(self) -> None:
        # Two outputs. Of the kinds within one, a page without a kernel takes the widget and shows nothing.
        still = f'<div data-srlab-still="{self.model_id}"><style>{_HIDE_LOST}</style>{self.still()}</div>'
        display({"text/html": still, "text/plain": repr(self)}, raw=True)
        if self._repr_mimebundle_:  # gone when it is closed
            display({WIDGET: self._repr_mimebundle_()[WIDGET], "text/plain": ""}, raw=True)

    def close(self) -> None:
        """Close it with all that is in it, which then lets go of what it showed."""
        for widget in (*self.children, *self._others):
            close(widget)
        super().close()


def asking_cell() -> tuple[str, str]:
    """The cell that a page runs, and the number of its request; two times ``""`` without a page, as in papermill."""
    shell = get_ipython()
    request = shell.get_parent() if hasattr(shell, "get_parent") else {}  # of a kernel, not of a terminal
    cell = request.get("metadata", {}).get("cellId", "")
    return (cell, request["header"]["msg_id"]) if cell else ("", "")


def close(widget: ipywidgets.Widget) -> None:
    """Take a widget, and what belongs to it, out of the registry of ipywidgets."""
    widget.unobserve_all()
    for name in ("layout", "style"):
        if name in widget.keys:
            getattr(widget, name).close()
    for child in getattr(widget, "children", ()):
        close(child)
    widget.close()
