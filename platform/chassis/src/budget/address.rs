//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};
use ipnet::IpNet;

/// The other end of the connection; none where no listener of ours accepted it.
#[must_use]
pub fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(peer.0.ip())
}

/// Where a request of `peer` comes from: behind `proxies` of ours the nearest address that is none of them.
///
/// Reads `X-Forwarded-For` from its end, where the nearest proxy wrote; what stands before a foreign address, or is no
/// address, anybody may have written.
#[must_use]
pub fn behind_proxies(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let is_ours = |address: IpAddr| proxies.iter().any(|net| net.contains(&address));
    let mut nearest = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    for hop in hops {
        if !is_ours(nearest) {
            break;
        }
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        nearest = address.to_canonical();
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen red with a header that is believed of everybody.
    #[test]
    fn only_a_proxy_of_ours_says_who_is_behind_it() {
        let ours: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let read = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            behind_proxies(peer.parse().unwrap(), &headers, &ours).to_string()
        };
        assert_eq!(read("192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
        assert_eq!(read("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(read("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        let spoofed = "203.0.113.7, 198.51.100.1, 10.0.0.2";
        assert_eq!(read("10.0.0.1", &[spoofed]), "198.51.100.1");
        assert_eq!(
            read("10.0.0.1", &["203.0.113.7", "198.51.100.1"]),
            "198.51.100.1"
        );
        assert_eq!(read("10.0.0.1", &["198.51.100.1, nonsense"]), "10.0.0.1");
        assert_eq!(read("::ffff:10.0.0.1", &["2001:db8::1"]), "2001:db8::1");
    }
}
