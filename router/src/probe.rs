//! Whether the subgraphs of other processes answer: a part of readiness, never of a request.
//!
//! A router without one subgraph still serves the others, so a failed probe shows in readiness and refuses nothing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chassis::{
    health::{Component, Health},
    principal::ServiceSigner,
    tasks::Tasks,
};
use federation::Transport;
use url::Url;

const EVERY: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks each separate subgraph for `__typename` every two seconds; one in this process needs no probe.
pub(crate) fn watch(
    subgraphs: &BTreeMap<String, Transport>,
    service: Option<&Arc<ServiceSigner>>,
    tasks: &Tasks,
    health: &Health,
) {
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .no_proxy()
        .build();
    for (name, transport) in subgraphs {
        let Transport::Http(url) = transport else {
            continue;
        };
        let component = health.companion(format!("subgraph {name}"));
        let client = match &client {
            Ok(client) => client.clone(),
            Err(error) => {
                component.down(error.to_string());
                continue;
            }
        };
        let (url, stop, service) = (url.clone(), tasks.token(), service.cloned());
        let _task = tasks.spawn("subgraph probe", async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = ask_repeatedly(&client, url, service.as_deref(), &component) => {}
            }
        });
    }
}

async fn ask_repeatedly(
    client: &reqwest::Client,
    url: Url,
    service: Option<&ServiceSigner>,
    component: &Component,
) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let mut asked = client
            .post(url.clone())
            .header("content-type", "application/json");
        if let Some((name, value)) = service.map(ServiceSigner::header) {
            asked = asked.header(name, value);
        }
        let response = asked.body(r#"{"query":"{__typename}"}"#).send().await;
        match response {
            Ok(response) if response.status().is_success() => component.up(),
            Ok(response) => component.down(format!("answers {}", response.status())),
            // Without the URL: the health page is public, and the setting is in the log.
            Err(error) => component.down(error.without_url().to_string()),
        }
    }
}
