/* The layout of the slider: the cells of the stage, and the region of an image that is visible in each of them.
 *
 * Lengths are in device pixels. The view is the scale in device pixels per image pixel, and the image point (x, y) at
 * the center of a cell. The stage is one cell, or a grid with one cell and one strip for its label per image.
 */
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

class SliderView {
  constructor(width, height) {
    Object.assign(this, { pictureWidth: width, pictureHeight: height, drawn: new WeakMap() });
    Object.assign(this, { width: 0, height: 0, cell: { width: 0, height: 0 } }); // sizes of the stage and of a cell
    Object.assign(this, { dpr: 1, fit: 1, columns: 1, gap: 0, strip: 0, scale: 0, x: width / 2, y: height / 2 });
  }

  /* Make the cells as large as `wide` x `tall` allows, with whole device pixels per image pixel if that is close. Very
   * narrow cells get some extra space; `roomy` cells get all that an image of one CSS pixel per pixel can fill. */
  arrange(count, wide, tall, dpr, roomy) {
    const { pictureWidth, pictureHeight } = this, gap = count > 1 ? 8 * dpr : 0, strip = count > 1 ? 22 * dpr : 0;
    let best = { fit: -1 };
    for (let columns = 1; columns <= count; columns++) {
      const rows = Math.ceil(count / columns);
      const across = (wide - gap * (columns - 1)) / columns, down = (tall - gap * (rows - 1)) / rows - strip;
      const fit = Math.min(across / pictureWidth, down / pictureHeight);
      if (fit > best.fit) best = { fit, columns, rows, across, down };
    }
    const { fit, columns, rows, across, down } = best, whole = Math.floor(fit + 1e-6), atFit = !this.zoomed;
    Object.assign(this, { dpr, gap, strip, columns, fit: whole >= 0.75 * fit ? whole : fit });
    const natural = [Math.round(this.fit * pictureWidth), Math.round(this.fit * pictureHeight)];
    if (roomy) {
      natural[0] = Math.max(natural[0], Math.min(across, dpr * pictureWidth));
      natural[1] = Math.max(natural[1], Math.min(down, dpr * pictureHeight));
    }
    this.cell.width = Math.floor(Math.min(Math.max(natural[0], 96 * dpr), across));
    this.cell.height = Math.floor(Math.max(natural[1], 64 * dpr));
    this.width = columns * (this.cell.width + gap) - gap;
    this.height = rows * (this.cell.height + strip + gap) - gap;
    this.set(atFit ? this.fit : Math.max(this.scale, this.fit), this.x, this.y);
  }

  get zoomed() {
    return this.scale > this.fit;
  }

  set(scale, x, y) {
    const { cell, pictureWidth: width, pictureHeight: height } = this;
    const halfX = cell.width / 2 / scale, halfY = cell.height / 2 / scale;
    this.scale = scale;
    this.x = halfX * 2 >= width ? width / 2 : clamp(x, halfX, width - halfX);
    this.y = halfY * 2 >= height ? height / 2 : clamp(y, halfY, height - halfY);
  }

  /* Open at the image pixel at the top, the one at the left, and a zoom: 4 shows a quarter of the width, in square
   * pixels. */
  open(top, left, zoom) {
    const near = this.fit * zoom;
    const scale = clamp(zoom > 1 && near > 1 ? Math.round(near) : near, this.fit, this.levels.at(-1));
    this.set(scale, left + this.cell.width / 2 / scale, top + this.cell.height / 2 / scale);
  }

  /* Open around an image point, with at least one CSS pixel per image pixel. */
  openAround(x, y) {
    this.set(Math.max(this.fit, Math.ceil(this.dpr)), x, y);
  }

  /* Device pixel of the image's upper left corner in its cell; an integer, so that the edges of pixels are sharp. */
  get origin() {
    const { cell, scale } = this;
    return [Math.round(cell.width / 2 - this.x * scale), Math.round(cell.height / 2 - this.y * scale)];
  }

  /* The visible region of an image: left, top, right, bottom in its pixels. */
  get part() {
    const [x, y] = this.origin, { cell, scale, pictureWidth: width, pictureHeight: height } = this;
    return [
      clamp(Math.floor(-x / scale), 0, width), clamp(Math.floor(-y / scale), 0, height),
      clamp(Math.ceil((cell.width - x) / scale), 0, width), clamp(Math.ceil((cell.height - y) / scale), 0, height),
    ];
  }

  /* A canvas of a cell with that image, drawn once for each view: moving the divider only copies from it. */
  draw(image, moving) {
    const { cell, scale, x, y } = this, key = [scale, x, y, cell.width, cell.height, !moving].join();
    const sheet = this.drawn.get(image) ?? document.createElement("canvas"), context = sheet.getContext("2d");
    this.drawn.set(image, sheet);
    if (sheet.key === key) return sheet;
    const [left, top] = this.origin, [x0, y0, x1, y1] = this.part, wide = x1 - x0, high = y1 - y0;
    Object.assign(sheet, { key, width: cell.width, height: cell.height }); // this clears it
    // Draw magnified pixels as squares; a downscaled image must not alias.
    context.imageSmoothingEnabled = scale < 1 || (scale < 3 && scale % 1 !== 0 && !moving);
    context.imageSmoothingQuality = "high";
    context.drawImage(image, x0, y0, wide, high, left + x0 * scale, top + y0 * scale, wide * scale, high * scale);
    return sheet;
  }

  get levels() {
    return [this.fit, ...[1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64].filter((n) => n > this.fit * 1.05)];
  }

  /* The next level in or out from a scale, if there is one. */
  next(direction, scale) {
    return direction > 0 ? this.levels.find((n) => n > scale * 1.001) : this.levels.findLast((n) => n < scale * 0.999);
  }

  /* The upper left corner of the image in the cell with this index. */
  corner(index) {
    const { cell, columns, gap, strip } = this;
    return [(index % columns) * (cell.width + gap), Math.floor(index / columns) * (cell.height + strip + gap) + strip];
  }

  /* Convert a point of the stage to a point in its cell. */
  inCell(x, y) {
    return [x % (this.cell.width + this.gap), (y % (this.cell.height + this.strip + this.gap)) - this.strip];
  }

  /* Return the image point at a point of the cell; `setAt` sets the view that shows an image point there. */
  pictureAt(x, y) {
    return [this.x + (x - this.cell.width / 2) / this.scale, this.y + (y - this.cell.height / 2) / this.scale];
  }

  setAt([pictureX, pictureY], scale, x, y) {
    this.set(scale, pictureX - (x - this.cell.width / 2) / scale, pictureY - (y - this.cell.height / 2) / scale);
  }
}
