// What a page of the book does beyond its sliders: figures that are shrunk can be seen in full, and buttons have names.
addEventListener("DOMContentLoaded", () => {
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  dialog.innerHTML = '<button type="button" aria-label="Close">×</button><div tabindex="0"><img></div>';
  document.body.append(dialog);
  const [shut, copy] = [dialog.querySelector("button"), dialog.querySelector("img")];
  shut.onclick = () => dialog.close();
  copy.onclick = () => dialog.close();

  // Figures are drawn with two pixels for each of a page, and say their width; drawings are as wide as they say.
  const full = (image) => Number(image.getAttribute("width")) || image.naturalWidth;

  function open(image) {
    copy.src = image.currentSrc || image.src;
    copy.alt = image.alt;
    copy.style.width = `${full(image)}px`;
    dialog.setAttribute("aria-label", image.alt);
    dialog.showModal();
    copy.parentElement.scrollTo(0, 0);
  }

  // Each gets a frame that opens it: its link to the file, where there is one, so that a page without scripts has that.
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

// The extension makes the buttons for copying when the page is there, and names them all alike.
addEventListener("load", () => {
  document.querySelectorAll("button.copybtn").forEach((button) => {
    button.type = "button";
    const first = button.parentElement.querySelector("pre").textContent.trim().split("\n")[0];
    button.setAttribute("aria-label", `Copy the code that begins: ${first.slice(0, 60)}`);
  });
});
