//! What can go wrong, in sentences that say where and what to do.

use std::fmt;
use std::io;

/// Every error that leaves this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a message of proto/weir.
    #[error("the {what} cannot be decoded ({cause}): agent and proxy.node are of different builds, build both again")]
    Undecodable {
        /// Which message.
        what: &'static str,
        /// What prost says.
        cause: prost::DecodeError,
    },
    /// A well-formed message that says something impossible. Nothing of it was applied.
    #[error("the snapshot was refused: {0}")]
    Invalid(#[from] Invalid),
    /// A system call failed.
    #[error("cannot {step}: {cause}")]
    System {
        /// What was tried.
        step: String,
        /// Why it failed.
        cause: io::Error,
    },
    /// Started without maps, as an evaluator only.
    #[error("this proxy evaluates only: start it with the datapath's maps to capture pods")]
    EvaluatorOnly,
    /// After drain or close.
    #[error("the node proxy is stopping and takes no new pods")]
    Stopping,
}

impl Error {
    /// For `map_err`: says what was tried.
    pub(crate) fn system<C: Into<io::Error>>(step: impl Into<String>) -> impl FnOnce(C) -> Error {
        move |cause| Error::System { step: step.into(), cause: cause.into() }
    }
}

/// A field that cannot be what it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct Invalid {
    field: String,
    problem: String,
}

impl Invalid {
    /// A sentence about one field.
    pub(crate) fn new(field: impl Into<String>, problem: impl fmt::Display) -> Invalid {
        Invalid { field: field.into(), problem: problem.to_string() }
    }

    fn within(self, outer: &str, index: usize) -> Invalid {
        let separator = if self.field.is_empty() { "" } else { "." };
        Invalid { field: format!("{outer}[{index}]{separator}{}", self.field), problem: self.problem }
    }
}

/// Parses a repeated field; an error says which element.
pub(crate) fn each<T, U, C: FromIterator<U>>(
    field: &str,
    items: Vec<T>,
    parse: impl Fn(T) -> Result<U, Invalid>,
) -> Result<C, Invalid> {
    items.into_iter().enumerate().map(|(index, item)| parse(item).map_err(|e| e.within(field, index))).collect()
}
