/* The comparison slider: two pictures under one divider, drawn on a canvas so that a pixel stays a square.
 *
 * mountSlider(root, options) builds it inside `root`; the page made by `compare` and the widget of `compare_live`
 * share it. options: width, height (pixels of a picture), shown (CSS pixels it wants to be wide), labels, notes,
 * images (anything that drawImage takes, or null), left, right (indices), caption.
 *
 * The view is the scale in device pixels per picture pixel, and the picture point at the middle of the stage.
 */
function mountSlider(root, options) {
  if (root.srlabSlider) return root.srlabSlider; // the script ran twice
  root.querySelectorAll(":scope > .srlab-ui").forEach((old) => old.remove()); // a page saved from a browser

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  const ui = make("div", "srlab-ui", root);
  const names = make("div", "srlab-names", ui);
  const stage = make("div", "srlab-stage", ui, {
    role: "slider", tabindex: "0", "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": "100",
  });
  const canvas = make("canvas", "srlab-canvas", stage, { "aria-hidden": "true" });
  const line = make("div", "srlab-line", stage);
  make("div", "srlab-grip", line);
  const bar = make("div", "srlab-bar", ui);
  const foot = make("div", "srlab-foot", ui);
  const help = make("div", "srlab-help", foot);
  const zoomBox = make("div", "srlab-zoom", foot, { role: "group", "aria-label": "Zoom" });
  const sides = { left: side("left", "Left"), right: side("right", "Right") };
  const zoomOut = zoomButton("−", "Zoom out (-)", () => step(-1));
  const readout = zoomButton("1×", "Reset the view (0)", reset);
  const zoomIn = zoomButton("+", "Zoom in (+)", () => step(1));
  if (options.caption) make("div", "srlab-caption", ui).textContent = options.caption;

  let { width, height, labels, notes, images } = options;
  const shown = { left: options.left, right: options.right };
  const room = { width: 0, height: 0, dpr: 1, fit: 1 }; // of the stage, in device pixels
  const view = { scale: 0, x: width / 2, y: height / 2 };
  const pointers = new Map();
  let split = 0.5, drag = null, move = null, travel = 0, pending = false, ticket = 0;

  function side(key, title) {
    const name = make("div", `srlab-name srlab-${key}`, names);
    const group = make("div", "srlab-group", bar, { role: "group", "aria-label": `${title} picture` });
    make("span", "srlab-side", group).textContent = title;
    const choices = make("div", "srlab-choices", group);
    return { name: make("b", "", name), note: make("span", "srlab-note", name), choices, buttons: [] };
  }

  function zoomButton(text, title, action) {
    const button = make("button", "srlab-button", zoomBox, { type: "button", title, "aria-label": title });
    button.textContent = text;
    button.addEventListener("click", action);
    return button;
  }

  function fillButtons() {
    for (const [key, { choices, buttons }] of Object.entries(sides)) {
      buttons.splice(0).forEach((button) => button.remove());
      labels.forEach((label, index) => {
        const digit = index < 9 ? ` (${key === "left" ? "Shift + " : ""}${index + 1})` : "";
        const title = `Show ${label} on the ${key}${digit}`;
        const button = make("button", "srlab-button", choices, { type: "button", title });
        if (index < 9) make("small", "", button, { "aria-hidden": "true" }).textContent = index + 1;
        button.append(label);
        button.addEventListener("click", () => choose(key, index));
        buttons.push(button);
      });
    }
    const digits = `1–${Math.min(labels.length, 9)}`;
    help.textContent = "Drag the line or press ← →. Click the picture, then scroll to zoom (or + −), drag or W A S D to move it; " +
      `double click resets. Keys ${digits} choose the right picture, Shift + ${digits} the left.`;
  }

  function choose(key, index) {
    shown[key] = index;
    refresh();
  }

  /* Text and attributes; the picture itself follows with the next frame of the screen. */
  function refresh() {
    for (const [key, { name, note, buttons }] of Object.entries(sides)) {
      name.textContent = labels[shown[key]];
      note.textContent = notes[shown[key]] || "";
      buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(index === shown[key])));
    }
    const percent = Math.round(split * 100), scale = view.scale;
    stage.setAttribute("aria-label", `Divider between ${labels[shown.left]} and ${labels[shown.right]}`);
    stage.setAttribute("aria-valuenow", percent);
    stage.setAttribute("aria-valuetext", `${percent} % ${labels[shown.left]}, ${100 - percent} % ${labels[shown.right]}`);
    stage.classList.toggle("srlab-zoomed", scale > room.fit);
    readout.textContent = `${scale < 10 && scale % 1 ? scale.toFixed(1) : Math.round(scale)}×`;
    zoomOut.disabled = !next(-1);
    zoomIn.disabled = !next(1);
    if (pending) return;
    pending = true;
    requestAnimationFrame(draw);
  }

  /* The stage takes the width it wants if there is room, and whole screen pixels per picture pixel if that is near. */
  function layout() {
    const space = ui.clientWidth;
    if (!space) return; // not on the screen yet; the observer calls again
    room.dpr = window.devicePixelRatio || 1;
    const fit = (Math.min(options.shown, space) * room.dpr) / width, whole = Math.floor(fit + 1e-6);
    const atFit = !view.scale || view.scale === room.fit;
    room.fit = whole >= 0.75 * fit ? whole : fit;
    room.width = Math.round(room.fit * width);
    room.height = Math.round(room.fit * height);
    canvas.width = room.width;
    canvas.height = room.height;
    stage.style.width = `${room.width / room.dpr}px`;
    stage.style.height = `${room.height / room.dpr}px`;
    ui.style.setProperty("--srlab-width", stage.style.width);
    setView(atFit ? room.fit : Math.max(view.scale, room.fit), view.x, view.y);
  }

  function setView(scale, x, y) {
    const halfX = room.width / 2 / scale, halfY = room.height / 2 / scale;
    view.scale = scale;
    view.x = halfX * 2 >= width ? width / 2 : clamp(x, halfX, width - halfX);
    view.y = halfY * 2 >= height ? height / 2 : clamp(y, halfY, height - halfY);
    refresh();
  }

  /* Device pixel of the picture's upper left corner; whole, so that the edges of its pixels are sharp. */
  const origin = () => [
    Math.round(room.width / 2 - view.x * view.scale), Math.round(room.height / 2 - view.y * view.scale),
  ];

  function draw() {
    pending = false;
    if (!room.width) return;
    if (room.dpr !== (window.devicePixelRatio || 1)) return layout();
    const context = canvas.getContext("2d"), cut = Math.round(split * room.width), scale = view.scale;
    const [originX, originY] = origin();
    context.clearRect(0, 0, room.width, room.height);
    // Squares where pixels are magnified; a picture drawn smaller than it is must not alias in turn.
    context.imageSmoothingEnabled = scale < 1 || (scale < 3 && scale % 1 !== 0 && !move);
    context.imageSmoothingQuality = "high";
    for (const [image, from, to] of [[images[shown.left], 0, cut], [images[shown.right], cut, room.width]]) {
      if (!image || (image instanceof HTMLImageElement && !image.naturalWidth) || from >= to) continue;
      const x0 = clamp(Math.floor((from - originX) / scale), 0, width);
      const y0 = clamp(Math.floor(-originY / scale), 0, height);
      const x1 = clamp(Math.ceil((to - originX) / scale), 0, width);
      const y1 = clamp(Math.ceil((room.height - originY) / scale), 0, height);
      context.save();
      context.beginPath();
      context.rect(from, 0, to - from, room.height);
      context.clip();
      context.drawImage(image, x0, y0, x1 - x0, y1 - y0,
        originX + x0 * scale, originY + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale);
      context.restore();
    }
    line.style.left = `${cut / room.dpr}px`;
  }

  /* --- zoom: in steps of whole screen pixels per picture pixel, around one point --------------------------- */

  const levels = () => [room.fit, ...[1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64].filter((n) => n > room.fit * 1.05)];
  const next = (direction) => {
    const scale = move ? move.to : view.scale;
    const further = levels().filter((n) => (direction > 0 ? n > scale * 1.001 : n < scale * 0.999));
    return direction > 0 ? further[0] : further[further.length - 1];
  };
  const pictureAt = (x, y) => [view.x + (x - room.width / 2) / view.scale, view.y + (y - room.height / 2) / view.scale];

  function step(direction, x = split * room.width, y = room.height / 2) {
    const scale = next(direction);
    if (scale) zoomTo(scale, x, y);
  }

  function zoomTo(scale, x, y) {
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const running = move;
    move = { from: view.scale, to: scale, x, y, point: pictureAt(x, y), start: performance.now(), time: still ? 0 : 130 };
    if (!running) glide();
  }

  function glide() {
    if (!move) return;
    const part = move.time ? clamp((performance.now() - move.start) / move.time, 0, 1) : 1;
    const ease = 1 - (1 - part) ** 3;
    const scale = part < 1 ? move.from * (move.to / move.from) ** ease : move.to;
    const { x, y, point } = move;
    if (part === 1) move = null;
    setView(scale, point[0] - (x - room.width / 2) / scale, point[1] - (y - room.height / 2) / scale);
    if (move) requestAnimationFrame(glide);
  }

  function reset() {
    split = 0.5;
    zoomTo(room.fit, room.width / 2, room.height / 2);
  }

  function setSplit(value) {
    split = clamp(value, 0, 1);
    refresh();
  }

  /* --- mouse, pen and fingers ------------------------------------------------------------------------------ */

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * room.dpr, (event.clientY - box.top) * room.dpr];
  };

  function pinched() {
    const [[ax, ay], [bx, by]] = pointers.values();
    return { apart: Math.max(Math.hypot(ax - bx, ay - by), 1), x: (ax + bx) / 2, y: (ay + by) / 2 };
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const [x, y] = place(event), gap = split * room.width - x;
    stage.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [x, y]);
    move = null;
    if (pointers.size === 2) {
      const { apart, x: midX, y: midY } = pinched();
      drag = { kind: "pinch", apart, scale: view.scale, point: pictureAt(midX, midY) };
    } else if (pointers.size === 1) {
      const near = Math.abs(gap) < (event.pointerType === "touch" ? 28 : 16) * room.dpr;
      drag = { kind: near || view.scale <= room.fit ? "split" : "pan", gap: near ? gap : 0, at: [x, y], from: { ...view } };
      if (drag.kind === "split") setSplit((x + drag.gap) / room.width);
    }
    if (drag) stage.dataset.drag = drag.kind;
  });

  stage.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId) || !drag) return;
    const [x, y] = place(event);
    pointers.set(event.pointerId, [x, y]);
    if (drag.kind === "split") setSplit((x + drag.gap) / room.width);
    else if (drag.kind === "pan") {
      setView(view.scale, drag.from.x - (x - drag.at[0]) / view.scale, drag.from.y - (y - drag.at[1]) / view.scale);
    } else if (pointers.size === 2) {
      const { apart, x: midX, y: midY } = pinched();
      const scale = clamp((drag.scale * apart) / drag.apart, room.fit, levels()[levels().length - 1]);
      setView(scale, drag.point[0] - (midX - room.width / 2) / scale, drag.point[1] - (midY - room.height / 2) / scale);
    }
  });

  function release(event) {
    if (!pointers.delete(event.pointerId)) return;
    if (drag && drag.kind === "pinch") { // settle where pixels are squares again
      const off = (scale) => Math.abs(Math.log(scale / view.scale));
      const nearest = levels().reduce((a, b) => (off(b) < off(a) ? b : a));
      if (pointers.size === 1) zoomTo(nearest, room.width / 2, room.height / 2);
    }
    if (!pointers.size || drag?.kind !== "pinch") drag = null;
    if (!drag) delete stage.dataset.drag;
  }
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("dblclick", reset);

  // The page keeps its wheel until the slider has the focus, and gets it back when there is no further to zoom.
  stage.addEventListener("wheel", (event) => {
    const held = event.ctrlKey || event.metaKey, direction = event.deltaY < 0 ? 1 : -1;
    if (!event.deltaY || (!held && !root.matches(":focus-within"))) return;
    if (held || next(direction)) event.preventDefault();
    event.stopPropagation();
    if (travel * direction > 0) travel = 0;
    travel += event.deltaY * (event.deltaMode ? 40 : event.ctrlKey ? 6 : 1); // a pinch on a touchpad sends small steps
    if (Math.abs(travel) < 50) return;
    travel = 0;
    step(direction, ...place(event));
  }, { passive: false });

  /* --- keys: those that it uses, and no letter or digit reaches the notebook around it ---------------------- */

  function act(event) {
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
    if (digit && digit[1] <= labels.length) return () => choose(event.shiftKey ? "left" : "right", digit[1] - 1);
    if (event.key === "+" || event.key === "=") return () => step(1);
    if (event.key === "-" || event.key === "_") return () => step(-1);
    if (event.key === "0" || event.code === "Digit0") return reset;
    if (event.target !== stage) return null; // a button keeps its arrows and its space bar
    const stride = event.shiftKey ? 0.1 : 0.01, pan = 0.1 / view.scale;
    const percent = Math.round(split * 100) / 100;
    return {
      ArrowLeft: () => setSplit(percent - stride), ArrowDown: () => setSplit(percent - stride),
      ArrowRight: () => setSplit(percent + stride), ArrowUp: () => setSplit(percent + stride),
      PageDown: () => setSplit(percent - 0.1), PageUp: () => setSplit(percent + 0.1),
      Home: () => setSplit(0), End: () => setSplit(1),
      KeyA: () => setView(view.scale, view.x - room.width * pan, view.y),
      KeyD: () => setView(view.scale, view.x + room.width * pan, view.y),
      KeyW: () => setView(view.scale, view.x, view.y - room.height * pan),
      KeyS: () => setView(view.scale, view.x, view.y + room.height * pan),
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

  /* --- life ------------------------------------------------------------------------------------------------- */

  function watch(image) {
    if (image instanceof HTMLImageElement && !image.naturalWidth) image.addEventListener("load", refresh, { once: true });
  }

  /* New pictures from Python: {width, height, labels, notes, frames: encoded pictures as bytes}. */
  async function update(fresh) {
    const mine = ++ticket;
    const decoded = await Promise.all(fresh.frames.map((bytes) => createImageBitmap(new Blob([bytes]))));
    if (mine !== ticket) return; // a later one is on its way
    const resized = fresh.width !== width || fresh.height !== height;
    const renamed = fresh.labels.join("\n") !== labels.join("\n");
    ({ width, height, labels, notes } = fresh);
    images = decoded;
    if (renamed) fillButtons();
    if (resized) layout();
    refresh();
  }

  const observer = new ResizeObserver(layout);
  observer.observe(ui);
  fillButtons();
  images.forEach(watch);
  layout();
  const still = root.querySelector(":scope > .srlab-still");
  if (still) still.style.display = "none";
  root.srlabSlider = { update, destroy: () => { observer.disconnect(); ui.remove(); delete root.srlabSlider; } };
  return root.srlabSlider;
}

/* A new element with its class and attributes, at the end of its parent. */
function make(tag, name, parent, attributes = {}) {
  const node = document.createElement(tag);
  node.className = name;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
}
