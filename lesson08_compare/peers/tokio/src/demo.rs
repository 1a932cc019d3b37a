//! What tokio does when something goes wrong. Every line is what this run saw.

use crate::rt;
use harness::demo::{message, quiet_panics, try_to, Dropped};
use harness::{now_ns, Options};
use std::sync::atomic::Ordering;
use std::time::Duration;

#[cfg(feature = "mix")]
pub const DEMOS: &[&str] = &["panic", "cancel", "drop", "mix"];
#[cfg(not(feature = "mix"))]
pub const DEMOS: &[&str] = &["panic", "cancel", "drop"];

pub fn demo(options: &'static Options) {
    rt::CURRENT.store(options.mode == "current", Ordering::Relaxed);
    quiet_panics();
    match options.demo {
        Some("panic") => panic(options.workers),
        Some("cancel") => rt::run(options.workers, cancel()),
        Some("drop") => drop_handle(options.workers),
        #[cfg(feature = "mix")]
        Some("mix") => mix::mix(),
        _ => harness::not_offered("there is no such demo"),
    }
}

const MS: Duration = Duration::from_millis(1);

fn panic(workers: usize) {
    rt::run(workers, async {
        let other = tokio::spawn(async {
            tokio::time::sleep(20 * MS).await;
            "it finished"
        });
        let task = tokio::spawn(async {
            if now_ns() > 0 {
                panic!("oops");
            }
        });
        match task.await {
            Err(error) if error.is_panic() => {
                let panic = error.into_panic();
                println!(
                    "join: a JoinError, is_panic() is true, the message is '{}'",
                    message(&*panic)
                );
            }
            other => println!("join: {other:?}"),
        }
        println!("another task: {:?}", other.await);
        println!(
            "the runtime: a task spawned now returns {:?}",
            tokio::spawn(async { 42 }).await
        );
    });
    let outcome = try_to(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime
            .expect("a runtime")
            .block_on(async { panic!("oops") })
    });
    let outcome: Result<(), String> = outcome;
    println!("a panic of the future given to block_on itself comes out of block_on: {outcome:?}");
}

async fn cancel() {
    let (dropped, guard) = Dropped::pair();
    let task = tokio::spawn(async move {
        let _guard = guard;
        tokio::time::sleep(3_600_000 * MS).await;
    });
    tokio::time::sleep(5 * MS).await;
    let start = now_ns();
    task.abort();
    println!(
        "abort() has returned: is the future dropped by then? {}; is_finished(): {}",
        dropped.was(),
        task.is_finished()
    );
    let outcome = task.await;
    let us = (now_ns() - start) / 1_000;
    match outcome {
        Err(error) => println!(
            "join, {us} us after abort(): a JoinError, is_cancelled() is {}",
            error.is_cancelled()
        ),
        Ok(()) => println!("join, {us} us after abort(): Ok"),
    }
    println!("the future is dropped when join returns: {}", dropped.was());
    let task = tokio::spawn(async { 42 });
    tokio::time::sleep(5 * MS).await;
    task.abort();
    println!(
        "abort() of a task that has ended changes nothing: {:?}",
        task.await
    );
}

fn drop_handle(workers: usize) {
    let (dropped, guard) = Dropped::pair();
    let (other_dropped, other_guard) = Dropped::pair();
    rt::run(workers, async move {
        let task = tokio::spawn(async move {
            tokio::time::sleep(10 * MS).await;
            drop(guard);
        });
        drop(task);
        tokio::time::sleep(50 * MS).await;
        println!(
            "its handle dropped, the task went on to its end: {}",
            dropped.was()
        );
        tokio::spawn(async move {
            let _guard = other_guard;
            tokio::time::sleep(3_600_000 * MS).await;
        });
        tokio::time::sleep(5 * MS).await;
    });
    println!(
        "the runtime dropped, a task in a sleep was dropped: {}",
        other_dropped.was()
    );
}

#[cfg(feature = "mix")]
mod mix {
    use super::*;
    use tokio::net::TcpStream;
    use tokio::runtime::{Builder, Runtime};

    fn runtime() -> Runtime {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime")
    }

    fn listener() -> (std::net::TcpListener, std::net::SocketAddr) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        (listener, address)
    }

    pub fn mix() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let (returned, received) = smol::block_on(async {
            let blocking = smol::unblock(move || {
                runtime().block_on(async move {
                    tokio::time::sleep(MS).await;
                    let _ = sender.send(42).await;
                    "done"
                })
            });
            let received = receiver.recv().await; // waits in smol for a task of tokio
            (blocking.await, received)
        });
        println!(
            "tokio's block_on in a thread of smol's pool: {returned:?}; by channel: {received:?}"
        );

        let (_listener, address) = listener();
        let outcome = try_to(|| smol::block_on(TcpStream::connect(address)));
        let outcome = outcome.map(|stream| stream.is_ok());
        println!("tokio's TcpStream in smol's block_on: {outcome:?}");
        let outcome = try_to(|| smol::block_on(async { tokio::time::sleep(MS).await }));
        println!("tokio's sleep in smol's block_on: {outcome:?}");

        let multi = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let multi = multi.expect("a runtime");
        let entered = multi.enter();
        let outcome = try_to(|| smol::block_on(TcpStream::connect(address)));
        let outcome = outcome.map(|stream| stream.is_ok());
        println!("the same after Runtime::enter, its driver running elsewhere: {outcome:?}");
        drop(entered);

        let outcome = runtime().block_on(async {
            let stream = smol::net::TcpStream::connect(address).await;
            smol::Timer::after(MS).await;
            stream.is_ok()
        });
        println!("smol's TcpStream and Timer in tokio's block_on: {outcome:?}");
        let outcome = try_to(|| runtime().block_on(async { runtime().block_on(async { 42 }) }));
        println!("tokio's block_on in tokio's block_on: {outcome:?}");
        let outcome = runtime().block_on(async { smol::block_on(async { 42 }) });
        println!("smol's block_on in tokio's block_on: {outcome:?}");
    }
}
