// The page: one model with its inputs, answers, layers and board.

class Page {
  constructor(root, data, module) {
    [this.root, this.data, this.module] = [root, data, module];
    this.status = statusLine();
    this.content = make("div", {});
    this.root.replaceChildren(this.status, this.content);
    takesFiles(this.root, (file) => this.open(file));
  }

  /** Loads a model file and builds the page for it; `data` is null for a foreign one. */
  async load(file, data) {
    const engine = await Engine.load(this.module, file);
    const tests = engine.selfTest();
    [this.engine, this.last] = [engine, null];
    const { model } = engine;
    this.float = data?.float ? new FloatNetwork(data.float) : null;
    this.floatMissing = data?.float_missing ?? "";
    this.preparation = data ? data.preparation : guessedPreparation(model);
    const bits = new Set([model.input, ...model.layers].map((each) => each.tensor.bits));
    this.dataType = bits.size > 1 ? "mixed" : bits.has(16) ? "int16" : "int8";
    this.features = featuresOf(model);
    const name = model.name || "a model without a name";
    this.status.say(tests > 0
      ? `${name}: ${tests} self-tests of the model file pass in this browser, every byte as expected.`
      : `${name}: the model file is sound. It has no self-tests.`);
    this.build();
  }

  build() {
    const { model } = this.engine;
    this.answerView = new AnswerView(this);
    this.input = this.preparation ? new ImageInput(this) : new FeatureInput(this);
    this.plane = !this.preparation && model.input.len === 2 ? new PlaneView(this) : null;
    this.rows = new RowsView(this);
    this.layers = new LayersView(this);
    // A board stays connected while models change.
    this.board ??= new BoardView(this);
    this.board.refresh();
    this.content.replaceChildren(
      section("Try it", make("div", { class: "play" }, this.input.element, this.answerView.element)),
      ...(this.plane ? [this.plane.element] : []),
      this.rows.element, this.layers.element, this.board.element, this.facts());
    this.answer();
  }

  facts() {
    const { model } = this.engine;
    return section("The model",
      table(["", "the model"], [["name", model.name], ["inputs", `${model.input.len} (${model.input.shape.join(" × ")}), ${this.dataType}`],
        ["outputs", model.output.kind === "values" ? outputNames(model).join(", ") : `${model.output.labels.length} classes`],
        ["model file", `${grouped(model.bytes)} bytes, CRC-32 ${hex(model.checksum)}`], ["scratch memory", `${grouped(model.scratch_bytes)} bytes`]]),
      make("p", {}, "Drop a .thimble file anywhere on this page to run another model. It is checked as a board checks it."),
      make("div", { class: "buttons" }, fileButton("Open a model", ".thimble", (file) => this.open(file))));
  }

  /** Opens a foreign model file; a refused one changes nothing. */
  async open(file) {
    try {
      await this.load(new Uint8Array(await file.arrayBuffer()), null);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.status.say(`${file.name} is refused: ${error.message}`, true);
    }
  }

  /** Readings for the engine and for the float network of a prepared image. */
  readingsOfPixels({ bytes, levels }) {
    const { encoding, tensor } = this.engine.model.input;
    const floats = Float32Array.from(bytes, (byte) => byte * Math.fround(1 / levels));
    const pixels = () => Array.from(floats, (share) => Math.min(255, Math.round(share / tensor.scale)));
    return { readings: encoding === "pixels" ? pixels() : encoding === "counts" ? bytes : floats, floats };
  }

  /** Readings as the float network takes them: pixels as shares, counts as real numbers. */
  forFloat(readings) {
    const { input, features } = this.engine.model;
    if (input.encoding === "pixels") return Array.from(readings, (pixel) => pixel * Math.fround(input.tensor.scale));
    if (input.encoding !== "counts") return Array.from(readings, Math.fround);
    return Array.from(readings, (count, index) => (features[index] ? features[index].slope * count + features[index].intercept : count));
  }

  /** Runs the current input and shows the answer everywhere. */
  answer() {
    const current = this.input?.current();
    if (!current) {
      this.last = null;
      this.answerView.element.hidden = true;
      return;
    }
    this.answerView.element.hidden = false;
    const answer = this.engine.run(current.readings);
    this.last = { readings: current.readings, answer };
    this.answerView.show(answer, this.float?.shares(current.floats));
    this.layers.show(answer);
    this.plane?.paint();
    if (!this.preparation && this.features.length <= MOST_SLIDERS) {
      this.answerView.showMoved(moved(this.engine, this.features, current.readings, answer));
    }
    this.board.compare();
  }
}

async function start() {
  const root = document.getElementById("playground");
  try {
    const data = JSON.parse(document.getElementById("playground-data").textContent);
    const module = await compileModule(document.getElementById("playground-engine").textContent);
    const page = new Page(root, data, module);
    // For other scripts, such as tests.
    window.thimble = { page, ACTIVATIONS, frameOf, messageOf };
    await page.load(fromBase64(data.model), data);
    root.dataset.state = "ready";
  } catch (error) {
    root.dataset.state = "failed";
    root.textContent = error instanceof Refusal ? error.message : `The page does not work in this browser: ${error.message || error}`;
    if (!(error instanceof Refusal)) throw error;
  }
}

start();
