//! What smol does when something goes wrong. Every line is what this run saw.

use crate::common::Join;
use crate::{local, multi};
use harness::demo::{message, quiet_panics, try_to, Dropped};
use harness::{now_ns, Options};
use smol::future::FutureExt;
use smol::{LocalExecutor, Timer};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

#[cfg(feature = "mix")]
pub const DEMOS: &[&str] = &["panic", "cancel", "drop", "mix"];
#[cfg(not(feature = "mix"))]
pub const DEMOS: &[&str] = &["panic", "cancel", "drop"];

const MS: Duration = Duration::from_millis(1);

/// A demo need not be fast: here a box makes both modes' spawns one type.
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Spawn<T> = fn(Boxed<T>) -> Join<T>;

pub fn demo(options: &'static Options) {
    quiet_panics();
    let local = options.mode == "local";
    let (text, unit): (Spawn<&'static str>, Spawn<()>) = if local {
        (local::rt::spawn, local::rt::spawn)
    } else {
        (multi::rt::spawn, multi::rt::spawn)
    };
    let root: Boxed<()> = match options.demo {
        Some("panic") => Box::pin(panic(text)),
        Some("cancel") => Box::pin(cancel(text)),
        Some("drop") => Box::pin(drop_handle(unit)),
        #[cfg(feature = "mix")]
        Some("mix") => return mix::mix(),
        _ => harness::not_offered("there is no such demo"),
    };
    if local {
        local::rt::run(1, root)
    } else {
        multi::rt::run(options.workers, root)
    }
}

async fn panic(spawn: Spawn<&'static str>) {
    let other = spawn(Box::pin(async {
        Timer::after(20 * MS).await;
        "it finished"
    }));
    let task = spawn(Box::pin(async { panic!("oops") }));
    match AssertUnwindSafe(task).catch_unwind().await {
        Ok(value) => println!("join: '{value}'"),
        Err(panic) => println!(
            "join: the panic goes on in who awaits the task; caught there, it says '{}'",
            message(&*panic)
        ),
    }
    spawn(Box::pin(async { panic!("nobody hears this") })).detach();
    println!(
        "another task, although a detached one panicked, too: {}",
        other.await
    );
    let again = spawn(Box::pin(async { "it ran" }));
    println!("the executor: a task spawned now: {}", again.await);
    let outcome: Result<(), _> = try_to(|| smol::block_on(async { panic!("oops") }));
    println!("a panic of the future given to block_on comes out of block_on: {outcome:?}");
}

async fn cancel(spawn: Spawn<&'static str>) {
    let (dropped, guard) = Dropped::pair();
    let task = spawn(Box::pin(async move {
        let _guard = guard;
        Timer::after(3_600_000 * MS).await;
        "it finished"
    }));
    Timer::after(5 * MS).await;
    let start = now_ns();
    let outcome = task.cancel().await;
    let us = (now_ns() - start) / 1_000;
    println!("cancel() is awaited; {us} us later it returns {outcome:?}");
    println!("the future is dropped when it returns: {}", dropped.was());
    let task = spawn(Box::pin(async { "it finished" }));
    Timer::after(5 * MS).await;
    println!(
        "cancel() of a task that has ended returns {:?}",
        task.cancel().await
    );
}

async fn drop_handle(spawn: Spawn<()>) {
    let (dropped, guard) = Dropped::pair();
    let task = spawn(Box::pin(async move {
        let _guard = guard;
        Timer::after(3_600_000 * MS).await;
    }));
    Timer::after(MS).await;
    drop(task);
    println!(
        "its handle dropped: is the future dropped by then? {}",
        dropped.was()
    );
    Timer::after(50 * MS).await;
    println!("and 50 ms later? {}", dropped.was());
    let (finished, finish) = Dropped::pair();
    spawn(Box::pin(async move {
        Timer::after(10 * MS).await;
        drop(finish);
    }))
    .detach();
    Timer::after(50 * MS).await;
    println!(
        "after detach() instead, it went on to its end: {}",
        finished.was()
    );

    let (dropped, guard) = Dropped::pair();
    let executor = LocalExecutor::new();
    let in_a_sleep = async move {
        let _guard = guard;
        Timer::after(3_600_000 * MS).await;
    };
    executor.spawn(in_a_sleep).detach();
    drop(executor);
    println!(
        "an executor dropped, its detached task was dropped: {}",
        dropped.was()
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
        let (sender, receiver) = smol::channel::bounded(1);
        let (returned, received) = tokio().block_on(async move {
            let blocking = tokio::task::spawn_blocking(move || {
                smol::block_on(async move {
                    Timer::after(MS).await;
                    let _ = sender.send(42).await;
                    "done"
                })
            });
            let received = receiver.recv().await; // waits in tokio for a task of smol
            (blocking.await, received)
        });
        println!(
            "smol's block_on in a thread of tokio's pool: {returned:?}; by channel: {received:?}"
        );

        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        let outcome = tokio().block_on(async {
            Timer::after(MS).await;
            smol::net::TcpStream::connect(address).await.is_ok()
        });
        println!("smol's TcpStream and Timer in tokio's block_on work: {outcome}");
        let outcome = try_to(|| smol::block_on(tokio::net::TcpStream::connect(address)));
        let outcome = outcome.map(|stream| stream.is_ok());
        println!("tokio's TcpStream in smol's block_on: {outcome:?}");
        let task = smol::spawn(async { tokio::time::sleep(MS).await });
        let outcome = try_to(|| smol::block_on(task));
        println!("tokio's sleep in a task of smol: {outcome:?}");
        let outcome = try_to(|| smol::block_on(async { tokio::spawn(async { 42 }).await.is_ok() }));
        println!("tokio's spawn in smol's block_on: {outcome:?}");
    }
}
