//! The system calls that no safe library has: bpf(2) on maps, TCP_INFO, and taking or watching a descriptor. The only
//! unsafe code of this crate. Every function takes descriptors that are open and slices of the map's sizes.
#![allow(unsafe_code, reason = "bpf(2), TCP_INFO and fcntl(2) by number have no safe wrapper")]

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use tokio::io::unix::AsyncFd;

/// Path quality, from TCP_INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TcpHealth {
    /// Smoothed, microseconds.
    pub(crate) rtt_us: u32,
    pub(crate) retransmits: u32,
}

/// union bpf_attr, for BPF_MAP_*_ELEM.
#[repr(C)]
#[derive(Default)]
struct ElementAttr {
    map_fd: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// union bpf_attr, for BPF_MAP_UPDATE_BATCH.
#[repr(C)]
#[derive(Default)]
struct BatchAttr {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    element_flags: u64,
    flags: u64,
}

const BPF_MAP_LOOKUP_ELEM: libc::c_long = 1;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_MAP_UPDATE_BATCH: libc::c_long = 26;

/// A duplicate of a descriptor another part of the process owns.
pub(crate) fn duplicate(descriptor: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl(2) answers EBADF for a number that is no descriptor.
    let copy = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 0) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Has the runtime watch a descriptor.
pub(crate) fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd stays open and the same until dropped, and AsyncFd lets nobody replace it.
    Ok(unsafe { AsyncFd::register(descriptor) }?)
}

/// One row; None when there is none. `K` and `V` are the map's key and value sizes.
pub(crate) fn map_lookup<const K: usize, const V: usize>(
    map: BorrowedFd<'_>,
    key: &[u8; K],
) -> io::Result<Option<[u8; V]>> {
    let mut value = [0; V];
    let mut attr = ElementAttr {
        map_fd: map.as_raw_fd().cast_unsigned(),
        key: key.as_ptr() as u64,
        value: value.as_mut_ptr() as u64,
        ..ElementAttr::default()
    };
    // SAFETY: key and value outlive the call and have the sizes of the map's.
    match unsafe { bpf(BPF_MAP_LOOKUP_ELEM, &mut attr) } {
        Ok(()) => Ok(Some(value)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes one row.
pub(crate) fn map_update<const K: usize, const V: usize>(
    map: BorrowedFd<'_>,
    key: &[u8; K],
    value: &[u8; V],
) -> io::Result<()> {
    let mut attr = ElementAttr {
        map_fd: map.as_raw_fd().cast_unsigned(),
        key: key.as_ptr() as u64,
        value: value.as_ptr() as u64,
        ..ElementAttr::default()
    };
    // SAFETY: key and value outlive the call, have the sizes of the map's, and are only read.
    unsafe { bpf(BPF_MAP_UPDATE_ELEM, &mut attr) }
}

/// Writes many rows; on an error answers how many were written before it.
pub(crate) fn map_update_batch<const K: usize, const V: usize>(
    map: BorrowedFd<'_>,
    keys: &[[u8; K]],
    values: &[[u8; V]],
) -> Result<(), (usize, io::Error)> {
    let rows = keys.len().min(values.len());
    let mut attr = BatchAttr {
        keys: keys.as_ptr() as u64,
        values: values.as_ptr() as u64,
        count: u32::try_from(rows).unwrap_or(u32::MAX),
        map_fd: map.as_raw_fd().cast_unsigned(),
        ..BatchAttr::default()
    };
    // SAFETY: both arrays have `count` rows of the map's sizes, outlive the call, and are only read.
    let result = unsafe { bpf(BPF_MAP_UPDATE_BATCH, &mut attr) };
    result.map_err(|error| (usize::try_from(attr.count).unwrap_or(0).min(rows), error))
}

/// How the network treats a TCP socket.
pub(crate) fn tcp_health(socket: impl AsFd) -> Option<TcpHealth> {
    // SAFETY: tcp_info is plain numbers, for which zero is a value.
    let mut info: libc::tcp_info = unsafe { zeroed() };
    let mut size = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: the kernel writes at most `size` bytes to `info`, which outlives the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut size,
        )
    };
    (result == 0).then_some(TcpHealth { rtt_us: info.tcpi_rtt, retransmits: info.tcpi_total_retrans })
}

/// # Safety
/// `attr` is the form of bpf_attr that `command` takes, and its pointers are good for what the command does.
unsafe fn bpf<A>(command: libc::c_long, attr: &mut A) -> io::Result<()> {
    // SAFETY: as the caller promises; the kernel reads and writes at most the size given.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<A>()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
