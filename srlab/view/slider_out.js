/* What leaves the slider: elements, a score, text on a canvas, a PNG file. None of it knows the state of a slider. */

/* A new element with its class and attributes, at the end of its parent. */
function make(tag, name, parent, attributes = {}) {
  const node = document.createElement(tag);
  node.className = name;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
}

/* PSNR over the R, G and B of one part (left, top, right, bottom) of two pictures; Infinity where they are equal. */
function decibels(image, other, width, height, [x0, y0, x1, y1]) {
  const a = levelsOf(image, width, height), b = levelsOf(other, width, height);
  let sum = 0;
  for (let y = y0; y < y1; y++) {
    for (let at = 4 * (y * width + x0), end = 4 * (y * width + x1); at < end; at += 4) {
      sum += (a[at] - b[at]) ** 2 + (a[at + 1] - b[at + 1]) ** 2 + (a[at + 2] - b[at + 2]) ** 2;
    }
  }
  return 10 * Math.log10((255 ** 2 * 3 * (x1 - x0) * (y1 - y0)) / sum);
}

const levelsRead = new WeakMap(); // picture -> its RGBA levels

function levelsOf(image, width, height) {
  if (!levelsRead.has(image)) {
    const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
    context.drawImage(image, 0, 0);
    levelsRead.set(image, context.getImageData(0, 0, width, height).data);
  }
  return levelsRead.get(image);
}

/* A label and its note on a canvas, from `x` on or, with negative `space`, up to it; font and colour are a node's. */
function writeLabel(context, label, note, x, y, space, dpr, node) {
  const { color, fontFamily } = getComputedStyle(node);
  const texts = [[label, 600, 13, 1], [note, 400, 12, 0.68]];
  context.fillStyle = color;
  context.textAlign = space < 0 ? "right" : "left";
  for (const [text, weight, size, alpha] of texts) {
    if (!text || Math.abs(space) < 8 * dpr) continue;
    context.font = `${weight} ${size * dpr}px ${fontFamily}`;
    context.globalAlpha = alpha;
    context.fillText(text, x, y, Math.abs(space));
    const used = Math.sign(space) * (context.measureText(text).width + 8 * dpr);
    [x, space] = [x + used, space * (space - used) > 0 ? space - used : 0];
  }
  context.globalAlpha = 1;
}

/* A copy of the stage on the colour of its page, with its labels above; two of them have the divider between them. */
function withLabels(canvas, names, split, dpr, node) {
  const top = names.length ? 24 * dpr : 0, { width } = canvas, space = width / Math.max(names.length, 1) - 8 * dpr;
  const sheet = Object.assign(document.createElement("canvas"), { width, height: canvas.height + top });
  const context = sheet.getContext("2d");
  context.fillStyle = groundOf(node);
  context.fillRect(0, 0, width, sheet.height);
  context.drawImage(canvas, 0, top);
  if (names.length === 2) {
    context.fillStyle = "#fff";
    context.fillRect(Math.round(split * width) - dpr, top, 2 * dpr, canvas.height);
  }
  names.forEach((name, n) => writeLabel(context, ...name, n * width, top - 8 * dpr, n ? -space : space, dpr, node));
  return sheet;
}

/* Hand a canvas to the reader as a PNG file of that name. */
function download(canvas, name) {
  canvas.toBlob((blob) => {
    const link = make("a", "", document.body, { download: name, href: URL.createObjectURL(blob) });
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
  return name;
}

/* The colour of the page behind a node. */
function groundOf(node) {
  for (; node; node = node.parentElement) {
    const { backgroundColor } = getComputedStyle(node);
    if (backgroundColor !== "rgba(0, 0, 0, 0)") return backgroundColor;
  }
  return "#fff";
}
