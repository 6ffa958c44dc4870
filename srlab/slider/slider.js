/* The comparison slider: two images under one divider, drawn on a canvas so that pixels stay square.
 *
 * mountSlider(root, options) builds it inside `root`. options: width, height (pixels of an image), shown (preferred
 * width in CSS pixels), labels, notes, images (elements), left, right (indices), caption, split (0 to 1), and
 * optionally view ([top, left, zoom]) or around ([x, y], the image point in the center of a large stage, on which the
 * image is not downscaled), visitors (a page without Python: no button that copies Python text, and no PSNR
 * without HR), and maps (indices of images without PSNR). Returns a function that detaches the slider from the window.
 * `root.srlabSlider` has choose(side, index), and replace(index, image, note). When an image is chosen, `root` gets the
 * event "srlab-chosen", whose detail is [side, index].
 */
const BARS = 135; // CSS pixels for the bars of JupyterLab, and a margin

function mountSlider(root, options) {
  if (root.srlabSlider) return; // the script ran twice
  root.querySelectorAll(":scope > .srlab-ui").forEach((old) => old.remove()); // a page saved from a browser

  const keyboard = window.matchMedia("(hover: hover) and (pointer: fine)").matches; // hardly on a touch screen
  const ui = make("div", "srlab-ui", root);
  const names = make("div", "srlab-names", ui);
  const frame = make("div", "srlab-frame", ui);
  const stage = make("div", "srlab-stage", frame, {
    role: "slider", tabindex: "0", "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": "100",
  });
  const canvas = make("canvas", "srlab-canvas", stage, { "aria-hidden": "true" }), context = canvas.getContext("2d");
  const line = make("div", "srlab-line", stage), grip = make("div", "srlab-grip", line);
  const score = make("div", "srlab-score", ui);
  const bar = make("div", "srlab-bar", ui);
  const sides = { left: side("left", "Left"), right: side("right", "Right") };
  const tools = make("div", "srlab-tools", ui);
  const zoomBox = make("div", "srlab-zoom", tools, { role: "group", "aria-label": "Zoom" });
  const zoomOut = button(zoomBox, "−", "", "Zoom out (-)", () => step(-1));
  const readout = button(zoomBox, "1×", "", "Reset the view (0)", reset);
  const zoomIn = button(zoomBox, "+", "", "Zoom in (+)", () => step(1));
  for (const node of [zoomOut, readout, zoomIn]) node.setAttribute("aria-label", node.title);
  const flicker = button(tools, "Flicker", "Space", "Hold to swap left and right (hold Space)");
  const differ = button(tools, "Difference", "D", "Show their difference: 8 times, 32 times, off (D)", difference);
  const all = button(tools, "Grid", "G", "Show the same region of all images (G)", toggleGrid);
  if (!options.visitors) button(tools, "Copy view", "C", "Copy this view as Python text for compare (C)", copyView);
  const helper = button(tools, "?", "", "Show or hide how to use the slider (?)", toggleHelp);
  const status = make("div", "srlab-status", ui, { role: "status" });
  const help = make("div", "srlab-help", ui);
  toggleHelp();
  if (options.caption) make("div", "srlab-caption", ui).textContent = options.caption;

  const { width, height, labels, notes, images } = options;
  const shown = { left: options.left, right: options.right };
  const view = new SliderView(width, height);
  const pointers = new Map();
  let split = clamp(options.split, 0, 1), gain = 0, grid = false, swapped = false;
  let drag = null, move = null, travel = 0, pending = false, timer = 0;

  function side(key, title) {
    const name = make("div", `srlab-name srlab-${key}`, names);
    const group = make("div", "srlab-group", bar, { role: "group", "aria-label": `${title} image` });
    make("span", "srlab-side", group).textContent = title;
    const choices = make("div", "srlab-choices", group);
    return { name: make("b", "", name), note: make("span", "srlab-note", name), choices, buttons: [] };
  }

  function button(parent, text, key, title, action) {
    const node = make("button", "srlab-button", parent, { type: "button", title });
    if (key && keyboard) make("small", "", node, { "aria-hidden": "true" }).textContent = key;
    node.append(text);
    if (action) node.addEventListener("click", action);
    return node;
  }

  function fillButtons() {
    for (const [key, { choices, buttons }] of Object.entries(sides)) {
      buttons.splice(0).forEach((node) => node.remove());
      labels.forEach((label, index) => {
        const digit = index < 9 ? ` (${key === "left" ? "Shift + " : ""}${index + 1})` : "";
        const title = `Show ${label} on the ${key}${digit}`;
        buttons.push(button(choices, label, index < 9 ? index + 1 : "", title, () => choose(key, index)));
      });
    }
    const digits = `1–${Math.min(labels.length, 9)}`;
    help.textContent = keyboard
      ? "Drag the line or press ← →. Click the image, then scroll to zoom (or + −), and drag or press Shift + arrows " +
        `to move it; double-click to reset (0). ${digits} choose the right image, Shift + ${digits} the left.`
      : "Drag the line, or tap to move it. Pinch with two fingers to zoom; then drag with one finger to move the " +
        "image, and double-tap to show the whole image.";
  }

  function toggleHelp() {
    help.hidden = !help.hidden;
    helper.setAttribute("aria-expanded", String(!help.hidden));
  }

  function choose(key, index) {
    shown[key] = index;
    refresh();
    root.dispatchEvent(new CustomEvent("srlab-chosen", { detail: [key, index] }));
  }

  function replace(index, image, note) {
    [images[index], notes[index]] = [image, note];
    refresh();
  }

  const pair = () => (swapped ? [shown.right, shown.left] : [shown.left, shown.right]);
  const divided = () => !gain && !grid;

  /* Update text and attributes; the image itself is drawn with the next animation frame. */
  function refresh() {
    const [left, right] = pair(), percent = Math.round(split * 100), scale = view.scale;
    for (const [key, index] of [["left", left], ["right", right]]) {
      const { name, note, buttons } = sides[key];
      name.textContent = divided() ? labels[index] : "";
      note.textContent = divided() ? notes[index] || "" : "";
      buttons.forEach((node, other) => node.setAttribute("aria-pressed", String(other === shown[key])));
    }
    const two = `${labels[left]} and ${labels[right]}`;
    if (gain) sides.left.name.textContent = `|${labels[shown.left]} − ${labels[shown.right]}| × ${gain}`;
    if (grid) sides.left.name.textContent = "The same region of each image";
    stage.setAttribute("aria-label", grid ? `The same region of ${labels.join(", ")}`
      : gain ? `Difference of ${two}, ${gain} times` : `Divider between ${two}`);
    stage.setAttribute("aria-valuenow", percent);
    stage.setAttribute("aria-valuetext", `${percent} % ${labels[left]}, ${100 - percent} % ${labels[right]}`);
    stage.classList.toggle("srlab-zoomed", view.zoomed);
    stage.classList.toggle("srlab-whole", !divided());
    stage.classList.toggle("srlab-grid", grid);
    for (const [node, on] of [[flicker, swapped], [differ, gain > 0], [all, grid]]) {
      node.setAttribute("aria-pressed", on);
    }
    differ.lastChild.textContent = `Difference${gain ? ` ×${gain}` : ""}`;
    readout.textContent = `${scale < 10 && scale % 1 ? scale.toFixed(1) : Math.round(scale)}×`;
    zoomOut.disabled = !next(-1);
    zoomIn.disabled = !next(1);
    clearTimeout(timer);
    timer = setTimeout(measure, 80); // once the view stops changing
    if (pending) return;
    pending = true;
    requestAnimationFrame(draw);
  }

  function layout() {
    const space = frame.clientWidth, count = grid ? labels.length : 1;
    if (!space) return; // not on the screen yet; the observer calls again
    const dpr = window.devicePixelRatio || 1;
    const wide = Math.min(space, Math.max(options.shown, 96) * count); // leaves space for the labels
    // A whole image fits on the screen with its names and buttons, in a notebook with bars above and below.
    const around = tools.offsetTop + tools.offsetHeight - names.offsetTop - stage.offsetHeight;
    const room = Math.max(Math.min(0.7 * window.innerHeight, window.innerHeight - BARS - around), 160);
    const high = (Math.min(space, options.shown) * height) / width; // exact for the divider, approximate for a grid
    const tall = options.around ? room : Math.min(grid ? Math.max(high, 420) : high, room), first = !view.scale;
    view.arrange(count, wide * dpr, tall * dpr, dpr, Boolean(options.around));
    if (first && options.view) view.open(options.view[0], options.view[1], options.view[2]);
    if (first && options.around) view.openAround(options.around[0], options.around[1]);
    if (canvas.width !== view.width) canvas.width = view.width; // setting it clears the canvas, even at the same size
    if (canvas.height !== view.height) canvas.height = view.height;
    stage.style.width = `${view.width / dpr}px`;
    stage.style.height = `${view.height / dpr}px`;
    ui.style.setProperty("--srlab-width", stage.style.width);
    refresh();
  }

  /* --- drawing ------------------------------------------------------------------------------------------------- */

  function paint(index, from = 0, to = view.cell.width, x = 0, y = 0) {
    if (!loaded(images[index]) || from >= to) return;
    const high = view.cell.height;
    context.drawImage(view.draw(images[index], move), from, 0, to - from, high, x + from, y, to - from, high);
  }

  function draw() {
    pending = false;
    if (!view.width) return;
    if (view.dpr !== (window.devicePixelRatio || 1)) return layout();
    const cut = Math.round(split * view.width), [left, right] = pair();
    context.clearRect(0, 0, view.width, view.height);
    if (grid) labels.forEach(drawCell);
    else if (gain) {
      paint(left);
      context.globalCompositeOperation = "difference";
      paint(right);
      context.globalCompositeOperation = "lighter"; // each pass doubles the levels
      for (let times = 1; times < gain; times *= 2) context.drawImage(canvas, 0, 0);
      context.globalCompositeOperation = "source-over";
    } else {
      paint(left, 0, cut);
      paint(right, cut);
    }
    line.style.left = `${cut / view.dpr}px`;
  }

  function drawCell(label, index) {
    const [x, y] = view.corner(index), { cell, dpr } = view;
    writeLabel(context, label, notes[index], x, y - 7 * dpr, cell.width, dpr, ui);
    paint(index, 0, cell.width, x, y);
  }

  /* --- PSNR of the visible region ------------------------------------------------------------------------------ */

  function measure() {
    const hr = labels.indexOf("HR"), to = hr < 0 ? shown.right : hr;
    const compared = [...new Set(grid ? labels.keys() : [shown.left, shown.right])];
    const scored = compared.filter((index) => index !== to && !options.maps?.includes(index));
    score.textContent = "";
    if ((hr < 0 && (grid || options.visitors)) || options.maps?.includes(to)) return;
    const rated = (index) => / dB|^identical$/.test(notes[index]); // its score for the whole image is shown above it
    if (!gain && !view.zoomed && scored.every(rated)) return;
    if (!view.width || !scored.length || ![to, ...scored].every((index) => loaded(images[index]))) return;
    score.append("This region: ");
    scored.forEach((index, n) => {
      score.append(n ? " · " : "", `${labels[index]} `);
      const value = decibels(images[index], images[to], width, height, view.part);
      make("b", "", score).textContent = value < Infinity ? `${value.toFixed(2)} dB` : "identical";
    });
    make("span", "srlab-note", score).textContent =
      `PSNR to ${labels[to]} on 8-bit RGB, not on luma as in tables`;
  }

  /* --- modes --------------------------------------------------------------------------------------------------- */

  function swap(on) {
    if (swapped === on) return;
    swapped = on;
    refresh();
  }

  function difference() { look({ 0: 8, 8: 32, 32: 0 }[gain], false); }

  function toggleGrid() { look(0, !grid); }

  function look(times, cells) {
    [gain, grid] = [times, cells];
    layout();
  }

  async function copyView() {
    const [x, y] = view.origin, zoom = Number((view.scale / view.fit).toFixed(2));
    const [top, left] = [-y, -x].map((at) => Math.max(0, Math.round(at / view.scale)));
    const text = `view=(${top}, ${left}, ${zoom}), split=${Number(split.toFixed(2))}`;
    try {
      await navigator.clipboard.writeText(text);
      status.textContent = `Copied: ${text}`;
    } catch { // a page without HTTPS may not write to the clipboard
      status.textContent = text;
      getSelection().selectAllChildren(status);
    }
  }

  /* --- zoom: in steps of whole screen pixels per image pixel, around one point of the stage -------------------- */

  const next = (direction) => view.next(direction, move ? move.to : view.scale);

  function step(direction, x = divided() ? split * view.width : view.cell.width / 2, y = view.cell.height / 2) {
    const scale = next(direction);
    if (scale) zoomTo(scale, x, y);
  }

  function zoomTo(scale, x, y) {
    const time = window.matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 130, running = move;
    move = { from: view.scale, to: scale, x, y, point: view.pictureAt(x, y), start: performance.now(), time };
    if (!running) glide();
  }

  function glide() {
    if (!move) return;
    const part = move.time ? clamp((performance.now() - move.start) / move.time, 0, 1) : 1;
    const scale = part < 1 ? move.from * (move.to / move.from) ** (1 - (1 - part) ** 3) : move.to;
    const { x, y, point } = move;
    if (part === 1) move = null;
    view.setAt(point, scale, x, y);
    refresh();
    if (move) requestAnimationFrame(glide);
  }

  function reset() {
    split = 0.5;
    zoomTo(view.fit, view.cell.width / 2, view.cell.height / 2);
  }

  function setSplit(value) {
    split = clamp(value, 0, 1);
    refresh();
  }

  function moveTo(x, y) {
    view.set(view.scale, x, y);
    refresh();
  }

  /* --- mouse, pen and touch ------------------------------------------------------------------------------------ */

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * view.dpr, (event.clientY - box.top) * view.dpr];
  };

  function pinched() {
    const [[ax, ay], [bx, by]] = pointers.values();
    return { apart: Math.max(Math.hypot(ax - bx, ay - by), 1), mid: view.inCell((ax + bx) / 2, (ay + by) / 2) };
  }

  /* From here on, the line or the image follows the pointer. */
  function begin(x) {
    drag.waits = false;
    stage.focus({ preventScroll: true });
    stage.dataset.drag = drag.kind;
    if (drag.kind === "split") setSplit((x + drag.gap) / view.width);
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const at = place(event), gap = split * view.width - at[0], touch = event.pointerType === "touch";
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at);
    move = null;
    if (pointers.size === 2) {
      const { apart, mid } = pinched();
      drag = { kind: "pinch", apart, scale: view.scale, point: view.pictureAt(...mid) };
      begin();
    } else if (pointers.size === 1) {
      const near = divided() && Math.abs(gap) < (touch ? 28 : 16) * view.dpr, { zoomed } = view;
      drag = { kind: near || (divided() && !zoomed) ? "split" : "pan", gap: near ? gap : 0, at, from: [view.x, view.y] };
      drag.touch = touch;
      // A finger may only want to scroll the page, so wait for a tap or a sideways swipe. Don't wait on the grip, or in
      // a zoomed image that has the focus.
      drag.waits = touch && event.target !== grip && !(zoomed && document.activeElement === stage);
      if (!drag.waits) begin(at[0]);
    }
  });

  stage.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId) || !drag) return;
    const [x, y] = place(event);
    pointers.set(event.pointerId, [x, y]);
    if (drag.waits) {
      const across = Math.abs(x - drag.at[0]);
      if (across < 8 * view.dpr || across < 1.5 * Math.abs(y - drag.at[1])) return;
      begin(x);
    }
    if (drag.kind === "split") setSplit((x + drag.gap) / view.width);
    else if (drag.kind === "pan") {
      moveTo(drag.from[0] - (x - drag.at[0]) / view.scale, drag.from[1] - (y - drag.at[1]) / view.scale);
    } else if (pointers.size === 2) {
      const { apart, mid } = pinched();
      view.setAt(drag.point, clamp((drag.scale * apart) / drag.apart, view.fit, view.levels.at(-1)), ...mid);
      refresh();
    }
  });

  function release(event) {
    if (!pointers.delete(event.pointerId)) return;
    const [x, y] = place(event), still = drag?.at && Math.hypot(x - drag.at[0], y - drag.at[1]) < 8 * view.dpr;
    if (still && drag.touch && event.type === "pointerup") { // a tap, which moves the line also in a zoomed image
      if (drag.waits) begin(x);
      if (divided()) setSplit((x + drag.gap) / view.width);
    }
    if (drag?.kind === "pinch" && pointers.size === 1) { // settle at the nearest zoom with square pixels
      const off = (scale) => Math.abs(Math.log(scale / view.scale));
      const nearest = view.levels.reduce((a, b) => (off(b) < off(a) ? b : a));
      zoomTo(nearest, view.cell.width / 2, view.cell.height / 2);
    }
    if (!pointers.size || drag?.kind !== "pinch") drag = null;
    if (!drag) delete stage.dataset.drag;
  }
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("dblclick", reset);

  flicker.addEventListener("pointerdown", () => swap(true));
  for (const kind of ["pointerup", "pointercancel", "pointerleave"]) flicker.addEventListener(kind, () => swap(false));
  flicker.addEventListener("contextmenu", (event) => event.preventDefault()); // a long press would open a menu

  // The wheel scrolls the page until the slider has the focus, and again when the zoom has reached its limit.
  stage.addEventListener("wheel", (event) => {
    const held = event.ctrlKey || event.metaKey, direction = event.deltaY < 0 ? 1 : -1;
    if (!event.deltaY || (!held && !root.matches(":focus-within"))) return;
    if (held || next(direction)) event.preventDefault();
    event.stopPropagation();
    if (travel * direction > 0) travel = 0;
    travel += event.deltaY * (event.deltaMode ? 40 : event.ctrlKey ? 6 : 1); // a pinch on a touchpad sends small steps
    if (Math.abs(travel) < 50) return;
    travel = 0;
    step(direction, ...view.inCell(...place(event)));
  }, { passive: false });

  /* --- keyboard: no letter or digit reaches the notebook around the slider -------------------------------------- */

  function act(event) {
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
    if (digit && digit[1] <= labels.length) return () => choose(event.shiftKey ? "left" : "right", digit[1] - 1);
    if (event.key === "+" || event.key === "=") return () => step(1);
    if (event.key === "-" || event.key === "_") return () => step(-1);
    if (event.key === "0" || event.code === "Digit0") return reset;
    if (event.key === "?") return toggleHelp;
    // The code is for keyboards without Latin letters.
    const letter = /^[a-z]$/i.test(event.key) ? event.key.toUpperCase() : event.code.slice(3);
    const tool = { D: difference, G: toggleGrid, C: options.visitors ? undefined : copyView }[letter];
    if (tool) return event.repeat ? () => {} : tool;
    if (event.key === " " && [stage, flicker].includes(event.target)) return () => swap(true);
    if (event.target !== stage) return null; // a button keeps its arrows and its space bar
    const percent = Math.round(split * 100) / 100;
    const arrow = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.code];
    const { x, y, scale, cell } = view;
    if (arrow && (event.shiftKey || !divided())) {
      return () => moveTo(x + (arrow[0] * cell.width) / scale, y + (arrow[1] * cell.height) / scale);
    }
    if (arrow) return () => setSplit(percent + 0.1 * (arrow[0] - arrow[1]));
    return {
      PageDown: () => setSplit(percent - 0.1), PageUp: () => setSplit(percent + 0.1),
      Home: () => setSplit(0), End: () => setSplit(1),
    }[event.code];
  }

  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = act(event);
    if (action || event.key.length === 1) event.stopPropagation();
    if (!action) return;
    event.preventDefault();
    action();
  });
  root.addEventListener("keyup", (event) => { if (event.key === " ") swap(false); });
  root.addEventListener("focusout", (event) => { if (!root.contains(event.relatedTarget)) swap(false); });

  /* --- setup --------------------------------------------------------------------------------------------------- */

  const observer = new ResizeObserver(layout);
  observer.observe(frame);
  window.addEventListener("resize", layout);
  fillButtons();
  images.forEach((image) => image.addEventListener("load", refresh)); // in case it is not loaded yet
  layout();
  const still = root.querySelector(":scope > .srlab-still");
  if (still) still.style.display = "none";
  root.srlabSlider = { choose, replace };
  return () => { // for pages that replace the slider
    clearTimeout(timer);
    observer.disconnect();
    window.removeEventListener("resize", layout);
  };
}
