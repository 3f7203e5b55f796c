//! Where a server is.

use remotemedia_core::error::{Error, Result, detail};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// Where a server is: `host:port`, `http://host:port`, `https://host:port` or `unix:/path`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// By TCP.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// Whether it says `https`.
        secure: bool,
    },
    /// By a socket of the file system.
    Unix(PathBuf),
}

impl Endpoint {
    /// Reads what a manifest says.
    ///
    /// # Errors
    /// `remote.endpoint` for what is none.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path.is_empty() {
                true => Err(wrong(text)),
                false => Ok(Self::Unix(path.into())),
            };
        }
        let (secure, rest) = match text.split_once("://") {
            Some(("http" | "grpc", rest)) => (false, rest),
            Some(("https" | "grpcs", rest)) => (true, rest),
            Some(_) => return Err(wrong(text)),
            None => (false, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| wrong(text))?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().map_err(|_| wrong(text))?;
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        if host.is_empty() || !host.chars().all(fits) {
            return Err(wrong(text));
        }
        Ok(Self::Tcp { host: host.to_owned(), port, secure })
    }

    /// Whether nobody on the way can listen: a socket of the file system, or this very machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => {
                host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
        }
    }

    /// Whether it asks for TLS.
    pub fn is_secure(&self) -> bool {
        matches!(self, Self::Tcp { secure: true, .. })
    }

    /// What HTTP calls it.
    pub(crate) fn authority(&self) -> String {
        match self {
            // A path is no name of a host, and some servers refuse it.
            Self::Unix(_) => "localhost".to_owned(),
            Self::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port, .. } => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { secure: true, .. } => write!(f, "https://{}", self.authority()),
            Self::Tcp { .. } => f.write_str(&self.authority()),
        }
    }
}

fn wrong(text: &str) -> Error {
    Error::new(detail::REMOTE_ENDPOINT, format!("'{text}' is no endpoint"))
        .with_hint("write host:port, https://host:port or unix:/path")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_as_people_write_them() {
        for (text, shown, local) in [
            ("localhost:50051", "localhost:50051", true),
            ("http://127.0.0.1:1/", "127.0.0.1:1", true),
            ("https://media.example:443", "https://media.example:443", false),
            ("[::1]:50051", "[::1]:50051", true),
            ("unix:/run/rmedia.sock", "unix:/run/rmedia.sock", true),
            ("unix:///run/rmedia.sock", "unix:/run/rmedia.sock", true),
        ] {
            let endpoint = Endpoint::parse(text).expect(text);
            assert_eq!((endpoint.to_string().as_str(), endpoint.is_local()), (shown, local));
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in
            ["", "host", "host:", ":1", "host:99999", "ftp://host:1", "unix:", "a b:1", "host:x"]
        {
            let error = Endpoint::parse(text).expect_err(text);
            assert_eq!(error.detail(), detail::REMOTE_ENDPOINT);
        }
    }
}
