//! Which servers are believed to be who they say.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use crate::{Error, Result};

/// The certificates of the system and of a file, read once.
pub(crate) struct Roots {
    certificates: RootCerts,
    count: usize,
    provider: Arc<CryptoProvider>,
}

impl Roots {
    /// Those of the system (or of `SSL_CERT_FILE` and `SSL_CERT_DIR`), and those in `bundle`.
    ///
    /// That the system has none is no error before they are needed.
    pub(crate) fn load(bundle: Option<&Path>) -> Result<Self> {
        let system = rustls_native_certs::load_native_certs().certs;
        let mut all: Vec<Certificate<'static>> = system
            .iter()
            .map(|certificate| Certificate::from_der(certificate).to_owned())
            .collect();
        if let Some(path) = bundle {
            let wrong = |reason: String| Error::Setting {
                name: "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE".to_owned(),
                reason: format!("{}: {reason}", path.display()),
            };
            let pem = fs::read(path).map_err(|error| wrong(error.to_string()))?;
            let before = all.len();
            for item in parse_pem(&pem) {
                match item {
                    Ok(PemItem::Certificate(certificate)) => all.push(certificate),
                    Ok(_) => {}
                    Err(error) => return Err(wrong(error.to_string())),
                }
            }
            if all.len() == before {
                return Err(wrong("no certificate in it, expected PEM".to_owned()));
            }
        }
        let count = all.len();
        Ok(Self { certificates: all.into(), count, provider: Arc::new(ring::default_provider()) })
    }

    pub(crate) fn certificates(&self) -> RootCerts {
        self.certificates.clone()
    }

    pub(crate) fn provider(&self) -> Arc<CryptoProvider> {
        Arc::clone(&self.provider)
    }

    /// The reason, if an error is about the server's certificate and not about the connection.
    pub(crate) fn distrust(&self, error: &ureq::Error) -> Option<String> {
        let tls = match error {
            ureq::Error::Rustls(error) => error,
            ureq::Error::Io(error) => error.get_ref()?.downcast_ref::<rustls::Error>()?,
            _ => return None,
        };
        match tls {
            rustls::Error::InvalidCertificate(_) if self.count == 0 => Some(format!(
                "{tls}; this system has no trusted certificates (SSL_CERT_FILE can name a file of them)"
            )),
            rustls::Error::InvalidCertificate(_) => Some(format!(
                "{tls} (REQUESTS_CA_BUNDLE can name a file of certificates to trust besides the system's)"
            )),
            _ => None,
        }
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({} certificates)", self.count)
    }
}
