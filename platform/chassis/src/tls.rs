//! The one TLS provider of the process: rustls with ring. HTTP clients are built without one of their own.

use rustls::crypto::ring;

/// Makes ring the provider of this process. Call it before building an HTTP client; calling it again does nothing.
pub fn install() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Two callers at the same time install the same provider; the later one's failure says just that.
        drop(ring::default_provider().install_default());
    }
}
