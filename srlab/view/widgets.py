"""What the widgets of a cell share: what a page without a kernel shows in their place, and which cell it is."""

from html import escape
from importlib.resources import files

import ipywidgets
from IPython import get_ipython
from IPython.display import display

KEYS = files("srlab.view").joinpath("keys.js").read_text(encoding="utf-8")  # for the scripts of widgets with keys
WIDGET = "application/vnd.jupyter.widget-view+json"
# When a kernel was restarted, JupyterLab puts a broken chain beside each control, and once the page is loaded again it
# says "model not found". Nobody can act on either: the page shows the still instead, and else the widget.
_STILL = ".jp-OutputArea-child:has([data-srlab-still])"
STYLE = (
    f"{_STILL} + .jp-OutputArea-child > .jupyter-widgets:not(:has(*)), "
    f"{_STILL} + .jp-OutputArea-child:has(.jupyter-widgets-disconnected), "
    ".jp-OutputArea-child:has(+ .jp-OutputArea-child .widget-vbox)"
    ":not(:has(+ .jp-OutputArea-child .jupyter-widgets-disconnected)) [data-srlab-still] { display: none; }"
)


class CellBox(ipywidgets.VBox):
    """A box of widgets that a cell shows; a page without the kernel, such as the notebook of yesterday, has `still`."""

    def still(self) -> str:
        """HTML that a page shows without the kernel."""
        return f"<p>{escape(repr(self))} Run this cell for its controls.</p>"

    def _ipython_display_(self) -> None:
        # Two outputs. Of the kinds within one, a page without a kernel takes the widget and shows nothing.
        still = f"<div data-srlab-still><style>{STYLE}</style>{self.still()}</div>"
        display({"text/html": still, "text/plain": repr(self)}, raw=True)
        display({WIDGET: self._repr_mimebundle_()[WIDGET], "text/plain": ""}, raw=True)


def on_a_page() -> bool:
    """Whether a page runs this cell, where somebody can click and type; not so in papermill."""
    shell = get_ipython()
    request = shell.get_parent() if hasattr(shell, "get_parent") else {}  # of a kernel, not of a terminal
    return "cellId" in request.get("metadata", {})
