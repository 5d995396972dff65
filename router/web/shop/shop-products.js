// The catalogue, and one product with what people say of it.
import { button, element, money, moment, named, operation } from "./shop-elements.js";
import { freshKey, link, NAME } from "./shop-graph.js";

const PAGE = 24;
const TYPING_MS = 200;
const BROWSE = `query Browse($after: String, $search: String, $inStock: Boolean) {
  products(first: ${PAGE}, after: $after, search: $search, inStock: $inStock) {
    totalCount
    nodes { sku ${NAME} price { amount currency } stock { available } }
    pageInfo { hasNextPage endCursor }
  }
}`;
const PRODUCT = `query Product($sku: ID!) {
  product(sku: $sku) {
    sku
    ${NAME}
    price { amount currency }
    stock { available }
    comments(first: 20) { totalCount nodes { id text createdAt author { id } } }
  }
}`;
const STOCK = `subscription Stock($sku: ID!) {
  stockEvents(sku: $sku) { kind available }
}`;
const ADD = `mutation AddToCart($sku: ID!, $count: Int!) {
  addToCart(input: { sku: $sku, count: $count }) {
    cart { itemCount }
    userErrors { code message }
  }
}`;
const COMMENT = `mutation AddComment($sku: ID!, $text: String!) {
  addComment(input: { sku: $sku, text: $text }) {
    comment { id }
    userErrors { code message }
  }
}`;

/** The catalogue page by page, and what is looked for in it: the graph searches, so no page is too many. */
export async function products(shop) {
  const list = element("ul", { class: "cards" });
  const found = element("p", { class: "quiet", role: "status" });
  const words = element("input", { type: "search", id: "search", placeholder: "Search", autocomplete: "off", maxlength: 100 });
  const inStock = element("input", { type: "checkbox", id: "in-stock" });
  const shown = operation(link(BROWSE, {}, shop.graph.user.id));
  let [end, latest, typing] = [null, 0, null];
  const read = async (after) => {
    const mine = ++latest;
    const variables = { after, search: words.value.trim() || null, inStock: inStock.checked || null };
    const { data } = await shop.graph.ask(BROWSE, variables, shop);
    // Somebody who types on has asked again meanwhile.
    if (mine !== latest) return;
    const page = data.products;
    if (!page) throw new Error("The catalogue cannot be read now.");
    end = page.pageInfo.endCursor;
    more.hidden = !page.pageInfo.hasNextPage;
    const cards = page.nodes.map((one) => card(one, shop));
    if (after) list.append(...cards);
    else list.replaceChildren(...cards);
    found.textContent = `${list.children.length} of ${page.totalCount} products`;
    shown.href = link(BROWSE, variables, shop.graph.user.id);
  };
  const more = button("More products", () => read(end), shop);
  const again = () => {
    clearTimeout(typing);
    typing = setTimeout(() => read(null).catch((error) => shop.signal.aborted || shop.say(error)), TYPING_MS);
  };
  words.addEventListener("input", again);
  inStock.addEventListener("change", again);
  await read(null);
  shop.show(
    element("h2", {}, "Products"),
    element("div", { class: "search", role: "search" }, [
      element("label", { for: "search" }, "Search"),
      words,
      element("label", {}, [inStock, "in stock only"]),
      shown,
    ]),
    found,
    list,
    more,
  );
}

function card(one, shop) {
  return element("li", { class: "card" }, [
    element("a", { href: `#/product/${one.sku}` }, named(one)),
    stock(one),
    element("div", { class: "row" }, [
      element("span", { class: "price" }, money(one.price)),
      add(one, () => 1, shop),
    ]),
  ]);
}

/** One product. */
export async function product(shop, sku) {
  const { data } = await shop.graph.ask(PRODUCT, { sku }, shop);
  const one = data.product;
  if (!one) {
    const back = element("a", { href: "#/" }, "All products");
    return shop.show(element("h2", {}, "No such product"), element("p", {}, [`Nothing has the SKU ${sku}. `, back]));
  }
  const count = element("input", { type: "number", id: "count", min: 1, value: 1, inputmode: "numeric" });
  const buy = add(one, () => Number(count.value), shop);
  const left = element("p", { role: "status" }, stock(one));
  shop.show(
    element("h2", {}, named(one)),
    element("p", { class: "quiet" }, `SKU ${one.sku}`),
    element("p", { class: "price" }, money(one.price)),
    left,
    element("div", { class: "row start" }, [
      element("label", { for: "count" }, "How many"),
      count,
      buy,
      operation(link(ADD, { sku, count: 1 }, shop.graph.user.id)),
    ]),
    ...comments(one, shop),
  );
  // Not awaited: whoever shows the page again waits until it is shown, and no longer.
  void watch(shop, sku, (kept) => {
    left.replaceChildren(stock({ stock: kept }));
    buy.disabled = available({ stock: kept }) === 0;
  });
}

/** Follows the units of a product until the place is left. The page is whole without, so it says nothing of a lost connection. */
async function watch(shop, sku, put) {
  try {
    for await (const { result } of shop.graph.follow(STOCK, shop.signal, () => {}, { sku })) {
      const event = result.data?.stockEvents;
      if (event?.kind === "GAP") {
        put((await shop.graph.ask(PRODUCT, { sku }, shop)).data.product?.stock);
      } else if (event) {
        put(event.available === null ? null : event);
      }
    }
  } catch {
    // What is shown is as it was read.
  }
}

function comments({ sku, comments: said }, shop) {
  const text = element("textarea", { id: "comment", maxlength: 255, rows: 3 });
  const send = async () => {
    await shop.graph.ask(COMMENT, { sku, text: text.value }, { key: freshKey("comment") });
    await shop.again();
    shop.say("Thank you: it is said.");
  };
  const rows = (said?.nodes ?? []).map((one) =>
    element("li", {}, [element("p", {}, one.text), element("span", { class: "quiet" }, [`user ${one.author.id}, `, moment(one.createdAt)])]));
  const title = said ? `What people say (${said.totalCount})` : "What people say cannot be read now";
  return [
    element("h3", {}, title),
    element("ul", { class: "lines comments" }, rows),
    element("label", { for: "comment" }, "Say something about it, in 1 to 255 characters"),
    text,
    element("div", { class: "row start" }, [button("Comment", send, shop), operation(link(COMMENT, { sku, text: "As promised." }, shop.graph.user.id))]),
  ];
}

function add(one, count, shop) {
  const act = async () => {
    const { data } = await shop.graph.ask(ADD, { sku: one.sku, count: count() }, { key: freshKey("add") });
    const { itemCount } = data.addToCart.cart;
    shop.counted(itemCount);
    shop.say(`In the cart, which has ${itemCount} ${itemCount === 1 ? "unit" : "units"} now.`);
  };
  const label = `Add to cart: ${one.name ?? one.sku}`;
  return button("Add to cart", act, { ...shop, main: true, disabled: available(one) === 0, label });
}

function available({ stock: kept }) {
  return kept?.available ?? 0;
}

function stock(one) {
  const left = available(one);
  const text = one.stock ? `${left} in stock` : "not in stock";
  return element("span", { class: "quiet" }, left === 0 ? "not in stock" : text);
}
