//! The shapes of src/native/proxy.ts.
#![allow(missing_docs, reason = "src/native/proxy.ts says what each is")]

use napi::bindgen_prelude::BigInt;
use napi_derive::napi;
use weir_proxy::Stats;

use crate::allocation;

#[napi(object)]
pub struct MapDescriptors {
    pub verdicts: i32,
    pub listeners: i32,
    pub heartbeat: i32,
    pub sk_origin: i32,
    pub sk_exempt: i32,
}

#[napi(object)]
pub struct ProxyOptions {
    pub threads: u32,
    pub maps: Option<MapDescriptors>,
}

#[napi(object)]
pub struct ProxyPod {
    pub workload: u32,
    pub netns: String,
    pub slot: u32,
    pub ipv6: bool,
}

#[napi(object)]
pub struct ProxyStats {
    pub connections: f64,
    pub connections_total: f64,
    pub refused_total: f64,
    pub dial_failures_total: f64,
    pub revoked_total: f64,
    pub bytes_total: f64,
    pub records_lost_total: f64,
    pub verdict_writes_total: f64,
    pub verdict_write_failures_total: f64,
    pub descriptors: f64,
    pub descriptor_limit: f64,
    pub snapshot_version: BigInt,
    pub allocated_bytes: f64,
}

impl From<&ProxyOptions> for weir_proxy::ProxyOptions {
    fn from(options: &ProxyOptions) -> weir_proxy::ProxyOptions {
        weir_proxy::ProxyOptions {
            threads: options.threads as usize,
            maps: options.maps.as_ref().map(|maps| weir_proxy::MapDescriptors {
                verdicts: maps.verdicts,
                listeners: maps.listeners,
                heartbeat: maps.heartbeat,
                sk_origin: maps.sk_origin,
                sk_exempt: maps.sk_exempt,
            }),
        }
    }
}

impl From<ProxyPod> for weir_proxy::PodOptions {
    fn from(pod: ProxyPod) -> weir_proxy::PodOptions {
        weir_proxy::PodOptions { workload: pod.workload, netns: pod.netns, slot: pod.slot, ipv6: pod.ipv6 }
    }
}

impl From<Stats> for ProxyStats {
    /// JavaScript's numbers are exact to 2^53: 9 petabytes.
    #[allow(clippy::cast_precision_loss, reason = "said above")]
    fn from(stats: Stats) -> ProxyStats {
        ProxyStats {
            connections: stats.connections as f64,
            connections_total: stats.connections_total as f64,
            refused_total: stats.refused_total as f64,
            dial_failures_total: stats.dial_failures_total as f64,
            revoked_total: stats.revoked_total as f64,
            bytes_total: stats.bytes_total as f64,
            records_lost_total: stats.records_lost_total as f64,
            verdict_writes_total: stats.verdict_writes_total as f64,
            verdict_write_failures_total: stats.verdict_write_failures_total as f64,
            descriptors: stats.descriptors as f64,
            descriptor_limit: stats.descriptor_limit as f64,
            snapshot_version: stats.snapshot_version.into(),
            allocated_bytes: allocation::bytes() as f64,
        }
    }
}
