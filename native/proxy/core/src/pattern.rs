//! The string matches of Istio: exact, prefix, suffix, presence.

use std::fmt;

use crate::error::Invalid;
use crate::wire::snapshot as wire;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    Exact(Box<str>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Present,
}

impl Pattern {
    pub(crate) fn parse(wire: wire::StringMatch) -> Result<Pattern, Invalid> {
        use wire::string_match::Match;
        match wire.r#match {
            Some(Match::Exact(text)) => Ok(Pattern::Exact(text.into())),
            Some(Match::Prefix(text)) => Ok(Pattern::Prefix(text.into())),
            Some(Match::Suffix(text)) => Ok(Pattern::Suffix(text.into())),
            Some(Match::Present(true)) => Ok(Pattern::Present),
            Some(Match::Present(false)) => Err(Invalid::new("present", "false, it can only be true")),
            None => Err(Invalid::new("match", "is not set")),
        }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Pattern::Exact(exact) => text == &**exact,
            Pattern::Prefix(prefix) => text.starts_with(&**prefix),
            Pattern::Suffix(suffix) => text.ends_with(&**suffix),
            Pattern::Present => !text.is_empty(),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Exact(text) => f.write_str(text),
            Pattern::Prefix(text) => write!(f, "{text}*"),
            Pattern::Suffix(text) => write!(f, "*{text}"),
            Pattern::Present => f.write_str("*"),
        }
    }
}
