// The API as the page uses it. Addresses are relative, so that the page works below a path prefix.

const BASE = "api/v1";

/** The server answered, but not with what was asked for. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** The text of a problem document, or the status where the body is none. */
async function problem(response) {
  const body = await response.json().catch(() => null);
  const detail = typeof body?.detail === "string" ? body.detail : body?.title;
  return new ApiError(response.status, detail || `The server answered ${response.status} ${response.statusText}.`);
}

/** Calls the API with a token where there is one. */
export class Api {
  #token;

  /** @param {() => string|null} token asked before every call */
  constructor(token) {
    this.#token = token;
  }

  async #request(path, params, accept, signal) {
    const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value));
    const url = `${BASE}/${path}${query.size > 0 ? `?${query}` : ""}`;
    const token = this.#token();
    const headers = { Accept: accept };
    if (token) headers.Authorization = `Bearer ${token}`;
    const response = await fetch(url, { headers, signal, cache: "no-store", credentials: "same-origin" });
    if (!response.ok) throw await problem(response);
    return response;
  }

  async #json(path, params, signal) {
    return (await this.#request(path, params, "application/json", signal)).json();
  }

  /** @returns {Promise<object[]>} `Node` answers */
  async nodes(policy, signal) {
    return (await this.#json("nodes", { policy }, signal)).nodes;
  }

  /** @returns {Promise<object[]>} `PolicyAnswer` answers */
  async policies(signal) {
    return (await this.#json("policies", {}, signal)).policies;
  }

  /** @returns {Promise<object>} an `Alerts` answer of all policies */
  alerts(limit, signal) {
    return this.#json("alerts", { limit }, signal);
  }

  /** @returns {Promise<object>} a `History` answer up to now */
  history({ metric, tag, seconds, host, policy }, signal) {
    const params = { metric, tag, start_time: `-${seconds}s`, end_time: "now()", host, policy };
    return this.#json("metrics/history", params, signal);
  }

  /** @returns {Promise<Response>} whose body is a text/event-stream */
  stream({ host, policy, metric }, signal) {
    return this.#request("metrics/stream", { host, policy, metric }, "text/event-stream", signal);
  }
}
