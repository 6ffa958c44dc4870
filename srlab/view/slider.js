/* The comparison slider: two pictures under one divider, drawn on a canvas so that a pixel stays a square.
 *
 * mountSlider(root, options) builds it inside `root`; the page made by `compare` and the widget of `compare_live`
 * share it. options: width, height (pixels of a picture), shown (CSS pixels it wants to be wide), labels, notes,
 * images (anything that drawImage takes, or null), left, right (indices), caption; and, where wanted: split (0 to 1),
 * view ([top, left, zoom]), preview ({factor, text}: each pixel stands for factor x factor of the photo).
 * It gives update(content), say(text): a sentence in place of the pictures until say(""), and destroy().
 *
 * The view is the scale in device pixels per picture pixel, and the picture point at the middle of a cell. The stage
 * is one cell, where a divider parts two pictures or their difference is shown, or a grid with a cell for each picture.
 */
function mountSlider(root, options) {
  if (root.srlabSlider) return root.srlabSlider; // the script ran twice
  root.querySelectorAll(":scope > .srlab-ui").forEach((old) => old.remove()); // a page saved from a browser

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  const ui = make("div", "srlab-ui", root);
  const names = make("div", "srlab-names", ui);
  const frame = make("div", "srlab-frame", ui);
  const stage = make("div", "srlab-stage", frame, {
    role: "slider", tabindex: "0", "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": "100",
  });
  const canvas = make("canvas", "srlab-canvas", stage, { "aria-hidden": "true" }), context = canvas.getContext("2d");
  const line = make("div", "srlab-line", stage), grip = make("div", "srlab-grip", line);
  if (options.preview) make("div", "srlab-preview", stage).textContent = options.preview.text;
  const message = make("div", "srlab-message", stage, { role: "status", hidden: "" });
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
  const differ = button(tools, "Difference", "D", "Show how far left and right differ: 8 times, 32 times, off (D)", difference);
  const all = button(tools, "Grid", "G", "Show the same part of all pictures (G)", toggleGrid);
  button(tools, "Copy view", "C", "Copy this view as Python text for compare (C)", copyView);
  button(tools, "Save PNG", "S", "Save what is shown as a PNG file (S)", savePng);
  const full = button(tools, "Full screen", "F", "Fill the screen, and back (F)", fullScreen);
  full.hidden = !document.fullscreenEnabled;
  const status = make("div", "srlab-status", ui, { role: "status" });
  const help = make("div", "srlab-help", ui);
  if (options.caption) make("div", "srlab-caption", ui).textContent = options.caption;

  let { width, height, labels, notes, images } = options;
  const shown = { left: options.left, right: options.right };
  const room = { width: 0, height: 0, dpr: 1, fit: 1, columns: 1, gap: 0, strip: 0, cell: { width: 0, height: 0 } };
  const view = { scale: 0, x: width / 2, y: height / 2 };
  const pointers = new Map(), levelsOf = new WeakMap(), factor = options.preview?.factor ?? 1;
  let split = options.split ?? 0.5, gain = 0, grid = false, swapped = false;
  let drag = null, move = null, travel = 0, pending = false, ticket = 0, timer = 0;

  function side(key, title) {
    const name = make("div", `srlab-name srlab-${key}`, names);
    const group = make("div", "srlab-group", bar, { role: "group", "aria-label": `${title} picture` });
    make("span", "srlab-side", group).textContent = title;
    const choices = make("div", "srlab-choices", group);
    return { name: make("b", "", name), note: make("span", "srlab-note", name), choices, buttons: [] };
  }

  function button(parent, text, key, title, action) {
    const node = make("button", "srlab-button", parent, { type: "button", title });
    if (key) make("small", "", node, { "aria-hidden": "true" }).textContent = key;
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
    help.textContent = window.matchMedia("(any-pointer: fine)").matches
      ? "Drag the line or press ← →. Click the picture, then scroll to zoom (or + −), drag or Shift + arrows to move it; " +
        `double click resets (0). ${digits} choose the right picture, Shift + ${digits} the left. Hold Space to swap the two.`
      : "Swipe sideways or tap to move the line. Two fingers zoom; then one finger moves the picture, and a double tap resets.";
  }

  function choose(key, index) {
    shown[key] = index;
    refresh();
  }

  const pair = () => (swapped ? [shown.right, shown.left] : [shown.left, shown.right]);
  const divided = () => !gain && !grid;

  /* Text and attributes; the picture itself follows with the next frame of the screen. */
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
    if (grid) sides.left.name.textContent = "The same part of each picture";
    stage.setAttribute("aria-label", grid ? `The same part of ${labels.join(", ")}`
      : gain ? `Difference of ${two}, ${gain} times` : `Divider between ${two}`);
    stage.setAttribute("aria-valuenow", percent);
    stage.setAttribute("aria-valuetext", `${percent} % ${labels[left]}, ${100 - percent} % ${labels[right]}`);
    stage.classList.toggle("srlab-zoomed", scale > room.fit);
    stage.classList.toggle("srlab-whole", !divided());
    stage.classList.toggle("srlab-grid", grid);
    for (const [node, on] of [[flicker, swapped], [differ, gain], [all, grid]]) node.setAttribute("aria-pressed", String(!!on));
    differ.lastChild.textContent = `Difference${gain ? ` ×${gain}` : ""}`;
    readout.textContent = `${scale < 10 && scale % 1 ? scale.toFixed(1) : Math.round(scale)}×`;
    zoomOut.disabled = !next(-1);
    zoomIn.disabled = !next(1);
    clearTimeout(timer);
    timer = setTimeout(measure, 80); // once it rests
    if (pending) return;
    pending = true;
    requestAnimationFrame(draw);
  }

  /* A cell takes the width it wants if there is room, and whole screen pixels per picture pixel if that is near. */
  function layout() {
    const space = frame.clientWidth, filled = document.fullscreenElement === ui, count = grid ? labels.length : 1;
    if (!space) return; // not on the screen yet; the observer calls again
    const dpr = window.devicePixelRatio || 1, gap = grid ? 8 * dpr : 0, strip = grid ? 22 * dpr : 0;
    const wide = (filled ? space : Math.min(space, options.shown * count)) * dpr;
    const usual = (Math.min(space, options.shown) * dpr * height) / width;
    const tall = filled ? frame.clientHeight * dpr : grid ? Math.max(usual, 420 * dpr) : Infinity;
    const cells = (columns) => {
      const rows = Math.ceil(count / columns);
      return [(wide - gap * (columns - 1)) / columns, (tall - gap * (rows - 1)) / rows - strip, columns, rows];
    };
    const fitOf = ([w, h]) => Math.min(w / width, h / height);
    const [most, high, columns, rows] = labels.slice(0, count).map((_, n) => cells(n + 1)).reduce((a, b) => (fitOf(b) > fitOf(a) ? b : a));
    const fit = fitOf([most, high]), whole = Math.floor(fit + 1e-6), atFit = !view.scale || view.scale === room.fit;
    Object.assign(room, { dpr, gap, strip, columns, fit: whole >= 0.75 * fit ? whole : fit });
    room.cell.width = filled ? Math.floor(most) : Math.min(Math.max(Math.round(room.fit * width), 96 * dpr), Math.floor(most));
    room.cell.height = filled ? Math.floor(high) : Math.max(Math.round(room.fit * height), 64 * dpr);
    room.width = columns * (room.cell.width + gap) - gap;
    room.height = rows * (room.cell.height + strip + gap) - gap;
    if (canvas.width !== room.width) canvas.width = room.width; // which would empty it even at the same size
    if (canvas.height !== room.height) canvas.height = room.height;
    stage.style.width = `${room.width / dpr}px`;
    stage.style.height = `${room.height / dpr}px`;
    ui.style.setProperty("--srlab-width", stage.style.width);
    if (!view.scale && options.view) open(...options.view);
    else setView(atFit ? room.fit : Math.max(view.scale, room.fit), view.x, view.y);
  }

  /* The opening view: a zoom of 4 shows a quarter of the width, rounded so that pixels are squares. */
  function open(top, left, zoom) {
    const near = room.fit * zoom, { cell } = room;
    const scale = clamp(zoom > 1 && near > 1 ? Math.round(near) : near, room.fit, Math.max(...levels()));
    setView(scale, left / factor + cell.width / 2 / scale, top / factor + cell.height / 2 / scale);
  }

  function setView(scale, x, y) {
    const halfX = room.cell.width / 2 / scale, halfY = room.cell.height / 2 / scale;
    view.scale = scale;
    view.x = halfX * 2 >= width ? width / 2 : clamp(x, halfX, width - halfX);
    view.y = halfY * 2 >= height ? height / 2 : clamp(y, halfY, height - halfY);
    refresh();
  }

  /* --- the picture --------------------------------------------------------------------------------------------- */

  const ready = (image) => image && (!(image instanceof HTMLImageElement) || image.naturalWidth);

  /* Device pixel of the picture's upper left corner in its cell; whole, so that the edges of its pixels are sharp. */
  const origin = () => [
    Math.round(room.cell.width / 2 - view.x * view.scale), Math.round(room.cell.height / 2 - view.y * view.scale),
  ];

  /* The part of a picture that is in the columns `from` to `to` of its cell: left, top, right, bottom. */
  function part(from = 0, to = room.cell.width) {
    const [x, y] = origin(), scale = view.scale;
    return [
      clamp(Math.floor((from - x) / scale), 0, width), clamp(Math.floor(-y / scale), 0, height),
      clamp(Math.ceil((to - x) / scale), 0, width), clamp(Math.ceil((room.cell.height - y) / scale), 0, height),
    ];
  }

  function paint(index, from = 0, to = room.cell.width, cellX = 0, cellY = 0) {
    if (!ready(images[index]) || from >= to) return;
    const [x, y] = origin(), [x0, y0, x1, y1] = part(from, to), scale = view.scale;
    context.save();
    context.beginPath();
    context.rect(cellX + from, cellY, to - from, room.cell.height);
    context.clip();
    context.drawImage(images[index], x0, y0, x1 - x0, y1 - y0,
      cellX + x + x0 * scale, cellY + y + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale);
    context.restore();
  }

  function draw() {
    pending = false;
    if (!room.width) return;
    if (room.dpr !== (window.devicePixelRatio || 1)) return layout();
    const cut = Math.round(split * room.width), scale = view.scale, [left, right] = pair();
    context.clearRect(0, 0, room.width, room.height);
    // Squares where pixels are magnified; a picture drawn smaller than it is must not alias in turn.
    context.imageSmoothingEnabled = scale < 1 || (scale < 3 && scale % 1 !== 0 && !move);
    context.imageSmoothingQuality = "high";
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
    line.style.left = `${cut / room.dpr}px`;
  }

  function drawCell(label, index) {
    const { cell, columns, gap, strip, dpr } = room;
    const x = (index % columns) * (cell.width + gap), y = Math.floor(index / columns) * (cell.height + strip + gap) + strip;
    write(label, notes[index], x, y - 7 * dpr, cell.width);
    paint(index, 0, cell.width, x, y);
  }

  /* A label and its note on a canvas, in the colour of the text around. */
  function write(label, note, x, y, space, target = context) {
    const { color, fontFamily } = getComputedStyle(ui);
    target.fillStyle = color;
    target.font = `600 ${13 * room.dpr}px ${fontFamily}`;
    target.fillText(label, x, y, space);
    const used = target.measureText(label).width + 8 * room.dpr;
    target.font = `${12 * room.dpr}px ${fontFamily}`;
    target.globalAlpha = 0.68;
    if (note && used < space) target.fillText(note, x + used, y, space - used);
    target.globalAlpha = 1;
  }

  /* --- figures of what is on the screen ------------------------------------------------------------------------ */

  function rgba(image) {
    if (!levelsOf.has(image)) {
      const sheet = Object.assign(document.createElement("canvas"), { width, height });
      const reader = sheet.getContext("2d", { willReadFrequently: true });
      reader.drawImage(image, 0, 0);
      levelsOf.set(image, reader.getImageData(0, 0, width, height).data);
    }
    return levelsOf.get(image);
  }

  /* PSNR over the R, G and B of the part that is seen. */
  function decibels(one, other) {
    const a = rgba(images[one]), b = rgba(images[other]), [x0, y0, x1, y1] = part();
    let sum = 0;
    for (let y = y0; y < y1; y++) {
      for (let at = 4 * (y * width + x0), end = 4 * (y * width + x1); at < end; at += 4) {
        sum += (a[at] - b[at]) ** 2 + (a[at + 1] - b[at + 1]) ** 2 + (a[at + 2] - b[at + 2]) ** 2;
      }
    }
    return sum ? `${(10 * Math.log10((255 ** 2 * 3 * (x1 - x0) * (y1 - y0)) / sum)).toFixed(2)} dB` : "identical";
  }

  function measure() {
    const hr = labels.indexOf("HR"), to = hr < 0 ? shown.right : hr;
    const scored = [...new Set(grid ? labels.keys() : [shown.left, shown.right])].filter((index) => index !== to);
    score.textContent = "";
    if (!room.width || !scored.length || (grid && hr < 0) || ![...scored, to].every((index) => ready(images[index]))) return;
    score.append("This part: ");
    scored.forEach((index, n) => {
      score.append(n ? " · " : "", `${labels[index]} `);
      make("b", "", score).textContent = decibels(index, to);
    });
    const what = `PSNR to ${labels[to]} on 8-bit RGB${options.preview ? " of the preview" : ""}, not on luma as in tables`;
    make("span", "srlab-note", score).textContent = what;
  }

  /* --- ways to look -------------------------------------------------------------------------------------------- */

  function swap(on) {
    if (swapped !== on) [swapped] = [on, refresh()];
  }

  function difference() {
    gain = { 0: 8, 8: 32, 32: 0 }[gain];
    grid = false;
    layout();
  }

  function toggleGrid() {
    grid = !grid;
    gain = 0;
    layout();
  }

  function fullScreen() {
    if (document.fullscreenElement === ui) return void document.exitFullscreen();
    ui.style.backgroundColor = ground();
    ui.requestFullscreen().catch((error) => { status.textContent = `The browser allows no full screen here: ${error.message}.`; });
  }

  /* The colour of the page behind the slider. */
  function ground() {
    for (let node = root; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "#fff";
  }

  async function copyView() {
    const [x, y] = origin(), zoom = Number((view.scale / room.fit).toFixed(2));
    const [top, left] = [-y, -x].map((at) => Math.max(0, Math.round((at * factor) / view.scale)));
    const text = `view=(${top}, ${left}, ${zoom}), split=${Number(split.toFixed(2))}`;
    try {
      await navigator.clipboard.writeText(text);
      status.textContent = `Copied: ${text}`;
    } catch { // without encryption a page may not write to the clipboard
      status.textContent = text;
      getSelection().selectAllChildren(status);
    }
  }

  function savePng() {
    const { dpr } = room, top = grid ? 0 : 24 * dpr, cut = Math.round(split * room.width);
    const sheet = Object.assign(document.createElement("canvas"), { width: room.width, height: room.height + top });
    const target = sheet.getContext("2d");
    target.fillStyle = ground();
    target.fillRect(0, 0, sheet.width, sheet.height);
    target.drawImage(canvas, 0, top);
    if (divided()) {
      target.fillStyle = "#fff";
      target.fillRect(cut - dpr, top, 2 * dpr, room.height);
    }
    const [left, right] = ["left", "right"].map((key) => [sides[key].name.textContent, sides[key].note.textContent]);
    if (top) write(...left, 0, top - 8 * dpr, room.width / (gain ? 1 : 2) - 8 * dpr, target);
    target.textAlign = "right";
    if (divided()) write(right.join("  ").trim(), "", room.width, top - 8 * dpr, room.width / 2 - 8 * dpr, target);
    const name = (grid ? labels : pair().map((index) => labels[index])).join("-").replace(/[^\w.-]+/g, "_").slice(0, 80);
    sheet.toBlob((blob) => {
      const link = make("a", "", ui, { download: `${name}.png`, href: URL.createObjectURL(blob) });
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    });
    status.textContent = `Saved: ${name}.png`;
  }

  /* --- zoom: in steps of whole screen pixels per picture pixel, around one point of the stage ------------------ */

  const levels = () => [room.fit, ...[1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64].filter((n) => n > room.fit * 1.05)];
  const next = (direction) => {
    const scale = move ? move.to : view.scale;
    const further = levels().filter((n) => (direction > 0 ? n > scale * 1.001 : n < scale * 0.999));
    return direction > 0 ? further[0] : further[further.length - 1];
  };
  const inCell = (x, y) => [x % (room.cell.width + room.gap), (y % (room.cell.height + room.strip + room.gap)) - room.strip];
  const fromMiddle = (x, y) => [x - room.cell.width / 2, y - room.cell.height / 2];

  function pictureAt(x, y) {
    const [dx, dy] = fromMiddle(x, y);
    return [view.x + dx / view.scale, view.y + dy / view.scale];
  }

  function viewFrom(point, scale, x, y) {
    const [dx, dy] = fromMiddle(x, y);
    setView(scale, point[0] - dx / scale, point[1] - dy / scale);
  }

  function step(direction, x = divided() ? split * room.width : room.cell.width / 2, y = room.cell.height / 2) {
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
    viewFrom(point, scale, x, y);
    if (move) requestAnimationFrame(glide);
  }

  function reset() {
    split = 0.5;
    zoomTo(room.fit, room.cell.width / 2, room.cell.height / 2);
  }

  function setSplit(value) {
    split = clamp(value, 0, 1);
    refresh();
  }

  const pan = (x, y) => setView(view.scale, view.x + (x * room.cell.width) / view.scale, view.y + (y * room.cell.height) / view.scale);

  /* --- mouse, pen and fingers ---------------------------------------------------------------------------------- */

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * room.dpr, (event.clientY - box.top) * room.dpr];
  };

  function pinched() {
    const [[ax, ay], [bx, by]] = pointers.values();
    return { apart: Math.max(Math.hypot(ax - bx, ay - by), 1), mid: inCell((ax + bx) / 2, (ay + by) / 2) };
  }

  /* The line or the picture goes with the pointer from here on. */
  function begin(x) {
    drag.waits = false;
    stage.focus({ preventScroll: true });
    stage.dataset.drag = drag.kind;
    if (drag.kind === "split") setSplit((x + drag.gap) / room.width);
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const at = place(event), gap = split * room.width - at[0], touch = event.pointerType === "touch";
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at);
    move = null;
    if (pointers.size === 2) {
      const { apart, mid } = pinched();
      drag = { kind: "pinch", apart, scale: view.scale, point: pictureAt(...mid) };
      begin();
    } else if (pointers.size === 1) {
      const near = divided() && Math.abs(gap) < (touch ? 28 : 16) * room.dpr, zoomed = view.scale > room.fit;
      drag = { kind: near || (divided() && !zoomed) ? "split" : "pan", gap: near ? gap : 0, at, from: { ...view } };
      // A finger may only want to scroll the page: wait for a tap or a way across, but on the grip, or in a zoomed
      // picture that has the focus.
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
      if (across < 8 * room.dpr || across < 1.5 * Math.abs(y - drag.at[1])) return;
      begin(x);
    }
    if (drag.kind === "split") setSplit((x + drag.gap) / room.width);
    else if (drag.kind === "pan") {
      setView(view.scale, drag.from.x - (x - drag.at[0]) / view.scale, drag.from.y - (y - drag.at[1]) / view.scale);
    } else if (pointers.size === 2) {
      const { apart, mid } = pinched();
      viewFrom(drag.point, clamp((drag.scale * apart) / drag.apart, room.fit, levels().at(-1)), ...mid);
    }
  });

  function release(event) {
    if (!pointers.delete(event.pointerId)) return;
    const [x, y] = place(event), tapped = event.type === "pointerup" && drag?.waits;
    if (tapped && Math.hypot(x - drag.at[0], y - drag.at[1]) < 8 * room.dpr) begin(x);
    if (drag?.kind === "pinch" && pointers.size === 1) { // settle where pixels are squares again
      const off = (scale) => Math.abs(Math.log(scale / view.scale));
      const nearest = levels().reduce((a, b) => (off(b) < off(a) ? b : a));
      zoomTo(nearest, room.cell.width / 2, room.cell.height / 2);
    }
    if (!pointers.size || drag?.kind !== "pinch") drag = null;
    if (!drag) delete stage.dataset.drag;
  }
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("dblclick", reset);

  flicker.addEventListener("pointerdown", () => swap(true));
  for (const kind of ["pointerup", "pointercancel", "pointerleave"]) flicker.addEventListener(kind, () => swap(false));
  flicker.addEventListener("contextmenu", (event) => event.preventDefault()); // of a long press

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
    step(direction, ...inCell(...place(event)));
  }, { passive: false });

  /* --- keys: those that it uses, and no letter or digit reaches the notebook around it -------------------------- */

  function act(event) {
    const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
    if (digit && digit[1] <= labels.length) return () => choose(event.shiftKey ? "left" : "right", digit[1] - 1);
    if (event.key === "+" || event.key === "=") return () => step(1);
    if (event.key === "-" || event.key === "_") return () => step(-1);
    if (event.key === "0" || event.code === "Digit0") return reset;
    const letter = /^[a-z]$/i.test(event.key) ? event.key.toUpperCase() : event.code.slice(3); // of no Latin keyboard
    const tool = { D: difference, G: toggleGrid, C: copyView, S: savePng, F: fullScreen }[letter];
    if (tool) return event.repeat ? () => {} : tool;
    if (event.key === " " && [stage, flicker].includes(event.target)) return () => swap(true);
    if (event.target !== stage) return null; // a button keeps its arrows and its space bar
    const percent = Math.round(split * 100) / 100;
    const arrow = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.code];
    if (arrow && (event.shiftKey || !divided())) return () => pan(...arrow);
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
  root.addEventListener("focusout", () => swap(false));

  /* --- life ---------------------------------------------------------------------------------------------------- */

  /* A sentence in place of the pictures, or with "" the pictures again. */
  function say(text) {
    message.textContent = text;
    message.hidden = !text;
  }

  function watch(image) {
    if (!(image instanceof HTMLImageElement) || image.naturalWidth) return;
    const blocked = () => say("This page does not let the pictures through: it forbids images that are stored in it " +
      "(data: in its Content-Security-Policy). Open the notebook in JupyterLab, or save the comparison as a page of its own.");
    image.addEventListener("load", refresh, { once: true });
    image.addEventListener("error", blocked, { once: true });
    if (image.complete) blocked();
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
    if (resized || renamed) layout();
    refresh();
  }

  const observer = new ResizeObserver(layout);
  observer.observe(frame);
  ui.addEventListener("fullscreenchange", layout);
  fillButtons();
  images.forEach(watch);
  layout();
  const still = root.querySelector(":scope > .srlab-still");
  if (still) still.style.display = "none";
  root.srlabSlider = { update, say, destroy: () => { observer.disconnect(); ui.remove(); delete root.srlabSlider; } };
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
