//! The user with a browser: the playground in headless Chromium.

use std::process::Command;
use std::time::{Duration, Instant};

use dev_services::child::{Output, Supervised};
use dev_services::process::Signal;
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;
use testkit::{eventually, free_port};

use crate::shop::Shop;

const LIMIT: Duration = Duration::from_secs(30);

struct Browser {
    driver: Supervised,
    client: Client,
    _profile: TempDir,
}

impl Browser {
    async fn start() -> Self {
        let (profile, port) = (TempDir::new().unwrap(), free_port());
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        let log = profile.path().join("driver.log");
        let driver = Supervised::start(
            "chromedriver",
            command,
            Output::Log(&log),
            Signal::Term,
            None,
        );
        let driver = driver.expect("chromedriver is installed");
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(), // it refuses to run as root with one
            "--disable-dev-shm-usage".to_owned(),
            "--disable-gpu".to_owned(),
            "--window-size=1600,1200".to_owned(),
            format!(
                "--user-data-dir={}",
                profile.path().join("chromium").display()
            ),
        ];
        let options = json!({"goog:chromeOptions": {"args": arguments}});
        let options = options.as_object().unwrap().clone();
        let client = eventually("chromedriver answers", LIMIT, async || {
            let url = format!("http://127.0.0.1:{port}");
            ClientBuilder::new(HttpConnector::new())
                .capabilities(options.clone())
                .connect(&url)
                .await
                .ok()
        })
        .await;
        Self {
            driver,
            client,
            _profile: profile,
        }
    }

    async fn stop(mut self) {
        self.client.close().await.unwrap();
        self.driver.stop(Duration::from_secs(5)).await;
    }

    async fn find(&self, css: &str) -> Element {
        let waited = self.client.wait().at_most(LIMIT);
        match waited.for_element(Locator::Css(css)).await {
            Ok(found) => found,
            Err(error) => panic!(
                "no {css} ({error}) in\n{}",
                self.client.source().await.unwrap()
            ),
        }
    }

    async fn open_tab(&self, name: &str) {
        let css = format!("button.graphiql-tab-button[title='{name}']");
        self.find(&css).await.click().await.unwrap();
    }

    async fn run(&self) {
        self.find(".graphiql-execute-button")
            .await
            .click()
            .await
            .unwrap();
    }

    /// Waits until the answer's pane shows all of these.
    async fn sees(&self, texts: &[&str]) {
        eventually("the answer shows", LIMIT, async || {
            let pane = self
                .client
                .find(Locator::Css(".graphiql-response"))
                .await
                .ok()?;
            // The editor writes blanks as no-break spaces.
            let text = pane.text().await.ok()?.replace('\u{a0}', " ");
            texts
                .iter()
                .all(|wanted| text.contains(wanted))
                .then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn the_playground_runs_a_query_and_shows_a_subscriptions_frames() {
    let shop = Shop::shared().await;
    let browser = Browser::start().await;
    browser.client.goto(&shop.url(4000)).await.unwrap();

    let source = browser.client.source().await.unwrap();
    assert!(
        !source.contains("CDN"),
        "the playground is not built: run `make playground`"
    );
    browser.open_tab("Browse").await;
    browser.run().await;
    browser.sees(&["\"products\"", "\"sku\""]).await;

    // The page is user 1 until another is chosen.
    let token = shop.token(1, false).await;
    let create = "mutation { createOrder(input: {lines: [{sku: \"139275865\", count: 1}]}) { order { id } } }";
    // The subscription begins when the server has it; an order before that would not be shown, so another follows.
    // One at a time: each frame is drawn by the page.
    let shown = async || {
        let pane = Locator::Css(".graphiql-response");
        let text = browser.client.find(pane).await.ok()?.text().await.ok()?;
        text.contains("CHANGE").then_some(())
    };
    let deadline = Instant::now() + 2 * LIMIT;
    while shown().await.is_none() {
        assert!(Instant::now() < deadline, "no frame is shown");
        // The page may still be changing tabs when it is clicked; leaving the tab ends what it ran, so begin anew.
        browser.open_tab("Browse").await;
        browser.open_tab("WatchMyOrders").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        browser.run().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        shop.graphql(&token, create, json!({})).await;
        let again = Instant::now() + Duration::from_secs(3);
        while shown().await.is_none() && Instant::now() < again {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    browser.stop().await;
}
