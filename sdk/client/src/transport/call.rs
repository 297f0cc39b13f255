use std::{fmt::Write, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, header};
use serde::Serialize;

use crate::Error;

/// Bytes of a path with its query. No name of anything comes near; the host takes twice as many for the whole head of a
/// request, and refuses more without a word.
const TARGET_BYTES: usize = 16 << 10;

/// One request, which can be sent more than once.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    target: String,
    body: Bytes,
    content_type: Option<&'static str>,
    headers: Vec<(&'static str, String)>,
    pub(crate) timeout: Option<Duration>,
    /// Sending it twice does no harm beyond sending it once.
    pub(crate) repeatable: bool,
}

impl Call {
    /// A request for the path of these parts: `["v1", "runs", name]`. Parts are percent-encoded, so no name can change
    /// what is asked.
    pub(crate) fn new(method: Method, parts: &[&str]) -> Self {
        let mut target = String::with_capacity(64);
        for part in parts {
            target.push('/');
            encode(part, &mut target);
        }
        Self {
            method,
            target,
            body: Bytes::new(),
            content_type: None,
            headers: Vec::new(),
            timeout: None,
            repeatable: true,
        }
    }

    pub(crate) fn get(parts: &[&str]) -> Self {
        Self::new(Method::GET, parts)
    }

    pub(crate) fn post(parts: &[&str]) -> Self {
        Self::new(Method::POST, parts)
    }

    /// Adds a query parameter.
    pub(crate) fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.target.push(if self.target.contains('?') { '&' } else { '?' });
        self.target.push_str(name);
        self.target.push('=');
        encode(&value.to_string(), &mut self.target);
        self
    }

    /// Adds `wait`, and waits as much longer for the answer.
    pub(crate) fn wait(self, wait: Duration, timeout: Duration) -> Self {
        if wait.is_zero() { self } else { self.query("wait", wait.as_secs_f64()).timeout(wait.saturating_add(timeout)) }
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Must not be sent twice.
    pub(crate) fn once(mut self) -> Self {
        self.repeatable = false;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn json(mut self, value: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(value).map_err(|error| Error::Request(error.to_string()))?;
        self.body = body.into();
        self.content_type = Some("application/json");
        Ok(self)
    }

    pub(crate) fn wasm(mut self, component: Bytes) -> Self {
        self.body = component;
        self.content_type = Some("application/wasm");
        self
    }

    pub(crate) fn request(&self) -> Result<Request<Full<Bytes>>, Error> {
        if self.target.len() > TARGET_BYTES {
            let long = format!("its path has {} bytes, and at most {TARGET_BYTES} are taken", self.target.len());
            return Err(Error::Request(long));
        }
        let mut request =
            Request::builder().method(self.method.clone()).uri(&self.target).header(header::HOST, "localhost");
        if let Some(kind) = self.content_type {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(Full::new(self.body.clone())).map_err(|error| Error::Request(error.to_string()))
    }
}

fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_part_of_the_path() {
        let call = Call::get(&["v1", "runs", "../../livez?x#y é"]).query("page", "a&b");
        assert_eq!(call.target, "/v1/runs/..%2F..%2Flivez%3Fx%23y%20%C3%A9?page=a%26b");
        assert!(call.request().is_ok());
        let long = Call::get(&["v1", "bots", &"x".repeat(100_000)]).request().unwrap_err();
        assert!(matches!(&long, Error::Request(said) if said.contains("at most 16384")), "{long}");
    }
}
