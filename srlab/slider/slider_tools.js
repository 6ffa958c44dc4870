/* Helpers of the slider: elements, a score, text on a canvas. They do not depend on the state of a slider. */

/* Append a new element with its class and attributes to its parent. */
function make(tag, name, parent, attributes = {}) {
  const node = document.createElement(tag);
  node.className = name;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
}

/* Whether an image can be drawn. Its size is known earlier, and what is drawn of it until then stays empty. */
const loaded = (image) => image.complete && image.naturalWidth > 0;

/* PSNR over R, G and B of one region (left, top, right, bottom) of two images; Infinity if they are equal. */
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

const levelsRead = new WeakMap(); // image -> its RGBA levels

function levelsOf(image, width, height) {
  if (!levelsRead.has(image)) {
    const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
    context.drawImage(image, 0, 0);
    levelsRead.set(image, context.getImageData(0, 0, width, height).data);
  }
  return levelsRead.get(image);
}

/* Write a label and its note on a canvas, starting at `x` and within `space`, in the font and color of `node`. */
function writeLabel(context, label, note, x, y, space, dpr, node) {
  const { color, fontFamily } = getComputedStyle(node);
  const texts = [[label, 600, 13, 1], [note, 400, 12, 0.68]];
  context.fillStyle = color;
  for (const [text, weight, size, alpha] of texts) {
    if (!text || space < 8 * dpr) continue;
    context.font = `${weight} ${size * dpr}px ${fontFamily}`;
    context.globalAlpha = alpha;
    context.fillText(text, x, y, space);
    const used = context.measureText(text).width + 8 * dpr;
    [x, space] = [x + used, space - used];
  }
  context.globalAlpha = 1;
}
