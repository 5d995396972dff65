//! Chromium, driven as a person would: tabs, buttons, and what the page shows.

use std::process::Command;
use std::time::Duration;

use dev_services::child::{Output, Supervised};
use dev_services::process::Signal;
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{eventually, free_port};

const LIMIT: Duration = Duration::from_secs(30);

/// A browser of the test's own; it ends with the test process at the latest.
pub(super) struct Browser {
    driver: Supervised,
    client: Client,
    _profile: TempDir,
}

impl Browser {
    pub(super) async fn start() -> Self {
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
            "--window-size=1280,900".to_owned(),
            // Offline: no name is resolved, so nothing but this machine can be reached.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1".to_owned(),
            format!(
                "--user-data-dir={}",
                profile.path().join("chromium").display()
            ),
        ];
        let options = json!({
            "goog:chromeOptions": {"args": arguments, "perfLoggingPrefs": {"enableNetwork": true}},
            "goog:loggingPrefs": {"performance": "ALL"},
        });
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

    pub(super) async fn stop(mut self) {
        self.client.close().await.unwrap();
        self.driver.stop(Duration::from_secs(5)).await;
    }

    pub(super) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// The first element that matches, as soon as there is one.
    pub(super) async fn find(&self, css: &str) -> Element {
        let waited = self.client.wait().at_most(LIMIT);
        match waited.for_element(Locator::Css(css)).await {
            Ok(found) => found,
            Err(error) => panic!(
                "no {css} ({error}) in\n{}",
                self.client.source().await.unwrap()
            ),
        }
    }

    pub(super) async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// Clicks the button with this text.
    pub(super) async fn press(&self, text: &str) {
        let path = format!("//button[normalize-space()='{text}']");
        let waited = self.client.wait().at_most(LIMIT);
        let button = waited.for_element(Locator::XPath(&path)).await;
        button
            .unwrap_or_else(|error| panic!("no button {text}: {error}"))
            .click()
            .await
            .unwrap();
    }

    /// Puts a text in the place of everything in an editor, as pasting does; typed, an editor would close quotes itself.
    pub(super) async fn paste_over(&self, css: &str, text: &str) {
        let editor = self.find(css).await;
        let everything = format!("{}a{}", char::from(Key::Control), char::from(Key::Null));
        editor.send_keys(&everything).await.unwrap();
        let paste = "const [css, text] = arguments; const clipboardData = new DataTransfer(); \
            clipboardData.setData('text/plain', text); document.querySelector(css) \
            .dispatchEvent(new ClipboardEvent('paste', {clipboardData, bubbles: true}))";
        let arguments = vec![json!(css), json!(text)];
        self.client.execute(paste, arguments).await.unwrap();
    }

    /// Writes into a field.
    pub(super) async fn write(&self, css: &str, text: &str) {
        self.find(css).await.send_keys(text).await.unwrap();
    }

    /// Waits until the first element that matches shows all of these texts; what it shows.
    pub(super) async fn sees(&self, css: &str, texts: &[&str]) -> String {
        let what = format!("{css} shows {texts:?}");
        eventually(&what, LIMIT, async || {
            let text = self.text(css).await?;
            texts
                .iter()
                .all(|wanted| text.contains(wanted))
                .then_some(text)
        })
        .await
    }

    /// What an element shows now; editors write blanks as no-break spaces, and wrap long lines.
    pub(super) async fn text(&self, css: &str) -> Option<String> {
        let element = self.client.find(Locator::Css(css)).await.ok()?;
        Some(element.text().await.ok()?.replace('\u{a0}', " "))
    }

    /// Runs a script in the page; what it returns.
    pub(super) async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Shows pages as a phone of 390 by 844 points does, from the next one on.
    pub(super) async fn be_a_phone(&self) {
        let params = json!({"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true});
        let command = DriverCommand::dev_tools("Emulation.setDeviceMetricsOverride", &params);
        self.client.issue_cmd(command).await.unwrap();
    }

    /// Whether the page is wider than what shows it.
    pub(super) async fn scrolls_sideways(&self) -> bool {
        let wider = "return document.documentElement.scrollWidth > innerWidth";
        self.script(wider).await == json!(true)
    }

    /// Keeps a picture of what is seen, where `PICTURES` names a folder for them (`make pictures`).
    #[expect(
        clippy::disallowed_methods,
        reason = "a wish of whoever runs the tests, no setting of the product"
    )]
    pub(super) async fn keep_picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("PICTURES") {
            let picture = self.client.screenshot().await.unwrap();
            std::fs::write(std::path::Path::new(&folder).join(name), picture).unwrap();
        }
    }

    /// Every address that the browser asked for since it started, by its own record of the network.
    pub(super) async fn requested(&self) -> Vec<String> {
        let log = DriverCommand::performance_log();
        let log = self.client.issue_cmd(log).await.unwrap();
        let entries = log.as_array().cloned().unwrap_or_default();
        let messages = entries.iter().filter_map(|entry| entry["message"].as_str());
        let events = messages.filter_map(|text| serde_json::from_str::<Value>(text).ok());
        events
            .filter_map(|event| {
                let event = &event["message"];
                let asked = match event["method"].as_str()? {
                    "Network.requestWillBeSent" => &event["params"]["request"]["url"],
                    "Network.webSocketCreated" => &event["params"]["url"],
                    _ => return None,
                };
                asked.as_str().map(str::to_owned)
            })
            .collect()
    }
}

/// A command of chromedriver's own, beside those of the standard: its path in the session, and what it takes.
#[derive(Debug)]
struct DriverCommand(&'static str, Value);

impl DriverCommand {
    /// A command of the `DevTools` protocol, with its parameters.
    fn dev_tools(name: &str, params: &Value) -> Self {
        Self("goog/cdp/execute", json!({"cmd": name, "params": params}))
    }

    /// A log that the session was asked to keep.
    fn performance_log() -> Self {
        Self("se/log", json!({"type": "performance"}))
    }
}

impl fantoccini::wd::WebDriverCompatibleCommand for DriverCommand {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/{}", self.0))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.1.to_string()))
    }
}
