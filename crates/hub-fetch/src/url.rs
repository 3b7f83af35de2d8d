//! The little that has to be known of URLs: where they lead, and where a redirect leads.

use std::fmt;

use ureq::http::Uri;

/// Scheme, host and port: who gets what is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    /// `None` unless it is an `http` or `https` URL with a host.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = uri.host().filter(|host| !host.is_empty())?.to_ascii_lowercase();
        // `Uri` takes any text after the colon; a port that is none must not become the default.
        let authority = uri.authority()?.as_str();
        let given = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
        let port = match given[host.len()..].strip_prefix(':') {
            None | Some("") => {
                if https {
                    443
                } else {
                    80
                }
            }
            Some(port) => port.parse().ok()?,
        };
        Some(Self { https, host, port })
    }

    /// True for names and addresses of this machine itself.
    pub(crate) fn is_loopback(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare == "localhost"
            || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// A URL for people: without query and fragment, where signatures are.
pub(crate) fn shown(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// Where `location`, answered by `base`, leads (RFC 9110, section 10.2.2): an `http` or `https` URL.
pub(crate) fn join(base: &str, location: &str) -> Option<String> {
    let location = location.split('#').next().unwrap_or_default();
    let base = base.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = base.split_once("://")?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let joined = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{path}{location}")
    } else if location.split(['/', '?']).next().is_some_and(|first| first.contains(':')) {
        let (scheme, rest) = location.split_once(':')?;
        format!("{}:{rest}", scheme.to_ascii_lowercase())
    } else if location.is_empty() {
        return None;
    } else {
        let folder = &path[..=path.rfind('/')?];
        format!("{scheme}://{authority}{folder}{location}")
    };
    Origin::of(&joined).map(|_| joined)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn redirects_lead_where_they_say() {
        let base = "https://hub.example:8443/a/b?x=1#y";
        for (location, expected) in [
            ("https://cdn.example/f?sig=1", Some("https://cdn.example/f?sig=1")),
            ("HTTPS://cdn.example/f", Some("https://cdn.example/f")),
            ("//cdn.example/f", Some("https://cdn.example/f")),
            ("/c/d", Some("https://hub.example:8443/c/d")),
            ("c", Some("https://hub.example:8443/a/c")),
            ("?z", Some("https://hub.example:8443/a/b?z")),
            ("c:d/e", None),
            ("./c:d", Some("https://hub.example:8443/a/./c:d")),
            ("file:///etc/passwd", None),
            ("https:///f", None),
            ("https://host:99999/", None),
            ("/with space", None),
            ("", None),
            ("#here", None),
        ] {
            assert_eq!(join(base, location).as_deref(), expected, "{location}");
        }
        assert_eq!(join("http://host", "x").as_deref(), Some("http://host/x"));
    }

    #[test]
    fn origins_have_ports() {
        let of = |url| Origin::of(url).unwrap().to_string();
        assert_eq!(of("https://Hub.Example/x"), "https://hub.example:443");
        assert_eq!(of("http://hub.example:443"), "http://hub.example:443");
        assert_eq!(of("http://user:pass@hub.example/"), "http://hub.example:80");
        assert_eq!(of("http://[::1]:8080/"), "http://[::1]:8080");
        assert!(Origin::of("http://[::1]:8080/").unwrap().is_loopback());
        assert!(Origin::of("http://127.9.9.9/").unwrap().is_loopback());
        assert!(!Origin::of("http://localhost.example/").unwrap().is_loopback());
        assert_eq!(Origin::of("ftp://host/"), None);
        assert_eq!(Origin::of("host/path"), None);
    }

    proptest! {
        #[test]
        fn any_text_joins_or_not(base in ".*", location in ".*") {
            if let Some(url) = join(&base, &location) {
                prop_assert!(Origin::of(&url).is_some());
            }
            let good = join("https://hub.example/a/b", &location);
            prop_assert!(good.is_none_or(|url| url.starts_with("http")));
        }
    }
}
