use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

/// Where the host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Its Unix socket. Everything can be asked there.
    Unix(PathBuf),
    /// Its loopback TCP address. Nobody vouches for the caller there, so some things are refused.
    Tcp(SocketAddr),
}

impl Address {
    /// The variable that names the socket.
    pub const VARIABLE: &'static str = "TIDEGATE_SOCKET";
    /// The socket of `tidegate dev` in the working directory.
    pub const DEFAULT: &'static str = "./tidegate-dev/tidegate.sock";

    /// The socket that `TIDEGATE_SOCKET` names, else `./tidegate-dev/tidegate.sock`.
    pub fn from_env() -> Self {
        let named = std::env::var_os(Self::VARIABLE).filter(|path| !path.is_empty());
        Self::Unix(named.map_or_else(|| PathBuf::from(Self::DEFAULT), PathBuf::from))
    }
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of a host: give the path of its socket, or http://127.0.0.1:PORT")]
pub struct InvalidAddress(String);

impl FromStr for Address {
    type Err = InvalidAddress;

    /// `http://IP:PORT`, or the path of a socket.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        // Not whole: it may have any length.
        let invalid = || InvalidAddress(text.chars().take(80).collect());
        match text.strip_prefix("http://") {
            Some(rest) => {
                let address = rest.trim_end_matches('/').replace("localhost:", "127.0.0.1:");
                address.parse().map(Self::Tcp).map_err(|_| invalid())
            }
            None if text.is_empty() || text.contains("://") => Err(invalid()),
            None => Ok(Self::Unix(text.into())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(address) => write!(f, "http://{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_path_or_a_loopback_url() {
        assert_eq!("/run/t.sock".parse(), Ok(Address::Unix("/run/t.sock".into())));
        for text in ["http://127.0.0.1:7070", "http://localhost:7070/"] {
            assert_eq!(text.parse(), Ok(Address::Tcp(([127, 0, 0, 1], 7070).into())));
        }
        for bad in ["", "https://127.0.0.1:1", "http://example.org", "ftp://x"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
