//! `marketplace resend`: sends the order events again that the topic has lost; see [`crate::verify`].

use crate::output;
use crate::settings::Settings;
use crate::verify;

/// Compares the outbox with the topic, has the relay send what is missing, and prints how many those are.
///
/// # Errors
/// When a store does not answer: then nothing is sent again.
pub(crate) async fn run(settings: &Settings) -> anyhow::Result<()> {
    let again = verify::resend_lost(settings).await?;
    output::result(&match again {
        0 => "the topic has every event that was sent\n".to_owned(),
        1 => "1 event is sent again\n".to_owned(),
        more => format!("{more} events are sent again\n"),
    });
    Ok(())
}
