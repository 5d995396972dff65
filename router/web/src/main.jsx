// The playground's page: a bar that says who you are and how subscriptions travel, and GraphiQL below it.
import "./workers.js";
import "graphiql/style.css";
import "./page.css";
import { GraphiQL } from "graphiql";
import { useGraphiQL } from "@graphiql/react";
import { useEffect, useMemo, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { TABS } from "./examples.js";
import { createFetcher } from "./fetcher.js";
import { issuedHere, useDemoToken } from "./token.js";

const USERS = [
  { id: "1", label: "user 1" },
  { id: "2", label: "user 2" },
  { id: "3", label: "user 3" },
  { id: "9", ops: true, label: "operator" },
];
const TRANSPORTS = [
  { id: "sse", label: "SSE" },
  { id: "websocket", label: "WebSocket" },
];

function Playground() {
  const [user, setUser] = useState(USERS[0]);
  const [transport, setTransport] = useState(TRANSPORTS[0]);
  const { token, problem } = useDemoToken(user);
  // GraphiQL keeps the first fetcher it is given, so what may change is behind a reference.
  const current = useRef({});
  current.current = { token, transport: transport.id };
  const fetcher = useMemo(() => createFetcher(() => current.current), []);
  const ready = token !== null || problem !== null;

  return (
    <>
      <header className="bar">
        <strong>Marketplace</strong>
        <Choice legend="You are" options={USERS} chosen={user} choose={setUser} />
        <Choice legend="Subscriptions over" options={TRANSPORTS} chosen={transport} choose={setTransport} />
        {problem && <span role="status">{problem}</span>}
      </header>
      {ready && (
        <GraphiQL fetcher={fetcher} defaultTabs={TABS} defaultEditorToolsVisibility="headers" inputValueDeprecation>
          <GraphiQL.Footer>
            <TokenInHeaders token={token} />
          </GraphiQL.Footer>
        </GraphiQL>
      )}
    </>
  );
}

function Choice({ legend, options, chosen, choose }) {
  return (
    <fieldset aria-label={legend}>
      <span>{legend}</span>
      {options.map((option) => (
        <button key={option.label} type="button" aria-pressed={option === chosen} onClick={() => choose(option)}>
          {option.label}
        </button>
      ))}
    </fieldset>
  );
}

/** Keeps the headers editor's authorization on the demo token; one that was typed in by hand stays. */
function TokenInHeaders({ token }) {
  const editor = useGraphiQL((state) => state.headerEditor);
  const tab = useGraphiQL((state) => state.activeTabIndex);
  useEffect(() => {
    if (!editor || !token) return;
    const headers = parseHeaders(editor.getValue());
    if (headers === null) return;
    if (headers.authorization && !issuedHere(headers.authorization)) return;
    editor.setValue(JSON.stringify({ ...headers, authorization: `Bearer ${token}` }, null, 2));
  }, [editor, tab, token]);
  return null;
}

function parseHeaders(text) {
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    return null; // half typed: leave it alone
  }
}

createRoot(document.getElementById("playground")).render(<Playground />);
