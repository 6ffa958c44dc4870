/* The keys of a guess. JupyterLab runs no cell from within a field: Enter leaves it for the next cell, which stays to be run. */
export default presence((event, box) => {
  const cell = box.closest(".jp-Cell");
  if (event.key !== "Enter" || event.target.tagName !== "INPUT" || !cell) return;
  event.preventDefault();
  event.stopPropagation();
  cell.focus();
  cell.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", code: "ArrowDown", keyCode: 40, bubbles: true }));
});
