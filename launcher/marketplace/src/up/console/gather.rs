//! Brings together what the processes of `up --processes` keep of late, in this one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chassis::principal::ServiceSigner;
use chassis::tasks::Tasks;
use chassis::telemetry::recent::{News, Recent, Since, recent};
use tokio::time::sleep;

use crate::http;

/// How often each process is asked.
const AGAIN: Duration = Duration::from_secs(1);

/// Asks every process until the tasks end; `services` are names and addresses.
pub(super) fn start(
    services: impl IntoIterator<Item = (&'static str, SocketAddr)>,
    signer: &Arc<ServiceSigner>,
    tasks: &Tasks,
) {
    let Some(kept) = recent() else {
        return;
    };
    for (name, address) in services {
        let (signer, stop) = (signer.clone(), tasks.token());
        let asking = async move { ask(kept, name, address, &signer).await };
        drop(tasks.spawn("gathering for the console", async move {
            stop.run_until_cancelled(asking).await;
        }));
    }
}

async fn ask(kept: &Recent, name: &'static str, address: SocketAddr, signer: &ServiceSigner) {
    let mut since = Since::default();
    loop {
        // One that is away is asked again; what it kept is gone with it.
        let asked_for = since;
        if let Some(news) = news(address, signer, asked_for).await {
            since = news.next;
            let is_anew = since.span < asked_for.span || since.line < asked_for.line;
            if is_anew {
                since = Since::default();
            }
            take(kept, name, news);
            if is_anew {
                continue;
            }
        }
        sleep(AGAIN).await;
    }
}

async fn news(address: SocketAddr, signer: &ServiceSigner, since: Since) -> Option<News> {
    let (header, token) = signer.header();
    let header = (header.as_str(), token.to_str().ok()?);
    let path = format!("/debug/recent?span={}&line={}", since.span, since.line);
    let (status, body) = http::get_with(address, &path, header).await?;
    (status == 200).then(|| serde_json::from_str(&body).ok())?
}

fn take(kept: &Recent, name: &str, news: News) {
    for mut span in news.spans {
        // Whatever crate opened it, it is of the one service of its process.
        name.clone_into(&mut span.target);
        kept.traces.adopt(span);
    }
    for mut line in news.lines {
        name.clone_into(&mut line.service);
        kept.lines.add(line);
    }
}
