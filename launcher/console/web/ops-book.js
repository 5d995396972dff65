// The orders as the page knows them: the newest by a query, and from then on as the stream of all orders says.
//
// One WebSocket for the whole page, opened behind the last cursor whenever it broke or the page was hidden. Its operation
// asks for the event alone, which costs the router nothing: what else is shown of an order is asked for many orders at
// once, at most once a second, so that a load of hundreds of orders a second costs no more than a quiet shop.
import { follow } from "./resume.js";
import { open } from "./websocket.js";

const KEPT = { orders: 500, events: 300 };
const DRAW_EVERY_MS = 250;
const FILL_EVERY_MS = 1_000;
const FILLED_AT_ONCE = 40;
const PAGE = 100;
const EVENTS = "subscription AllOrders { allOrderEvents { kind orderId version status at cursor } }";
const ORDER = "id status version createdAt expiresAt user { id } total { amount currency } lines { count product { sku } }";
const NEWEST = `query NewestOrders($status: OrderStatus, $after: String) {
  orders(first: ${PAGE}, status: $status, after: $after) { nodes { ${ORDER} } pageInfo { hasNextPage endCursor } }
}`;

/** What the page knows of orders and their events. */
export class Book {
  #api;
  #tell;
  #orders = new Map();
  #events = [];
  #count = 0;
  #listeners = new Set();
  #touched = new Set();
  #timer;
  #filling = false;
  /** Orders that the graph did not give, so that they are not asked for again and again. */
  #hopeless = new Set();

  /** `tell` hears of the stream's state, in words for people. */
  constructor(api, tell) {
    this.#api = api;
    this.#tell = tell;
  }

  /** All orders that are known, newest first. */
  get orders() {
    return [...this.#orders.values()].sort((one, other) => Number(other.id) - Number(one.id));
  }

  /** The newest events, newest first: those of the stream, each with the number `at which` it came. */
  get events() {
    return this.#events;
  }

  /** One order, if it is known. */
  order(id) {
    return this.#orders.get(id);
  }

  /** Calls back after changes, a few times a second at most, with the SKUs whose stock may have moved, until `signal` aborts. */
  onChange(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
  }

  /** Follows the stream until `signal` aborts or the router refuses it for good. */
  async follow(signal) {
    const connect = async function* (connection) {
      const headers = await this.#api.authorization();
      yield* open({ url: this.#api.graph, payload: { query: EVENTS }, headers, ...connection });
    }.bind(this);
    let isRead = false;
    const tell = (news) => {
      this.#tell(news);
      // The stream first, then the list: what happens in between is in both.
      if (news.state === "live" && !isRead) {
        isRead = true;
        this.read().catch((error) => this.#tell({ state: "unread", why: error.message }));
      }
    };
    try {
      for await (const { result } of follow({ connect, tell, breaker: {}, signal })) {
        const event = result.data?.allOrderEvents;
        if (event) this.#take(event);
      }
      if (!signal.aborted) this.#tell({ state: "ended" });
    } catch (error) {
      const code = error.result?.errors?.[0]?.extensions?.code;
      this.#tell({ state: "refused", why: error.message, code });
    }
  }

  /** Reads the newest orders, of one status or of all, behind a cursor or not; gives the cursor to go on behind, if there are more. */
  async read({ status = null, after = null } = {}) {
    const { orders } = await this.#api.ask(NEWEST, { status, after });
    if (!orders) throw new Error("The orders cannot be read now: the order service is away or too busy.");
    for (const one of orders.nodes) this.#complete(one);
    this.#changed();
    return orders.pageInfo.hasNextPage ? orders.pageInfo.endCursor : null;
  }

  /** Reads one order; whether there is one. */
  async find(id) {
    const { order } = await this.#api.ask(`query OneOrder($id: ID!) { order(id: $id) { ${ORDER} } }`, { id });
    if (order) this.#complete(order);
    this.#changed();
    return Boolean(order);
  }

  #take(event) {
    this.#count += 1;
    this.#events.unshift({ ...event, number: this.#count });
    this.#events.length = Math.min(this.#events.length, KEPT.events);
    if (event.kind === "GAP") {
      this.read().catch((error) => this.#tell({ state: "unread", why: error.message }));
    } else {
      const known = this.#orders.get(event.orderId);
      if (!known || known.version < event.version) {
        const { orderId: id, version, status, at } = event;
        this.#orders.set(id, { ...known, id, version, status, changedAt: at });
      }
      this.#touch(known);
    }
    this.#changed();
  }

  /** What the graph says of an order; what the stream has said since then stays. */
  #complete(one) {
    const known = this.#orders.get(one.id);
    const isOlder = known && known.version > one.version;
    const { status, version, expiresAt } = isOlder ? known : one;
    const made = {
      ...known,
      id: one.id,
      status,
      version,
      expiresAt,
      createdAt: one.createdAt,
      userId: one.user.id,
      total: one.total,
      units: one.lines.reduce((sum, { count }) => sum + count, 0),
      skus: one.lines.map(({ product }) => product.sku),
    };
    this.#orders.set(one.id, made);
    this.#touch(made);
  }

  #touch(order) {
    for (const sku of order?.skus ?? []) this.#touched.add(sku);
  }

  #changed() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#forget();
      const touched = this.#touched;
      this.#touched = new Set();
      for (const listener of this.#listeners) listener(touched);
      void this.#fill();
    }, DRAW_EVERY_MS);
  }

  #forget() {
    if (this.#orders.size <= KEPT.orders) return;
    for (const { id } of this.orders.slice(KEPT.orders)) this.#orders.delete(id);
    this.#hopeless.clear();
  }

  /** Asks for the newest orders of which only events are known. */
  async #fill() {
    if (this.#filling) return;
    const unknown = this.orders.filter(({ id, userId }) => userId === undefined && !this.#hopeless.has(id)).slice(0, FILLED_AT_ONCE);
    if (unknown.length === 0) return;
    this.#filling = true;
    try {
      const fields = unknown.map(({ id }, at) => `o${at}: order(id: ${JSON.stringify(id)}) { ${ORDER} }`);
      const data = await this.#api.ask(`query Orders { ${fields.join(" ")} }`);
      for (const [at, { id }] of unknown.entries()) {
        const one = data[`o${at}`];
        if (one) this.#complete(one);
        else this.#hopeless.add(id);
      }
      this.#changed();
    } catch {
      // The rows show what the stream says, and the next event asks again.
    }
    setTimeout(() => {
      this.#filling = false;
      this.#changed();
    }, FILL_EVERY_MS);
  }
}
