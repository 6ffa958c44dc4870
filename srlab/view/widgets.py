"""What the widgets of a cell share: what a page without a kernel shows in their place, and whether there is a page."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files

import anywidget
import ipywidgets
import traitlets
from IPython import get_ipython
from IPython.display import display

PRESENCE = files("srlab.view").joinpath("presence.js").read_text(encoding="utf-8")
WIDGET = "application/vnd.jupyter.widget-view+json"
# When a kernel was restarted, JupyterLab puts a broken chain beside each control, and once the page is loaded again it
# says "model not found". Nobody can act on either: the page shows the still instead.
_BESIDE = ".jp-OutputArea-child:has([data-srlab-still]) + .jp-OutputArea-child"
_HIDE_LOST = (
    f"{_BESIDE} > .jupyter-widgets:not(:has(*)), {_BESIDE}:has(.jupyter-widgets-disconnected) {{ display: none; }}"
)


class Presence(anywidget.AnyWidget):
    """Shows nothing, and hides the still as long as it is on the page; a subclass may listen to keys."""

    _esm = PRESENCE + "export default presence();"
    still = traitlets.Unicode().tag(sync=True)  # names the HTML that gives way


class CellBox(ipywidgets.VBox):
    """A box of widgets that a cell shows; a page without the kernel, such as the notebook of yesterday, has `still`.

    Parameters
    ----------
    children
        From top to bottom; a `Presence` is the last.
    words
        What stands for it where there is only text.
    """

    def __init__(self, children: Sequence[ipywidgets.Widget], words: str = "") -> None:
        super().__init__(children)
        self.words = words
        self.children[-1].still = self.model_id

    def __repr__(self) -> str:
        return self.words

    def still(self) -> str:
        """HTML that a page shows without the kernel."""
        return f"<p>{escape(repr(self))} Run this cell for its controls.</p>"

    def _ipython_display_(self) -> None:
        # Two outputs. Of the kinds within one, a page without a kernel takes the widget and shows nothing.
        still = f'<div data-srlab-still="{self.model_id}"><style>{_HIDE_LOST}</style>{self.still()}</div>'
        display({"text/html": still, "text/plain": repr(self)}, raw=True)
        display({WIDGET: self._repr_mimebundle_()[WIDGET], "text/plain": ""}, raw=True)


def on_a_page() -> bool:
    """Whether a page runs this cell, where somebody can click and type; not so in papermill."""
    shell = get_ipython()
    request = shell.get_parent() if hasattr(shell, "get_parent") else {}  # of a kernel, not of a terminal
    return "cellId" in request.get("metadata", {})
