/* The noise of srlab/models/noise.py: a function of a seed and a position, so that all tiles are parts of one field, and
 * `srlab upscale --seed` draws the same answer as this page.
 */
const START = 0x9e3779b9;
const CHANNELS = 3;

/* Return standard normal noise (3, height, width) of the pixels from row `top` and column `left` of an image. */
export function noiseAt(seed, left, top, width, height) {
  const values = new Float32Array(CHANNELS * height * width), ofSeed = twoWords(seed >>> 0, [highWord(seed), START]);
  for (let channel = 0, at = 0; channel < CHANNELS; channel++) {
    for (let row = top; row < top + height; row++) {
      const ofLine = twoWords(CHANNELS * row + channel, ofSeed);
      for (let column = left; column < left + width; column++, at++) {
        const [radius, angle] = twoWords(column, ofLine); // Box and Muller 1958
        values[at] = Math.sqrt(-2 * Math.log((radius + 1) / 2 ** 32)) * Math.cos(((2 * Math.PI) / 2 ** 32) * angle);
      }
    }
  }
  return values;
}

const highWord = (seed) => Math.floor(seed / 2 ** 32) >>> 0;

/* Hash a counter with a key of two words into two words. */
function twoWords(counter, [first, second]) {
  return [mix(mix(counter ^ first) ^ second), mix(mix(counter ^ second) ^ first)];
}

/* Map 32-bit integers one to one, so that each bit of the input changes half of the bits of the output. */
function mix(word) {
  word = Math.imul(word ^ (word >>> 16), 0x45d9f3b);
  word = Math.imul(word ^ (word >>> 16), 0x45d9f3b);
  return (word ^ (word >>> 16)) >>> 0;
}
