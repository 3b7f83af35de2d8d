//! Which proxy leads to a server.

use std::fmt;
use std::net::IpAddr;

use crate::url::Origin;
use crate::{Error, Result};

/// The proxies for `http` and `https` URLs, and the hosts that are reached without.
///
/// Every proxy is asked for a tunnel (`CONNECT`, or SOCKS).
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<ureq::Proxy>,
    https: Option<ureq::Proxy>,
    direct: Vec<String>,
}

impl Proxies {
    /// Reads `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, in lower case or else in upper case,
    /// as curl and Python do.
    ///
    /// # Errors
    ///
    /// When a proxy is not a URL. The error does not show it: it may have a password.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let either = |name: &str| {
            let upper = name.to_ascii_uppercase();
            var(name)
                .map(|value| (name.to_owned(), value))
                .or_else(|| Some((upper.clone(), var(&upper)?)))
        };
        let proxy = |name: &str| match either(name).or_else(|| either("all_proxy")) {
            None => Ok(None),
            Some((name, value)) => {
                let reason = "not the URL of a proxy, expected such as http://proxy.example:3128";
                let wrong = |_| Error::Setting { name, reason: reason.to_owned() };
                ureq::Proxy::new(value.trim()).map(Some).map_err(wrong)
            }
        };
        let direct = either("no_proxy").map(|(_, value)| value).unwrap_or_default();
        let direct = direct.split([',', ' ']).filter(|entry| !entry.is_empty());
        Ok(Self {
            http: proxy("http_proxy")?,
            https: proxy("https_proxy")?,
            direct: direct.map(str::to_ascii_lowercase).collect(),
        })
    }

    pub(crate) fn http(&self) -> Option<&ureq::Proxy> {
        self.http.as_ref()
    }

    pub(crate) fn https(&self) -> Option<&ureq::Proxy> {
        self.https.as_ref()
    }

    /// True when a server is to be reached without a proxy.
    pub(crate) fn bypassed_by(&self, origin: &Origin) -> bool {
        self.direct.iter().any(|entry| matches(entry, origin))
    }
}

/// An entry of `no_proxy`: `*`, a host with all below it, an address, a network, each perhaps with a port.
fn matches(entry: &str, origin: &Origin) -> bool {
    let host = origin.host.trim_start_matches('[').trim_end_matches(']');
    if entry == "*" {
        return true;
    }
    if let (Some((network, bits)), Ok(address)) = (entry.split_once('/'), host.parse::<IpAddr>()) {
        let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse()) else {
            return false;
        };
        return within(address, network, bits);
    }
    let (entry, port) = match entry.rsplit_once(':') {
        // More colons are of an IPv6 address.
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
            (name, port.parse().ok())
        }
        _ => (entry, None),
    };
    if port.is_some_and(|port: u16| port != origin.port) {
        return false;
    }
    let entry = entry.trim_start_matches('[').trim_end_matches(']');
    let name = entry.trim_start_matches('*').trim_start_matches('.');
    let below = host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !name.is_empty() && below
}

fn within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
            bits <= 32 && (address.to_bits() ^ network.to_bits()) & mask == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0);
            bits <= 128 && (address.to_bits() ^ network.to_bits()) & mask == 0
        }
        _ => false,
    }
}

impl fmt::Debug for Proxies {
    /// Hosts only: there may be passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("http", &self.http.as_ref().map(ureq::Proxy::host))
            .field("https", &self.https.as_ref().map(ureq::Proxy::host))
            .field("direct", &self.direct)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Proxies {
        let var = |name: &str| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Proxies::from_vars(var).unwrap()
    }

    #[test]
    fn a_proxy_for_each_scheme() {
        let proxies = read(&[
            ("HTTP_PROXY", "http://plain:1"),
            ("http_proxy", "http://lower:2"),
            ("ALL_PROXY", "socks5://all:3"),
        ]);
        assert_eq!(proxies.http().unwrap().host(), "lower");
        assert_eq!(proxies.https().unwrap().host(), "all");
        let debug = format!("{:?}", read(&[("HTTPS_PROXY", "http://me:secret@proxy:1")]));
        assert!(debug.contains("proxy") && !debug.contains("secret"), "{debug}");
        assert!(read(&[]).http().is_none());
    }

    #[test]
    fn hosts_without() {
        for (entry, url, expected) in [
            ("*", "http://any", true),
            ("example.com", "http://example.com", true),
            ("example.com", "http://cdn.EXAMPLE.com", true),
            (".example.com", "http://cdn.example.com", true),
            ("*.example.com", "http://cdn.example.com", true),
            ("example.com", "http://badexample.com", false),
            ("example.com:8080", "http://example.com:8080", true),
            ("example.com:8080", "http://example.com", false),
            ("127.0.0.1", "http://127.0.0.1:9", true),
            ("10.0.0.0/8", "http://10.1.2.3", true),
            ("10.0.0.0/8", "http://11.1.2.3", false),
            ("0.0.0.0/0", "http://11.1.2.3", true),
            ("10.0.0.0/33", "http://10.0.0.0", false),
            ("::1", "http://[::1]:80", true),
            ("[::1]:81", "http://[::1]:80", false),
            ("fd00::/8", "http://[fd12::1]", true),
            ("fd00::/8", "http://10.0.0.1", false),
            (".", "http://any", false),
        ] {
            let proxies = read(&[("no_proxy", &format!("nowhere.example, {entry}"))]);
            let origin = Origin::of(url).unwrap();
            assert_eq!(proxies.bypassed_by(&origin), expected, "{entry} {url}");
        }
    }
}
