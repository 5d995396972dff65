// What GraphiQL keeps in the browser: tabs and their texts. Kept apart from other pages of the same address, and thrown
// away when the ten operations have changed or the visitor starts over.
import { initialVariables } from "./session.js";

const NAMESPACE = "graphiql:";
const EDITION = "marketplace:operations";
const START_OVER = "marketplace:start-over";

/** Readies the browser's store for these operations; before GraphiQL is drawn. */
export function prepareStorage(operations) {
  try {
    const edition = digest(operations.join("\0"));
    const isStale = localStorage.getItem(EDITION) !== edition || sessionStorage.getItem(START_OVER) !== null;
    sessionStorage.removeItem(START_OVER);
    if (isStale) forget();
    else refill(operations);
    localStorage.setItem(EDITION, edition);
  } catch {
    // A browser that stores nothing shows the ten operations at every visit.
  }
}

/** What this tab of the browser keeps over a reload. */
export function remembered(name) {
  try {
    return sessionStorage.getItem(`marketplace:${name}`);
  } catch {
    return null;
  }
}

/** Keeps it. */
export function remember(name, value) {
  try {
    sessionStorage.setItem(`marketplace:${name}`, value);
  } catch {
    // A browser that stores nothing begins at the first choice.
  }
}

/** Brings the ten operations back as they were. */
export function startOver() {
  // Done at the next load: GraphiQL writes its tabs for half a second after a change.
  sessionStorage.setItem(START_OVER, "yes");
  remember("watched", "");
  location.reload();
}

function forget() {
  const isTab = (name) => name.startsWith(NAMESPACE) && name !== `${NAMESPACE}theme`;
  for (const name of Object.keys(localStorage).filter(isTab)) localStorage.removeItem(name);
}

/** An order id or a key of an earlier visit is none of this one's. */
function refill(operations) {
  const name = `${NAMESPACE}tabState`;
  const stored = JSON.parse(localStorage.getItem(name) ?? "null");
  for (const tab of stored?.tabs ?? []) {
    if (operations.includes(tab.query)) tab.variables = initialVariables(tab.query) ?? tab.variables;
  }
  if (stored !== null) localStorage.setItem(name, JSON.stringify(stored));
  localStorage.removeItem(`${NAMESPACE}variables`);
}

/** Not for secrets: it only tells one edition from another. */
function digest(text) {
  let hash = 5381;
  for (const character of text) hash = ((hash * 33) ^ character.codePointAt(0)) >>> 0;
  return hash.toString(36);
}
