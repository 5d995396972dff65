// The playground's page: a bar that says who asks, GraphiQL with the ten operations, and a strip that watches live.
import "./workers.js";
import "graphiql/style.css";
import "./page.css";
import { GraphiQL } from "graphiql";
import { useCallback, useMemo, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { Bar } from "./bar.jsx";
import { USERS } from "./demo-token.js";
import { createFetcher } from "./fetcher.js";
import { Filled } from "./filled.jsx";
import { OPERATIONS } from "./operations.js";
import { askedBy, initialVariables } from "./session.js";
import { prepareStorage } from "./storage.js";
import { Strip } from "./strip.jsx";
import { issuedHere, useDemoTokens } from "./token.js";

const TRANSPORTS = [
  { id: "websocket", label: "WebSocket" },
  { id: "sse", label: "SSE" },
];
const TABS = OPERATIONS.map((query) => ({ query, variables: initialVariables(query) }));

function Playground() {
  const [switched, setSwitched] = useState(USERS[0]);
  const [ofTab, setOfTab] = useState({});
  const [tab, setTab] = useState({ id: null, title: null });
  const [transport, setTransport] = useState(TRANSPORTS[0]);
  const [budget, setBudget] = useState({});
  const { ready, problem, tokenOf, renew } = useDemoTokens(USERS);

  // Most tabs ask as whom the switch says; one is about another user's order and has a user of its own.
  const own = ofTab[tab.id] ?? USERS.find((user) => user.id === askedBy(tab.title));
  const user = own ?? switched;
  const chooseUser = (chosen) => (own ? setOfTab({ ...ofTab, [tab.id]: chosen }) : setSwitched(chosen));
  const token = tokenOf(user);

  // GraphiQL keeps the first fetcher it is given, so what may change is behind a reference.
  const current = useRef({});
  const hearBudget = useCallback((news) => {
    if (news.remaining === undefined && !news.refused) return;
    setBudget((before) => ({ ...before, ...definedIn(news), cost: news.cost, refused: news.refused }));
  }, []);
  const hearTab = useCallback((open) => {
    current.current.tab = open.id;
    setTab(open);
  }, []);
  Object.assign(current.current, { user, transport, tokenOf, renew, issuedHere, budget: hearBudget });
  const fetcher = useMemo(() => createFetcher(() => current.current), []);

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
        problem={problem}
      />
      {ready && (
        <GraphiQL fetcher={fetcher} defaultTabs={TABS} defaultEditorToolsVisibility="variables" inputValueDeprecation>
          <GraphiQL.Logo>
            <span className="logo" />
          </GraphiQL.Logo>
          <GraphiQL.Footer>
            <Filled token={token} onTab={hearTab} />
          </GraphiQL.Footer>
        </GraphiQL>
      )}
      <Strip />
    </>
  );
}

function definedIn(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

prepareStorage(OPERATIONS);
createRoot(document.getElementById("playground")).render(<Playground />);
