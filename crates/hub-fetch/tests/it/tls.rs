//! Encrypted connections, to a server whose certificate nobody else trusts.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hub_fetch::{Error, Settings};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use testkit::hub::{Connection, Running};

use crate::setup::{Case, WEIGHTS, repository};

fn certificate(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/certificates").join(name)
}

fn encrypted() -> impl Fn(TcpStream) -> Box<dyn Connection> {
    let chain = CertificateDer::from_pem_file(certificate("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(certificate("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let config = Arc::new(config);
    move |socket| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        Box::new(StreamOwned::new(connection, socket))
    }
}

fn case(server: &Running, bundle: Option<&Path>) -> Case {
    let url = server.url().replace("http:", "https:");
    let mut settings = Settings::new(url.parse().unwrap());
    settings.ca_bundle = bundle.map(Path::to_owned);
    Case::with(settings)
}

#[test]
fn a_trusted_server_encrypts() {
    let elsewhere = repository().start_wrapped(|_, _| {}, encrypted());
    let url = elsewhere.url().replace("http:", "https:");
    let server = repository().elsewhere(&url).start_wrapped(
        |request, reply| {
            if request.nth == 0 && request.path.ends_with("config.json") {
                reply.cut = Some(3);
            }
        },
        encrypted(),
    );
    let report = case(&server, Some(&certificate("ca.pem"))).works();
    assert_eq!(report.retries, 1);
    assert!(!elsewhere.requests().is_empty());
}

#[test]
fn a_stranger_is_not_asked_again() {
    let server = repository().start_wrapped(|_, _| {}, encrypted());
    let error = case(&server, None).fails();
    assert!(matches!(&error, Error::Tls { .. }), "{error}");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    assert!(server.requests().is_empty());
}

#[test]
fn nobody_is_sent_from_https_to_http() {
    let elsewhere = repository().start(|_, _| {});
    let server = repository().elsewhere(&elsewhere.url()).start_wrapped(|_, _| {}, encrypted());
    let error = case(&server, Some(&certificate("ca.pem"))).fails();
    assert!(error.to_string().contains("a redirect from https to http://"), "{error}");
    assert!(error.to_string().contains(WEIGHTS), "{error}");
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn bundles_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.pem");
    for (text, reason) in [(None, "No such file"), (Some("nothing"), "no certificate in it")] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let mut settings = Settings::new("https://unused".parse().unwrap());
        settings.ca_bundle = Some(path.clone());
        let error = hub_fetch::Hub::new(settings).unwrap_err().to_string();
        assert!(error.contains("REQUESTS_CA_BUNDLE") && error.contains(reason), "{error}");
    }
}
