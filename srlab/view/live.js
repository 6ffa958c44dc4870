/* The page's half of `compare_live`: a slider whose pictures come from the kernel. It follows slider.js in one module. */
export default {
  render({ model, el }) {
    const root = document.createElement("div");
    root.className = "srlab-compare";
    el.append(root);
    const { frames, ...first } = model.get("content");
    const slider = mountSlider(root, {
      ...first, shown: model.get("shown"), images: first.labels.map(() => null), left: 1, right: 2,
    });
    const update = () => slider.update(model.get("content"));
    model.on("change:content", update);
    update();
    return () => { model.off("change:content", update); slider.destroy(); };
  },
};
