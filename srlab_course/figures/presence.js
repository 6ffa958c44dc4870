/* An invisible widget. While it is on the page and its kernel is alive, it hides the HTML for pages without a kernel,
 * and passes keydown and click events of the box that contains it to `heard(event, box)`.
 */
const HIDDEN = // except next to a widget that JupyterLab has marked as disconnected
  ":not(.jp-OutputArea-child:has(+ .jp-OutputArea-child .jupyter-widgets-disconnected) *) { display: none; }";

function presence(heard = () => {}) {
  return {
    render({ model, el }) {
      const style = document.createElement("style");
      style.textContent = `[data-srlab-still="${model.get("still")}"]${HIDDEN}`;
      el.append(style);
      // The box itself is not on the page yet.
      const listen = (event) => { if (el.parentElement?.contains(event.target)) heard(event, el.parentElement); };
      for (const kind of ["keydown", "click"]) document.addEventListener(kind, listen, true);
      return () => { for (const kind of ["keydown", "click"]) document.removeEventListener(kind, listen, true); };
    },
  };
}
