//! Keeps web pages out. A browser on this machine can be made to send requests to loopback addresses by any page that
//! it shows; it then says so in `Origin`, `Sec-Fetch-Site`, or in a `Host` that a rebound name stands in.

use axum::http::{HeaderMap, header};
use tidegate_core::{Code, quoted};

use super::{Failure, Peer};

/// Whether this request may be looked at.
///
/// # Errors
/// It comes from a web page of another origin, or asks over TCP for a host that is not this machine by name.
pub(crate) fn check(peer: Peer, headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(header::HOST);
    if matches!(peer, Peer::Tcp(_)) && !host.is_some_and(is_loopback) {
        let given = host.map_or_else(|| "missing".to_owned(), |host| quoted(host).to_string());
        let detail = format!("the Host header is {given}; over TCP it must be localhost, 127.0.0.1 or [::1]");
        return Err(Failure::new(Code::Stranger, detail));
    }
    if let Some(origin) = text(header::ORIGIN) {
        let authority = origin.strip_prefix("http://");
        if authority.is_none() || authority != host {
            let detail = format!("the request comes from the web page of another origin, {}", quoted(origin));
            return Err(Failure::new(Code::Stranger, detail));
        }
    }
    match text(header::HeaderName::from_static("sec-fetch-site")) {
        None | Some("same-origin" | "none") => Ok(()),
        Some(site) => {
            Err(Failure::new(Code::Stranger, format!("the request comes from another web page ({})", quoted(site))))
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) if port.is_empty() || is_port(port) => name,
            _ => return false,
        },
        None => match host.find(':').map(|at| host.split_at(at)) {
            Some((name, port)) if is_port(port) => name,
            Some(_) => return false,
            None => host,
        },
    };
    name == "127.0.0.1" || name == "::1" || name.eq_ignore_ascii_case("localhost")
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(peer: Peer, pairs: &[(&'static str, &str)]) -> bool {
        let headers = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        check(peer, &headers).is_ok()
    }

    #[test]
    fn over_tcp_only_names_of_this_machine_are_answered() {
        for good in ["localhost", "LOCALHOST:7070", "127.0.0.1:7070", "[::1]:7070", "[::1]"] {
            assert!(asked(Peer::Tcp(None), &[("host", good)]), "{good}");
        }
        for bad in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:7070", "localhost:x", "[::1]x", ""]
        {
            assert!(!asked(Peer::Tcp(None), &[("host", bad)]), "{bad}");
        }
        assert!(!asked(Peer::Tcp(None), &[]));
        assert!(asked(Peer::Unix(None), &[]));
    }

    #[test]
    fn a_foreign_web_page_is_refused_on_every_socket() {
        for peer in [Peer::Tcp(None), Peer::Unix(None)] {
            let host = ("host", "localhost:7070");
            assert!(asked(peer, &[host, ("origin", "http://localhost:7070"), ("sec-fetch-site", "same-origin")]));
            assert!(!asked(peer, &[host, ("origin", "http://localhost:3000")]));
            assert!(!asked(peer, &[host, ("origin", "https://evil.example")]));
            assert!(!asked(peer, &[host, ("origin", "null")]));
            assert!(!asked(peer, &[host, ("sec-fetch-site", "cross-site")]));
        }
    }
}
