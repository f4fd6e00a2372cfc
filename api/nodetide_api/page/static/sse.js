// The text/event-stream format (WHATWG HTML, 9.2.6), by hand: EventSource cannot send an Authorization header.

/**
 * A parser that takes the stream in pieces cut anywhere, even between the CR and the LF of a line's end.
 * It keeps at most one unfinished line and one unfinished event.
 */
export class SseParser {
  #line = "";
  #afterCarriageReturn = false;
  #atStart = true;
  #data = [];
  #type = "";

  /** The id of the last event that carried one, to be sent as `Last-Event-ID`. */
  lastId = "";

  /** Milliseconds the server asked to wait before reconnecting, or null. */
  retry = null;

  /**
   * @param {string} piece
   * @returns {{type: string, data: string, id: string}[]} the events that this piece completed
   */
  feed(piece) {
    const events = [];
    let start = 0;
    if (this.#atStart && piece.length > 0) {
      this.#atStart = false;
      if (piece[0] === "\ufeff") start = 1;
    }
    for (let at = start; at < piece.length; at += 1) {
      const character = piece[at];
      if (character === "\n" && this.#afterCarriageReturn && at === start) {
        this.#afterCarriageReturn = false;
        start = at + 1;
        continue;
      }
      this.#afterCarriageReturn = false;
      if (character !== "\n" && character !== "\r") continue;
      const event = this.#end(this.#line + piece.slice(start, at));
      if (event) events.push(event);
      this.#line = "";
      this.#afterCarriageReturn = character === "\r";
      start = at + 1;
    }
    this.#line += piece.slice(start);
    return events;
  }

  #end(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.lastId = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) this.retry = Number(value);
    return null;
  }

  #dispatch() {
    const data = this.#data;
    const type = this.#type || "message";
    this.#data = [];
    this.#type = "";
    return data.length > 0 ? { type, data: data.join("\n"), id: this.lastId } : null;
  }
}

/**
 * The events of a response body, as they come.
 * @param {ReadableStream<Uint8Array>} body
 * @param {SseParser} parser
 * @param {() => void} alive called for every piece, comments included
 */
export async function* readEvents(body, parser, alive) {
  const reader = body.getReader();
  const decoder = new TextDecoder("utf-8");
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      yield* parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
