"""Base classes for the labs' widgets, with HTML that replaces them on pages without a kernel."""

from collections.abc import Sequence
from importlib.resources import files

import anywidget
import ipywidgets
import traitlets
from IPython.display import display

from srlab.text import escaped

PRESENCE = files("srlab_course.figures").joinpath("presence.js").read_text(encoding="utf-8")
WIDGET = "application/vnd.jupyter.widget-view+json"
# After a kernel restart JupyterLab shows a broken chain next to each control, and after a reload the text "model not
# found". This style hides both, so that the page shows only the replacement.
_BESIDE = ".jp-OutputArea-child:has([data-srlab-still]) + .jp-OutputArea-child"
_HIDE_LOST = (
    f"{_BESIDE} > .jupyter-widgets:not(:has(*)), {_BESIDE}:has(.jupyter-widgets-disconnected) {{ display: none; }}"
)


class Presence(anywidget.AnyWidget):
    """An invisible widget that hides `CellBox.still` while it is on the page; subclasses may listen for keys."""

    _esm = PRESENCE + "export default presence();"
    still = traitlets.Unicode().tag(sync=True)  # name of the HTML to hide


class CellBox(ipywidgets.VBox):
    """A box of widgets; without its kernel, as in a notebook opened the next day, a page shows `still` instead.

    The last of `children` must be a `Presence`. `words` is the text for outputs without widgets.
    """

    def __init__(self, children: Sequence[ipywidgets.Widget], words: str = "") -> None:
        super().__init__(children)
        self.words = words
        self.children[-1].still = self.model_id

    def __repr__(self) -> str:
        return self.words

    def still(self) -> str:
        """Return the HTML for a page without a kernel."""
        return f"<p>{escaped(repr(self))} Run this cell to use its controls.</p>"

    def _ipython_display_(self) -> None:
        # Use two outputs: from a single one, a page without a kernel would choose the widget and show nothing.
        still = f'<div data-srlab-still="{self.model_id}"><style>{_HIDE_LOST}</style>{self.still()}</div>'
        display({"text/html": still, "text/plain": repr(self)}, raw=True)
        display({WIDGET: self._repr_mimebundle_()[WIDGET], "text/plain": ""}, raw=True)
