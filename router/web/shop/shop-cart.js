// The cart, and the checkout that makes an order of it.
import { button, element, money, named, operation } from "./shop-elements.js";
import { freshKey, link, NAME } from "./shop-graph.js";

const CART = `query Cart {
  me {
    cart {
      itemCount
      total { amount currency }
      lines { count total { amount currency } product { sku ${NAME} stock { available } } }
    }
  }
}`;
const COUNT = "query CartCount { me { cart { itemCount } } }";
const REMOVE = `mutation RemoveFromCart($sku: ID!) {
  removeFromCart(input: { sku: $sku }) { cart { itemCount } userErrors { code message } }
}`;
const CLEAR = "mutation ClearCart { clearCart { cart { itemCount } userErrors { code message } } }";
const CHECKOUT = `mutation Checkout {
  checkout { order { id status expiresAt } userErrors { code message } }
}`;

/** How many units the cart has. */
export async function countOf(graph) {
  const { data } = await graph.ask(COUNT);
  return data.me.cart?.itemCount ?? 0;
}

/** Draws the cart. */
export async function cart(shop) {
  const { data } = await shop.graph.ask(CART, {}, shop);
  const kept = data.me.cart;
  if (!kept) throw new Error("The cart cannot be read now.");
  shop.counted(kept.itemCount);
  if (kept.lines.length === 0) {
    const back = element("a", { href: "#/" }, "Look at the products");
    return shop.show(element("h2", {}, "Your cart is empty"), element("p", {}, back));
  }
  // One key for this purchase: pressed twice, or sent again over a broken connection, it is one order.
  const key = freshKey("checkout");
  const buy = async () => {
    const { data: bought } = await shop.graph.ask(CHECKOUT, {}, { key });
    shop.counted(0);
    location.hash = `#/order/${bought.checkout.order.id}`;
  };
  const clear = async () => {
    await shop.graph.ask(CLEAR, {}, { key: freshKey("clear") });
    await shop.again();
  };
  shop.show(
    element("h2", {}, "Cart"),
    element("ul", { class: "lines" }, kept.lines.map((line) => row(line, shop))),
    element("p", { class: "row" }, [
      element("span", {}, `${kept.itemCount} ${kept.itemCount === 1 ? "unit" : "units"}`),
      element("span", { class: "price" }, money(kept.total)),
    ]),
    element("div", { class: "row start" }, [
      button("Order and reserve", buy, { ...shop, main: true }),
      button("Empty the cart", clear, shop),
      operation(link(CHECKOUT, {}, shop.graph.user.id)),
    ]),
    element("p", { class: "quiet" }, "What is ordered is reserved for ten minutes. Pay it, and it is yours."),
  );
}

function row({ count, total, product }, shop) {
  const remove = async () => {
    await shop.graph.ask(REMOVE, { sku: product.sku }, { key: freshKey("remove") });
    await shop.again();
  };
  const label = `Remove ${product.name ?? product.sku}`;
  return element("li", {}, [
    element("a", { href: `#/product/${product.sku}` }, named(product)),
    element("span", {}, `${count} ×`),
    element("span", { class: "price" }, money(total)),
    button("Remove", remove, { ...shop, label }),
  ]);
}
