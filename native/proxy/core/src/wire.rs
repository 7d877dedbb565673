//! The messages of proto/weir, as prost made them.
#![allow(missing_docs, clippy::all, reason = "generated")]

pub mod authorization {
    include!(concat!(env!("OUT_DIR"), "/weir.authorization.rs"));
}

pub mod snapshot {
    include!(concat!(env!("OUT_DIR"), "/weir.snapshot.rs"));
}
