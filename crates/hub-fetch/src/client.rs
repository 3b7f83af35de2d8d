//! Requests to the hub and to where it redirects.

mod answer;
mod trust;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ureq::http::{HeaderMap, StatusCode};
use ureq::tls::TlsConfig;
use ureq::{Agent, Body, Timeout};

pub(crate) use answer::{Answer, content_range};
pub(crate) use trust::Roots;

use crate::error::TokenUse;
use crate::retry::{Trouble, asked_wait};
use crate::url::{Origin, join, shown};
use crate::{Error, Result, Settings};

/// As many as browsers and `huggingface_hub` do not exceed by far.
const REDIRECTS: usize = 10;

const USER_AGENT: &str = concat!("hub-fetch/", env!("CARGO_PKG_VERSION"));

/// Connections of one operation: closing them ends it.
#[derive(Debug)]
pub(crate) struct Client {
    direct: Agent,
    http: Option<Agent>,
    https: Option<Agent>,
    settings: Settings,
    roots: Arc<Roots>,
}

/// What to ask for besides the URL.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    /// Bytes from the first to the one before the second.
    pub(crate) range: Option<(u64, u64)>,
    /// Only if the content is still this one.
    pub(crate) if_range: Option<String>,
    /// Only what the hub says of the file, not where it lies.
    pub(crate) head: bool,
}

impl Client {
    pub(crate) fn new(settings: &Settings, roots: &Arc<Roots>, connections: usize) -> Self {
        let agent = |proxy: Option<&ureq::Proxy>| {
            let tls = TlsConfig::builder()
                .root_certs(roots.certificates())
                .unversioned_rustls_crypto_provider(roots.provider())
                .build();
            Agent::config_builder()
                .tls_config(tls)
                .proxy(proxy.cloned())
                .user_agent(USER_AGENT)
                .accept_encoding("identity")
                // Redirects are followed here, where it is known who may see the token.
                .max_redirects(0)
                .max_redirects_will_error(false)
                .http_status_as_error(false)
                .timeout_resolve(Some(settings.timeout))
                .timeout_connect(Some(settings.timeout))
                .timeout_per_read(Some(settings.timeout))
                .timeout_per_write(Some(settings.timeout))
                .max_idle_connections(2 * connections)
                .max_idle_connections_per_host(connections)
                .build()
                .new_agent()
        };
        Self {
            direct: agent(None),
            http: settings.proxies.http().map(|proxy| agent(Some(proxy))),
            https: settings.proxies.https().map(|proxy| agent(Some(proxy))),
            settings: settings.clone(),
            roots: Arc::clone(roots),
        }
    }

    /// Ends all that is under way; nothing can be asked afterwards.
    pub(crate) fn close(&self) {
        let agents = [Some(&self.direct), self.http.as_ref(), self.https.as_ref()];
        agents.into_iter().flatten().for_each(|agent| agent.clone().shutdown());
    }

    /// What is at `url`, a URL of the hub, redirects followed. Any status but 200 and 206 is trouble.
    pub(crate) fn ask(&self, url: &str, ask: &Ask) -> Result<Answer, Trouble> {
        if self.settings.offline {
            return Err(Error::Offline { url: shown(url) }.into());
        }
        let mut answer = Answer { url: url.to_owned(), ..Answer::default() };
        for _ in 0..=REDIRECTS {
            let origin = Origin::of(&answer.url)
                .ok_or_else(|| lasting(&answer.url, "not the URL of a web server"))?;
            let hub = origin == *self.settings.endpoint.origin();
            let response = self.send(&answer.url, &origin, ask)?;
            let (parts, body) = response.into_parts();
            if hub {
                answer.note(&parts.headers);
            }
            if !parts.status.is_redirection() {
                (answer.status, answer.headers, answer.body) =
                    (parts.status.as_u16(), parts.headers, Some(body));
                return self.judge(answer, hub);
            }
            if ask.head && answer.linked_size.is_some() && answer.linked.is_some() {
                return Ok(answer);
            }
            answer.url = redirect(&answer.url, &origin, &parts.headers)?;
        }
        Err(lasting(&answer.url, "redirected more than 10 times"))
    }

    fn send(
        &self,
        url: &str,
        origin: &Origin,
        ask: &Ask,
    ) -> Result<ureq::http::Response<Body>, Trouble> {
        let proxied = if origin.https { &self.https } else { &self.http };
        let agent = match proxied {
            Some(agent) if !self.settings.proxies.bypassed_by(origin) => agent,
            _ => &self.direct,
        };
        let mut request = if ask.head { agent.head(url) } else { agent.get(url) };
        if let Some((start, end)) = ask.range {
            request = request.header("range", format!("bytes={start}-{}", end.saturating_sub(1)));
        }
        if let Some(etag) = &ask.if_range {
            request = request.header("if-range", etag);
        }
        if self.token_use(origin) == TokenUse::Sent
            && let Some(token) = &self.settings.token
        {
            request = request.header("authorization", token.header());
        }
        request.call().map_err(|error| self.explain(url, error))
    }

    /// Only the hub gets the token, and not where others on the way could read it.
    fn token_use(&self, origin: &Origin) -> TokenUse {
        let hub = self.settings.endpoint.origin();
        match &self.settings.token {
            Some(_) if origin == hub && (origin.https || origin.is_loopback()) => TokenUse::Sent,
            Some(_) => TokenUse::Withheld,
            None => TokenUse::None,
        }
    }

    fn judge(&self, answer: Answer, hub: bool) -> Result<Answer, Trouble> {
        let url = shown(&answer.url);
        let status = answer.status;
        let name = StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason());
        let reason = format!("HTTP {status} {}", name.unwrap_or_default());
        match status {
            200 | 206 => Ok(answer),
            401 | 403 if hub => Err(Trouble::Lasting(Error::Denied {
                url,
                status,
                message: answer.message(),
                token: self.token_use(self.settings.endpoint.origin()),
                page: self.settings.endpoint.to_string(),
            })),
            404 | 410 if hub => Err(Trouble::Lasting(Error::NotFound {
                url,
                status,
                message: answer.message(),
                what: String::new(),
            })),
            // Elsewhere these are of links that are signed for a time, and asking the hub gives a new one.
            401 | 403 | 404 | 410 | 408 | 416 | 425 | 429 | 500..=599 => Err(Trouble::Passing {
                url,
                reason,
                wait: asked_wait(&answer.headers, SystemTime::now()),
            }),
            _ => Err(lasting(&answer.url, &format!("{reason}, expected 200 or 206"))),
        }
    }

    /// What a failure of the connection means.
    fn explain(&self, url: &str, error: ureq::Error) -> Trouble {
        if let Some(reason) = self.roots.distrust(&error) {
            return Error::Tls { url: shown(url), reason }.into();
        }
        match error {
            ureq::Error::Timeout(kind) => {
                Trouble::passing(url, timed_out(kind, self.settings.timeout))
            }
            ureq::Error::HostNotFound => Trouble::passing(url, "the host is not found"),
            ureq::Error::Http(_) | ureq::Error::BadUri(_) => lasting(url, &error.to_string()),
            other => Trouble::passing(url, other.to_string()),
        }
    }
}

pub(crate) fn lasting(url: &str, reason: &str) -> Trouble {
    Error::Answer { url: shown(url), file: String::new(), reason: reason.to_owned() }.into()
}

pub(crate) fn timed_out(kind: Timeout, limit: Duration) -> String {
    let what = match kind {
        Timeout::Resolve => "the host's address was not found",
        Timeout::Connect => "no connection was made",
        _ => "nothing came",
    };
    format!("{what} within {} s", limit.as_secs_f64())
}

fn redirect(from: &str, origin: &Origin, headers: &HeaderMap) -> Result<String, Trouble> {
    let Some(location) = headers.get("location") else {
        return Err(lasting(from, "a redirect without Location"));
    };
    let to = location.to_str().ok().and_then(|location| join(from, location));
    let to =
        to.ok_or_else(|| lasting(from, "a redirect to what is not the URL of a web server"))?;
    if origin.https && Origin::of(&to).is_none_or(|to| !to.https) {
        return Err(lasting(from, &format!("a redirect from https to {}", shown(&to))));
    }
    Ok(to)
}
