//! An HTTP client as `object_store` would make it from the same settings, but for two things: it takes any body, so that
//! uploads can be paced, and it keeps no time itself.

use std::{net::SocketAddr, str::FromStr, time::Duration};

use object_store::{
    ClientConfigKey as Key, ClientOptions,
    client::{HttpError, HttpErrorKind},
};
use reqwest::{
    Certificate, Client, ClientBuilder, NoProxy, Proxy,
    dns::{Addrs, Name, Resolve, Resolving},
};

const USER_AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// Makes a client. What can't be set by text (root certificates of our own, fixed headers) is never set here.
///
/// # Errors
/// A setting that is none.
pub(super) fn build(options: &ClientOptions) -> Result<Client, String> {
    let mut builder = Client::builder()
        .user_agent(options.get_config_value(&Key::UserAgent).unwrap_or_else(|| USER_AGENT.to_owned()))
        .https_only(!yes(options, Key::AllowHttp)?)
        .tls_danger_accept_invalid_certs(yes(options, Key::AllowInvalidCertificates)?)
        .http2_keep_alive_while_idle(yes(options, Key::Http2KeepAliveWhileIdle)?);
    if yes(options, Key::NoSystemCertificates)? {
        builder = builder.tls_certs_only([]);
    }
    if yes(options, Key::Http1Only)? {
        builder = builder.http1_only();
    }
    if yes(options, Key::Http2Only)? {
        builder = builder.http2_prior_knowledge();
    }
    if yes(options, Key::RandomizeAddresses)? {
        builder = builder.dns_resolver(Shuffle);
    }
    if let Some(time) = duration(options, Key::ConnectTimeout)? {
        builder = builder.connect_timeout(time);
    }
    if let Some(time) = duration(options, Key::ReadTimeout)? {
        builder = builder.read_timeout(time);
    }
    if let Some(time) = duration(options, Key::PoolIdleTimeout)? {
        builder = builder.pool_idle_timeout(time);
    }
    if let Some(time) = duration(options, Key::Http2KeepAliveInterval)? {
        builder = builder.http2_keep_alive_interval(time);
    }
    if let Some(time) = duration(options, Key::Http2KeepAliveTimeout)? {
        builder = builder.http2_keep_alive_timeout(time);
    }
    if let Some(most) = number(options, Key::PoolMaxIdlePerHost)? {
        builder = builder.pool_max_idle_per_host(most);
    }
    if let Some(size) = number(options, Key::Http2MaxFrameSize)? {
        builder = builder.http2_max_frame_size(Some(size));
    }
    proxied(builder, options)?.build().map_err(|error| error.to_string())
}

fn proxied(mut builder: ClientBuilder, options: &ClientOptions) -> Result<ClientBuilder, String> {
    let Some(url) = options.get_config_value(&Key::ProxyUrl) else { return Ok(builder) };
    let mut proxy = Proxy::all(url).map_err(|_| "proxy_url is not valid".to_owned())?;
    if let Some(excludes) = options.get_config_value(&Key::ProxyExcludes) {
        proxy = proxy.no_proxy(NoProxy::from_string(&excludes));
    }
    if let Some(pem) = options.get_config_value(&Key::ProxyCaCertificate) {
        let wrong = |_| "proxy_ca_certificate is no PEM certificate".to_owned();
        builder = builder.tls_certs_merge([Certificate::from_pem(pem.as_bytes()).map_err(wrong)?]);
    }
    Ok(builder.proxy(proxy))
}

/// How long a request may take, if there is a bound.
pub(super) fn deadline(options: &ClientOptions) -> Result<Option<Duration>, String> {
    duration(options, Key::Timeout)
}

fn yes(options: &ClientOptions, key: Key) -> Result<bool, String> {
    let text = options.get_config_value(&key).unwrap_or_default().to_ascii_lowercase();
    match text.as_str() {
        "1" | "true" | "on" | "yes" | "y" => Ok(true),
        "" | "0" | "false" | "off" | "no" | "n" => Ok(false),
        _ => Err(wrong(&key, &text)),
    }
}

fn duration(options: &ClientOptions, key: Key) -> Result<Option<Duration>, String> {
    let text = options.get_config_value(&key);
    text.map(|text| humantime::parse_duration(&text).map_err(|_| wrong(&key, &text))).transpose()
}

fn number<T: FromStr>(options: &ClientOptions, key: Key) -> Result<Option<T>, String> {
    let text = options.get_config_value(&key);
    text.map(|text| text.parse().map_err(|_| wrong(&key, &text))).transpose()
}

fn wrong(key: &Key, text: &str) -> String {
    format!("{} can't be {text:?}", key.as_ref())
}

/// Addresses in any order: the load is spread over the servers behind a name.
struct Shuffle;

impl Resolve for Shuffle {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let mut found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            fastrand::shuffle(&mut found);
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// A failure in `object_store`'s words, which say whether it is worth another try. As it does itself; without the URL,
/// which may hold a signature.
pub(super) fn failed(error: reqwest::Error) -> HttpError {
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_decode() {
        HttpErrorKind::Decode
    } else {
        std::iter::successors(std::error::Error::source(&error), |error| error.source())
            .find_map(kind)
            .unwrap_or(HttpErrorKind::Unknown)
    };
    HttpError::new(kind, error.without_url())
}

fn kind(error: &(dyn std::error::Error + 'static)) -> Option<HttpErrorKind> {
    use std::io::ErrorKind as Io;
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        if error.is_closed() || error.is_incomplete_message() || error.is_body_write_aborted() {
            return Some(HttpErrorKind::Request);
        }
        if error.is_timeout() {
            return Some(HttpErrorKind::Timeout);
        }
    }
    match error.downcast_ref::<std::io::Error>()?.kind() {
        Io::TimedOut => Some(HttpErrorKind::Timeout),
        Io::ConnectionAborted | Io::ConnectionReset | Io::BrokenPipe | Io::UnexpectedEof => {
            Some(HttpErrorKind::Interrupted)
        }
        _ => None,
    }
}
