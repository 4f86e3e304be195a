// Answers to many rows: pasted from a spreadsheet, or dropped as a file.

/** Rows that are shown; all are in the file to download. */
const SHOWN_ROWS = 50;
/** Inputs up to which the feature that moved an answer most is searched for each row. */
const MOST_MOVED = 40;

class RowsView {
  constructor(page) {
    this.page = page;
    this.status = statusLine();
    this.bar = make("progress", { max: 1, value: 0, hidden: true, "aria-label": "Rows that are answered" });
    this.stopButton = button("Stop", () => { this.isStopped = true; }, { hidden: true });
    this.saveButton = button("Download the answers", () => save("answers.csv", this.parts, "text/csv"), { hidden: true });
    this.results = make("div", {});
    this.text = make("textarea", { rows: "4", spellcheck: false, placeholder: this.example() });
    this.text.addEventListener("input", () => this.text.value.trim() && this.answer(new Blob([this.text.value]), "pasted rows"));
    this.element = section("Rows",
      make("p", {}, "Paste rows from a spreadsheet, or drop a CSV file here. Columns are found by their names, or are the inputs in order."),
      labelled("Rows", this.text),
      make("div", { class: "buttons" }, fileButton("Open a CSV file", ".csv,.tsv,.txt,text/csv", (file) => this.answer(file, file.name)), this.stopButton, this.saveButton),
      this.bar, this.status, this.results);
    takesFiles(this.element, (file) => this.answer(file, file.name));
  }

  example() {
    return this.page.features.slice(0, 6).map(({ name }) => name).join(", ") + (this.page.features.length > 6 ? ", …" : "");
  }

  /** Answers all rows of a file. */
  async answer(blob, name) {
    const turn = this.turn = Symbol("rows");
    const isCurrent = () => this.turn === turn && !this.isStopped;
    [this.isStopped, this.parts, this.rows, this.right, this.judged] = [false, [], 0, 0, 0];
    this.results.replaceChildren();
    this.saveButton.hidden = true;
    [this.bar.hidden, this.stopButton.hidden, this.bar.value] = [false, false, 0];
    const shown = [];
    let problem = null;
    try {
      for await (const { columns, row, progress } of rowsOf(blob, this.page)) {
        if (!isCurrent()) break;
        if (this.rows === 0) this.parts.push(`${this.header().map(csvCell).join(",")}\n`);
        this.one(columns, row, shown);
        this.bar.value = progress;
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      problem = error.message;
    }
    if (this.turn !== turn) return;
    [this.bar.hidden, this.stopButton.hidden] = [true, true];
    const judged = this.judged > 0 ? ` ${this.right} of ${this.judged} labels are as the model answers, ${percent(this.right / this.judged)}.` : "";
    const stopped = this.isStopped ? " Stopped." : "";
    this.status.say(problem ? `${name}: ${problem}` : `${name}: ${this.rows} rows.${judged}${stopped}`, problem !== null);
    if (this.rows === 0) {
      if (!problem) this.status.say(`${name}: there are no rows.`, true);
      return;
    }
    this.saveButton.hidden = false;
    this.results.replaceChildren(table(this.header(), shown),
      this.rows > shown.length ? make("p", { class: "faint" }, `The first ${shown.length} of ${this.rows}; the download has all.`) : "");
  }

  header() {
    const { model } = this.page.engine;
    const units = outputNames(model).map((name, index) => (outputUnit(model, index) ? `${name} (${outputUnit(model, index)})` : name));
    const names = model.output.kind === "values" ? units : ["class", ...units];
    return ["line", ...names, "saturated", ...(this.page.features.length <= MOST_MOVED ? ["moved most by"] : [])];
  }

  one(columns, row, shown) {
    const { engine, features } = this.page, { model } = engine;
    const { readings, truth } = columns.read(row);
    const answer = engine.run(readings);
    const each = shares(model, answer);
    const cells = [String(row.line)];
    if (model.output.kind !== "values") {
      const label = model.output.labels[answer.class];
      cells.push(label);
      if (truth !== "") {
        this.judged++;
        if (truth === label) this.right++;
      }
    }
    cells.push(...each.map((value) => String(Number(value.toPrecision(7)))), String(answer.saturated));
    if (features.length <= MOST_MOVED) {
      const [most] = moved(engine, features, readings, answer);
      cells.push(most && most.change !== 0 ? most.feature.name : "");
    }
    this.rows++;
    this.parts.push(`${cells.map(csvCell).join(",")}\n`);
    if (this.rows <= SHOWN_ROWS) shown.push(cells.map((cell, at) => (at > 0 && Number.isFinite(Number(cell)) && cell !== "" ? number(Number(cell)) : cell)));
  }
}
