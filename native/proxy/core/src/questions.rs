//! weir.authorization.Questions -> Answers.

use prost::Message as _;

use crate::address::Address;
use crate::authorize::{Question, authorize};
use crate::error::{Error, Invalid, each};
use crate::explain::explain;
use crate::snapshot::Snapshot;
use crate::wire::authorization as wire;

/// Answers what the agent asks; nothing is cached or counted.
pub fn answer(snapshot: &Snapshot, questions: &[u8]) -> Result<Vec<u8>, Error> {
    let wire = wire::Questions::decode(questions).map_err(|cause| Error::Undecodable { what: "questions", cause })?;
    let questions: Vec<Question> = each("connections", wire.connections, Question::parse)?;
    let answers = questions.iter().map(|question| answer_one(snapshot, question, wire.explain)).collect();
    Ok(wire::Answers { version: snapshot.version(), answers }.encode_to_vec())
}

fn answer_one(snapshot: &Snapshot, question: &Question, explained: bool) -> wire::Answer {
    let verdict = authorize(snapshot, question);
    wire::Answer {
        action: verdict.enforced.action as u32,
        reason: verdict.enforced.reason as u32,
        policy: verdict.enforced.policy,
        rule: verdict.enforced.rule,
        dry_run_action: verdict.dry_run.action as u32,
        dry_run_policy: verdict.dry_run.policy,
        dry_run_rule: verdict.dry_run.rule,
        considered: if explained { explain(snapshot, question) } else { Vec::new() },
    }
}

impl Question {
    fn parse(wire: wire::Connection) -> Result<Question, Invalid> {
        let port =
            u16::try_from(wire.port).map_err(|_| Invalid::new("port", format_args!("{} is no port", wire.port)))?;
        Ok(Question {
            source_workload: wire.source_workload,
            source: Address::parse(&wire.source).map_err(|e| Invalid::new("source", e))?,
            destination_workload: wire.destination_workload,
            destination: Address::parse(&wire.destination).map_err(|e| Invalid::new("destination", e))?,
            port,
        })
    }
}
