/* The Enter key of a guess. JupyterLab does not run cells from a text field, so Enter moves to the next cell. */
export default presence((event, box) => {
  const cell = box.closest(".jp-Cell");
  if (event.key !== "Enter" || event.target.tagName !== "INPUT" || !cell) return;
  event.preventDefault();
  event.stopPropagation();
  cell.focus();
  cell.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", code: "ArrowDown", keyCode: 40, bubbles: true }));
});
