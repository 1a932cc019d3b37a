//! The servers: one task for the listening socket, one for each connection. With more
//! workers, each executor has a listening socket of its own, which is glommio's way.

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::{TcpListener, TcpStream};
use glommio::{LocalExecutorPoolBuilder, PoolPlacement};
use harness::http::{answers, Heads, CHUNK};
use harness::serve::{count, pause_after, start, start_each};
use harness::{fail, Options, Report};
use std::io::Result;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::sync::{Mutex, PoisonError};

pub fn serve(options: &'static Options) -> Report {
    if options.workers == 1 {
        let listener = start(options);
        return crate::rt::alone(accept(listener, options.workload));
    }
    // Each executor takes one of the sockets.
    static SOCKETS: Mutex<Vec<std::net::TcpListener>> = Mutex::new(Vec::new());
    let lock = || SOCKETS.lock().unwrap_or_else(PoisonError::into_inner);
    *lock() = start_each(options, options.workers);
    let pool = LocalExecutorPoolBuilder::new(PoolPlacement::Unbound(options.workers));
    let executors = pool.on_all_shards(move || {
        let mine = lock().pop().expect("as many sockets as executors");
        accept(mine, options.workload)
    });
    let executors = executors.unwrap_or_else(|error| fail(&format!("no executors: {error}")));
    for ended in executors.join_all() {
        if let Err(error) = ended {
            fail(&format!("an executor has ended: {error}").replace('\n', " "));
        }
    }
    fail("the executors have ended")
}

async fn accept(listener: std::net::TcpListener, workload: &'static str) -> Report {
    // A non-blocking listener would make the ring's accept fail with EAGAIN.
    if let Err(error) = listener.set_nonblocking(false) {
        fail(&format!("cannot serve: {error}"));
    }
    let listener = unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) };
    loop {
        match listener.accept().await {
            Ok(stream) if workload == "http" => {
                glommio::spawn_local(http(stream)).detach();
            }
            Ok(stream) => {
                glommio::spawn_local(echo(stream)).detach();
            }
            Err(error) => glommio::timer::sleep(pause_after(&error.into())).await,
        }
    }
}

/// Whatever goes wrong with a connection ends it, and nothing else.
async fn echo(mut stream: TcpStream) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        count(1);
        stream.write_all(&buffer[..n]).await?;
    }
}

async fn http(mut stream: TcpStream) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut heads = Heads::default();
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        let complete = heads.feed(&buffer[..n]);
        if complete > 0 {
            stream.write_all(answers(complete)).await?;
            count(complete as u64);
        }
    }
}
