/** JSON over HTTP, with the contract's errors. No DOM. */

/** Why a call was not answered as asked. `code` is the contract's, or `offline`. */
export class ApiError extends Error {
  /** @param {{code: string, message: string, field?: string, retry_after?: number}} data */
  constructor({ code, message, field, retry_after }) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.field = field;
    this.retry_after = retry_after;
  }
}

/** How long an answer may take: the server itself gives up on its database after 5 s. */
const ANSWER_MS = 15_000;

export class Api {
  #origin;
  /** @type {string | null} */
  #token;

  /**
   * @param {string} origin
   * @param {string | null} token null: the cookie speaks
   */
  constructor(origin, token) {
    this.#origin = origin;
    this.#token = token;
  }

  /** @param {string | null} token */
  setToken(token) {
    this.#token = token;
  }

  /**
   * @param {string} path
   * @returns {Promise<any>} Rejected with an `ApiError`.
   */
  get(path) {
    return this.#call(path, { method: "GET" });
  }

  /**
   * @param {string} path
   * @param {unknown} body
   * @param {{cookies?: "omit" | "same-origin"}} [options]
   * @returns {Promise<any>} Rejected with an `ApiError`.
   */
  post(path, body, { cookies } = {}) {
    const headers = { "Content-Type": "application/json" };
    return this.#call(path, { method: "POST", headers, body: JSON.stringify(body), ...(cookies && { credentials: cookies }) });
  }

  /**
   * @param {string} path
   * @param {RequestInit} request
   */
  async #call(path, request) {
    const headers = new Headers(request.headers);
    if (this.#token !== null) {
      headers.set("Authorization", `Bearer ${this.#token}`);
    }
    let response;
    let content;
    try {
      response = await fetch(new URL(path, this.#origin), {
        credentials: this.#token === null ? "same-origin" : "omit",
        ...request,
        headers,
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      content = await response.json();
    } catch {
      throw new ApiError({ code: "offline", message: "The chat does not answer." });
    }
    if (!response.ok) {
      throw new ApiError({ code: "internal", message: "Something went wrong.", ...content?.error });
    }
    return content;
  }
}
