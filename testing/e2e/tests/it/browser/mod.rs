//! Chromium, driven as a person would: tabs, buttons, keys, and what the page shows.

mod axe;

use std::process::Command;
use std::time::Duration;

use dev_services::child::{Output, Supervised};
use dev_services::process::{Identity, Signal, send};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{eventually, free_port};

use crate::process_tree;

/// How long a person would wait.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// More stops than any page has.
const TABS: usize = 120;

/// A browser of the test's own; it ends with the test, also with one that fails.
pub(crate) struct Browser {
    driver: Supervised,
    /// Of the driver, whose children are the browser.
    identity: Identity,
    client: Client,
    _profile: TempDir,
}

impl Browser {
    pub(crate) async fn start() -> Self {
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
        let identity = Identity::of(driver.pid()).expect("chromedriver runs");
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
            identity,
            client,
            _profile: profile,
        }
    }

    pub(crate) async fn stop(mut self) {
        self.client.clone().close().await.unwrap();
        self.driver.stop(Duration::from_secs(5)).await;
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// The first element that matches, as soon as there is one.
    pub(crate) async fn find(&self, css: &str) -> Element {
        let waited = self.client.wait().at_most(LIMIT);
        match waited.for_element(Locator::Css(css)).await {
            Ok(found) => found,
            Err(error) => panic!(
                "no {css} ({error}) in\n{}",
                self.client.source().await.unwrap()
            ),
        }
    }

    pub(crate) async fn click(&self, css: &str) {
        let found = self.find(css).await;
        self.click_on(&found).await;
    }

    /// Clicks in the middle of the window, where no header that stays lies over it.
    async fn click_on(&self, element: &Element) {
        let centred = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})";
        let arguments = vec![serde_json::to_value(element).unwrap()];
        self.client.execute(centred, arguments).await.unwrap();
        element.click().await.unwrap();
    }

    /// Clicks the button with this text.
    pub(crate) async fn press(&self, text: &str) {
        let path = format!("//button[normalize-space()='{text}']");
        let waited = self.client.wait().at_most(LIMIT);
        let button = waited.for_element(Locator::XPath(&path)).await;
        let button = button.unwrap_or_else(|error| panic!("no button {text}: {error}"));
        self.click_on(&button).await;
    }

    /// Clicks the button with this text, if it is there and can be clicked now.
    pub(crate) async fn try_press(&self, text: &str) -> bool {
        let path = format!("//button[normalize-space()='{text}'][not(@disabled)]");
        let Ok(button) = self.client.find(Locator::XPath(&path)).await else {
            return false;
        };
        button.click().await.is_ok()
    }

    /// Puts a text in the place of everything in an editor, as pasting does; typed, an editor would close quotes itself.
    pub(crate) async fn paste_over(&self, css: &str, text: &str) {
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
    pub(crate) async fn write(&self, css: &str, text: &str) {
        self.find(css).await.send_keys(text).await.unwrap();
    }

    /// Presses keys where the focus is.
    pub(crate) async fn keys(&self, keys: &str) {
        eventually("keys are pressed", LIMIT, async || {
            // A page that draws itself anew may have put another element in the place of this one.
            let focused = self.client.active_element().await.ok()?;
            focused.send_keys(keys).await.ok()
        })
        .await;
    }

    /// Goes on with the Tab key until what matches has the focus, as somebody without a mouse does.
    pub(crate) async fn tab_to(&self, css: &str) {
        let focused = "return document.activeElement.matches(arguments[0])";
        for _ in 0..TABS {
            self.keys(&char::from(Key::Tab).to_string()).await;
            let reached = self.client.execute(focused, vec![json!(css)]).await;
            if reached.unwrap() == json!(true) {
                return;
            }
        }
        panic!("{TABS} times Tab did not lead to {css}");
    }

    /// Chooses in a `select` what has this value.
    pub(crate) async fn choose(&self, css: &str, value: &str) {
        self.find(css).await.select_by_value(value).await.unwrap();
    }

    /// Waits until the first element that matches shows all of these texts; what it shows.
    pub(crate) async fn sees(&self, css: &str, texts: &[&str]) -> String {
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
    pub(crate) async fn text(&self, css: &str) -> Option<String> {
        let element = self.client.find(Locator::Css(css)).await.ok()?;
        Some(element.text().await.ok()?.replace('\u{a0}', " "))
    }

    /// Runs a script in the page; what it returns.
    pub(crate) async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Shows pages as a phone of 390 by 844 points does, from the next one on.
    pub(crate) async fn be_a_phone(&self) {
        self.be_a_screen(390, 844, true).await;
    }

    /// Shows pages on a desk's screen of so many points.
    pub(crate) async fn be_a_desk(&self, width: u32, height: u32) {
        self.be_a_screen(width, height, false).await;
    }

    async fn be_a_screen(&self, width: u32, height: u32, mobile: bool) {
        let scale = if mobile { 2 } else { 1 };
        let params =
            json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile});
        let command = DriverCommand::dev_tools("Emulation.setDeviceMetricsOverride", &params);
        self.client.issue_cmd(command).await.unwrap();
    }

    /// Asks pages for light colours or for dark ones, as a person's settings do.
    pub(crate) async fn prefer(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let params = json!({"features": features});
        let command = DriverCommand::dev_tools("Emulation.setEmulatedMedia", &params);
        self.client.issue_cmd(command).await.unwrap();
    }

    /// Waits until nothing moves: a colour that fades is none that anybody reads.
    pub(crate) async fn settles(&self) {
        let still = "const [done] = arguments; const moving = () => document.getAnimations() \
            .filter(({playState}) => playState === 'running'); \
            const look = () => moving().length === 0 ? done(true) : setTimeout(look, 50); look()";
        let still = self.client.execute_async(still, Vec::new()).await;
        assert_eq!(still.unwrap(), json!(true));
    }

    /// Whether the page is wider than what shows it.
    pub(crate) async fn scrolls_sideways(&self) -> bool {
        let wider = "return document.documentElement.scrollWidth > innerWidth";
        self.script(wider).await == json!(true)
    }

    /// Keeps a picture of what is seen, where `PICTURES` names a folder for them (`make pictures`).
    #[expect(
        clippy::disallowed_methods,
        reason = "a wish of whoever runs the tests, no setting of the product"
    )]
    pub(crate) async fn keep_picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("PICTURES") {
            let picture = self.client.screenshot().await.unwrap();
            std::fs::write(std::path::Path::new(&folder).join(name), picture).unwrap();
        }
    }

    /// Every address that the browser asked for since it started, by its own record of the network.
    pub(crate) async fn requested(&self) -> Vec<String> {
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

impl Drop for Browser {
    /// A test that fails never comes to [`Browser::stop`], and chromedriver leaves its browser behind when it is ended.
    fn drop(&mut self) {
        if self.identity.is_running() {
            for process in process_tree::below(self.identity.pid) {
                send(process.pid, Signal::Kill);
            }
        }
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

#[tokio::test]
async fn a_browser_that_nobody_stops_leaves_no_process() {
    let browser = Browser::start().await;
    browser.open("about:blank").await;
    let processes = process_tree::below(browser.identity.pid);
    assert!(processes.len() > 1, "{processes:?}");
    drop(browser);
    eventually("all have ended", LIMIT, async || {
        let left = processes.iter().any(Identity::is_running);
        (!left).then_some(())
    })
    .await;
}
