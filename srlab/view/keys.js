/* A widget that shows nothing: `heard(event, box)` gets what is pressed and clicked in the box where it stands. */
function listener(heard) {
  return {
    render({ el }) {
      // The box itself has no place on the page yet.
      const listen = (event) => { if (el.parentElement?.contains(event.target)) heard(event, el.parentElement); };
      for (const kind of ["keydown", "click"]) document.addEventListener(kind, listen, true);
      return () => { for (const kind of ["keydown", "click"]) document.removeEventListener(kind, listen, true); };
    },
  };
}
