//! The servers: one task for the listening socket, one for each connection.

use crate::rt;
use harness::http::{answers, Heads, CHUNK};
use harness::serve::{count, pause_after, start};
use harness::{fail, Options, Report};
use std::io::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub fn serve(options: &'static Options) -> Report {
    let listener = start(options);
    rt::run(options.workers, async move {
        let listener = TcpListener::from_std(listener);
        let listener = listener.unwrap_or_else(|error| fail(&format!("cannot serve: {error}")));
        loop {
            match listener.accept().await {
                Ok((stream, _)) if options.workload == "http" => {
                    tokio::spawn(http(stream));
                }
                Ok((stream, _)) => {
                    tokio::spawn(echo(stream));
                }
                Err(error) => tokio::time::sleep(pause_after(&error)).await,
            }
        }
    })
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
            count(complete as u64);
            stream.write_all(answers(complete)).await?;
        }
    }
}
