/* The page's half of `compare_live`: a slider whose pictures come from the kernel. It follows slider.js and kernel.js in
 * one module.
 */
const MOMENT = 300; // milliseconds that a change may take without a word

export default {
  render({ model, el }) {
    const box = make("div", "srlab-live", el);
    const root = make("div", "srlab-compare", box);
    const words = make("div", "srlab-words", box, { role: "status" });
    const { frames, ...first } = model.get("content");
    const slider = mountSlider(root, {
      ...first, shown: model.get("shown"), images: first.labels.map(() => null), left: 1, right: 2,
    });
    let drawn = null, timer = 0, slow = false, silence = "";

    function show() {
      const problem = model.get("problem");
      words.textContent = silence || (slow ? "computing …" : problem);
      words.classList.toggle("srlab-calm", slow && !silence);
      root.style.visibility = problem ? "hidden" : ""; // the picture is not that of the controls, and its score neither
      root.style.opacity = words.textContent ? 0.35 : "";
    }

    async function follow() {
      clearTimeout(timer);
      slow = false;
      if (model.get("busy")) {
        timer = setTimeout(() => { slow = true; show(); }, MOMENT);
        return;
      }
      const content = model.get("content");
      if (content !== drawn) await slider.update((drawn = content));
      silence = "";
      show();
    }

    const forget = watchKernel(model, el, (text) => { silence = text; show(); });
    model.on("change", follow);
    follow();
    return () => { clearTimeout(timer); forget(); model.off("change", follow); slider.destroy(); };
  },
};
