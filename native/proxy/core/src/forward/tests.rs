//! Bytes, ends and resets over real sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use super::*;

/// What the test holds of a forwarded connection.
struct Ends {
    client: TcpStream,
    server: TcpStream,
    forward: thread::JoinHandle<(End, u64, u64)>,
}

const PATIENCE: Duration = Duration::from_secs(30);

fn pair() -> (TcpStream, OwnedFd) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    far.set_nonblocking(true).unwrap();
    socket2::SockRef::from(&far).set_linger(Some(Duration::ZERO)).unwrap();
    near.set_read_timeout(Some(PATIENCE)).unwrap();
    near.set_write_timeout(Some(PATIENCE)).unwrap();
    (near, far.into())
}

fn start() -> Ends {
    let ((client, from), (server, to)) = (pair(), pair());
    let forward = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let (from, to) = (Socket::new(from).unwrap(), Socket::new(to).unwrap());
            let carried = Carried::default();
            let permit = crate::Verdict::fixed(crate::Action::Allow, crate::Reason::NoPolicy).permit().unwrap();
            let end = forward(permit, &from, &to, &carried).await;
            (end, carried.to_server.into_inner(), carried.to_client.into_inner())
        })
    });
    Ends { client, server, forward }
}

fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

fn is_reset(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn the_server_may_speak_first_and_each_end_may_finish_first() {
    for client_finishes_first in [true, false] {
        let mut ends = start();
        ends.server.write_all(b"220 ready\n").unwrap();
        let mut greeting = [0; 10];
        ends.client.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"220 ready\n");
        let (first, second) = if client_finishes_first {
            (&mut ends.client, &mut ends.server)
        } else {
            (&mut ends.server, &mut ends.client)
        };
        first.write_all(b"question").unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        let mut question = String::new();
        second.read_to_string(&mut question).unwrap();
        assert_eq!(question, "question");
        second.write_all(b"answer").unwrap();
        second.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        first.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
        let (end, to_server, to_client) = ends.forward.join().unwrap();
        assert_eq!(end, End::Finished);
        assert_eq!(to_server + to_client, 24);
    }
}

#[test]
fn a_reset_of_one_end_is_a_reset_of_the_other() {
    let mut ends = start();
    reset(ends.client);
    assert!(is_reset(&mut ends.server));
    assert_eq!(ends.forward.join().unwrap().0, End::Reset);

    let mut ends = start();
    reset(ends.server);
    assert!(is_reset(&mut ends.client));
    assert_eq!(ends.forward.join().unwrap().0, End::Reset);
}

#[test]
fn a_reset_after_a_half_close_reaches_the_other_end_too() {
    let mut ends = start();
    ends.client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(ends.server.read(&mut [0; 8]).unwrap(), 0);
    reset(ends.client);
    assert_eq!(ends.forward.join().unwrap().0, End::Reset);
    let deadline = Instant::now() + PATIENCE;
    while ends.server.write_all(b"x").is_ok() {
        assert!(Instant::now() < deadline, "the reset did not arrive");
    }
}

#[test]
fn what_was_sent_before_a_reset_is_still_delivered() {
    let mut ends = start();
    ends.client.write_all(b"last words").unwrap();
    let mut words = [0; 10];
    ends.server.read_exact(&mut words).unwrap();
    reset(ends.client);
    assert_eq!(&words, b"last words");
    assert!(is_reset(&mut ends.server));
}

#[test]
fn a_slow_reader_slows_its_sender_and_little_is_kept() {
    let mut ends = start();
    ends.client.set_nonblocking(true).unwrap();
    let block = [7; 65536];
    let (mut sent, mut quiet) = (0usize, 0);
    while quiet < 20 {
        match ends.client.write(&block) {
            Ok(written) => (sent, quiet) = (sent + written, 0),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                quiet += 1;
                thread::sleep(Duration::from_millis(10));
            }
        }
        assert!(sent < 64 << 20, "no back-pressure after {sent} bytes");
    }
    assert!(KEPT.load(Ordering::Relaxed) <= 16 * BUFFER_BYTES, "each test keeps one buffer at most");
    ends.client.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    ends.server.read_to_end(&mut received).unwrap();
    assert!(received.len() == sent && received.iter().all(|byte| *byte == 7));
    drop(ends.server);
    drop(ends.client);
    ends.forward.join().unwrap();
}

#[test]
fn many_megabytes_arrive_whole_in_both_directions_at_once() {
    const BLOCK: usize = 251 * 401; // no multiple of any buffer
    const BLOCKS: usize = 320;
    const BYTES: usize = BLOCK * BLOCKS;
    let ends = start();
    let block: std::sync::Arc<[u8]> = (0..=250u8).cycle().take(BLOCK).collect();
    let (sent, expected) = (block.clone(), block);
    let send = move |mut stream: TcpStream| {
        (0..BLOCKS).for_each(|_| stream.write_all(&sent).unwrap());
        stream.shutdown(Shutdown::Write).unwrap();
    };
    let receive = move |mut stream: TcpStream| {
        let mut data = Vec::new();
        stream.read_to_end(&mut data).unwrap();
        assert!(data.len() == BYTES && data.chunks_exact(BLOCK).all(|block| *block == *expected));
    };
    let streams = [ends.client.try_clone().unwrap(), ends.server.try_clone().unwrap()];
    let senders: Vec<_> = streams
        .into_iter()
        .map(|stream| {
            let send = send.clone();
            thread::spawn(move || send(stream))
        })
        .collect();
    let receivers: Vec<_> = [ends.client, ends.server]
        .into_iter()
        .map(|stream| {
            let receive = receive.clone();
            thread::spawn(move || receive(stream))
        })
        .collect();
    for task in senders.into_iter().chain(receivers) {
        task.join().unwrap();
    }
    assert_eq!(ends.forward.join().unwrap(), (End::Finished, BYTES as u64, BYTES as u64));
}

#[test]
fn a_pipe_moves_what_it_was_given_and_no_more() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _within = runtime.enter();
    let ((mut near, from), (mut far, to)) = (pair(), pair());
    let (from, to) = (Socket::new(from).unwrap(), Socket::new(to).unwrap());
    let mut pipe = Pipe::take().unwrap();
    assert_eq!(pipe.fill(&from).unwrap_err(), Errno::AGAIN);
    near.write_all(b"through the kernel").unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    assert_eq!(pipe.fill(&from).unwrap(), 18);
    assert_eq!((pipe.is_empty(), pipe.drain(&to).unwrap(), pipe.is_empty()), (false, 18, true));
    assert_eq!(pipe.fill(&from).unwrap(), 0);
    to.finish().unwrap();
    let mut received = String::new();
    far.read_to_string(&mut received).unwrap();
    assert_eq!(received, "through the kernel");
}
