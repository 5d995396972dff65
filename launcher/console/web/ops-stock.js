// The stock of every product, which follows the orders: whatever an event may have moved is asked for again, together.
import { element, money, named } from "./shop-elements.js";
import { field, keep, panel, row, table } from "./ops-elements.js";
import { pause } from "./resume.js";

const PAGE = 100;
const ASKED_AT_ONCE = 50;
const ASK_EVERY_MS = 1_000;
const FEW = 10;
const ALL = `query StockOfAll($after: String) {
  products(first: ${PAGE}, after: $after) {
    nodes { sku name price { amount currency } stock { available reserved total } }
    pageInfo { hasNextPage endCursor }
  }
}`;

/** The stock, with a search. */
export async function stock(ops) {
  const part = panel("Stock", { id: "stock", wide: true });
  const search = field("Product or SKU", "stock-search", "search", { value: ops.params.get("q") ?? "" });
  const few = field(`only with fewer than ${FEW} free`, "stock-few", "checkbox");
  const rows = table("Stock by product", [["SKU"], ["product"], ["free", "number"], ["reserved", "number"], ["on hand", "number"], ["price", "number wide"]]);
  const found = element("p", { class: "quiet", role: "status" }, "Reading the catalogue …");
  const products = new Map();
  const draw = () => {
    const wanted = search.input.value.trim().toLowerCase();
    const fit = [...products.values()].filter((one) => {
      const text = `${one.sku} ${one.name ?? ""}`.toLowerCase();
      return text.includes(wanted) && (!few.input.checked || (one.stock?.available ?? 0) < FEW);
    });
    found.textContent = `${fit.length} of ${products.size} products`;
    keep(rows.rows, fit, { key: ({ sku }) => sku, stamp: ({ stock: kept }) => JSON.stringify(kept), make: stockRow });
  };
  search.input.addEventListener("input", draw);
  few.input.addEventListener("change", draw);
  const form = element("form", { class: "filters", role: "search" }, [search.root, few.root]);
  form.addEventListener("submit", (event) => event.preventDefault());
  part.body.append(form, found, rows.root);
  ops.show(part.root);

  const stale = new Set();
  let wake = () => {};
  ops.book.onChange((touched) => {
    for (const sku of touched) stale.add(sku);
    wake();
  }, ops.signal);
  ops.signal.addEventListener("abort", () => wake(), { once: true });
  await attempt(ops, part, () => readAll(ops, products, draw));
  while (!ops.signal.aborted) {
    if (stale.size === 0) {
      await new Promise((resolve) => (wake = resolve));
      continue; // it may have been woken for nothing, or to leave
    }
    const some = [...stale].slice(0, ASKED_AT_ONCE);
    for (const sku of some) stale.delete(sku);
    await attempt(ops, part, () => readSome(ops, some, products));
    draw();
    await pause(ASK_EVERY_MS, ops.signal);
  }
}

/** Tries until it succeeds; what goes wrong is told. */
async function attempt(ops, part, act) {
  for (let wait = 1_000; !ops.signal.aborted; wait = Math.min(2 * wait, 15_000)) {
    try {
      await act();
      return part.fine();
    } catch (error) {
      if (ops.signal.aborted) return;
      part.fail(error);
      await pause(error.retryMs ?? wait, ops.signal);
    }
  }
}

async function readAll(ops, products, draw) {
  for (let after = null; ; ) {
    const { products: page } = await ops.api.ask(ALL, { after }, ops.signal);
    if (!page) throw new Error("The catalogue cannot be read now: the product service is away or slow. It is tried again.");
    for (const one of page.nodes) products.set(one.sku, one);
    draw();
    if (!page.pageInfo.hasNextPage) return;
    after = page.pageInfo.endCursor;
  }
}

async function readSome(ops, skus, products) {
  const fields = skus.map((sku, at) => `s${at}: stock(sku: ${JSON.stringify(sku)}) { available reserved total }`);
  const data = await ops.api.ask(`query Stock { ${fields.join(" ")} }`, {}, ops.signal);
  for (const [at, sku] of skus.entries()) {
    const known = products.get(sku);
    if (known) products.set(sku, { ...known, stock: data[`s${at}`] });
  }
}

function stockRow(one, isChange) {
  const kept = one.stock;
  return row([
    [one.sku],
    [named(one), "text"],
    [kept ? String(kept.available) : "none kept", "number"],
    [String(kept?.reserved ?? ""), "number"],
    [String(kept?.total ?? ""), "number"],
    [money(one.price), "number wide"],
  ], { class: isChange && "moved" });
}
