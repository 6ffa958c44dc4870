/* The die: it draws other answers of a network that gets noise, and a map of where they differ. */
const COUNT = 4; // answers from which the map is computed
const WHITE = 32; // gray levels: standard deviation of the answers that is white in the map

export class Die {
  /* `root` is the element with the buttons; they are hidden until `open`. */
  constructor(root) {
    const find = (selector) => root.querySelector(selector);
    [this.throwing, this.mapping] = [find(".throw"), find(".mapping")];
    Object.assign(this, { root, field: find("input"), told: find("[role=status]"), legend: find(".legend") });
    this.throwing.addEventListener("click", () => this.roll(this.seed + 1));
    this.field.addEventListener("change", () => this.roll(this.seed));
    this.mapping.addEventListener("click", () => this.table?.show(this.shown ? "answer" : "map"));
    this.close();
  }

  /* The seed of the visible answer, a whole number below 2**32. */
  get seed() {
    return Math.min(Math.max(Math.floor(Number(this.field.value)) || 0, 0), 2 ** 32 - 1);
  }

  /* Offer throws of a network: draw(seed) returns the promise of a throw with its seed and its RGBA `levels`, current()
   * whether the photo is still the same, show("answer" or "map") chooses an image, answer(throw) and map(canvas, seeds)
   * replace one, and fail(error) says what went wrong. */
  open(table, first) {
    Object.assign(this, { table, throws: [first], working: false, shown: false });
    this.root.querySelector("b").textContent = table.label;
    this.root.hidden = false;
    this.told.textContent = "";
    this.choose(false);
  }

  close() {
    this.table = null;
    this.root.hidden = true;
  }

  /* Note whether the map is visible, and draw it if it isn't up to date. */
  choose(shown) {
    this.shown = shown;
    this.mapping.setAttribute("aria-pressed", shown);
    this.legend.hidden = !shown;
    if (shown && this.table && this.mapped !== this.throws) this.work(() => this.draw());
  }

  roll(seed) {
    return this.work(async (table) => {
      this.field.value = seed;
      const thrown = await this.take(seed);
      if (table !== this.table) return;
      await table.answer(thrown);
      this.told.textContent = `Seed ${seed} took ${thrown.seconds.toFixed(1)} seconds.`;
      if (this.shown) await this.draw();
      else table.show("answer");
    });
  }

  /* Do one thing at a time; clicks in between do nothing. */
  async work(action) {
    const { table } = this;
    if (this.working || !table) return;
    this.busy(true);
    try {
      await action(table);
    } catch (error) {
      if (table === this.table) table.fail(error);
    } finally {
      if (table === this.table) this.busy(false);
    }
  }

  busy(working) {
    this.working = working;
    this.throwing.setAttribute("aria-disabled", working);
  }

  /* Return the throw of a seed, and keep the last ones. */
  async take(seed) {
    const thrown = this.throws.find((one) => one.seed === seed) ?? await this.table.draw(seed);
    this.throws = [...this.throws.filter((one) => one.seed !== seed), thrown].slice(-COUNT);
    return thrown;
  }

  /* Draw the map of the last throws; if there are too few, with those of the next seeds. */
  async draw() {
    const { table } = this;
    for (let seed = this.seed + 1; this.throws.length < COUNT; seed++) {
      this.told.textContent = `Throwing ${this.throws.length + 1} of ${COUNT} …`;
      await this.take(seed % 2 ** 32);
      if (table !== this.table) return;
    }
    const { canvas, typical } = mapOf(this.throws.map(({ levels }) => levels));
    const seeds = this.throws.map(({ seed }) => seed).sort((a, b) => a - b);
    this.mapped = this.throws;
    this.told.textContent = `The answers with the seeds ${seeds.join(", ")} differ by ${typical.toFixed(1)} gray levels ` +
      "(standard deviation, root mean square over the image).";
    await table.map(canvas, seeds);
  }
}

/* Return a canvas with the standard deviation of each pixel over several images of RGBA levels, and its root mean square.
 *
 * The variance is the mean over R, G and B. 0 is black, and WHITE gray levels or more are white.
 */
function mapOf(images) {
  const { width, height } = images[0], canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d"), map = context.createImageData(width, height);
  const count = images.length, all = images.map(({ data }) => data);
  let total = 0;
  for (let at = 0; at < map.data.length; at += 4) {
    let sum = 0;
    for (let color = at; color < at + 3; color++) {
      let mean = 0, squares = 0;
      for (const data of all) {
        mean += data[color] / count;
        squares += data[color] ** 2;
      }
      sum += squares - count * mean ** 2;
    }
    const variance = Math.max(sum, 0) / 3 / (count - 1);
    total += variance;
    map.data.fill(Math.min(255, Math.round((255 / WHITE) * Math.sqrt(variance))), at, at + 3);
    map.data[at + 3] = 255;
  }
  context.putImageData(map, 0, 0);
  return { canvas, typical: Math.sqrt(total / (width * height)) };
}
