/* The page on which visitors upscale a photo: reads it, gives its tiles to workers, and shows the results in the slider.
 *
 * Everything is fetched at the start, so that the page works offline afterwards. `docs/book/try_page.py` writes
 * contents.json: the networks and their margins, and the photos of the course.
 */
const SCALE = 4;
const LIMIT = 512 ** 2; // LR pixels that are upscaled at once: 4 megapixels of output
const LARGEST = 100e6; // pixels of a photo, which also take 4 bytes of memory each
const TILE = 128; // LR pixels per side; a worker needs about 200 MB for one tile
const MOST_WORKERS = 4;
// The levels as stored, without the color profile, as in srlab. Transparent pixels are composited onto white.
const AS_STORED = { colorSpaceConversion: "none", premultiplyAlpha: "none" };

const find = (selector) => document.querySelector(selector);
const [status, file, samples, downloads] = ["#status", "#file", ".samples", ".downloads"].map(find);
const [part, overview, told] = [".part", ".part canvas", ".part p"].map(find);
const [progress, bar, doing] = [".progress", ".progress progress", ".progress span"].map(find);

let networks = [], workers = [], ready;
let photo = null; // {bitmap, name, references, left, top, width, height}: the last four are the part to upscale
let job = 0, chosen = 0; // counters: work on an earlier photo stops
let unmount = () => {}, addresses = [], timer;

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
async function loadNetworks(megabytes) {
  const wanted = new URLSearchParams(location.search).get("backend");
  const files = await Promise.all(networks.map(async ({ name }) => [name, await bytes(`${name}.onnx`)]));
  const models = Object.fromEntries(files);
  async function load(provider) {
    doing.textContent = `Loading the networks (${megabytes[provider]} MB) …`;
    const library = `./ort/${provider}.js`, binary = await bytes(`ort/${provider}.wasm`);
    await Promise.all(workers.map((call) => call("load", { library, binary, models, provider })));
  }
  const adapter = wanted === "wasm" || !WebAssembly.Suspending ? null : await navigator.gpu?.requestAdapter();
  if (adapter && (wanted === "webgpu" || !adapter.info?.isFallbackAdapter)) {
    const all = workers;
    workers = all.slice(0, 1);
    try {
      return await load("webgpu");
    } catch (error) {
      console.warn(`WebGPU doesn't work here (${error.message}), so WebAssembly is used.`);
      workers = all;
    }
  }
  await load("wasm");
}

/* --- photos ------------------------------------------------------------------------------------------------------ */

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

/* Read a file and upscale it. If it can't be read, say why, and keep what is on the page. */
async function openFile(file) {
  const mine = ++chosen;
  say(`Reading ${file.name} …`);
  try {
    const reason = refusal(await file.slice(0, 1 << 16).arrayBuffer());
    if (reason) return say(`${file.name} ${reason}`);
    const bitmap = await createImageBitmap(file, AS_STORED);
    if (mine === chosen) openBitmap(bitmap, file.name);
  } catch {
    if (mine === chosen) {
      say(`${file.name} isn't an image that this browser can read, or it is damaged. Use a JPEG, PNG or WebP file.`);
    }
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
  told.textContent = `${name} has ${size}, too many to upscale at once: only the marked part is used. Tap the photo, or ` +
    "focus it and press arrow keys, to move the part.";
  movePart(width / 2, height / 2);
  upscalePart();
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
async function upscaleTile(call, upscaler, lr, sr, [left, top, across, down], gray) {
  const { width, height } = lr.canvas, { name, margin } = upscaler;
  const [x, y] = [Math.max(left - margin, 0), Math.max(top - margin, 0)];
  const [right, bottom] = [Math.min(left + across + margin, width), Math.min(top + down + margin, height)];
  const tile = lr.getImageData(x, y, right - x, bottom - y), core = [left - x, top - y, across, down];
  sr.putImageData(await call("upscale", { upscaler: name, tile, core, gray }), SCALE * left, SCALE * top);
}

/* Upscale the part with bicubic and then with each network. The slider shows each result as soon as it is complete. */
async function upscalePart() {
  clearTimeout(timer);
  const mine = ++job, { bitmap, name, references, left, top, width, height } = photo;
  const lr = newContext(width, height);
  lr.fillStyle = "white";
  lr.fillRect(0, 0, width, height);
  lr.drawImage(bitmap, left, top, width, height, 0, 0, width, height);
  const gray = isGray(lr.getImageData(0, 0, width, height)), tiles = tilesOf(width, height);
  const upscalers = [{ name: "bicubic", label: "bicubic", margin: 2 }, ...networks];
  const images = upscalers.map(() => new Image()), notes = upscalers.map(() => "not computed yet");
  mount([...upscalers.map(({ label }) => label), ...references.map(([label]) => label)],
    [...images, ...references.map(([, image]) => image)], notes, SCALE * width, SCALE * height);
  say("");
  Object.assign(bar, { max: tiles.length * networks.length, value: 0 });
  progress.hidden = false;
  try {
    for (const [index, upscaler] of upscalers.entries()) {
      if (index > 0) await ready;
      const start = performance.now(), sr = newContext(SCALE * width, SCALE * height), queue = [...tiles];
      await Promise.all(workers.map(async (call) => {
        for (let core; mine === job && (core = queue.shift());) {
          await upscaleTile(call, upscaler, lr, sr, core, gray);
          if (mine !== job || index === 0) continue;
          bar.value += 1;
          doing.textContent = `${upscaler.label}: ${tiles.length - queue.length} of ${tiles.length} tiles`;
        }
      }));
      if (mine !== job) return;
      notes[index] = `${((performance.now() - start) / 1000).toFixed(1)} s`;
      const blob = await new Promise((done) => sr.canvas.toBlob(done, "image/png"));
      if (mine !== job) return;
      offer(blob, images[index], upscaler.label, name);
    }
    progress.hidden = true;
    say(`${width} × ${height} pixels became ${SCALE * width} × ${SCALE * height}.`);
  } catch (error) {
    if (mine !== job) return;
    job++;
    progress.hidden = true;
    say(`The networks can't be loaded or run out of memory here (${error.message}). Reload the page, or use a smaller photo.`);
  }
}

/* Mount a new slider, and release the images of the previous one. */
function mount(labels, images, notes, width, height) {
  unmount();
  addresses.splice(0).forEach((address) => URL.revokeObjectURL(address));
  downloads.hidden = true;
  downloads.replaceChildren("Download (PNG): ");
  const root = document.createElement("div");
  root.className = "srlab-compare";
  find("#comparison").replaceChildren(root);
  unmount = mountSlider(root, { labels, images, notes, width, height, left: 0, right: 1, split: 0.5, shown: 1000 });
}

/* Show a finished image, and add a link that downloads it. */
function offer(blob, image, label, name) {
  const address = URL.createObjectURL(blob);
  addresses.push(address);
  image.src = address;
  const link = document.createElement("a");
  link.href = address;
  link.download = `${name.replace(/\.[^.]*$/, "")}-${label}.png`;
  link.textContent = label;
  downloads.append(link);
  downloads.hidden = false;
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
    const mine = ++chosen, bitmap = await createImageBitmap(thumbnail, AS_STORED);
    if (mine === chosen) openBitmap(bitmap, name, images);
  });
  return { button, thumbnail };
}

function listen() {
  file.addEventListener("change", () => {
    if (file.files[0]) openFile(file.files[0]);
    file.value = ""; // so that the same file can be chosen again
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.toggle("dropping", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
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
  networks = contents.networks;
  workers = Array.from({ length: Math.min(navigator.hardwareConcurrency || 1, MOST_WORKERS) }, startWorker);
  ready = loadNetworks(contents.megabytes);
  ready.catch(() => {}); // upscalePart reports it
  const [first] = contents.photos.map(addSample);
  await first.thumbnail.decode();
  if (!chosen) first.button.click();
}

start().catch((error) => say(`This page lacks a file (${error.message}). Reload it.`));
