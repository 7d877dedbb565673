//! TCP sockets as the proxy uses them: non-blocking, and reset when the process dies.
//!
//! SO_LINGER{1,0} stays on until both directions have ended, so that a killed agent is a reset to the apps and never a
//! clean end of half an answer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::{self, RecvFlags, SendFlags, Shutdown, SocketFlags};
use socket2::{Domain, Protocol, TcpKeepalive, Type};
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use crate::address::Endpoint;
use crate::kernel;

/// A connected socket, or one that listens.
pub(crate) struct Socket(AsyncFd<OwnedFd>);

/// Twice the kernel's usual cap, so that the namespace's somaxconn decides.
const BACKLOG: i32 = 8192;
/// A peer that vanished without a word is noticed within about 7 minutes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(180);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// A listener on the loopback address of a family, at a port of the kernel's choice. Accepted sockets inherit its options.
pub(crate) fn listener(ipv6: bool) -> io::Result<socket2::Socket> {
    let socket = own_socket(ipv6)?;
    // Loopback may be down, or IPv6 disabled; nobody reaches the listener by its address anyway.
    let loopback: IpAddr = if ipv6 {
        socket.set_only_v6(true)?;
        socket.set_freebind_v6(true)?;
        Ipv6Addr::LOCALHOST.into()
    } else {
        socket.set_freebind_v4(true)?;
        Ipv4Addr::LOCALHOST.into()
    };
    socket.bind(&SocketAddr::new(loopback, 0).into())?;
    Ok(socket)
}

/// Starts to listen; what marks the socket must have been set before.
pub(crate) fn listen(socket: &socket2::Socket) -> io::Result<()> {
    socket.listen(BACKLOG)?;
    // For what it accepts, at ports of the kernel side's choice: an app may bind one of them all the same. Not before it
    // listens, or an app could have the listener's own port.
    socket.set_reuse_address(true)
}

/// A socket with the proxy's options, not connected.
pub(crate) fn own_socket(ipv6: bool) -> io::Result<socket2::Socket> {
    let domain = if ipv6 { Domain::IPV6 } else { Domain::IPV4 };
    let socket = socket2::Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL))?;
    Ok(socket)
}

impl Socket {
    /// Within a runtime.
    pub(crate) fn new(descriptor: OwnedFd) -> io::Result<Socket> {
        Ok(Socket(kernel::watch(descriptor)?))
    }

    /// The next connection and who it is from.
    pub(crate) async fn accept(&self) -> io::Result<(OwnedFd, Endpoint)> {
        const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);
        loop {
            let mut ready = self.0.readable().await?;
            match net::acceptfrom_with(&self.0, FLAGS) {
                Ok((socket, peer)) => return Ok((socket, endpoint(peer)?)),
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                // The client gave up while it waited in the backlog.
                Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Connects a socket of `own_socket`.
    pub(crate) async fn connect(socket: socket2::Socket, to: Endpoint) -> io::Result<Socket> {
        match socket.connect(&SocketAddr::from(to).into()) {
            Ok(()) => return Socket::new(socket.into()),
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        let socket = Socket::new(socket.into())?;
        let _ready = socket.0.writable().await?;
        net::sockopt::socket_error(&socket)??;
        Ok(socket)
    }

    /// The address and port this end has.
    pub(crate) fn local(&self) -> io::Result<Endpoint> {
        endpoint(Some(net::getsockname(&self.0)?))
    }

    pub(crate) async fn readable(&self) -> io::Result<AsyncFdReadyGuard<'_, OwnedFd>> {
        self.0.readable().await
    }

    pub(crate) async fn writable(&self) -> io::Result<AsyncFdReadyGuard<'_, OwnedFd>> {
        self.0.writable().await
    }

    /// Ends when the peer has reset the connection.
    pub(crate) async fn failed(&self) -> io::Result<()> {
        let _ready = self.0.ready(Interest::ERROR).await?;
        Err(io::ErrorKind::ConnectionReset.into())
    }

    pub(crate) fn receive(&self, buffer: &mut [u8]) -> rustix::io::Result<usize> {
        net::recv(self, buffer, RecvFlags::empty()).map(|(bytes, _)| bytes)
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> rustix::io::Result<usize> {
        net::send(self, bytes, SendFlags::NOSIGNAL)
    }

    /// Sends FIN.
    pub(crate) fn finish(&self) -> rustix::io::Result<()> {
        net::shutdown(self, Shutdown::Write)
    }

    /// From now on, closing ends the connection cleanly.
    pub(crate) fn end_cleanly(&self) {
        // Where the socket is gone already there is nothing left to end.
        let _ = net::sockopt::set_socket_linger(self, None);
    }

    /// Resets the connection at once, whoever else is waiting on it.
    pub(crate) fn reset(&self) {
        // Fails only on a socket that is not connected any more.
        let _ = net::connect_unspec(self);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

fn endpoint(address: Option<net::SocketAddrAny>) -> io::Result<Endpoint> {
    let address = address.ok_or(io::ErrorKind::NotConnected)?;
    Ok(SocketAddr::try_from(address)?.into())
}
