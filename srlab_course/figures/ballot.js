/* Keyboard shortcuts of a ballot: a letter ranks its image, Enter confirms. The ballot keeps the focus when a button disappears. */
const letterOf = (button) => /^[A-Z](?=$|:)/.exec(button.textContent.trim())?.[0];

export default presence((event, box) => {
  if (event.type === "click") {
    const button = event.target.closest("button");
    if (!button || letterOf(button)) return;
    box.tabIndex = -1;
    box.focus({ preventScroll: true });
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.length === 1) event.stopPropagation(); // otherwise the notebook runs its own shortcut
  const confirm = event.key === "Enter" && event.target === box && box.querySelector("button.mod-primary");
  const letters = [...box.querySelectorAll("button")];
  const pressed = confirm || letters.find((button) => letterOf(button) === event.key.toUpperCase());
  if (!pressed) return;
  event.preventDefault();
  pressed.click();
});
