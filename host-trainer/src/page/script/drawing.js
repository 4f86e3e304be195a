// Images: drawn on a canvas, dropped as a file, or taken by the camera.

/** Side of the canvas in pixels. */
const SIDE = 280;
/** Pixels of a photo at most; larger ones are scaled down by the browser first. */
const MOST_PIXELS = 24e6;
/** Step of the pen by an arrow key, in pixels. */
const PEN_STEP = 8;

class ImageInput {
  constructor(page) {
    this.page = page;
    this.strokes = [];
    this.photo = null;
    this.pen = { x: SIDE / 2, y: SIDE / 2, isDown: false };
    const { colors } = pictureSize(page.preparation.words);
    this.canvas = make("canvas", {
      width: SIDE, height: SIDE, class: "paper", tabindex: "0", role: "img",
      "aria-label": "Drawing area. Draw with mouse, pen or finger. By keyboard, arrow keys move the pen, Space lowers and " +
        "lifts it, Control Z undoes a stroke, Delete clears.",
    });
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.seen = make("canvas", { class: "seen", role: "img", "aria-label": "The image as the network sees it" });
    this.status = statusLine();
    this.width = make("input", { type: "range", min: "4", max: "40", value: "20" });
    this.color = colors === 3 ? make("input", { type: "color", value: "#000000" }) : null;
    this.video = make("video", { hidden: true, muted: true, playsInline: true });
    this.cameraButton = button("Camera", () => this.camera());
    this.element = make("div", { class: "images" },
      make("div", { class: "canvases" },
        make("figure", {}, make("figcaption", {}, "Draw here, or drop a photo"), this.canvas, this.video),
        make("figure", {}, make("figcaption", {}, "As the network sees it"), this.seen)),
      make("div", { class: "buttons" },
        button("Undo", () => this.undo()), button("Clear", () => this.clear()),
        fileButton("Open a photo", "image/*", (file) => this.open(file)), this.cameraButton,
        labelled("Pen", this.width), this.color ? labelled("Color", this.color) : null),
      this.status,
      make("p", { class: "faint" }, `Preprocessing: ${page.preparation.words} (${page.preparation.origin}).`));
    this.listen();
    takesFiles(this.element, (file) => this.open(file));
    this.paint();
  }

  listen() {
    const inside = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [(event.clientX - box.left) * SIDE / box.width, (event.clientY - box.top) * SIDE / box.height];
    };
    let isDrawing = false;
    this.canvas.addEventListener("pointerdown", (event) => {
      isDrawing = true;
      if (event.isTrusted) this.canvas.setPointerCapture(event.pointerId);
      this.begin(...inside(event));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (isDrawing) this.extend(...inside(event));
    });
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => { isDrawing = false; });
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    this.canvas.addEventListener("keydown", (event) => {
      const { pen } = this, move = moves[event.key];
      if (move) {
        [pen.x, pen.y] = [pen.x + move[0] * PEN_STEP, pen.y + move[1] * PEN_STEP].map((at) => Math.max(0, Math.min(SIDE, at)));
        if (pen.isDown) this.extend(pen.x, pen.y); else this.paint();
      } else if (event.key === " ") {
        pen.isDown = !pen.isDown;
        if (pen.isDown) this.begin(pen.x, pen.y);
      } else if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
      else if (event.key === "Delete" || event.key === "Backspace") this.clear();
      else return;
      event.preventDefault();
    });
    for (const change of ["focus", "blur"]) this.canvas.addEventListener(change, () => this.paint());
  }

  begin(x, y) {
    this.strokes.push({ width: Number(this.width.value), color: this.color?.value ?? "#000000", points: [[x, y]] });
    this.changed();
  }

  extend(x, y) {
    this.strokes[this.strokes.length - 1]?.points.push([x, y]);
    this.changed();
  }

  undo() {
    if (this.strokes.length > 0) this.strokes.pop(); else this.photo = null;
    this.changed();
  }

  clear() {
    [this.strokes, this.photo, this.pen.isDown] = [[], null, false];
    this.changed();
  }

  changed() {
    this.paint();
    this.page.answer();
  }

  /** Draws paper, photo and strokes. */
  draw(context) {
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, SIDE, SIDE);
    if (this.photo) {
      const { width, height } = this.photo, scale = Math.min(SIDE / width, SIDE / height);
      context.drawImage(this.photo.bitmap, (SIDE - width * scale) / 2, (SIDE - height * scale) / 2, width * scale, height * scale);
    }
    [context.lineCap, context.lineJoin] = ["round", "round"];
    for (const { width, color, points } of this.strokes) {
      [context.lineWidth, context.strokeStyle] = [width, color];
      context.beginPath();
      context.moveTo(...points[0]);
      for (const point of points) context.lineTo(...point);
      context.stroke();
    }
  }

  paint() {
    this.draw(this.context);
    if (document.activeElement !== this.canvas) return;
    [this.context.lineWidth, this.context.strokeStyle] = [2, cssColor("--second")];
    this.context.beginPath();
    this.context.arc(this.pen.x, this.pen.y, 6, 0, 7);
    this.context.stroke();
  }

  /** The pixels to prepare: of the photo itself, unless something was drawn on it. */
  pixels() {
    if (this.photo && this.strokes.length === 0) return this.photo.pixels;
    const canvas = new OffscreenCanvas(SIDE, SIDE), context = canvas.getContext("2d");
    this.draw(context);
    return context.getImageData(0, 0, SIDE, SIDE);
  }

  async open(file) {
    try {
      await this.usePhoto(file, file.name);
    } catch {
      this.status.say(`${file.name} is no image that this browser can read. Save it as PNG or JPEG.`, true);
    }
  }

  async usePhoto(source, name) {
    const exact = { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" };
    let bitmap = await createImageBitmap(source, exact), note = "";
    const all = bitmap.width * bitmap.height;
    if (all > MOST_PIXELS) {
      const resizeWidth = Math.floor(bitmap.width * Math.sqrt(MOST_PIXELS / all));
      bitmap.close();
      bitmap = await createImageBitmap(source, { ...exact, resizeWidth, resizeQuality: "high" });
      note = ` It has ${Math.round(all / 1e6)} megapixels, and was scaled down to ${Math.round(MOST_PIXELS / 1e6)} first.`;
    }
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    this.strokes = [];
    this.photo = { bitmap, width, height, pixels: context.getImageData(0, 0, width, height) };
    this.status.say(`${name}: ${width} × ${height} pixels.${note}`);
    this.changed();
  }

  async camera() {
    if (this.stream) {
      const { video } = this;
      await this.usePhoto(await createImageBitmap(video), "camera");
      this.stream.getTracks().forEach((track) => track.stop());
      [this.stream, video.srcObject, video.hidden] = [null, null, true];
      this.cameraButton.textContent = "Camera";
      return;
    }
    if (!navigator.mediaDevices) {
      this.status.say("Browsers give the camera only to pages from this computer or by HTTPS. Photos can be opened.", true);
      return;
    }
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (error) {
      this.status.say(`No picture from a camera: ${error.message || error}. Photos can be dropped.`, true);
      return;
    }
    [this.video.srcObject, this.video.hidden] = [this.stream, false];
    await this.video.play();
    this.cameraButton.textContent = "Take the picture";
  }

  /** The prepared image, for the engine and for the float network. */
  current() {
    if (!this.photo && this.strokes.length === 0) return this.blank();
    let prepared;
    try {
      prepared = this.page.engine.prepare(this.page.preparation.words, this.pixels());
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.status.say(error.message, true);
      return this.blank();
    }
    if (this.status.classList.contains("bad")) this.status.say("");
    this.show(prepared);
    return this.page.readingsOfPixels(prepared);
  }

  blank() {
    const { height, width, colors } = pictureSize(this.page.preparation.words);
    this.show({ height, width, colors, levels: 1, bytes: new Uint8Array(height * width * colors) });
    return null;
  }

  show({ height, width, colors, levels, bytes }) {
    [this.seen.width, this.seen.height] = [width, height];
    const image = new ImageData(width, height);
    for (let pixel = 0; pixel < width * height; pixel++) {
      for (let channel = 0; channel < 3; channel++) {
        image.data[4 * pixel + channel] = 255 * bytes[colors * pixel + (colors === 3 ? channel : 0)] / levels;
      }
      image.data[4 * pixel + 3] = 255;
    }
    this.seen.getContext("2d").putImageData(image, 0, 0);
  }
}
