//! What async-std does when something goes wrong. Every line is what this run saw.

use crate::rt;
use async_std::task;
use harness::demo::{quiet_panics, try_to, Dropped};
use harness::{now_ns, Options};
use std::time::Duration;

#[cfg(feature = "mix")]
pub const DEMOS: &[&str] = &["panic", "cancel", "drop", "mix"];
#[cfg(not(feature = "mix"))]
pub const DEMOS: &[&str] = &["panic", "cancel", "drop"];

const MS: Duration = Duration::from_millis(1);

pub fn demo(options: &'static Options) {
    quiet_panics();
    match options.demo {
        Some("panic") => panic(options.workers),
        Some("cancel") => rt::run(options.workers, cancel()),
        Some("drop") => rt::run(options.workers, drop_handle()),
        #[cfg(feature = "mix")]
        Some("mix") => mix::mix(),
        _ => harness::not_offered("there is no such demo"),
    }
}

fn panic(workers: usize) {
    let (other, task) = rt::run(workers, async {
        let other = task::spawn(async {
            task::sleep(20 * MS).await;
            "it finished"
        });
        let task = task::spawn(async {
            if now_ns() > 0 {
                panic!("oops");
            }
        });
        task::spawn(async {
            if now_ns() > 0 {
                panic!("nobody hears this");
            }
        });
        (other, task)
    });
    let outcome = try_to(|| task::block_on(task));
    println!("join: the panic goes on in who awaits the task; caught around block_on: {outcome:?}");
    let outcome = task::block_on(other);
    println!("another task, although a detached one panicked, too: {outcome}");
    let outcome = task::block_on(task::spawn(async { "it ran" }));
    println!("the runtime: a task spawned now: {outcome}");
}

async fn cancel() {
    let (dropped, guard) = Dropped::pair();
    let task = task::spawn(async move {
        let _guard = guard;
        task::sleep(3_600_000 * MS).await;
    });
    task::sleep(5 * MS).await;
    let start = now_ns();
    let outcome = task.cancel().await;
    let us = (now_ns() - start) / 1_000;
    println!("cancel() is awaited; {us} us later it returns {outcome:?}");
    println!("the future is dropped when it returns: {}", dropped.was());
    let task = task::spawn(async { 42 });
    task::sleep(5 * MS).await;
    println!(
        "cancel() of a task that has ended returns {:?}",
        task.cancel().await
    );
}

async fn drop_handle() {
    let (finished, finish) = Dropped::pair();
    let task = task::spawn(async move {
        task::sleep(10 * MS).await;
        drop(finish);
    });
    drop(task);
    task::sleep(50 * MS).await;
    println!(
        "its handle dropped, the task went on to its end: {}",
        finished.was()
    );
}

#[cfg(feature = "mix")]
mod mix {
    use super::*;
    use tokio::runtime::{Builder, Runtime};

    fn tokio() -> Runtime {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime of tokio")
    }

    pub fn mix() {
        let (sender, receiver) = async_std::channel::bounded(1);
        let (returned, received) = tokio().block_on(async move {
            let blocking = tokio::task::spawn_blocking(move || {
                task::block_on(async move {
                    task::sleep(MS).await;
                    let _ = sender.send(42).await;
                    "done"
                })
            });
            let received = receiver.recv().await; // waits in tokio for a task of async-std
            (blocking.await, received)
        });
        println!("async-std's block_on in a thread of tokio's pool: {returned:?}; by channel: {received:?}");

        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        let outcome = tokio().block_on(async {
            task::sleep(MS).await;
            async_std::net::TcpStream::connect(address).await.is_ok()
        });
        println!("async-std's TcpStream and sleep in tokio's block_on work: {outcome}");
        let outcome = try_to(|| task::block_on(tokio::net::TcpStream::connect(address)));
        let outcome = outcome.map(|stream| stream.is_ok());
        println!("tokio's TcpStream in async-std's block_on: {outcome:?}");
        let task = task::spawn(async { tokio::time::sleep(MS).await });
        let outcome = try_to(|| task::block_on(task));
        println!("tokio's sleep in a task of async-std: {outcome:?}");
    }
}
