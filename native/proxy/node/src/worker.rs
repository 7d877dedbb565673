//! A thread for what blocks: V8's must not, and the proxy's carry connections. Work is done in the order it came.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::Builder;

use napi::{Error, Result, Status};

type Work = Box<dyn FnOnce() + Send>;

/// Ends when dropped, after what it has taken.
pub(crate) struct Worker(SyncSender<Work>);

/// The agent waits for each delta, so that more than a few never wait here.
const QUEUE_LENGTH: usize = 64;

impl Worker {
    pub(crate) fn new(name: &str) -> Result<Worker> {
        let (sender, receiver) = sync_channel::<Work>(QUEUE_LENGTH);
        let thread = Builder::new().name(name.to_owned()).spawn(move || receiver.into_iter().for_each(|work| work()));
        thread.map_err(|e| Error::new(Status::GenericFailure, format!("cannot start the thread {name}: {e}")))?;
        Ok(Worker(sender))
    }

    pub(crate) fn run(&self, work: impl FnOnce() + Send + 'static) -> Result<()> {
        self.0.try_send(Box::new(work)).map_err(|error| {
            let reason = match error {
                TrySendError::Full(_) => "64 calls wait already: wait for one to resolve before making the next",
                TrySendError::Disconnected(_) => "its thread has ended, which is a bug: restart the agent",
            };
            Error::new(Status::QueueFull, format!("the node proxy takes no more work: {reason}"))
        })
    }
}
