"""Parts of the widgets of a cell: their still for pages without a kernel, and whether there is a page."""

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
# After a kernel was restarted, JupyterLab shows a broken chain next to each control, and after a reload the text "model
# not found". The page shows the still instead.
_BESIDE = ".jp-OutputArea-child:has([data-srlab-still]) + .jp-OutputArea-child"
_HIDE_LOST = (
    f"{_BESIDE} > .jupyter-widgets:not(:has(*)), {_BESIDE}:has(.jupyter-widgets-disconnected) {{ display: none; }}"
)


class Presence(anywidget.AnyWidget):
    """An invisible widget that hides the still while it is on the page; a subclass may listen to keys."""

    _esm = PRESENCE + "export default presence();"
    still = traitlets.Unicode().tag(sync=True)  # name of the HTML to hide


class CellBox(ipywidgets.VBox):
    """A box of widgets that a cell shows; a page without its kernel, such as yesterday's notebook, shows `still`.

    Parameters
    ----------
    children
        Widgets from top to bottom; a `Presence` is the last.
    words
        Text for outputs without widgets.
    """

    def __init__(self, children: Sequence[ipywidgets.Widget], words: str = "") -> None:
        super().__init__(children)
        self.words = words
        self.children[-1].still = self.model_id

    def __repr__(self) -> str:
        return self.words

    def still(self) -> str:
        """Return the HTML of a page without the kernel."""
        return f"<p>{escape(repr(self))} Run this cell for its controls.</p>"

    def _ipython_display_(self) -> None:
        # Two outputs: of the formats of a single one, a page without a kernel would choose the widget and show nothing.
        still = f'<div data-srlab-still="{self.model_id}"><style>{_HIDE_LOST}</style>{self.still()}</div>'
        display({"text/html": still, "text/plain": repr(self)}, raw=True)
        display({WIDGET: self._repr_mimebundle_()[WIDGET], "text/plain": ""}, raw=True)


def on_a_page() -> bool:
    """Return whether a page runs this cell, where you can click and type; not so in papermill."""
    shell = get_ipython()
    request = shell.get_parent() if hasattr(shell, "get_parent") else {}  # a terminal has none
    return "cellId" in request.get("metadata", {})
