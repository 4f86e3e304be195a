// A board beside the page: its answers to the same inputs, byte by byte.

class BoardView {
  constructor(page) {
    this.page = page;
    this.status = statusLine();
    this.facts = make("div", {});
    this.connectButton = button("Connect a board", () => this.connect());
    this.key = make("textarea", { rows: "3", spellcheck: false, autocomplete: "off", placeholder: "-----BEGIN PRIVATE KEY-----" });
    this.bar = make("progress", { max: 1, value: 0, hidden: true, "aria-label": "Progress" });
    this.controls = make("div", { hidden: true },
      make("div", { class: "buttons" },
        fileButton("Accuracy on a CSV file", ".csv,.tsv,.txt,text/csv", (file) => this.evaluate(file)),
        button("Write the page's model to the board", () => this.update())),
      make("details", {}, make("summary", {}, "Key of a board that takes only signed models"), labelled("Secret key, PEM; it stays in this page", this.key)));
    const has = "serial" in navigator;
    this.element = section("The board",
      make("p", { class: "faint" }, has
        ? "Inputs of this page go to the board as well, and its answer is compared byte by byte."
        : "This browser has no Web Serial, which boards are connected by. Everything else works; Chromium, Chrome, Edge and Opera have it."),
      has ? make("div", { class: "buttons" }, this.connectButton) : null, this.status, this.bar, this.facts, this.controls);
  }

  /** Does something with the board; what goes wrong is said. */
  async attempt(work) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.status.say(error.message, true);
      return null;
    } finally {
      this.bar.hidden = true;
    }
  }

  async connect() {
    if (this.board) return this.disconnect();
    let port;
    try {
      port = await navigator.serial.requestPort();
    } catch {
      this.status.say("No port was chosen.");
      return null;
    }
    return this.use(port);
  }

  async use(port) {
    return this.attempt(async () => {
      const board = new Board(port);
      try {
        await board.open((reason) => this.lose(reason));
      } catch (error) {
        if (board.reader) await board.close();
        throw error instanceof Refusal ? error : new Refusal(`The port cannot be opened: ${error.message || error}. Close other programs that use it.`);
      }
      this.board = board;
      this.connectButton.textContent = "Disconnect";
      this.controls.hidden = false;
      this.show();
      await this.compare();
    });
  }

  /** Compares the board's model with that of the page, which may be another one now. */
  refresh() {
    if (this.board) this.show();
  }

  lose(reason) {
    this.board = null;
    this.connectButton.textContent = "Connect a board";
    this.controls.hidden = true;
    this.status.say(reason, true);
  }

  async disconnect() {
    await this.board.close();
    this.lose("Disconnected.");
    this.status.classList.remove("bad");
  }

  isSame() {
    return this.board.last.checksum === this.page.engine.model.checksum;
  }

  show() {
    const { last: info } = this.board;
    const rows = [["board", info.board], ["firmware", info.firmware], ["model", info.model], ["model file", `${grouped(info.model_bytes)} bytes${info.in_ram ? ", copied to RAM" : ""}`],
      ["scratch memory", `${grouped(info.scratch_bytes)} bytes`],
      ["stack", info.stack_bytes === null ? "not measured" : `${grouped(info.stack_bytes)} bytes`],
      ["slots", info.slots ? `2 of ${grouped(info.slots.capacity)} bytes, ${info.slots.updates} updates` : "none: the model is built in"],
      ["signatures", info.signed ? "models must be signed" : "not asked for"]];
    this.facts.replaceChildren(table(["", "the board"], rows));
    if (!this.isSame()) {
      this.status.say(`The board runs another model: ${info.model} (${hex(info.checksum)}); the page runs ${this.page.engine.model.name} (${hex(this.page.engine.model.checksum)}).`, true);
    } else this.status.say(`The board runs the model of this page, ${info.model}.`);
  }

  /** Runs the input of the page on the board, and compares the bytes. */
  async compare() {
    const { board, page } = this, now = page.last;
    if (!board || !now || !this.isSame()) return null;
    if (this.isBusy) return null;
    this.isBusy = true;
    const result = await this.attempt(async () => {
      const output = await board.infer(page.engine.model.input.encoding, page.engine.boardBytes(now.readings, now.answer));
      const own = new Uint8Array(now.answer.output.buffer);
      const different = own.filter((byte, index) => byte !== output[index]).length;
      const isEqual = different === 0 && output.length === own.length;
      this.status.say(isEqual ? `The board's answer equals the page's in all ${own.length} bytes.`
        : `The board's answer differs in ${different} of ${own.length} bytes.`, !isEqual);
      return isEqual;
    });
    this.isBusy = false;
    if (this.board && page.last !== now) return this.compare();
    return result;
  }

  /** Runs the rows of a file on the board; counts equal answers and right classes. */
  async evaluate(file) {
    return this.attempt(async () => {
      const { engine } = this.page, { model } = engine;
      if (!this.isSame()) throw new Refusal(`The board runs another model, ${this.board.last.model}. Write the page's model to it first.`);
      const counts = { rows: 0, equal: 0, judged: 0, right: 0 };
      this.bar.hidden = false;
      for await (const { columns, row, progress } of rowsOf(file, this.page)) {
        if (!this.board) throw new Refusal(`The board was unplugged after ${counts.rows} rows.`);
        const { readings, truth } = columns.read(row);
        const answer = engine.run(readings);
        const output = await this.board.infer(model.input.encoding, engine.boardBytes(readings, answer));
        const own = new Uint8Array(answer.output.buffer);
        counts.rows++;
        const isEqual = own.length === output.length && own.every((byte, index) => byte === output[index]);
        counts.equal += isEqual;
        if (model.output.kind !== "values" && truth !== "") {
          counts.judged++;
          counts.right += isEqual && truth === model.output.labels[answer.class];
        }
        this.bar.value = progress;
      }
      const accuracy = counts.judged > 0 ? ` Accuracy: ${counts.right} of ${counts.judged}, ${percent(counts.right / counts.judged)}.` : "";
      this.status.say(`${file.name}: ${counts.equal} of ${counts.rows} answers equal the page's in every byte.${accuracy}`, counts.equal !== counts.rows);
      return counts;
    });
  }

  async update() {
    return this.attempt(async () => {
      this.bar.hidden = false;
      this.status.say("Writing the model …");
      await this.board.update(this.page.engine.file, this.key.value.trim(), (progress) => { this.bar.value = progress; });
      this.status.say("Restarting …");
      // The board answers again as soon as it has restarted; until then requests get lost.
      for (let attempt = 0; ; attempt++) {
        try {
          await this.board.info();
          break;
        } catch (error) {
          if (attempt === 3 || !this.board) throw error;
        }
      }
      this.show();
      await this.compare();
    });
  }
}

const hex = (checksum) => checksum.toString(16).padStart(8, "0");
