//! The servers: one task for the listening socket, one for each connection. With more
//! workers, each runtime has a thread and a listening socket of its own.

use crate::rt;
use harness::http::{answers, Heads, CHUNK};
use harness::serve::{count, pause_after, start_each};
use harness::{fail, Options, Report};
use monoio::buf::{IoBuf, IoBufMut};
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use std::io::Result;

pub fn serve(options: &'static Options) -> Report {
    let mut sockets = start_each(options, options.workers);
    let mine = sockets.pop();
    for socket in sockets {
        std::thread::spawn(move || rt::alone(accept(socket, options.workload)));
    }
    match mine {
        Some(socket) => rt::alone(accept(socket, options.workload)),
        None => fail("no socket"),
    }
}

async fn accept(listener: std::net::TcpListener, workload: &'static str) -> Report {
    // A non-blocking listener, which epoll needs, makes a ring's accept fail with EAGAIN.
    let listener = match listener.set_nonblocking(rt::is_legacy()) {
        Ok(()) => TcpListener::from_std(listener),
        Err(error) => Err(error),
    };
    let listener = listener.unwrap_or_else(|error| fail(&format!("cannot serve: {error}")));
    loop {
        match listener.accept().await {
            Ok((stream, _)) if workload == "http" => {
                monoio::spawn(http(stream));
            }
            Ok((stream, _)) => {
                monoio::spawn(echo(stream));
            }
            Err(error) => monoio::time::sleep(pause_after(&error)).await,
        }
    }
}

/// Whatever goes wrong with a connection ends it, and nothing else.
async fn echo(mut stream: TcpStream) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let n;
        (n, buffer) = receive(&mut stream, buffer).await?;
        if n == 0 {
            return Ok(());
        }
        count(1);
        let (sent, slice) = stream.write_all(buffer.slice(..n)).await;
        sent?;
        buffer = slice.into_inner();
    }
}

async fn http(mut stream: TcpStream) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut heads = Heads::default();
    loop {
        let n;
        (n, buffer) = receive(&mut stream, buffer).await?;
        if n == 0 {
            return Ok(());
        }
        let complete = heads.feed(&buffer[..n]);
        if complete > 0 {
            stream.write_all(answers(complete)).await.0?;
            count(complete as u64);
        }
    }
}

/// The buffer is lent to the kernel until it has written into it.
async fn receive(stream: &mut TcpStream, buffer: Vec<u8>) -> Result<(usize, Vec<u8>)> {
    let (received, slice) = stream.read(buffer.slice_mut(..)).await;
    Ok((received?, slice.into_inner()))
}
