//! The layouts that cross to the kernel and to TypeScript, held against bpf/abi.h by a C compiler.

use std::process::Command;

use super::*;
use crate::address::{Address, Endpoint};
use crate::maps::{EXEMPTION_BYTES, ORIGIN_BYTES};
use crate::verdict::{Action, Outcome, Reason, VERDICT_BYTES, VERDICT_KEY_BYTES};

fn endpoint(last: u8, port: u16) -> Endpoint {
    Endpoint { address: Address::from(std::net::IpAddr::from([10, 0, 0, last])), port }
}

pub(crate) fn record() -> Record {
    Record {
        time_ns: 1,
        connection: 2,
        duration_ns: 3,
        bytes_to_server: 4,
        bytes_to_client: 5,
        client: ClientAddr(endpoint(1, 0x0101)),
        server: ServerAddr(endpoint(2, 0x0202)),
        dialled: OrigDst(endpoint(3, 0x0303)),
        kind: Kind::Close,
        side: Side::Destination,
        flags: FLAG_RESET,
        source_workload: 6,
        destination_workload: 7,
        service: 8,
        health: TcpHealth { rtt_us: 9, retransmits: 10 },
        verdict: Verdict {
            enforced: Outcome { action: Action::Deny, reason: Reason::DenyRule, policy: 11, rule: 12 },
            dry_run: Outcome { action: Action::Allow, reason: Reason::AllowRule, policy: 13, rule: 14 },
            generation: 15,
        },
    }
}

#[test]
fn a_record_has_every_field_where_the_layout_says() {
    let mut row = Vec::new();
    record().encode(&mut row);
    assert_eq!(row.len(), RECORD_BYTES);
    let field = |wanted: &str| {
        let (_, offset, size) = RECORD_LAYOUT.iter().find(|(name, ..)| *name == wanted).unwrap();
        row[*offset..offset + size].to_vec()
    };
    for (name, value) in
        [("time_ns", 1u64), ("connection", 2), ("duration_ns", 3), ("bytes_to_server", 4), ("bytes_to_client", 5)]
    {
        assert_eq!(field(name), value.to_ne_bytes(), "{name}");
    }
    for (name, value) in
        [("source_workload", 6u32), ("destination_workload", 7), ("service", 8), ("rtt_us", 9), ("retransmits", 10)]
    {
        assert_eq!(field(name), value.to_ne_bytes(), "{name}");
    }
    for (name, value) in [("kind", 3), ("end", 2), ("path", 3), ("flags", 4)] {
        assert_eq!(field(name), [value], "{name}");
    }
    assert_eq!(field("destination_port"), 0x0202u16.to_ne_bytes());
    assert_eq!(field("dialled")[15], 3);
    let verdict: Vec<u32> =
        field("verdict").chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().unwrap())).collect();
    assert_eq!(verdict, [2, 6, 11, 12, 1, 13, 14, 15]);
}

#[test]
fn the_layouts_are_those_of_abi_h() {
    let mut claims: Vec<(String, usize)> = vec![
        ("sizeof(struct record)".into(), RECORD_BYTES),
        ("sizeof(struct verdict)".into(), VERDICT_BYTES),
        ("sizeof(struct verdict_key)".into(), VERDICT_KEY_BYTES),
        ("sizeof(struct origin)".into(), ORIGIN_BYTES),
        ("sizeof(struct exemption)".into(), EXEMPTION_BYTES),
    ];
    for (name, offset, size) in RECORD_LAYOUT {
        claims.push((format!("offsetof(struct record, {name})"), *offset));
        claims.push((format!("sizeof(((struct record *)0)->{name})"), *size));
    }
    for (place, offset) in [
        ("verdict, policy", 8),
        ("verdict, dry_run_action", 16),
        ("verdict, generation", 28),
        ("verdict_key, source_workload", 32),
        ("verdict_key, destination_workload", 36),
        ("verdict_key, port", 40),
        ("origin, endpoint", 16),
        ("origin, dialled_port", 32),
        ("origin, endpoint_port", 34),
        ("origin, source_workload", 36),
        ("origin, service", 44),
        ("exemption, client_port", 16),
        ("exemption, flags", 20),
        ("exemption, source_workload", 24),
        ("exemption, destination_workload", 28),
    ] {
        claims.push((format!("offsetof(struct {place})"), offset));
    }
    for (name, value) in [
        ("ACTION_DENY", Action::Deny as usize),
        ("REASON_SELF", Reason::Itself as usize),
        ("REASON_NOT_CAPTURED", Reason::NotCaptured as usize),
        ("REASON_DENY_RULE", Reason::DenyRule as usize),
        ("REASON_NO_ALLOW_MATCH", Reason::NoAllowMatch as usize),
        ("REASON_CUSTOM", Reason::Custom as usize),
        ("REASON_CONNECTION_LIMIT", Reason::ConnectionLimit as usize),
        ("REASON_DIAL_FAILED", Reason::DialFailed as usize),
        ("REASON_REVOKED", Reason::Revoked as usize),
        ("REASON_TABLE_FULL", Reason::TableFull as usize),
        ("RECORD_DENY", Kind::Deny as usize),
        ("END_DESTINATION", Side::Destination as usize),
        ("RECORD_FAILED", FLAG_FAILED as usize),
        ("RECORD_CLEARTEXT", FLAG_CLEARTEXT as usize),
        ("RECORD_RESET", FLAG_RESET as usize),
        ("PATH_PROXIED", PATH_PROXIED as usize),
    ] {
        claims.push((name.into(), value));
    }
    compile(&claims);
}

/// Fails with the compiler's words where a claim is not true.
fn compile(claims: &[(String, usize)]) {
    let bpf = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../bpf");
    let mut source = String::from("#include <stddef.h>\n#include \"abi.h\"\n");
    for (claim, value) in claims {
        source.push_str(&format!("_Static_assert({claim} == {value}, \"{claim} is not {value}\");\n"));
    }
    let directory = std::env::temp_dir().join(format!("weir-abi-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("claims.c");
    std::fs::write(&file, source).unwrap();
    let output = Command::new("cc").args(["-fsyntax-only", "-I", bpf]).arg(&file).output().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
