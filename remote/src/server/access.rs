//! Whom a server lets in, and what they may use. Can be changed while it serves.

use super::config::Config;
use remotemedia_core::error::{Error, Result, detail};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;
use tonic::metadata::MetadataMap;

/// What a client is known by.
#[derive(Clone)]
pub struct Token {
    secret: String,
    name: Option<String>,
    expires: Option<SystemTime>,
    admin: bool,
}

impl fmt::Debug for Token {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .field("expires", &self.expires)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

impl Token {
    /// A token that does not expire.
    pub fn new(secret: &str) -> Self {
        Self { secret: secret.to_owned(), name: None, expires: None, admin: false }
    }

    /// Reads a file of tokens, one a line: the token, and behind it, where they are wanted,
    /// `name=NAME` (tokens of the same name are one client), `expires=TIME` (RFC 3339) and `admin` (may
    /// end the server). Empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// `argument.invalid` for a line that says something else, and for a file without a token.
    pub fn read(text: &str) -> Result<Vec<Self>> {
        let wrong = |line: usize, what: String| {
            let message = format!("line {line} of the tokens: {what}");
            Error::new(detail::ARGUMENT_INVALID, message)
                .with_hint("write: TOKEN [name=NAME] [expires=2027-01-31T12:00:00Z] [admin]")
        };
        let mut tokens = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let mut words = line.split_whitespace();
            let Some(secret) = words.next().filter(|word| !word.starts_with('#')) else { continue };
            let mut token = Self::new(secret);
            for word in words {
                match word.split_once('=') {
                    None if word == "admin" => token.admin = true,
                    Some(("name", name)) if !name.is_empty() => token.name = Some(name.to_owned()),
                    Some(("expires", time)) => {
                        let time = humantime::parse_rfc3339(time);
                        token.expires = Some(time.map_err(|e| wrong(index + 1, format!("{e}")))?);
                    }
                    _ => return Err(wrong(index + 1, format!("'{word}' is not known"))),
                }
            }
            tokens.push(token);
        }
        match tokens.is_empty() {
            true => Err(Error::new(detail::ARGUMENT_INVALID, "there is no token among the tokens")),
            false => Ok(tokens),
        }
    }

    /// Looked at to its end, whatever differs: how long that takes tells nothing.
    fn is(&self, secret: &str) -> bool {
        let pairs = self.secret.bytes().zip(secret.bytes());
        let differ = pairs.fold(0, |differ, (a, b)| differ | (a ^ b));
        differ == 0 && self.secret.len() == secret.len()
    }

    fn has_expired(&self) -> bool {
        self.expires.is_some_and(|time| time <= SystemTime::now())
    }
}

/// A client that was let in.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    token: Option<Token>,
}

impl Who {
    /// Whose its sessions are.
    pub(crate) fn name(&self) -> &str {
        let token = self.token.as_ref();
        token.map_or("", |token| token.name.as_deref().unwrap_or(&token.secret))
    }
}

struct Rules {
    tokens: Vec<Token>,
    nodes: Option<Vec<String>>,
}

/// The rules that are in force.
pub(super) struct Access(RwLock<Arc<Rules>>);

impl Access {
    pub(super) fn new(config: &Config) -> Self {
        let rules = Rules { tokens: config.tokens.clone(), nodes: config.nodes.clone() };
        Self(RwLock::new(Arc::new(rules)))
    }

    /// Puts other rules in force.
    pub(super) fn change(&self, config: &Config) {
        let rules = Rules { tokens: config.tokens.clone(), nodes: config.nodes.clone() };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The node types that may be used; `None`: all but those that use files.
    pub(super) fn nodes(&self) -> Option<Vec<String>> {
        self.rules().nodes.clone()
    }

    /// Who asks, by what the call brings along.
    ///
    /// # Errors
    /// `remote.auth` when it may not.
    pub(super) fn admit(&self, metadata: &MetadataMap) -> Result<Who> {
        let rules = self.rules();
        if rules.tokens.is_empty() {
            return Ok(Who { token: None });
        }
        let said = metadata.get("authorization").and_then(|value| value.to_str().ok());
        let said =
            said.ok_or_else(|| refused("the server asks for a token, and the call has none"))?;
        let secret = said.strip_prefix("Bearer ").unwrap_or_default();
        let found: Vec<&Token> = rules.tokens.iter().filter(|token| token.is(secret)).collect();
        let token = found.first().ok_or_else(|| refused("the token is not known"))?;
        if token.has_expired() {
            return Err(refused("the token has expired"));
        }
        Ok(Who { token: Some((*token).clone()) })
    }

    /// Checks that a client is still let in.
    ///
    /// # Errors
    /// `remote.auth`: its token has expired, or has been withdrawn.
    pub(super) fn still_admits(&self, who: &Who) -> Result<()> {
        let rules = self.rules();
        let Some(token) = &who.token else {
            return match rules.tokens.is_empty() {
                true => Ok(()),
                false => Err(refused("the server asks for a token now")),
            };
        };
        match rules.tokens.iter().find(|known| known.is(&token.secret)) {
            Some(known) if known.has_expired() => Err(refused("the token has expired")),
            Some(_) => Ok(()),
            None => Err(refused("the token has been withdrawn")),
        }
    }

    /// Checks that a client may look after the server. Without tokens those may who reach its socket in
    /// the file system.
    ///
    /// # Errors
    /// `remote.auth` when it may not.
    pub(super) fn allow_admin(&self, who: &Who, by_socket: bool) -> Result<()> {
        match &who.token {
            Some(token) if token.admin => Ok(()),
            None if by_socket => Ok(()),
            Some(_) => Err(refused("the token is not an administrator's")),
            None => Err(refused("the server has no tokens, so nobody is an administrator")),
        }
    }
}

fn refused(why: &str) -> Error {
    Error::new(detail::REMOTE_AUTH, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(text: &str) -> Access {
        let mut config = Config::at("127.0.0.1:0");
        config.tokens = Token::read(text).expect("tokens");
        Access::new(&config)
    }

    fn with(secret: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", format!("Bearer {secret}").parse().expect("a header"));
        metadata
    }

    #[test]
    fn tokens_have_names_and_an_end() {
        let access = access(
            "# who may come\n\nalpha name=anna expires=2999-01-01T00:00:00Z\nbeta name=anna admin\n\
             gamma expires=2020-01-01T00:00:00Z\n",
        );
        let anna = access.admit(&with("alpha")).expect("she may");
        let other = access.admit(&with("beta")).expect("she may");
        assert_eq!((anna.name(), other.name()), ("anna", "anna"));
        assert!(
            access.allow_admin(&anna, true).is_err() && access.allow_admin(&other, false).is_ok()
        );
        for (secret, why) in [("gamma", "expired"), ("alph", "not known"), ("", "not known")] {
            let error = access.admit(&with(secret)).expect_err(secret);
            assert!(error.message().contains(why), "{error:?}");
        }
        assert!(access.admit(&MetadataMap::new()).is_err());
    }

    #[test]
    fn who_was_let_in_is_not_any_more_once_the_token_is_withdrawn() {
        let access = access("alpha\nbeta\n");
        let who = access.admit(&with("alpha")).expect("it may");
        assert!(access.still_admits(&who).is_ok());
        let mut config = Config::at("127.0.0.1:0");
        config.tokens = vec![Token::new("beta")];
        access.change(&config);
        assert!(access.still_admits(&who).is_err());
        config.tokens.clear();
        access.change(&config);
        assert!(access.still_admits(&who).is_err(), "it came with a token that is known no more");
    }

    #[test]
    fn what_a_line_of_tokens_does_not_know_is_refused() {
        for text in ["", "# nothing\n", "a b\n", "a expires=soon\n", "a name=\n", "a expires\n"] {
            assert!(Token::read(text).is_err(), "{text:?}");
        }
    }
}
