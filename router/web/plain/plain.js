// The playground without npm: the same ten operations, with a text area for an editor.
import { fetchToken, USERS } from "./demo-token.js";
import { OPERATIONS } from "./operations.js";
import { follow } from "./resume.js";
import { askedBy, fill, initialVariables, learn } from "./session.js";
import { open } from "./websocket.js";

const at = (id) => document.getElementById(id);
let user = USERS[0];
let watching = null;

for (const [index, text] of OPERATIONS.entries()) {
  const name = /^(?:query|mutation|subscription) (\w+)/m.exec(text)[1];
  const button = pressable(at("operations"), `${index + 1} ${name}`, () => {
    at("query").value = text;
    at("variables").value = initialVariables(text) ?? "";
    actAs(USERS.find((one) => one.id === askedBy(name)) ?? USERS[0]);
    press(button);
  });
  if (index === 0) button.click();
}
for (const one of USERS) {
  const button = pressable(at("users"), one.label, () => actAs(one));
  button.dataset.user = one.id;
}
actAs(user);
at("run").addEventListener("click", run);
at("stop").addEventListener("click", () => watching?.abort());
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
});

function actAs(one) {
  user = one;
  const button = at("users").querySelector(`[data-user="${one.id}"]`);
  if (button) press(button);
}

async function run() {
  watching?.abort();
  at("variables").value = fill(at("variables").value);
  at("answer").textContent = "";
  try {
    const variables = at("variables").value.trim();
    const payload = { query: at("query").value, variables: variables ? JSON.parse(variables) : undefined };
    const isSubscription = /^\s*subscription\b/m.test(payload.query);
    await (isSubscription ? watch(payload) : ask(payload));
  } catch (error) {
    at("answer").textContent = error.message;
  }
}

async function ask(payload) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { ...(await headers()), "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(payload),
  });
  const result = await response.json();
  learn(result);
  show(result);
  const [left, of, reset] = ["remaining", "limit", "reset"].map((name) => response.headers.get(`ratelimit-${name}`));
  if (left !== null) at("budget").textContent = `Budget ${left} of ${of}, refilled in ${reset} s`;
}

async function watch(payload) {
  watching = new AbortController();
  const { signal } = watching;
  at("stop").disabled = false;
  const connect = async function* (connection) {
    yield* open({ url: "/graphql", payload, headers: await headers(), ...connection });
  };
  const tell = ({ state, connections }) => {
    at("state").textContent = connections > 0 ? `${state}, resumed ${connections} times` : state;
  };
  try {
    for await (const { result } of follow({ connect, tell, breaker: {}, signal })) show(result);
    at("state").textContent = "stopped";
  } finally {
    at("stop").disabled = true;
  }
}

/** Newest first: a subscription's frames stand above those before. */
function show(result) {
  const text = JSON.stringify(result, null, 2);
  at("answer").textContent = watching && !watching.signal.aborted ? `${text}\n\n${at("answer").textContent}` : text;
}

async function headers() {
  return { authorization: `Bearer ${await fetchToken(user)}` };
}

function pressable(parent, label, onClick) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.addEventListener("click", onClick);
  parent.append(button);
  return button;
}

function press(button) {
  for (const one of button.parentElement.querySelectorAll("button")) {
    one.setAttribute("aria-pressed", String(one === button));
  }
}
