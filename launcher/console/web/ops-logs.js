// Log lines of all services, with a filter, and new ones as they come.
import { element } from "./shop-elements.js";
import { repeat } from "./ops-api.js";
import { badge, clock, field, options, panel } from "./ops-elements.js";

const KEPT = 1_000;
const ASKED = 300;
const EVERY_MS = 1_000;
const LEVELS = ["error", "warn", "info", "debug", "trace"];

/** The lines, oldest first, the newest in sight while it follows. */
export async function logs(ops) {
  const part = panel("Logs", { id: "logs", wide: true });
  const given = (name) => ops.params.get(name) ?? "";
  const service = field("Service", "log-service", "select", {}, options([["", "any"], ...ops.serviceNames], given("service")));
  const level = field("Level", "log-level", "select", {}, options([["", "any"], ...LEVELS.map((name) => [name, name === "error" ? name : `${name} and above`])], given("level")));
  const trace = field("Trace", "log-trace", "search", { value: given("trace"), spellcheck: "false" });
  const text = field("Text", "log-text", "search", { value: given("q") });
  const follows = field("follow", "log-follow", "checkbox", { checked: true });
  const found = element("p", { class: "quiet", role: "status" }, "Reading …");
  const lines = element("ol", { class: "log", tabindex: 0, "aria-label": "Log lines, oldest first" });
  const filters = [service, level, trace, text];
  let next = null;
  let asked = 0;
  const read = async () => {
    if (!follows.input.checked && next !== null) return;
    const mine = asked;
    const wanted = { service: service.input.value, level: level.input.value, trace: trace.input.value.trim(), q: text.input.value.trim() };
    const answer = await ops.api.get("logs", { ...wanted, limit: ASKED, after: next }, ops.signal);
    if (mine !== asked) return; // the filter has changed meanwhile
    if (answer.next < next) return again(); // another console, whose lines have numbers of their own
    next = answer.next;
    const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    lines.append(...answer.lines.map(logLine));
    while (lines.childElementCount > KEPT) lines.firstElementChild.remove();
    if (answer.lines.length > 0 && atEnd) lines.scrollTop = lines.scrollHeight;
    const count = lines.childElementCount;
    found.textContent = count === 0 ? "No line is like that yet." : `${count} ${count === 1 ? "line" : "lines"}${count >= KEPT ? ", the newest" : ""}`;
  };
  const again = () => {
    asked += 1;
    next = null;
    lines.replaceChildren();
    return read();
  };
  const filtered = () => {
    remember(filters);
    again().then(part.fine, part.fail);
  };
  for (const { input } of filters) input.addEventListener("input", filtered);
  const form = element("form", { class: "filters", role: "search" }, [...filters.map(({ root }) => root), follows.root]);
  form.addEventListener("submit", (event) => event.preventDefault());
  part.body.append(form, found, lines);
  ops.show(part.root);
  await repeat(read, { everyMs: EVERY_MS, signal: ops.signal, fail: part.fail, fine: part.fine });
}

/** The filter, in the page's address: a link to what is seen. */
function remember(filters) {
  const [service, level, trace, q] = filters.map(({ input }) => input.value.trim());
  const said = Object.entries({ service, level, trace, q }).filter(([, value]) => value);
  history.replaceState(null, "", `#logs${said.length > 0 ? "&" : ""}${new URLSearchParams(said)}`);
}

function logLine(one) {
  const fields = Object.entries(one.fields ?? {}).map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return element("li", { "data-level": one.level?.toLowerCase() }, [
    clock(one.at),
    badge(one.level?.toLowerCase() ?? "", `log-${one.level?.toLowerCase()}`),
    element("span", { class: "service" }, one.service),
    element("span", { class: "said" }, [one.message, fields.length > 0 ? element("span", { class: "quiet" }, ` ${fields.join(" ")}`) : null]),
    one.traceId ? element("a", { href: `#trace=${one.traceId}`, "aria-label": `Trace ${one.traceId}` }, "trace") : null,
  ]);
}
