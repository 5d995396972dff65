// What the page fills into GraphiQL's editors: the token into Headers, a key or an order's id into Variables.
//
// Invariant: what a person typed stays.
import { useGraphiQL } from "@graphiql/react";
import { useEffect, useSyncExternalStore } from "react";
import { fill, known, subscribe } from "./session.js";
import { issuedHere } from "./token.js";

/** Comments of an operation are read whole on a screen of 1280 pixels. */
const READABLE = { fontSize: 13, wordWrap: "on" };

/** Draws nothing. Tells `onTab` which tab is open, before anything in it can be run; `editors` gets what reads its texts. */
export function Filled({ token, onTab, editors }) {
  const facts = useSyncExternalStore(subscribe, known);
  const query = useGraphiQL((state) => state.queryEditor);
  const headers = useGraphiQL((state) => state.headerEditor);
  const variables = useGraphiQL((state) => state.variableEditor);
  const tab = useGraphiQL((state) => state.tabs[state.activeTabIndex]);
  const response = useGraphiQL((state) => state.responseEditor);
  const { id, title } = tab;
  useEffect(() => {
    for (const editor of [query, headers, variables, response]) editor?.updateOptions(READABLE);
  }, [query, headers, variables, response]);
  useEffect(() => onTab({ id, title }), [id, title, onTab]);
  useEffect(() => {
    editors.current = () => ({ query: query?.getValue(), variables: variables?.getValue() });
  }, [query, variables, editors]);
  useEffect(() => {
    if (headers && token) change(headers, (text) => withToken(text, token));
  }, [headers, token, id]);
  useEffect(() => {
    if (variables) change(variables, fill);
  }, [variables, facts, id]);
  return null;
}

function change(editor, edit) {
  const text = editor.getValue();
  const edited = edit(text);
  if (edited !== text) editor.setValue(edited);
}

function withToken(text, token) {
  let headers = {};
  try {
    if (text.trim() !== "") headers = JSON.parse(text);
  } catch {
    return text; // half typed: leave it alone
  }
  const typed = Object.keys(headers).find((name) => name.toLowerCase() === "authorization");
  if (typed !== undefined && !issuedHere(headers[typed])) return text;
  if (typed !== undefined) delete headers[typed];
  return JSON.stringify({ ...headers, authorization: `Bearer ${token}` }, null, 2);
}
