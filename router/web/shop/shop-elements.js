// Elements of the page, made by code: no text of a user is ever read as HTML.

/** An element with attributes and children; a child is a node or a text. */
export function element(name, attributes = {}, children = []) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...[children].flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** A button that does one thing at a time; what goes wrong is told by `say`. */
export function button(text, act, { say, main = false, disabled = false, label } = {}) {
  const made = element("button", { type: "button", class: main && "main", disabled, "aria-label": label }, text);
  made.addEventListener("click", async () => {
    made.disabled = true;
    try {
      await act();
    } catch (error) {
      say(error);
    }
    made.disabled = false;
  });
  return made;
}

/** The way to an operation, for whoever wants to see what a button does. */
export function operation(link) {
  return element("a", { class: "as-operation", href: link, target: "_blank", rel: "noopener" }, "show the operation");
}

/** What went wrong, and the way on. */
export function problem(error, again) {
  return element("div", { class: "problem", role: "alert" }, [
    element("p", {}, error.message),
    button("Try again", again, { say: () => {} }),
  ]);
}

/** An amount as people of that currency write it. */
export function money(amount) {
  if (!amount) return "no price";
  const value = Number(amount.amount);
  return new Intl.NumberFormat("en", { style: "currency", currency: amount.currency }).format(value);
}

/** A moment in the visitor's own time. */
export function moment(text) {
  return element("time", { datetime: text }, new Date(text).toLocaleString());
}

/** The name of a product, which may be in another language than the page and may be unknown. */
export function named(product) {
  const name = product?.name ?? `Product ${product?.sku}`;
  return element("span", { lang: /[А-Яа-яЁё]/.test(name) ? "ru" : null }, name);
}
