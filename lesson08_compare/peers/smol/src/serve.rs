//! The servers: one task for the listening socket, one for each connection.

use crate::{local, multi};
use harness::http::{answers, Heads, CHUNK};
use harness::serve::{count, pause_after, start};
use harness::{fail, Options, Report};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use smol::{Async, Timer};
use std::future::Future;
use std::io::Result;

pub fn serve(options: &'static Options) -> Report {
    let listener = start(options);
    let listener =
        Async::new(listener).unwrap_or_else(|error| fail(&format!("cannot serve: {error}")));
    let listener = TcpListener::from(listener);
    let workers = options.workers;
    match (options.mode, options.workload) {
        ("multi", "http") => multi::rt::run(workers, accept(listener, http, multi::rt::detach)),
        ("multi", _) => multi::rt::run(workers, accept(listener, echo, multi::rt::detach)),
        (_, "http") => local::rt::run(workers, accept(listener, http, local::rt::detach)),
        (_, _) => local::rt::run(workers, accept(listener, echo, local::rt::detach)),
    }
}

async fn accept<F: Future>(
    listener: TcpListener,
    serve: impl Fn(TcpStream) -> F,
    detach: impl Fn(F),
) -> Report {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => detach(serve(stream)),
            Err(error) => {
                Timer::after(pause_after(&error)).await;
            }
        }
    }
}

/// Whatever goes wrong with a connection ends it, and nothing else.
async fn echo(stream: TcpStream) {
    let _ = try_echo(stream).await;
}

async fn try_echo(mut stream: TcpStream) -> Result<()> {
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

async fn http(stream: TcpStream) {
    let _ = try_http(stream).await;
}

async fn try_http(mut stream: TcpStream) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut heads = Heads::default();
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        let complete = heads.feed(&buffer[..n]);
        if complete > 0 {
            count(complete as u64);
            stream.write_all(answers(complete)).await?;
        }
    }
}
