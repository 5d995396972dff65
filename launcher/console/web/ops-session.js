// Who calls: the demo's operator by itself, or whoever's token is put into the field.
//
// A token lives in a variable of the page: no storage, no address and no log has it.
import { fetchToken, renewAfterMs, USERS } from "./demo-token.js";

const OPERATOR = USERS.find(({ ops }) => ops);

/** The caller. `wanted(why, source)` shows the field for a token, `had()` hides it; `why` is null where nothing was refused. */
export class Session {
  #demo;
  #wanted;
  #had;
  #token = null;
  #renewAt = Infinity;
  /** Whoever waits for one token gets the same. */
  #coming = null;
  #give = () => {};
  /** Tokens of the demo that were refused in a row. */
  #refused = 0;

  constructor({ demoTokens, router }, { wanted, had }) {
    this.#demo = demoTokens ? `${router}/demo/token` : null;
    this.#wanted = wanted;
    this.#had = had;
  }

  /** Where an operator's token comes from, in words. */
  get source() {
    return this.#demo === null
      ? "one with scope ops, from the issuer that the setting keys.issuer names"
      : "`marketplace token 9 --ops` prints one";
  }

  /** The token, as soon as there is one. Fails where the demo's issuer is away. */
  async token() {
    if (this.#token && Date.now() < this.#renewAt) return this.#token;
    this.#coming ??= this.#next().finally(() => (this.#coming = null));
    return this.#coming;
  }

  /** What a person put into the field. */
  give(token) {
    this.#give(token.trim().replace(/^Bearer\s+/i, ""));
  }

  /** `token` was refused, so the next one must be another. */
  refuse(token, why) {
    if (token !== this.#token) return; // there is another one already
    this.#token = null;
    this.#refused += 1;
    if (this.#asksPeople()) this.#wanted(why, this.source);
  }

  /** `token` was good. */
  accept() {
    this.#refused = 0;
  }

  #asksPeople() {
    return this.#demo === null || this.#refused > 1;
  }

  async #next() {
    if (this.#asksPeople()) {
      this.#wanted(null, this.source);
      this.#token = await new Promise((resolve) => (this.#give = resolve));
      this.#renewAt = Infinity; // nobody but its owner can renew it
      this.#had();
      return this.#token;
    }
    this.#token = await fetchToken(OPERATOR, this.#demo);
    this.#renewAt = Date.now() + renewAfterMs(this.#token);
    return this.#token;
  }
}
