//! What `huggingface_hub` reads from the environment, read the same way.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Endpoint, Error, Proxies, Result, Token};

/// Where to download from, as whom, and how.
///
/// [`Settings::from_env`] reads the variables of the Python library `huggingface_hub`:
///
/// | variable | for |
/// |---|---|
/// | `HF_ENDPOINT` | the hub or a mirror |
/// | `HF_TOKEN`, else `HUGGING_FACE_HUB_TOKEN` | the token |
/// | `HF_TOKEN_PATH`, else `HF_HOME`/token | the file of the token that `hf auth login` writes |
/// | `HF_HUB_DISABLE_IMPLICIT_TOKEN` | no token is sent |
/// | `HF_HUB_DOWNLOAD_TIMEOUT` | seconds of silence after which a connection is given up |
/// | `HF_HUB_OFFLINE` | no network |
/// | `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` | proxies, also in lower case |
/// | `REQUESTS_CA_BUNDLE`, else `CURL_CA_BUNDLE` | a file of certificates to trust besides the system's |
///
/// (`SSL_CERT_FILE` and `SSL_CERT_DIR` replace the system's certificates.)
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The hub.
    pub endpoint: Endpoint,
    /// Who asks.
    pub token: Option<Token>,
    /// How long a connection may be silent, or take to be made.
    pub timeout: Duration,
    /// The ways through which servers are reached.
    pub proxies: Proxies,
    /// Certificates (PEM) to trust besides the system's.
    pub ca_bundle: Option<PathBuf>,
    /// Refuse to use the network.
    pub offline: bool,
}

/// The default of `huggingface_hub`.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Settings {
    /// No token, no proxies, the default timeout of 10 seconds.
    ///
    /// ```
    /// use hub_fetch::{Hub, Settings};
    ///
    /// let hub = Hub::new(Settings::new("https://mirror.example".parse()?))?;
    /// # Ok::<(), hub_fetch::Error>(())
    /// ```
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            token: None,
            timeout: TIMEOUT,
            proxies: Proxies::default(),
            ca_bundle: None,
            offline: false,
        }
    }

    /// Reads the environment of the process.
    ///
    /// # Errors
    ///
    /// When a variable has a value that cannot be, or the token's file cannot be read.
    pub fn from_env() -> Result<Self> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// Reads variables from anywhere.
    ///
    /// # Errors
    ///
    /// As [`Settings::from_env`].
    ///
    /// ```
    /// use hub_fetch::Settings;
    ///
    /// let settings = Settings::from_vars(|name| match name {
    ///     "HF_ENDPOINT" => Some("https://mirror.example".to_owned()),
    ///     "HF_HUB_DOWNLOAD_TIMEOUT" => Some("30".to_owned()),
    ///     _ => None,
    /// })?;
    /// assert_eq!(settings.timeout.as_secs(), 30);
    /// # Ok::<(), hub_fetch::Error>(())
    /// ```
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let get = |name: &str| var(name).filter(|value| !value.trim().is_empty());
        let flag = |name: &str| get(name).is_some_and(|value| is_true(&value));
        let endpoint = get("HF_ENDPOINT").map_or(Ok(Endpoint::default()), |text| text.parse())?;
        let mut settings = Self {
            token: if flag("HF_HUB_DISABLE_IMPLICIT_TOKEN") { None } else { token(&get)? },
            proxies: Proxies::from_vars(get)?,
            ca_bundle: get("REQUESTS_CA_BUNDLE")
                .or_else(|| get("CURL_CA_BUNDLE"))
                .map(PathBuf::from),
            offline: flag("HF_HUB_OFFLINE"),
            ..Self::new(endpoint)
        };
        if let Some(text) = get("HF_HUB_DOWNLOAD_TIMEOUT") {
            settings.timeout = seconds(&text).ok_or_else(|| Error::Setting {
                name: "HF_HUB_DOWNLOAD_TIMEOUT".to_owned(),
                reason: format!("{text:?} is not a time, expected seconds, more than 0"),
            })?;
        }
        Ok(settings)
    }
}

/// What `huggingface_hub` takes for yes.
fn is_true(text: &str) -> bool {
    matches!(text.trim().to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE")
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.trim().parse().ok().filter(|seconds| *seconds > 0.0)?;
    Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero())
}

fn token(get: &impl Fn(&str) -> Option<String>) -> Result<Option<Token>> {
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
        if let Some(text) = get(name) {
            return Token::new(name, &text);
        }
    }
    let home = get("HOME").or_else(|| get("USERPROFILE")).map(PathBuf::from);
    let expand = |text: String| match (text.strip_prefix("~/"), &home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    };
    let cache = || {
        let cache = get("XDG_CACHE_HOME").map(&expand);
        let cache = cache.or_else(|| home.as_ref().map(|home| home.join(".cache")));
        cache.map(|cache| cache.join("huggingface"))
    };
    let file = get("HF_TOKEN_PATH").map(&expand).or_else(|| {
        get("HF_HOME").map(&expand).or_else(cache).map(|home: PathBuf| home.join("token"))
    });
    file.as_deref().map_or(Ok(None), |file: &Path| Token::read(file))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Settings> {
        Settings::from_vars(|name| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn defaults() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.endpoint.to_string(), "https://huggingface.co");
        assert_eq!((settings.timeout, settings.offline), (Duration::from_secs(10), false));
        assert!(settings.token.is_none() && settings.ca_bundle.is_none());
        assert!(!read(&[("HF_ENDPOINT", ""), ("HF_HUB_OFFLINE", "0")]).unwrap().offline);
    }

    #[test]
    fn tokens_come_from_variables_then_files() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        fs::create_dir_all(folder.path().join(".cache/huggingface")).unwrap();
        let other = folder.path().join("other");
        fs::write(folder.path().join(".cache/huggingface/token"), "of_cache\n").unwrap();
        fs::write(folder.path().join("token"), "of_hf_home\n").unwrap();
        fs::write(&other, "of_path").unwrap();
        let other = other.to_str().unwrap();
        let mut vars = vec![("HOME", home)];
        let header = |vars: &[(&str, &str)]| read(vars).unwrap().token.map(|token| token.header());
        assert_eq!(header(&vars).unwrap(), "Bearer of_cache");
        vars.push(("HF_HOME", home));
        assert_eq!(header(&vars).unwrap(), "Bearer of_hf_home");
        vars.push(("HF_TOKEN_PATH", other));
        assert_eq!(header(&vars).unwrap(), "Bearer of_path");
        vars.push(("HUGGING_FACE_HUB_TOKEN", "of_old_variable"));
        assert_eq!(header(&vars).unwrap(), "Bearer of_old_variable");
        vars.push(("HF_TOKEN", " of_variable "));
        assert_eq!(header(&vars).unwrap(), "Bearer of_variable");
        vars.push(("HF_HUB_DISABLE_IMPLICIT_TOKEN", "yes"));
        assert_eq!(header(&vars), None);
        assert_eq!(header(&[("HF_HOME", "~/nowhere"), ("HOME", home)]), None);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let refused = |name: &str, value: &str| {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
            error
        };
        refused("HF_ENDPOINT", "mirror");
        for timeout in ["x", "0", "-1", "nan", "inf", "1e300", "1e-300"] {
            refused("HF_HUB_DOWNLOAD_TIMEOUT", timeout);
        }
        assert!(!refused("HF_TOKEN", "secret token").contains("secret"));
        assert!(!refused("https_proxy", "http://user:secret@[").contains("secret"));
        let settings = read(&[("HF_TOKEN", "secret")]).unwrap();
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
