/* What a widget says when its kernel does not answer: JupyterLab leaves the controls of a dead one on the page.
 *
 * watchKernel(model, el, say) asks the kernel for a sign of life whenever someone uses what stands in the same box as
 * the widget in `el`, and calls `say` with a sentence, or with "" when all is well. It returns what ends the watch.
 */
const KERNEL_GONE = "This needs its kernel, which was restarted or shut down: run the cell again.";
const KERNEL_SILENT = "No answer yet: the kernel is busy, or it was restarted; then run this cell again.";
const PATIENCE = 2500; // milliseconds

function watchKernel(model, el, say) {
  let timer = 0;
  const tell = (text) => {
    clearTimeout(timer);
    timer = 0;
    say(text);
  };
  // JupyterLab puts this class on what it knows to be dead; a kernel that died by itself is merely silent.
  const dead = () => el.closest(".jupyter-widgets-disconnected") !== null;
  const look = () => tell(dead() ? KERNEL_GONE : "");
  const ask = (event) => {
    if (timer || !el.parentElement?.contains(event.target)) return;
    if (dead()) return look();
    timer = setTimeout(tell, PATIENCE, KERNEL_SILENT);
    try {
      model.send("are you there?");
    } catch {
      tell(KERNEL_GONE);
    }
  };
  const answered = () => tell("");
  document.addEventListener("pointerdown", ask, true);
  document.addEventListener("keydown", ask, true);
  model.on("msg:custom", answered);
  model.on("comm_live_update", look);
  requestAnimationFrame(look); // `el` has its place on the page by then
  return () => {
    clearTimeout(timer);
    document.removeEventListener("pointerdown", ask, true);
    document.removeEventListener("keydown", ask, true);
    model.off("msg:custom", answered);
    model.off("comm_live_update", look);
  };
}
