//! The built page: each of the ten tabs clicked through on a fresh seed, live frames, a broken connection, and no
//! request that leaves the machine.

use std::io::Write as _;
use std::time::Instant;

use super::{operation_files, operation_name};
use crate::browser::Browser;
use crate::shop::{Arrangement, Shop};

const ANSWER: &str = ".graphiql-response";
const EDITOR: &str = ".graphiql-query-editor";
const VARIABLES: &str = ".graphiql-editor-tool";
/// Where keys go while the headers are open.
const HEADERS: &str = ".graphiql-editor-tool .graphiql-editor:not(.hidden) .monaco-editor textarea";
const STRIP: &str = ".strip";

/// The page with a marketplace behind it.
struct Visit {
    shop: Shop,
    browser: Browser,
}

impl Visit {
    /// Opens the page and waits until an operation can be edited.
    async fn begin() -> Self {
        let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
        let started = Instant::now();
        browser.open(&shop.url(4000)).await;
        browser.sees(EDITOR, &["query Browse"]).await;
        let usable = started.elapsed();
        // A figure for whoever runs this with --nocapture; the bound only catches a page that hangs.
        let _written = writeln!(std::io::stdout().lock(), "editor usable after {usable:?}");
        assert!(usable.as_secs() < 20, "the editor took {usable:?}");
        Self { shop, browser }
    }

    /// Opens a tab, runs its operation, and waits until the answer shows all of these.
    async fn run(&self, name: &str, texts: &[&str]) -> String {
        self.open_tab(name).await;
        self.browser.click(".graphiql-execute-button").await;
        self.browser.sees(ANSWER, texts).await
    }

    async fn open_tab(&self, name: &str) {
        let css = format!("button.graphiql-tab-button[title='{name}']");
        self.browser.click(&css).await;
    }

    async fn watches(&self, state: &str, frames: usize) {
        let css = format!("{STRIP}[data-state='{state}'][data-frames='{frames}']");
        self.browser.find(&css).await;
    }

    async fn acts_as(&self, user: &str) {
        let chosen = ".bar fieldset:first-of-type button[aria-pressed='true']";
        self.browser.sees(chosen, &[user]).await;
    }

    async fn end(self) {
        let origin = self.shop.url(4000);
        let sockets = origin.replace("http", "ws");
        let asked = self.browser.requested().await;
        assert!(asked.len() > 20, "the record is kept: {asked:?}");
        let elsewhere: Vec<_> = asked
            .iter()
            .filter(|url| !url.starts_with(&origin) && !url.starts_with(&sockets))
            .filter(|url| {
                !["data:", "blob:", "chrome:", "about:"]
                    .iter()
                    .any(|own| url.starts_with(own))
            })
            .collect();
        assert!(elsewhere.is_empty(), "asked elsewhere: {elsewhere:?}");
        self.browser.stop().await;
        self.shop.stop().await;
    }
}

/// Seen red with the name of the operation sent as GraphiQL gives it: for 100 ms after a change of tabs that is the
/// name of the tab before, and one of the tabs, which one depends on the load, was refused.
#[tokio::test]
async fn each_of_the_ten_tabs_runs_in_order_with_nothing_typed_and_nothing_asked_elsewhere() {
    let visit = Visit::begin().await;
    let names: Vec<_> = operation_files()
        .iter()
        .map(|text| operation_name(text).to_owned())
        .collect();
    let tabs = visit
        .browser
        .script(
            "return [...document.querySelectorAll('.graphiql-tab-button')].map(tab => tab.title)",
        )
        .await;
    assert_eq!(tabs, serde_json::json!(names));

    visit.run("Browse", &["\"products\"", "\"sku\""]).await;
    visit
        .browser
        .sees(".budget", &["Budget", "of 1,000,000", "cost"])
        .await;
    visit.run("AddToCart", &["\"itemCount\": 2"]).await;
    visit.run("TooMany", &["OUT_OF_STOCK"]).await;
    visit.open_tab("Watch").await;
    visit.browser.click(".graphiql-execute-button").await;
    visit.watches("live", 0).await;
    visit
        .run("Checkout", &["\"id\": \"1\"", "AWAITING_PAYMENT"])
        .await;
    visit.watches("live", 2).await;
    visit
        .run("SameKey", &["\"id\": \"1\"", "\"replayed\": true"])
        .await;
    visit.run("Pay", &["\"PAID\"", "Arrived at once"]).await;
    visit.watches("live", 3).await;
    visit.open_tab("Watch").await;
    visit.browser.keep_picture("playground.png").await;
    visit
        .run("History", &["\"AWAITING_PAYMENT\"", "\"PAID\""])
        .await;
    visit.browser.keep_picture("playground-history.png").await;
    visit.open_tab("NotYours").await;
    visit.acts_as("user 2").await;
    visit.browser.click(".graphiql-execute-button").await;
    let absent = visit.browser.sees(ANSWER, &["\"theirs\": null"]).await;
    assert!(!absent.contains("errors"), "{absent}");
    visit.run("TooCostly", &["LIMIT_EXCEEDED"]).await;
    visit.browser.sees(".budget .refused", &["10,000"]).await;
    visit.acts_as("user 1").await;
    visit.end().await;
}

/// Seen red with the cursor left out when the page connects again: the frames of the second order did not come.
#[tokio::test]
async fn a_broken_connection_resumes_behind_the_last_cursor_over_either_transport() {
    let visit = Visit::begin().await;
    let token = visit.shop.token(1, false).await;
    let create = "mutation { createOrder(input: {lines: [{sku: \"139275865\", count: 1}]}) { order { id } } }";
    for transport in ["SSE", "WebSocket"] {
        visit.browser.press("user 1").await;
        visit.browser.press(transport).await;
        visit.open_tab("Browse").await; // leaves what runs on the tab "Watch" to the strip
        visit.open_tab("Watch").await;
        visit.browser.click(".graphiql-execute-button").await;
        visit.watches("live", 0).await;
        visit
            .shop
            .graphql(&token, create, serde_json::json!({}))
            .await;
        visit.watches("live", 2).await;
        // What is watched stays user 1's, also when it connects again.
        visit.browser.press("user 2").await;
        visit.acts_as("user 2").await;
        visit.browser.press("Break the connection").await;
        // The click has cut the connection, so this order comes by resuming.
        visit
            .shop
            .graphql(&token, create, serde_json::json!({}))
            .await;
        visit.watches("live", 4).await;
        visit
            .browser
            .sees(STRIP, &["resumed once", "AWAITING_PAYMENT"])
            .await;
        let numbers = visit
            .browser
            .script("return [...document.querySelectorAll('.frames tbody tr')].map(row => row.cells[3].innerText)")
            .await;
        assert_eq!(
            numbers,
            serde_json::json!(["2", "1", "2", "1"]),
            "each version once, in order"
        );
        visit.browser.press("Stop").await;
        visit.watches("ended", 4).await;
    }
    visit.end().await;
}

/// What a person typed is theirs: neither the token nor the order's id is written over it.
#[tokio::test]
async fn a_token_that_was_typed_in_stays_when_the_user_is_switched() {
    let visit = Visit::begin().await;
    visit.browser.press("Headers").await;
    visit.browser.sees(VARIABLES, &["authorization"]).await;
    visit
        .browser
        .paste_over(HEADERS, "{\"authorization\":\"Bearer mine\"}")
        .await;
    visit.browser.sees(VARIABLES, &["Bearer mine"]).await;
    visit.browser.press("user 3").await;
    visit.acts_as("user 3").await;
    visit.browser.sees(VARIABLES, &["Bearer mine"]).await;
    visit.run("Browse", &["UNAUTHENTICATED"]).await;
    visit.end().await;
}

/// An editor takes every swipe, so nothing may lie where only a scrolled page would show it. Fingers need 24 px (WCAG 2.2 AA).
///
/// Measured with panes of fixed heights: 3,510 px of them in 639, of which what was scrolled lay over what stayed; controls of 23.4.
#[tokio::test]
async fn on_a_phone_a_query_and_its_answer_are_both_in_sight() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    browser.be_a_phone().await;
    browser.open(&shop.url(4000)).await;
    browser.sees(EDITOR, &["The catalogue"]).await;
    browser.click(".graphiql-execute-button").await;
    browser.sees(ANSWER, &["products"]).await;
    let in_sight = "const session = document.getElementById('graphiql-session'); \
        const ends = [...session.children].map((pane) => pane.getBoundingClientRect().bottom); \
        return session.scrollHeight <= session.clientHeight && ends.every((end) => end <= innerHeight)";
    assert_eq!(browser.script(in_sight).await, true);
    let lowest = "return Math.min(...[...document.querySelectorAll('.bar button, .bar a')].map((one) => one.offsetHeight))";
    let lowest = browser.script(lowest).await;
    assert!(
        lowest.as_f64().is_some_and(|height| height >= 24.0),
        "{lowest}"
    );
    assert!(!browser.scrolls_sideways().await);
    browser.stop().await;
    shop.stop().await;
}
