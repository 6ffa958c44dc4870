// Scripts of a page other than the sliders: figures that were scaled down open in full size, and buttons get names.
addEventListener("DOMContentLoaded", () => {
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  dialog.innerHTML = '<button type="button" aria-label="Close">×</button><div tabindex="0"><img></div>';
  document.body.append(dialog);
  const [shut, copy] = [dialog.querySelector("button"), dialog.querySelector("img")];
  shut.onclick = () => dialog.close();
  copy.onclick = () => dialog.close();

  // Figures have two pixels per CSS pixel and an explicit width; drawings have their natural width.
  const full = (image) => Number(image.getAttribute("width")) || image.naturalWidth;

  function open(image) {
    copy.src = image.currentSrc || image.src;
    copy.alt = image.alt;
    copy.style.width = `${full(image)}px`;
    dialog.setAttribute("aria-label", image.alt);
    dialog.showModal();
    copy.parentElement.scrollTo(0, 0);
  }

  // Each figure gets a frame that opens it. If it has a link to its file, that link is the frame and works without scripts.
  for (const image of document.querySelectorAll(".bd-article .cell_output img")) {
    if (image.closest(".srlab-compare")) continue;
    let frame = image.closest("a");
    if (!frame) {
      frame = document.createElement("span");
      frame.tabIndex = 0;
      image.before(frame);
      frame.append(image);
    }
    frame.classList.add("figure");
    frame.setAttribute("role", "button");
    frame.addEventListener("click", (event) => {
      if (!frame.classList.contains("shrunk")) return;
      event.preventDefault();
      open(image);
    });
    frame.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      frame.click();
    });
    const measure = () => {
      const shrunk = image.clientWidth > 0 && full(image) > 1.2 * image.clientWidth;
      frame.classList.toggle("shrunk", shrunk);
      if (frame.tagName === "SPAN") frame.tabIndex = shrunk ? 0 : -1;
    };
    new ResizeObserver(measure).observe(image);
    image.addEventListener("load", measure);
  }
});

// The copy-button extension adds its buttons after loading and gives all of them the same name.
addEventListener("load", () => {
  document.querySelectorAll("button.copybtn").forEach((button) => {
    button.type = "button";
    const first = button.parentElement.querySelector("pre").textContent.trim().split("\n")[0];
    button.setAttribute("aria-label", `Copy the code that begins: ${first.slice(0, 60)}`);
  });
});
