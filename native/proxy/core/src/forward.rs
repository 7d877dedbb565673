//! Carries bytes both ways until both ends have finished, or one has reset.
//!
//! An idle connection owns no buffer: a thread has one, data is read into it and written on at once, and only what the
//! other end would not take is kept. While something is kept, nothing more is read, so a slow reader slows its sender;
//! when many are slow, less is read at a time, so that what all of them keep stays bounded.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rustix::io::Errno;

use crate::authorize::Permit;
use crate::pipe::Pipe;
use crate::socket::Socket;

/// Bytes carried, by direction.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) to_server: AtomicU64,
    pub(crate) to_client: AtomicU64,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Both ends finished, and closing the sockets ends them cleanly.
    Finished,
    /// One end reset; closing the sockets resets the other.
    Reset,
}

pub(crate) const BUFFER_BYTES: usize = 128 * 1024;
/// What all connections together may keep for slow readers before reads get small.
const KEPT_MAX: usize = 64 * 1024 * 1024;
const BUFFER_BYTES_UNDER_PRESSURE: usize = 4 * 1024;
/// A read of at least this is a large one.
const LARGE_BYTES: usize = 16 * 1024;
/// After so much in large reads in a row, more is expected.
const BIG_BYTES: usize = 4 * 1024 * 1024;
/// Full turns before others on the same thread get theirs.
const TURNS_MAX: u32 = 16;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into());
}

/// Bytes kept for slow readers, of all connections.
static KEPT: AtomicUsize = AtomicUsize::new(0);

/// What one turn did.
enum Step {
    /// So many bytes, all of which the other end took.
    Moved(usize),
    /// Nothing: the socket is empty.
    Empty,
    Finished,
    /// What the other end would not take.
    Left(Kept),
    /// The same, in the kernel.
    Piped(Pipe),
}

/// Whether a direction is in the middle of something big: then its bytes go through the kernel only, which costs more for
/// small reads and less for large ones.
#[derive(Default)]
struct Pace(usize);

/// Bytes on their way to a slow reader.
struct Kept(Box<[u8]>);

/// Only with a permit.
pub(crate) async fn forward(_permit: Permit, client: &Socket, server: &Socket, carried: &Carried) -> End {
    let both = async {
        tokio::try_join!(relay(client, server, &carried.to_server), relay(server, client, &carried.to_client))
    };
    // The relays come first: what was sent before a reset is still delivered.
    let result = tokio::select! {
        biased;
        result = both => result.map(|_| ()),
        result = client.failed() => result,
        result = server.failed() => result,
    };
    if result.is_err() {
        return End::Reset;
    }
    client.end_cleanly();
    server.end_cleanly();
    End::Finished
}

async fn relay(from: &Socket, to: &Socket, carried: &AtomicU64) -> io::Result<()> {
    let mut pace = Pace::default();
    let mut turns = 0;
    loop {
        let step = {
            let mut ready = from.readable().await?;
            let (step, drained) = match pace.is_big().then(Pipe::take).flatten() {
                Some(pipe) => pass_through(pipe, from, to, carried)?,
                None => BUFFER.with_borrow_mut(|buffer| pass(from, to, window(buffer), carried))?,
            };
            if drained {
                ready.clear_ready();
            }
            step
        };
        match step {
            Step::Moved(bytes) => pace.moved(bytes),
            Step::Empty => {}
            Step::Finished => return Ok(to.finish()?),
            Step::Left(rest) => deliver(to, &rest.0, carried).await?,
            Step::Piped(pipe) => deliver_piped(to, pipe, carried).await?,
        }
        turns += 1;
        if turns % TURNS_MAX == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// One read and one write. Also answers whether the read emptied the socket, which saves asking it again.
fn pass(from: &Socket, to: &Socket, buffer: &mut [u8], carried: &AtomicU64) -> io::Result<(Step, bool)> {
    let read = match from.receive(buffer) {
        Ok(0) => return Ok((Step::Finished, false)),
        Ok(read) => read,
        Err(error) => return nothing_read(error),
    };
    let drained = read < buffer.len();
    let bytes = buffer.get(..read).unwrap_or_default();
    let written = some(to.send(bytes))?;
    carried.fetch_add(written as u64, Ordering::Relaxed);
    match bytes.get(written..) {
        None | Some([]) => Ok((Step::Moved(read), drained)),
        Some(rest) => Ok((Step::Left(Kept::new(rest)), drained)),
    }
}

/// The same through a pipe.
fn pass_through(mut pipe: Pipe, from: &Socket, to: &Socket, carried: &AtomicU64) -> io::Result<(Step, bool)> {
    let read = match pipe.fill(from) {
        Ok(0) => return Ok((Step::Finished, false)),
        Ok(read) => read,
        Err(error) => {
            pipe.give_back();
            return nothing_read(error);
        }
    };
    while !pipe.is_empty() {
        let written = some(pipe.drain(to))?;
        carried.fetch_add(written as u64, Ordering::Relaxed);
        if written == 0 {
            return Ok((Step::Piped(pipe), false));
        }
    }
    pipe.give_back();
    Ok((Step::Moved(read), false))
}

fn nothing_read(error: Errno) -> io::Result<(Step, bool)> {
    match error {
        Errno::AGAIN => Ok((Step::Empty, true)),
        Errno::INTR => Ok((Step::Empty, false)),
        error => Err(error.into()),
    }
}

/// As much of the buffer as may be read into now.
fn window(buffer: &mut [u8]) -> &mut [u8] {
    if KEPT.load(Ordering::Relaxed) < KEPT_MAX {
        return buffer;
    }
    let bytes = buffer.len().min(BUFFER_BYTES_UNDER_PRESSURE);
    buffer.split_at_mut(bytes).0
}

async fn deliver(to: &Socket, mut rest: &[u8], carried: &AtomicU64) -> io::Result<()> {
    while !rest.is_empty() {
        let mut ready = to.writable().await?;
        let written = some(to.send(rest))?;
        carried.fetch_add(written as u64, Ordering::Relaxed);
        rest = rest.get(written..).unwrap_or_default();
        if !rest.is_empty() {
            ready.clear_ready();
        }
    }
    Ok(())
}

async fn deliver_piped(to: &Socket, mut pipe: Pipe, carried: &AtomicU64) -> io::Result<()> {
    while !pipe.is_empty() {
        let mut ready = to.writable().await?;
        let written = some(pipe.drain(to))?;
        carried.fetch_add(written as u64, Ordering::Relaxed);
        if written == 0 {
            ready.clear_ready();
        }
    }
    pipe.give_back();
    Ok(())
}

/// 0 when the socket takes nothing now.
fn some(written: rustix::io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        written => Ok(written?),
    }
}

impl Pace {
    fn moved(&mut self, bytes: usize) {
        self.0 = if bytes >= LARGE_BYTES { self.0.saturating_add(bytes) } else { 0 };
    }

    fn is_big(&self) -> bool {
        self.0 >= BIG_BYTES
    }
}

impl Kept {
    fn new(bytes: &[u8]) -> Kept {
        KEPT.fetch_add(bytes.len(), Ordering::Relaxed);
        Kept(bytes.into())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        KEPT.fetch_sub(self.0.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "forward/tests.rs"]
mod tests;
