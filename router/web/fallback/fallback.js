// GraphiQL from the CDN: what the router shows while the playground is not built. User 1, and the example tabs.
import { TABS } from "/assets/examples.js";
import { subscribe } from "/assets/sse.js";

const place = document.getElementById("playground");
const { React, ReactDOM, GraphiQL } = globalThis;
if (React && ReactDOM && GraphiQL) {
  const headers = JSON.stringify(await demoHeaders(), null, 2);
  const tabs = TABS.map((tab) => ({ ...tab, headers }));
  const graphiql = React.createElement(GraphiQL, { fetcher, defaultTabs: tabs, defaultHeaders: headers });
  ReactDOM.createRoot(place).render(graphiql);
} else {
  place.textContent = "The CDN cannot be reached. Build the playground as the line above says; /graphql works without it.";
}

async function demoHeaders() {
  const response = await fetch("/demo/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user: "1", ops: false }),
  });
  return response.ok ? { authorization: `Bearer ${(await response.json()).token}` } : { authorization: "" };
}

function fetcher(payload, { headers = {}, documentAST } = {}) {
  const operations = documentAST?.definitions.filter((one) => one.kind === "OperationDefinition") ?? [];
  const chosen = operations.find((one) => one.name?.value === payload.operationName) ?? operations[0];
  return chosen?.operation === "subscription" ? subscribe("/graphql", payload, headers) : post(payload, headers);
}

async function post(payload, headers) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { ...headers, "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(payload),
  });
  return response.json();
}
