//! What every server of the lab does alike: the listening socket, the line that says
//! where, the count of requests, and the way out.

use crate::{fail, Options};
use std::cell::Cell;
use std::io::{Error, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// To be called by the main thread before it starts any other. Returns the listening
/// socket, non-blocking, after it has said where it listens.
pub fn start(options: &'static Options) -> TcpListener {
    start_each(options, 1).remove(0)
}

/// The same for runtimes where each thread has a socket of its own: the kernel deals the
/// connections out among `count` sockets at one port (SO_REUSEPORT).
pub fn start_each(options: &'static Options, count: usize) -> Vec<TcpListener> {
    raise_fd_limit();
    wait_for_signal(options.stats);
    let mut port = options.port;
    let mut listeners = Vec::with_capacity(count);
    for _ in 0..count {
        let listener = listen(port, count > 1)
            .unwrap_or_else(|error| fail(&format!("cannot listen on 127.0.0.1:{port}: {error}")));
        port = match listener.local_addr() {
            Ok(address) => address.port(),
            Err(error) => fail(&format!("cannot ask for the port: {error}")),
        };
        listeners.push(listener);
    }
    println!("listening on 127.0.0.1:{port}");
    let _ = std::io::stdout().flush();
    listeners
}

fn listen(port: u16, shared: bool) -> Result<TcpListener, Error> {
    let ok = |result| match result {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    };
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let fd = unsafe { libc::socket(libc::AF_INET, kind, 0) };
    if fd < 0 {
        return Err(Error::last_os_error());
    }
    let listener = unsafe { TcpListener::from_raw_fd(fd) }; // closes it on an error
    let set = |level, option, value: i32| {
        let size = size_of::<i32>() as libc::socklen_t;
        let value = (&raw const value).cast();
        ok(unsafe { libc::setsockopt(fd, level, option, value, size) })
    };
    set(libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    if shared {
        set(libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    // Accepted sockets inherit this one: no system call for each connection.
    set(libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    address.sin_addr.s_addr = u32::from(Ipv4Addr::LOCALHOST).to_be();
    let size = size_of_val(&address) as libc::socklen_t;
    ok(unsafe { libc::bind(fd, (&raw const address).cast(), size) })?;
    ok(unsafe { libc::listen(fd, 4096) })?;
    debug_assert!(matches!(listener.local_addr(), Ok(SocketAddr::V4(_))));
    debug_assert_eq!(listener.as_raw_fd(), fd);
    Ok(listener)
}

/// How long to leave `accept` alone after it failed. Without descriptors it fails at
/// once, again and again: a server that simply tries again does nothing else.
pub fn pause_after(error: &Error) -> Duration {
    match error.raw_os_error() {
        Some(libc::ECONNABORTED | libc::EINTR | libc::EPROTO) => Duration::ZERO,
        _ => Duration::from_millis(10),
    }
}

/// Ten thousand connections need ten thousand descriptors; take what we may have.
fn raise_fd_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

/// Blocks SIGTERM and SIGINT here and, by inheritance, in every later thread, and lets
/// one thread of its own wait for them: that costs a runtime nothing while it serves.
fn wait_for_signal(stats: bool) {
    let mut leave: libc::sigset_t = unsafe { std::mem::zeroed() };
    unsafe {
        libc::sigemptyset(&mut leave);
        libc::sigaddset(&mut leave, libc::SIGTERM);
        libc::sigaddset(&mut leave, libc::SIGINT);
        libc::pthread_sigmask(libc::SIG_BLOCK, &leave, std::ptr::null_mut());
    }
    let waits = std::thread::Builder::new().name("signals".to_string());
    let started = waits.spawn(move || {
        let mut signal = 0;
        unsafe { libc::sigwait(&leave, &mut signal) };
        if stats {
            let (user, sys) = crate::clock::user_sys_ns();
            let us = (user + sys) / 1_000;
            println!("stats: requests={} syscalls=0 cpu_us={us}", counted());
        }
        crate::leave(0)
    });
    if let Err(error) = started {
        fail(&format!("cannot start the thread for signals: {error}"));
    }
}

thread_local! {
    static MINE: Cell<Option<&'static AtomicU64>> = const { Cell::new(None) };
}
static ALL: Mutex<Vec<&'static AtomicU64>> = Mutex::new(Vec::new());

/// So many requests (or, for echo, receives that delivered bytes) more. Each thread has
/// a counter of its own: one for all would be a cache line that the threads fight for.
pub fn count(requests: u64) {
    let mine = MINE.get().unwrap_or_else(|| {
        let mine = &Box::leak(Box::new(Line(AtomicU64::new(0)))).0;
        ALL.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(mine);
        MINE.set(Some(mine));
        mine
    });
    // Only this thread writes it: no atomic addition is needed.
    mine.store(mine.load(Ordering::Relaxed) + requests, Ordering::Relaxed);
}

#[repr(align(128))]
struct Line(AtomicU64);

fn counted() -> u64 {
    let all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    all.iter()
        .map(|counter| counter.load(Ordering::Relaxed))
        .sum()
}
