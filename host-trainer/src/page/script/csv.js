// Rows of a table: read as they stream in, never all at once.

/** Rows between two looks at the clock. */
const BATCH = 16;
/** Milliseconds of work until the page may draw. */
const TURN = 30;

/** Splits text into rows of cells: commas, semicolons or tabs, with quotation marks. */
class RowSplitter {
  constructor() {
    [this.cell, this.row, this.isQuoted, this.wasQuote, this.delimiter, this.line] = ["", [], false, false, null, 1];
  }

  /** The delimiter of the first line: numbers contain commas, but neither tabs nor semicolons. */
  static delimiterOf(text) {
    const line = text.split(/\r?\n/, 1)[0];
    return ["\t", ";"].find((mark) => line.includes(mark)) ?? ",";
  }

  /** Takes the next piece of text; yields the rows that end in it, each with its line. */
  *take(text) {
    this.delimiter ??= RowSplitter.delimiterOf(text);
    for (const letter of text) {
      if (this.isQuoted) {
        if (letter === '"') [this.isQuoted, this.wasQuote] = [false, true];
        else this.cell += letter;
        continue;
      }
      if (letter === '"') {
        if (this.wasQuote) this.cell += '"';
        [this.isQuoted, this.wasQuote] = [true, false];
        continue;
      }
      this.wasQuote = false;
      if (letter === this.delimiter) this.endCell();
      else if (letter === "\n") yield* this.endRow();
      else if (letter !== "\r") this.cell += letter;
    }
  }

  endCell() {
    this.row.push(this.cell.trim());
    this.cell = "";
  }

  *endRow() {
    this.endCell();
    const row = this.row;
    this.row = [];
    if (row.length > 1 || row[0] !== "") yield { cells: row, line: this.line };
    this.line++;
  }

  /** Yields the last row, which may lack a line break. */
  *finish() {
    if (this.cell !== "" || this.row.length > 0) yield* this.endRow();
  }
}

/** A number as spreadsheets write it, with a comma where the delimiter is none; else NaN. */
function parsed(text, delimiter) {
  const plain = delimiter === "," ? text : text.replace(",", ".");
  return plain === "" ? NaN : Number(plain);
}

/** A cell that spreadsheets show and do not compute (OWASP, "CSV injection"). */
function csvCell(text) {
  const safe = /^[=+\-@\t\r]/.test(text) && !Number.isFinite(Number(text)) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The columns of a table that a model's inputs are in, by the names in the header, or all in order. */
class Columns {
  constructor(model, features, first, delimiter) {
    this.delimiter = delimiter;
    const isHeader = first.some((cell) => cell !== "" && !Number.isFinite(parsed(cell, delimiter)));
    const plain = (text) => text.toLowerCase().replace(/\s*[([].*[)\]]$/, "").trim();
    const names = first.map(plain);
    const places = features.map(({ name }) => names.indexOf(plain(name)));
    const labels = ["class", "label", "target", "species", "y", ...(model.output.names ?? []).map(({ name }) => plain(name))];
    this.hasHeader = isHeader;
    this.truth = -1;
    if (isHeader && places.every((place) => place >= 0)) {
      this.places = places;
      this.truth = names.findIndex((name, index) => !places.includes(index) && labels.includes(name));
      if (this.truth < 0 && names.length === places.length + 1) this.truth = names.findIndex((_, index) => !places.includes(index));
      return;
    }
    if (isHeader && places.some((place) => place >= 0)) {
      const missing = features.filter((_, index) => places[index] < 0).map(({ name }) => name);
      throw new Refusal(`The table has no column for ${missing.slice(0, 5).join(", ")}. Name each column as its feature.`);
    }
    const width = features.length;
    if (first.length !== width && first.length !== width + 1) {
      throw new Refusal(`Rows have ${first.length} columns, and the model takes ${width}: its features in order, or columns with their names.`);
    }
    this.places = Array.from({ length: width }, (_, index) => index);
    if (first.length === width + 1) this.truth = width;
  }

  /** Readings of a row, and its label if there is one. */
  read({ cells, line }) {
    const readings = this.places.map((place, index) => {
      const value = parsed(cells[place] ?? "", this.delimiter);
      if (!Number.isFinite(value)) {
        throw new Refusal(`Line ${line}, column ${place + 1}: "${(cells[place] ?? "").slice(0, 40)}" is no number for input ${index}.`);
      }
      return value;
    });
    return { readings, truth: this.truth >= 0 ? cells[this.truth] ?? "" : "" };
  }
}

/** Yields the rows of a file as it streams in, and lets the page draw between them. */
async function* rowsOf(blob, page) {
  const reader = blob.stream().pipeThrough(new TextDecoderStream()).getReader();
  const splitter = new RowSplitter();
  let columns = null, read = 0, count = 0, last = performance.now();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      for (const row of done ? splitter.finish() : splitter.take(value)) {
        if (!columns) {
          columns = new Columns(page.engine.model, page.features, row.cells, splitter.delimiter);
          if (columns.hasHeader) continue;
        }
        yield { columns, row, progress: Math.min(1, read / blob.size) };
        if (++count % BATCH === 0 && performance.now() - last > TURN) {
          await new Promise((resolve) => setTimeout(resolve));
          last = performance.now();
        }
      }
      if (done) return;
      read += value.length;
    }
  } finally {
    await reader.cancel();
  }
}
