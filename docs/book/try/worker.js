/* Upscales tiles of a photo four times: with bicubic interpolation, or with a network in onnxruntime-web.
 *
 * It answers one message after the other: {action, ...arguments} with {result} or {error}.
 */
import { noiseAt } from "./noise.js";

const SCALE = 4;
const OWN = "own"; // name of the visitor's network
const NOISE = "noise"; // input for standard normal noise, for each pixel of the output
const TRIAL = { width: 24, height: 16 }; // pixels of an image that it has to upscale first
const actions = { load, add, upscale };
let runtime, provider, models, sessions;
let last = Promise.resolve();

addEventListener("message", ({ data }) => {
  last = last.then(() => actions[data.action](data)).then(
    (result) => postMessage({ result }),
    (error) => postMessage({ error: String(error?.message ?? error) }),
  );
});

/* Start onnxruntime-web, also another build of it after one that failed. Its binary and the models come with the message, so that nothing is fetched later. */
async function load(given) {
  runtime = await import(given.library);
  [provider, models, sessions] = [given.provider, given.models, {}];
  runtime.env.wasm.numThreads = 1; // threads would need special headers from the host
  runtime.env.wasm.wasmBinary = given.binary;
  await session(Object.keys(models)[0]); // fails here if the browser lacks something
}

async function session(name) {
  sessions[name] ??= await runtime.InferenceSession.create(models[name], { executionProviders: [provider] });
  return sessions[name];
}

/* Return the SR levels of a tile (an ImageData) without its margins; `core` is [left, top, width, height] in the tile.
 *
 * `draw` is the seed, and the column and the row of the tile in the photo, for a network that gets noise.
 */
async function upscale({ upscaler, tile, core, gray, draw }) {
  const lr = planes(tile);
  const sr = upscaler === "bicubic" ? bicubic(lr, tile.width, tile.height)
    : await runSession(await session(upscaler), lr, tile, draw);
  return levels(sr, SCALE * tile.width, SCALE * tile.height, core.map((side) => SCALE * side), gray);
}

/* Replace the visitor's network, and return whether it gets noise, or throw why a file can't be used. */
async function add({ model }) {
  const network = await runtime.InferenceSession.create(model, { executionProviders: [provider] });
  try {
    const { width, height } = TRIAL, lr = new Float32Array(3 * width * height).fill(0.5);
    await runSession(network, lr, TRIAL, [0, 0, 0]);
  } catch (error) {
    await network.release();
    throw error;
  }
  await sessions[OWN]?.release();
  [models[OWN], sessions[OWN]] = [model, network];
  return network.inputNames.includes(NOISE);
}

async function runSession(network, lr, { width, height }, [seed, left, top]) {
  const { outputNames } = network, names = network.inputNames.filter((name) => name !== NOISE);
  if (names.length !== 1) throw new Error(`It needs ${names.length} inputs: ${names.join(", ")}.`);
  const inputs = { [names[0]]: new runtime.Tensor("float32", lr, [1, 3, height, width]) };
  if (network.inputNames.includes(NOISE)) {
    const noise = noiseAt(seed, ...[left, top, width, height].map((side) => SCALE * side));
    inputs[NOISE] = new runtime.Tensor("float32", noise, [1, 3, SCALE * height, SCALE * width]);
  }
  const sr = (await network.run(inputs))[outputNames[0]];
  const found = `${sr.type} ${sr.dims.join(" × ")}`, wanted = `float32 1 × 3 × ${SCALE * height} × ${SCALE * width}`;
  if (found !== wanted) throw new Error(`Of an image of 1 × 3 × ${height} × ${width} it made ${found}, not ${wanted}.`);
  const values = await sr.getData();
  sr.dispose();
  return values;
}

/* RGBA levels -> planes of R, G and B in [0, 1]. */
function planes({ data, width, height }) {
  const size = width * height, values = new Float32Array(3 * size);
  for (let at = 0; at < size; at++) {
    for (let color = 0; color < 3; color++) values[color * size + at] = data[4 * at + color] / 255;
  }
  return values;
}

/* Planes -> RGBA levels of a part, rounded as in srlab.data.images.to_uint8. Gray photos stay gray: their luma. */
function levels(values, width, height, [left, top, across, down], gray) {
  const image = new ImageData(across, down), { data } = image, size = width * height;
  const level = (value) => Math.floor(255 * value + 0.50002);
  const clamped = (at) => Math.min(Math.max(values[at], 0), 1);
  for (let y = 0, to = 0; y < down; y++) {
    for (let x = 0; x < across; x++, to += 4) {
      const at = (top + y) * width + left + x;
      if (gray) {
        const luma = 65.481 * clamped(at) + 128.553 * clamped(at + size) + 24.966 * clamped(at + 2 * size);
        data.fill(level(luma / 219), to, to + 3);
      } else {
        for (let color = 0; color < 3; color++) data[to + color] = level(clamped(at + color * size));
      }
      data[to + 3] = 255;
    }
  }
  return image;
}

/* Keys' cubic kernel with a = -1/2, and a mirrored border, as in srlab.data.resampling. */
function bicubic(lr, width, height) {
  const rows = stretched(lr, 3, height, width); // (3, 4w, h)
  return stretched(rows, 3, SCALE * width, height);
}

/* Enlarge (count, rows, columns) along the columns, and transpose: (count, SCALE * columns, rows). */
function stretched(values, count, rows, columns) {
  const result = new Float32Array(count * rows * SCALE * columns);
  for (let i = 0; i < SCALE * columns; i++) {
    const center = (i + 0.5) / SCALE - 0.5, first = Math.floor(center) - 1;
    const taps = [0, 1, 2, 3].map((tap) => [mirrored(first + tap, columns), cubic(first + tap - center)]);
    for (let plane = 0; plane < count; plane++) {
      for (let row = 0; row < rows; row++) {
        const from = (plane * rows + row) * columns;
        let sum = 0;
        for (let tap = 0; tap < 4; tap++) sum += taps[tap][1] * values[from + taps[tap][0]];
        result[(plane * SCALE * columns + i) * rows + row] = sum;
      }
    }
  }
  return result;
}

function cubic(offset) {
  const x = Math.abs(offset);
  return x <= 1 ? 1.5 * x ** 3 - 2.5 * x ** 2 + 1 : -0.5 * (x ** 3 - 5 * x ** 2 + 8 * x - 4);
}

function mirrored(index, size) {
  const at = ((index % (2 * size)) + 2 * size) % (2 * size);
  return at < size ? at : 2 * size - 1 - at;
}
