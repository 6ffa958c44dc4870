/* The page on which visitors upscale a photo: reads it, gives its tiles to workers, and shows the results in the slider.
 *
 * Everything is fetched at the start, so that the page works offline afterwards. `docs/book/try_page.py` writes
 * contents.json: the networks and their margins, and the photos of the course.
 */
import { Die } from "./die.js";

const SCALE = 4;
const LIMIT = 512 ** 2; // LR pixels that are upscaled at once: 4 megapixels of output
const LARGEST = 100e6; // pixels of a photo, which also take 4 bytes of memory each
const TILE = 128; // LR pixels per side; a worker needs about 200 MB for one tile
const MOST_WORKERS = 4;
const OVERVIEW = 512; // pixels of the longer side of a large photo, in which the part with the most detail is found
const OWN = { name: "own", margin: 32 }; // the visitor's network; how far it sees isn't known
const MAP = "where they differ"; // label of the map of several answers
const DETAIL = 24; // LR pixels; a photo opens where there is most detail in up to twice this distance
// The levels as stored, without the color profile, as in srlab. Transparent pixels are composited onto white.
const AS_STORED = { colorSpaceConversion: "none", premultiplyAlpha: "none" };

const find = (selector) => document.querySelector(selector);
const [status, file, samples, downloads] = ["#status", "#file", ".samples", ".downloads"].map(find);
const ownFile = find("#network");
const [part, overview, told, whole] = [".part", ".part canvas", ".part p", ".whole"].map(find);
const [progress, bar, doing] = [".progress", ".progress progress", ".progress span"].map(find);

let networks = [], workers = [], ready;
let models, megabytes, provider; // provider: "webgpu" or "wasm", once the networks are loaded
let photo = null; // {bitmap, name, references, left, top, width, height}: the last four are the part to upscale
let job = 0, opened = 0; // counters: work on an earlier photo stops
let unmount = () => {}, addresses = [], timer;
let urgent = null; // the promise of a throw of the die, for which other networks wait
const die = new Die(find("#die"));

/* --- workers ----------------------------------------------------------------------------------------------------- */

/* Return a function that sends a message to a new worker and returns the promise of its result. */
function startWorker() {
  // A worker from a blob inherits the security policy of the page; one from a URL would have none.
  const code = `import ${JSON.stringify(new URL("worker.js", location).href)};`;
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
  const waiting = [];
  let broken = null;
  worker.onmessage = ({ data }) => {
    const { resolve, reject } = waiting.shift();
    if ("error" in data) reject(new Error(data.error));
    else resolve(data.result);
  };
  worker.onerror = (event) => {
    broken = new Error(event.message || "a worker did not start");
    for (const { reject } of waiting.splice(0)) reject(broken);
  };
  return (action, given) => new Promise((resolve, reject) => {
    if (broken) return reject(broken);
    waiting.push({ resolve, reject });
    worker.postMessage({ action, ...given });
  });
}

async function fetched(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return response;
}

const bytes = async (path) => (await fetched(path)).arrayBuffer();

/* Load the networks into all workers, or into one that uses the GPU. ?backend=wasm or webgpu decides which. */
async function loadNetworks() {
  const wanted = new URLSearchParams(location.search).get("backend");
  const read = await Promise.all(networks.map(async ({ name }) => [name, await bytes(`${name}.onnx`)]));
  models = Object.fromEntries(read);
  const adapter = wanted === "wasm" || !WebAssembly.Suspending ? null : await navigator.gpu?.requestAdapter();
  if (!adapter || (wanted !== "webgpu" && adapter.info?.isFallbackAdapter)) return load("wasm", workers);
  try {
    await load("webgpu", workers.slice(0, 1));
  } catch (error) {
    await leaveGpu(error);
  }
}

/* The workers that run networks: a GPU does one tile at a time. */
const users = () => (provider === "webgpu" ? workers.slice(0, 1) : workers);

async function load(backend, callees) {
  doing.textContent = `Loading the networks (${megabytes[backend]} MB) …`;
  const library = `./ort/${backend}.js`, binary = await bytes(`ort/${backend}.wasm`);
  await Promise.all(callees.map((call) => call("load", { library, binary, models, provider: backend })));
  provider = backend;
}

/* Use WebAssembly instead of a GPU that failed, also after the page is reloaded. */
async function leaveGpu(error) {
  console.warn(`WebGPU doesn't work here (${error.message}), so WebAssembly is used.`);
  find("#gpu").hidden = false;
  history.replaceState(null, "", "?backend=wasm");
  await load("wasm", workers);
}

/* Also upscale with a visitor's network, or say why a file can't be used. Only the workers of this page get the file. */
async function openNetwork(file) {
  const title = file.name;
  say(`Reading ${title} …`);
  await ready;
  try {
    const model = await file.arrayBuffer();
    const [noise] = await Promise.all(users().map((call) => call("add", { model })));
    models[OWN.name] = model;
    networks = [{ ...OWN, noise, label: `yours: ${title}` }, ...networks.filter(({ name }) => name !== OWN.name)];
    if (photo) upscalePart();
    say(`${title} is in the list as “yours: ${title}”.`);
  } catch (error) {
    say(`${title} can't be used here. This page needs an .onnx file that turns an RGB image (float32, any ` +
      `height and width) into one of four times the size; it may have a second input, noise. ${error.message.slice(0, 200)}`);
  }
}

/* --- photos ------------------------------------------------------------------------------------------------------ */

/* Show one message at a time. */
function say(sentence) {
  status.textContent = sentence;
}

/* Return why a file isn't read although the browser could show it, or "". */
function refusal(content) {
  const head = new TextDecoder("latin1").decode(content.slice(0, 1 << 16));
  const animated = (/^RIFF....WEBPVP8X/s.test(head) && head.charCodeAt(20) & 2) ||
    (/^.PNG/s.test(head) && head.split("IDAT")[0].includes("acTL"));
  if (animated) return "is animated. Use a still image.";
  return head.startsWith("GIF8") ? "is a GIF, which may be animated and has few colors. Use a JPEG or PNG." : "";
}

/* Read a file and upscale it, or say why it can't be read; then the photo before it stays. */
async function openFile(file) {
  const mine = ++opened;
  say(`Reading ${file.name} …`);
  try {
    const reason = refusal(await file.slice(0, 1 << 16).arrayBuffer());
    const bitmap = reason ? null : await createImageBitmap(file, AS_STORED);
    if (mine !== opened) return;
    if (reason) say(`${file.name} ${reason}`);
    else openBitmap(bitmap, file.name);
  } catch {
    if (mine !== opened) return;
    say(`${file.name} isn't an image that this browser can read, or it is damaged. Use a JPEG, PNG or WebP file.`);
  }
}

function openBitmap(bitmap, name, references = []) {
  const { width, height } = bitmap, pixels = width * height;
  const size = `${(pixels / 1e6).toFixed(1)} megapixels`;
  if (pixels > LARGEST) return say(`${name} has ${size}, too many for this page. Crop it to ${LARGEST / 1e6} first.`);
  const side = Math.min(1, Math.sqrt(LIMIT / pixels));
  photo?.bitmap.close();
  photo = { bitmap, name, references, width: Math.max(1, Math.floor(width * side)), height: Math.floor(height * side) };
  photo.height = Math.max(1, photo.height);
  part.hidden = side === 1;
  whole.hidden = true;
  const keyboard = matchMedia("(hover: hover) and (pointer: fine)").matches;
  told.textContent = `${name} has ${size}, too many to upscale at once: only the marked part is used. ` +
    (keyboard ? "Click the photo, or focus it and press arrow keys, to move the part." : "Tap the photo to move the part.");
  movePart(...(part.hidden ? [0, 0] : detailOf(bitmap, photo)));
  upscalePart();
}

/* The center of the part of a photo, of this size, that has the most detail. */
function detailOf(bitmap, { width, height }) {
  const shrink = Math.min(1, OVERVIEW / Math.max(bitmap.width, bitmap.height));
  const [wide, high] = [bitmap.width, bitmap.height].map((side) => Math.ceil(side * shrink));
  const context = newContext(wide, high);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, wide, high);
  const found = mostDetailed(context.getImageData(0, 0, wide, high), Math.ceil((Math.min(width, height) * shrink) / 4));
  return found.map((at) => at / shrink);
}

/* The point with the largest steps between neighboring pixels around it, [x, y], or the center of a flat image. */
function mostDetailed({ data, width, height }, reach) {
  const steps = new Float64Array(width * height), level = (x, y) => data[4 * (y * width + x) + 1]; // of green
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      steps[at] = Math.abs(level(x, y) - level(Math.max(x - 1, 0), y));
      steps[at] += Math.abs(level(x, y) - level(x, Math.max(y - 1, 0)));
    }
  }
  let sums = steps;
  for (let time = 0; time < 2; time++) { // twice, so that detail in the middle counts more
    sums = summed(summed(sums, height, width, reach), width, height, reach);
  }
  const center = Math.floor(height / 2) * width + Math.floor(width / 2);
  const best = sums.reduce((best, sum, at) => (sum > sums[best] ? at : best), center);
  return [best % width, Math.floor(best / width)];
}

/* Sum (rows, columns) over `reach` neighbors on both sides along the columns, and transpose. */
function summed(values, rows, columns, reach) {
  const result = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let end = 0; end < columns + reach; end++) {
      if (end < columns) sum += values[row * columns + end];
      if (end > 2 * reach) sum -= values[row * columns + end - 2 * reach - 1];
      if (end >= reach) result[(end - reach) * rows + row] = sum;
    }
  }
  return result;
}

/* Move the center of the part as far as the photo allows, and mark it. */
function movePart(x, y) {
  const { bitmap, width, height } = photo, shrink = Math.min(1, 280 / Math.max(bitmap.width, bitmap.height));
  photo.left = Math.round(Math.min(Math.max(x - width / 2, 0), bitmap.width - width));
  photo.top = Math.round(Math.min(Math.max(y - height / 2, 0), bitmap.height - height));
  if (part.hidden) return;
  overview.width = Math.ceil(bitmap.width * shrink);
  overview.height = Math.ceil(bitmap.height * shrink);
  const context = overview.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, overview.width, overview.height);
  const box = [photo.left, photo.top, width, height].map((value) => value * shrink);
  for (const [color, line] of [["black", 4], ["white", 2]]) {
    Object.assign(context, { strokeStyle: color, lineWidth: line });
    context.strokeRect(...box);
  }
}

function movePartAndWait(x, y) {
  movePart(x, y);
  clearTimeout(timer);
  timer = setTimeout(upscalePart, 600); // once the part stops moving
}

/* --- upscaling --------------------------------------------------------------------------------------------------- */

function newContext(width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  return canvas.getContext("2d", { willReadFrequently: true }); // in main memory, where levels are exact
}

/* Split an image as evenly as possible: the core of each tile, [left, top, width, height]. */
function tilesOf(width, height) {
  const pieces = (length) => {
    const step = Math.ceil(length / Math.ceil(length / TILE)), starts = [];
    for (let start = 0; start < length; start += step) starts.push([start, Math.min(step, length - start)]);
    return starts;
  };
  return pieces(height).flatMap(([top, down]) => pieces(width).map(([left, across]) => [left, top, across, down]));
}

const isGray = ({ data }) => {
  for (let at = 0; at < data.length; at += 4) if (data[at] !== data[at + 1] || data[at] !== data[at + 2]) return false;
  return true;
};

/* Upscale one tile with its margins, which end at the border of the photo, and draw it. */
async function upscaleTile(call, work, upscaler, sr, [left, top, across, down], seed) {
  const { lr, gray } = work, { width, height } = lr.canvas, { name, margin } = upscaler;
  const [x, y] = [Math.max(left - margin, 0), Math.max(top - margin, 0)];
  const [right, bottom] = [Math.min(left + across + margin, width), Math.min(top + down + margin, height)];
  const tile = lr.getImageData(x, y, right - x, bottom - y), core = [left - x, top - y, across, down];
  const draw = [seed, work.left + x, work.top + y]; // so that all tiles get parts of one field of noise
  sr.putImageData(await call("upscale", { upscaler: name, tile, core, gray, draw }), SCALE * left, SCALE * top);
}

/* Upscale all tiles into a new image while the work is current, call `count` after each, and return the image and the
 * seconds. A throw of the die is urgent: other networks wait for it. */
async function upscaleTiles(work, upscaler, count, seed, isUrgent = false) {
  const start = performance.now(), queue = [...work.tiles];
  const sr = newContext(SCALE * work.lr.canvas.width, SCALE * work.lr.canvas.height);
  try {
    await Promise.all(users().map(async (call) => {
      while (work.current() && queue.length) {
        if (isUrgent || !urgent) await upscaleTile(call, work, upscaler, sr, queue.shift(), seed);
        else await urgent;
        if (work.current()) count(work.tiles.length - queue.length);
      }
    }));
  } catch (error) { // some GPUs load a network but can't run it
    if (!work.current() || provider !== "webgpu") throw error;
    ready = leaveGpu(error);
    await ready;
    return upscaleTiles(work, upscaler, count, seed, isUrgent);
  }
  return { sr, seconds: (performance.now() - start) / 1000 };
}

const encoded = ({ canvas }) => new Promise((done) => canvas.toBlob(done, "image/png"));

/* Upscale the part with bicubic and then with each network. The slider shows each result as soon as it is complete. */
async function upscalePart() {
  clearTimeout(timer);
  const mine = ++job, { bitmap, name, references, left, top, width, height } = photo;
  const lr = newContext(width, height);
  lr.fillStyle = "white";
  lr.fillRect(0, 0, width, height);
  lr.drawImage(bitmap, left, top, width, height, 0, 0, width, height);
  const pixels = lr.getImageData(0, 0, width, height), current = () => mine === job;
  const work = { name, lr, left, top, gray: isGray(pixels), tiles: tilesOf(width, height), current, done: false };
  const upscalers = [{ name: "bicubic", label: "bicubic", margin: 2 }, ...networks];
  const drawing = upscalers.find(({ noise }) => noise), maps = drawing ? [MAP] : [];
  const labels = [...upscalers.map(({ label }) => label), ...references.map(([label]) => label), ...maps];
  const images = [...upscalers.map(() => new Image()), ...references.map(([, image]) => image), ...maps.map(() => new Image())];
  const notes = labels.map((_, index) => (index < upscalers.length || labels[index] === MAP ? "not computed yet" : ""));
  const times = [];
  die.close();
  // A visitor's network is compared with bicubic, or the one that learned the photo's subject, or the first one.
  const compared = networks.findIndex((network) => network.name === OWN.name || network.subject === name);
  const first = { left: 0, right: 1 + Math.max(compared, 0), around: mostDetailed(pixels, DETAIL).map((at) => SCALE * at) };
  mount(labels, images, notes, SCALE * width, SCALE * height, first);
  say("");
  Object.assign(bar, { max: work.tiles.length * networks.length, value: 0 });
  progress.hidden = false;
  try {
    for (const [index, upscaler] of upscalers.entries()) {
      if (index > 0) await ready;
      const { seed } = die, { sr, seconds } = await upscaleTiles(work, upscaler, (done) => {
        if (index === 0) return;
        bar.value = (index - 1) * work.tiles.length + done;
        doing.textContent = `${name}, ${upscaler.label}: ${done} of ${work.tiles.length} tiles`;
      }, seed);
      if (!current()) return;
      notes[index] = `${seconds.toFixed(1)} s`;
      const blob = await encoded(sr);
      if (!current()) return;
      const label = upscaler.noise ? `${upscaler.label}, seed ${seed}` : upscaler.label;
      const link = offer(blob, images[index], label, name);
      if (upscaler === drawing) {
        openDie(work, drawing, { index, map: labels.indexOf(MAP), image: images[index], link }, { seed, sr, seconds });
      }
      if (index === 0) continue;
      times.push([upscaler.label, seconds]);
      if (!part.hidden) tellWhole(times, blob.size);
    }
    work.done = true;
    progress.hidden = true;
    if (!status.textContent) say(`${width} × ${height} pixels became ${SCALE * width} × ${SCALE * height}.`);
  } catch (error) {
    if (!current()) return;
    job++;
    progress.hidden = true;
    fail(error);
  }
}

function fail(error) {
  die.close();
  say(`The networks can't be loaded or run out of memory here (${error.message}). Reload the page, or use a smaller photo.`);
}

/* Let the visitor draw other answers of a network. `place` has the indices of its answer and of the map in the slider. */
function openDie(work, upscaler, place, first) {
  const root = find("#comparison").firstChild, slider = root.srlabSlider, { name } = work, { label } = upscaler;
  const thrown = ({ sr, ...rest }) => ({ ...rest, sr, levels: sr.getImageData(0, 0, sr.canvas.width, sr.canvas.height) });
  let { link } = place, mapLink = null;

  async function draw(seed) {
    progress.hidden = false;
    const drawn = upscaleTiles(work, upscaler, (done) => {
      doing.textContent = `${name}, ${label}, seed ${seed}: ${done} of ${work.tiles.length} tiles`;
    }, seed, true);
    urgent = drawn.catch(() => {});
    try {
      return thrown({ seed, ...await drawn });
    } finally {
      urgent = null;
      if (work.current()) progress.hidden = work.done;
    }
  }

  async function answer({ seed, sr, seconds }) {
    const blob = await encoded(sr), image = new Image();
    if (!work.current()) return;
    link = offer(blob, image, `${label}, seed ${seed}`, name, link);
    await image.decode();
    slider.replace(place.index, image, `seed ${seed}, ${seconds.toFixed(1)} s`);
  }

  async function map(canvas, seeds) {
    const blob = await encoded({ canvas }), image = new Image();
    if (!work.current()) return;
    mapLink = offer(blob, image, `${MAP}, seeds ${seeds.join(" ")}`, name, mapLink);
    await image.decode();
    slider.replace(place.map, image, `seeds ${seeds.join(", ")}`);
  }

  root.addEventListener("srlab-chosen", ({ detail: [side, index] }) => {
    if (side === "right" && work.current()) die.choose(index === place.map);
  });
  const show = (what) => slider.choose("right", what === "map" ? place.map : place.index);
  slider.replace(place.index, place.image, `seed ${first.seed}, ${first.seconds.toFixed(1)} s`);
  die.open({ label, draw, answer, map, show, fail: (error) => { job++; fail(error); } }, thrown(first));
}

/* Estimate from a part, which took these [label, seconds] and bytes, what the whole photo would take in the browser. */
function tellWhole(times, bytes) {
  const { bitmap, width, height } = photo, ratio = (bitmap.width * bitmap.height) / (width * height);
  const lasting = (seconds) => (seconds < 90 ? `${Math.ceil(seconds)} seconds`
    : seconds < 5400 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`);
  const list = times.map(([label, seconds]) => `${lasting(seconds * ratio)} (${label})`).join(", ");
  whole.firstElementChild.textContent = `In this browser, the whole photo would take about ${list}, and become ` +
    `${SCALE * bitmap.width} × ${SCALE * bitmap.height} pixels, a PNG of about ${Math.ceil((bytes * ratio) / 1e6)} MB.`;
  whole.hidden = false;
}

/* Mount a new slider with its first view, and release the images of the previous one. */
function mount(labels, images, notes, width, height, first) {
  unmount();
  addresses.splice(0).forEach((address) => URL.revokeObjectURL(address));
  downloads.hidden = true;
  downloads.replaceChildren(`Download ${photo.name} (PNG): `);
  const root = document.createElement("div");
  root.className = "srlab-compare";
  find("#comparison").replaceChildren(root);
  const maps = labels.flatMap((label, index) => (label === MAP ? [index] : []));
  unmount = mountSlider(root, { labels, images, notes, width, height, maps, split: 0.5, shown: 1000, visitors: true, ...first });
}

/* Show a finished image, and return a link that downloads it, in place of an old one if there is one. */
function offer(blob, image, label, name, old = null) {
  const address = URL.createObjectURL(blob);
  addresses.push(address);
  image.src = address;
  const link = document.createElement("a");
  link.href = address;
  link.download = `${name.replace(/\.[^.]*$/, "")}-${label.replace(/[^\w.-]+/g, "-")}.png`;
  link.textContent = label;
  if (old) old.replaceWith(link);
  else downloads.append(link);
  downloads.hidden = false;
  return link;
}

/* --- setup ------------------------------------------------------------------------------------------------------- */

function addSample({ name, alt, references }) {
  const button = document.createElement("button"), thumbnail = new Image();
  button.type = "button";
  Object.assign(thumbnail, { src: `photos/${name}.png`, alt });
  button.append(thumbnail);
  samples.append(button);
  const images = references.map((label) => [label, Object.assign(new Image(), { src: `photos/${name}-${label}.webp` })]);
  button.addEventListener("click", async () => {
    const mine = ++opened, bitmap = await createImageBitmap(thumbnail, AS_STORED);
    if (mine === opened) openBitmap(bitmap, name, images);
  });
  return { button, thumbnail };
}

const openAny = (file) => (/\.onnx$/i.test(file.name) ? openNetwork(file) : openFile(file));

function listen() {
  for (const [input, read] of [[file, openAny], [ownFile, openNetwork]]) {
    input.addEventListener("change", () => {
      if (input.files[0]) read(input.files[0]);
      input.value = ""; // so that the same file can be chosen again
    });
  }
  for (const kind of ["dragover", "dragleave", "drop"]) {
    addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.toggle("dropping", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files[0]) openAny(event.dataTransfer.files[0]);
    });
  }
  overview.addEventListener("click", ({ offsetX, offsetY }) => {
    const zoom = photo.bitmap.width / overview.clientWidth;
    movePartAndWait(offsetX * zoom, offsetY * zoom);
  });
  overview.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-0.5, 0], ArrowRight: [0.5, 0], ArrowUp: [0, -0.5], ArrowDown: [0, 0.5] }[event.key];
    if (!move) return;
    event.preventDefault();
    movePartAndWait(photo.left + (0.5 + move[0]) * photo.width, photo.top + (0.5 + move[1]) * photo.height);
  });
}

async function start() {
  say("");
  listen();
  const contents = await (await fetched("contents.json")).json();
  ({ networks, megabytes } = contents);
  workers = Array.from({ length: Math.min(navigator.hardwareConcurrency || 1, MOST_WORKERS) }, startWorker);
  ready = loadNetworks();
  ready.catch(() => {}); // upscalePart reports it
  const [first] = contents.photos.map(addSample);
  await first.thumbnail.decode();
  if (!opened) first.button.click();
}

start().catch((error) => say(`This page lacks a file (${error.message}). Reload it.`));
