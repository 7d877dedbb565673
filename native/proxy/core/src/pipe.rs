//! Moves bytes from socket to socket inside the kernel, through a pipe, for connections in the middle of something big.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Result;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use crate::socket::Socket;

/// Two descriptors, and what is between them.
pub(crate) struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
    held: usize,
}

/// What one pipe holds at most.
pub(crate) const PIPE_BYTES: usize = 1024 * 1024;
/// In the process; a connection that gets none copies.
const PIPES_MAX: usize = 64;
/// Kept by each thread for the next.
const IDLE_MAX: usize = 4;
// The process ignores SIGPIPE, as Node.js does; there is no flag against it here.
const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);

static PIPES: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static IDLE: RefCell<Vec<Pipe>> = const { RefCell::new(Vec::new()) };
}

impl Pipe {
    /// An empty one; None when there are too many, or no descriptors.
    pub(crate) fn take() -> Option<Pipe> {
        IDLE.with_borrow_mut(Vec::pop).or_else(Pipe::open)
    }

    fn open() -> Option<Pipe> {
        if PIPES.fetch_add(1, Ordering::Relaxed) >= PIPES_MAX {
            PIPES.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let Ok((reader, writer)) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK) else {
            PIPES.fetch_sub(1, Ordering::Relaxed);
            return None;
        };
        // A smaller one works as well, only slower.
        let _ = fcntl_setpipe_size(&writer, PIPE_BYTES);
        Some(Pipe { reader, writer, held: 0 })
    }

    /// Takes what the socket has; 0 when its peer has finished.
    pub(crate) fn fill(&mut self, from: &Socket) -> Result<usize> {
        let bytes = splice(from, None, &self.writer, None, PIPE_BYTES, FLAGS)?;
        self.held += bytes;
        Ok(bytes)
    }

    /// Gives the socket what it takes.
    pub(crate) fn drain(&mut self, to: &Socket) -> Result<usize> {
        let bytes = splice(&self.reader, None, to, None, self.held, FLAGS)?;
        self.held -= bytes.min(self.held);
        Ok(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// For the next; one that still holds something is closed with it.
    pub(crate) fn give_back(self) {
        if self.is_empty() {
            IDLE.with_borrow_mut(|idle| {
                if idle.len() < IDLE_MAX {
                    idle.push(self);
                }
            });
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        PIPES.fetch_sub(1, Ordering::Relaxed);
    }
}
