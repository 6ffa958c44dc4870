/* A widget that shows nothing. As long as it is on the page and its kernel lives, what the page shows without one is
 * hidden; and `heard(event, box)` gets what is pressed and clicked in the box where it stands.
 */
const HIDDEN = // but beside a widget that JupyterLab knows to be dead
  ":not(.jp-OutputArea-child:has(+ .jp-OutputArea-child .jupyter-widgets-disconnected) *) { display: none; }";

function presence(heard = () => {}) {
  return {
    render({ model, el }) {
      const style = document.createElement("style");
      style.textContent = `[data-srlab-still="${model.get("still")}"]${HIDDEN}`;
      el.append(style);
      // The box itself has no place on the page yet.
      const listen = (event) => { if (el.parentElement?.contains(event.target)) heard(event, el.parentElement); };
      for (const kind of ["keydown", "click"]) document.addEventListener(kind, listen, true);
      return () => { for (const kind of ["keydown", "click"]) document.removeEventListener(kind, listen, true); };
    },
  };
}
