/* What a widget says when its kernel does not answer: JupyterLab leaves the controls of a dead one on the page.
 *
 * watchKernel(model, el, say) asks the kernel for a sign of life whenever someone uses what stands in the same box as
 * the widget in `el`, and calls `say` with a sentence, or with "" when all is well. It returns what ends the watch.
 * What the page shows without a kernel gives way as long as `el` is there and alive.
 */
const KERNEL_GONE = "This needs its kernel, which was restarted or shut down: run the cell again.";
const KERNEL_SILENT = "No answer yet: the kernel is busy, or it was restarted; then run this cell again.";
const STILL_HIDDEN = // but beside a widget that JupyterLab knows to be dead
  ":not(.jp-OutputArea-child:has(+ .jp-OutputArea-child .jupyter-widgets-disconnected) *) { display: none; }";
const PATIENCE = 2500; // milliseconds

function watchKernel(model, el, say) {
  const style = document.createElement("style");
  style.textContent = `[data-srlab-still="${model.get("still")}"]${STILL_HIDDEN}`;
  el.append(style);
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

/* The page's half of a KernelNotice; `heard(event, box)` gets what is pressed and clicked in the box where it stands. */
function kernelNotice(heard = () => {}) {
  return {
    render({ model, el }) {
      const words = document.createElement("div");
      words.className = "srlab-words";
      words.setAttribute("role", "status");
      el.append(words);
      // The box itself has no place on the page yet.
      const listen = (event) => { if (el.parentElement?.contains(event.target)) heard(event, el.parentElement); };
      for (const kind of ["keydown", "click"]) document.addEventListener(kind, listen, true);
      const forget = watchKernel(model, el, (text) => { words.textContent = text; });
      return () => {
        for (const kind of ["keydown", "click"]) document.removeEventListener(kind, listen, true);
        forget();
      };
    },
  };
}
