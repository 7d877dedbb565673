//! A live connection, as its task, the sweeper and a policy change see it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;

use crate::clock;
use crate::forward::Carried;
use crate::kernel::{TcpHealth, tcp_health};
use crate::record::{Kind, Record, Side};
use crate::route::{Role, Route};
use crate::socket::Socket;
use crate::verdict::Verdict;

pub(crate) struct Connection {
    /// Of the first end's records; the second end has the next number.
    pub(crate) id: u64,
    /// The captured pod whose listener accepted it.
    pub(crate) pod: u32,
    pub(crate) route: Route,
    pub(crate) client: Socket,
    pub(crate) server: OnceLock<Socket>,
    pub(crate) carried: Carried,
    verdict: Mutex<Verdict>,
    opened_ns: u64,
    reported_ns: AtomicU64,
    reported_bytes: AtomicU64,
    ended: AtomicBool,
    end: Notify,
}

impl Connection {
    pub(crate) fn new(id: u64, pod: u32, route: Route, client: Socket) -> Connection {
        let opened_ns = clock::now_ns();
        Connection {
            id,
            pod,
            route,
            client,
            server: OnceLock::new(),
            carried: Carried::default(),
            verdict: Mutex::default(),
            opened_ns,
            reported_ns: AtomicU64::new(opened_ns),
            reported_bytes: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            end: Notify::new(),
        }
    }

    /// Resets both ends at once, on whichever thread. Answers false when it had been done before.
    pub(crate) fn reset(&self) -> bool {
        if self.ended.swap(true, Ordering::SeqCst) {
            return false;
        }
        self.client.reset();
        if let Some(server) = self.server.get() {
            server.reset();
        }
        self.end.notify_one();
        true
    }

    /// Whether `reset` was called.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Ends when `reset` is called.
    pub(crate) async fn ended(&self) {
        self.end.notified().await;
    }

    pub(crate) fn verdict(&self) -> Verdict {
        *self.lock()
    }

    /// Replaces the verdict. The lock is held meanwhile, so that of two judgements the later one sees the newer policy.
    pub(crate) fn judge(&self, evaluate: impl FnOnce(Verdict) -> Verdict) -> Verdict {
        let mut verdict = self.lock();
        *verdict = evaluate(*verdict);
        *verdict
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.carried.to_server.load(Ordering::Relaxed) + self.carried.to_client.load(Ordering::Relaxed)
    }

    /// Whether it has grown and was last reported longer ago than this; then it counts as reported now.
    pub(crate) fn is_due(&self, now_ns: u64, interval_ns: u64) -> bool {
        let due = now_ns.saturating_sub(self.reported_ns.load(Ordering::Relaxed)) >= interval_ns;
        let bytes = self.bytes();
        if !due || bytes == self.reported_bytes.load(Ordering::Relaxed) {
            return false;
        }
        self.reported_ns.store(now_ns, Ordering::Relaxed);
        self.reported_bytes.store(bytes, Ordering::Relaxed);
        true
    }

    /// The records of this node's ends, as things are now.
    pub(crate) fn records(&self, kind: Kind, flags: u8) -> impl Iterator<Item = Record> {
        let now_ns = clock::now_ns();
        let health = self.health();
        (self.id..).zip(self.route.role.sides()).map(move |(id, side)| Record {
            time_ns: now_ns,
            connection: id,
            health,
            flags: flags | self.route.role.record_flags(),
            ..self.record(kind, *side)
        })
    }

    /// The one record of a refusal.
    pub(crate) fn denial(&self) -> Record {
        let flags = self.route.role.record_flags();
        Record { flags, ..self.record(Kind::Deny, self.route.role.refusing_side()) }
    }

    fn record(&self, kind: Kind, side: Side) -> Record {
        let Route { client, server, dialled, source_workload, destination_workload, service, .. } = self.route;
        let time_ns = clock::now_ns();
        Record {
            time_ns,
            connection: self.id,
            duration_ns: if kind == Kind::Open { 0 } else { time_ns.saturating_sub(self.opened_ns) },
            bytes_to_server: self.carried.to_server.load(Ordering::Relaxed),
            bytes_to_client: self.carried.to_client.load(Ordering::Relaxed),
            client,
            server,
            dialled: if side == Side::Source { dialled } else { crate::address::OrigDst(server.0) },
            kind,
            side,
            flags: 0,
            source_workload,
            destination_workload,
            service,
            health: TcpHealth::default(),
            verdict: self.verdict(),
        }
    }

    /// Of the socket that has the network behind it, rather than the pod it stands in.
    fn health(&self) -> TcpHealth {
        let far = match self.route.role {
            Role::Arriving => Some(&self.client),
            Role::Local | Role::Departing { .. } => self.server.get(),
        };
        far.and_then(tcp_health).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Verdict> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
