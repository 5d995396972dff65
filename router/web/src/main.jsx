// The playground's page: a bar that says who asks, GraphiQL with the ten operations, and a strip that watches live.
import "./workers.js";
import "graphiql/style.css";
import "./page.css";
import { GraphiQL } from "graphiql";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { Bar } from "./bar.jsx";
import { USERS } from "./demo-token.js";
import { createFetcher, watchAgain } from "./fetcher.js";
import { Filled } from "./filled.jsx";
import { OPERATIONS } from "./operations.js";
import { askedBy, initialVariables } from "./session.js";
import { linkTo, shared } from "./share.js";
import { Plan } from "./plan.jsx";
import { prepareStorage, remember, remembered } from "./storage.js";
import { Strip } from "./strip.jsx";
import { issuedHere, useDemoTokens } from "./token.js";

const TRANSPORTS = [
  { id: "websocket", label: "WebSocket" },
  { id: "sse", label: "SSE" },
];
const SHARED = shared();
const TABS = [
  ...(SHARED ? [{ query: SHARED.query, variables: SHARED.variables }] : []),
  ...OPERATIONS.map((query) => ({ query, variables: initialVariables(query) })),
];

function Playground() {
  const [switched, setSwitched] = useState(chosenOf(USERS, SHARED?.user ?? remembered("user")));
  const [ofTab, setOfTab] = useState({});
  const [tab, setTab] = useState({ id: null, title: null });
  const [transport, setTransport] = useState(chosenOf(TRANSPORTS, remembered("transport")));
  const [budget, setBudget] = useState({});
  const [wantsPlan, setWantsPlan] = useState(remembered("plan") === "yes");
  const [plan, setPlan] = useState(null);
  const { ready, problem, tokenOf, renew } = useDemoTokens(USERS);

  // Most tabs ask as whom the switch says; one is about another user's order and has a user of its own.
  const own = ofTab[tab.id] ?? USERS.find((user) => user.id === askedBy(tab.title));
  const user = own ?? switched;
  const chooseUser = (chosen) => (own ? setOfTab({ ...ofTab, [tab.id]: chosen }) : setSwitched(chosen));
  const editors = useRef(() => ({}));
  const share = () => linkTo({ ...editors.current(), user: user.id });
  useEffect(() => remember("user", switched.id), [switched]);
  useEffect(() => remember("transport", transport.id), [transport]);
  useEffect(() => remember("plan", wantsPlan ? "yes" : "no"), [wantsPlan]);
  const token = tokenOf(user);

  // GraphiQL keeps the first fetcher it is given, so what may change is behind a reference.
  const current = useRef({});
  const hearBudget = useCallback((news) => {
    if (news.remaining === undefined && !news.refused) return;
    setBudget((before) => ({ ...before, ...definedIn(news), cost: news.cost, refused: news.refused }));
  }, []);
  const hearTab = useCallback((open) => {
    if (current.current.tab !== open.id) setPlan(null);
    current.current.tab = open.id;
    setTab(open);
  }, []);
  Object.assign(current.current, { user, transport, tokenOf, renew, issuedHere, budget: hearBudget, explained: wantsPlan ? setPlan : null });
  const fetcher = useMemo(() => createFetcher(() => current.current), []);
  useEffect(() => {
    if (ready) watchAgain(() => current.current);
  }, [ready]);

  return (
    <>
      <Bar
        users={USERS}
        user={user}
        chooseUser={chooseUser}
        inThisTab={own !== undefined}
        transports={TRANSPORTS}
        transport={transport}
        chooseTransport={setTransport}
        budget={budget}
        wantsPlan={wantsPlan}
        togglePlan={() => {
          setWantsPlan(!wantsPlan);
          setPlan(null);
        }}
        share={share}
        problem={problem}
      />
      <main>
        {ready && (
          <GraphiQL
            fetcher={fetcher}
            defaultTabs={TABS}
            initialQuery={SHARED?.query}
            initialVariables={SHARED?.variables}
            defaultEditorToolsVisibility="variables"
            inputValueDeprecation
          >
            <GraphiQL.Logo>
              <span className="logo" />
            </GraphiQL.Logo>
            <GraphiQL.Footer>
              <Filled token={token} onTab={hearTab} editors={editors} />
            </GraphiQL.Footer>
          </GraphiQL>
        )}
      </main>
      <Plan shown={plan} />
      <Strip />
    </>
  );
}

/** The option with this id, or the first. */
function chosenOf(options, id) {
  return options.find((option) => option.id === id) ?? options[0];
}

function definedIn(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

prepareStorage(OPERATIONS);
createRoot(document.getElementById("playground")).render(<Playground />);
