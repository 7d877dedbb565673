//! new -> run -> drain -> close.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::accept::Acceptor;
use crate::clock;
use crate::connections::SWEEP_INTERVAL;
use crate::error::Error;
use crate::heartbeat;
use crate::maps::{MapDescriptors, Maps};
use crate::namespace::Home;
use crate::plane::{Plane, Shared};
use crate::pod::{Pod, PodOptions};
use crate::questions::answer;
use crate::record::Kind;
use crate::records::Deliver;
use crate::socket::Socket;
use crate::stats::Stats;
use crate::threads::{Running, Threads};

/// How to start.
#[derive(Clone, Copy, Debug)]
pub struct ProxyOptions {
    /// Worker threads, at least 1.
    pub threads: usize,
    /// Absent: an evaluator only.
    pub maps: Option<MapDescriptors>,
}

/// The node proxy, on threads of its own.
pub struct Proxy {
    plane: Shared,
    home: Home,
    threads: Arc<Threads>,
    /// None once closed.
    running: Mutex<Option<Running>>,
    /// By workload. None once draining.
    pods: Mutex<Option<HashMap<u32, Captured>>>,
    /// One delta at a time.
    applying: Mutex<()>,
}

/// Longer than a handshake inside a pod takes.
const LAST_ACCEPTS: Duration = Duration::from_secs(1);

/// The accept loops of a pod; they end with this.
struct Captured(Vec<AbortHandle>);

impl Proxy {
    /// Starts the threads. Needs nothing of the kernel without maps.
    pub fn new(options: &ProxyOptions) -> Result<Proxy, Error> {
        let maps = options.maps.as_ref().map(Maps::open).transpose()?;
        let plane = Arc::new(Plane::new(maps));
        plane.descriptors.refresh();
        let home = Home::new()?;
        let (threads, running) = Threads::start(options.threads)?;
        heartbeat::start(&plane, &threads);
        threads.any().spawn(report(plane.clone()));
        Ok(Proxy {
            plane,
            home,
            threads: Arc::new(threads),
            running: Mutex::new(Some(running)),
            pods: Mutex::new(Some(HashMap::new())),
            applying: Mutex::new(()),
        })
    }

    /// Applies weir.snapshot.Delta and returns when the kernel's cache is filled and what is no longer allowed is
    /// reset. Blocks for as long; on an error nothing has changed.
    pub fn apply(&self, delta: &[u8]) -> Result<(), Error> {
        let _one_at_a_time = lock(&self.applying);
        let change = self.plane.snapshot.load().apply(delta)?;
        let snapshot = Arc::new(change.snapshot);
        self.plane.snapshot.store(snapshot.clone());
        self.plane.cache_ahead(&snapshot, &change.touched);
        let revoked = self.plane.connections.judge_again(&snapshot);
        self.plane.counters.revoked.add(revoked);
        Ok(())
    }

    /// Opens a pod's listeners and starts to accept. Again for the same pod: replaces them without a gap.
    pub fn capture(&self, options: &PodOptions) -> Result<(), Error> {
        let maps = self.plane.maps.as_ref().ok_or(Error::EvaluatorOnly)?;
        let mut pods = lock(&self.pods);
        let pods = pods.as_mut().ok_or(Error::Stopping)?;
        let (pod, listeners) = Pod::open(&self.home, maps, options)?;
        let captured = self.run(Arc::new(pod), listeners)?;
        pods.insert(options.workload, captured);
        Ok(())
    }

    fn run(&self, pod: Arc<Pod>, listeners: Vec<OwnedFd>) -> Result<Captured, Error> {
        let acceptor = Acceptor { plane: self.plane.clone(), threads: self.threads.clone(), pod };
        let mut captured = Captured(Vec::new());
        for listener in listeners {
            let handle = self.threads.any();
            let _within = handle.enter();
            let listener = Socket::new(listener).map_err(Error::system("watch a listener"))?;
            captured.0.push(handle.spawn(acceptor.clone().run(listener)).abort_handle());
        }
        Ok(captured)
    }

    /// Closes a pod's listeners. Its connections go on, unless they are to be reset.
    pub fn release(&self, workload: u32, reset: bool) {
        let captured = lock(&self.pods).as_mut().and_then(|pods| pods.remove(&workload));
        if reset {
            drop(captured);
            self.plane.connections.reset(Some(workload));
        } else if captured.is_some() {
            // What the kernel handed over before it let the pod go is still to be accepted.
            self.threads.any().spawn(async move {
                let _captured = captured;
                tokio::time::sleep(LAST_ACCEPTS).await;
            });
        }
    }

    /// weir.authorization.Questions -> Answers. Pure.
    pub fn authorize(&self, questions: &[u8]) -> Result<Vec<u8>, Error> {
        answer(&self.plane.snapshot.load(), questions)
    }

    /// Starts delivery of record batches.
    pub fn on_records(&self, deliver: Deliver) {
        let plane = self.plane.clone();
        self.threads.any().spawn(async move { plane.records.deliver(deliver).await });
    }

    /// What is counted.
    pub fn stats(&self) -> Stats {
        self.plane.stats()
    }

    /// Stops accepting, waits for connections until the deadline, resets the rest and says how many those were.
    /// Blocks for as long.
    pub fn drain(&self, deadline: Duration) -> u64 {
        lock(&self.pods).take();
        let plane = self.plane.clone();
        let (sender, receiver) = mpsc::channel();
        self.threads.any().spawn(async move {
            // At the deadline what is left is reset, which is no error.
            let _ = tokio::time::timeout(deadline, plane.connections.none_left()).await;
            let _ = sender.send(plane.connections.reset(None));
        });
        receiver.recv().unwrap_or(0) // the threads have ended, and everything with them
    }

    /// Ends the threads; what is still open is reset.
    pub fn close(&self) {
        lock(&self.pods).take();
        let running = lock(&self.running).take();
        if let Some(running) = running {
            running.close();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close();
    }
}

impl Drop for Captured {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Reports connections that grow, for ever.
async fn report(plane: Shared) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        for connection in plane.connections.due(clock::now_ns()) {
            for record in connection.records(Kind::Update, 0) {
                plane.records.push(&record);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
