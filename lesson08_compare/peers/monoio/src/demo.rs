//! What monoio does when something goes wrong. Every line is what this run saw.

use crate::rt;
use harness::demo::{in_child, quiet_panics, try_to, Dropped};
use harness::{now_ns, Options};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub const DEMOS: &[&str] = &["panic", "cancel", "drop"];

pub fn demo(options: &'static Options) {
    rt::LEGACY.store(options.mode == "legacy", Ordering::Relaxed);
    quiet_panics();
    match options.demo {
        Some("panic") => panic(),
        Some("cancel") => rt::runtime().block_on(cancel()),
        Some("drop") => drop_handle(),
        _ => harness::not_offered("there is no such demo"),
    }
}

const MS: Duration = Duration::from_millis(1);

fn sleep(n: u32) -> impl std::future::Future<Output = ()> {
    monoio::time::sleep(n * MS)
}

/// One to look at and one to set, in a task.
fn flag() -> (Rc<Cell<bool>>, Rc<Cell<bool>>) {
    let flag = Rc::new(Cell::new(false));
    (flag.clone(), flag)
}

fn panic() {
    let how = in_child(|| {
        let mut runtime = rt::runtime();
        let (slept, sets_slept) = flag();
        let (joined, sets_joined) = flag();
        let outcome = try_to(|| {
            runtime.block_on(async move {
                let other = monoio::spawn(async move {
                    sleep(20).await;
                    sets_slept.set(true);
                });
                let task = monoio::spawn(async { panic!("oops") });
                let _: () = task.await;
                sets_joined.set(true);
                other.await;
            })
        });
        println!("a task's panic comes out of block_on: {outcome:?}");
        println!("its joiner went on: {}", joined.get());
        println!("another task, asleep meanwhile, finished: {}", slept.get());
        std::thread::spawn(|| {
            std::thread::sleep(1_000 * MS);
            println!("the same runtime, used again, has not returned after a second");
            harness::leave(0)
        });
        let outcome = try_to(|| runtime.block_on(async { monoio::spawn(async { 42 }).await }));
        println!("the same runtime, used again: {outcome:?}");
        let outcome = try_to(|| runtime.block_on(async { sleep(50).await }));
        println!(
            "and again, for 50 ms: {outcome:?}; the other task finished: {}",
            slept.get()
        );
    });
    println!("the process {how}");
}

async fn cancel() {
    let (dropped, guard) = Dropped::pair();
    println!("a JoinHandle has no function that cancels; a future can be given up:");
    let start = now_ns();
    let outcome = monoio::time::timeout(5 * MS, async move {
        let _guard = guard;
        sleep(3_600_000).await;
    });
    let outcome = outcome.await;
    let ms = (now_ns() - start) / 1_000_000;
    println!(
        "  its time-out came after {ms} ms: {outcome:?}; it is dropped: {}",
        dropped.was()
    );
}

fn drop_handle() {
    let mut runtime = rt::runtime();
    let (asleep, its_guard) = Dropped::pair();
    runtime.block_on(async move {
        let (finished, sets_finished) = flag();
        drop(monoio::spawn(async move {
            sleep(10).await;
            sets_finished.set(true);
        }));
        sleep(50).await;
        println!(
            "its handle dropped, the task went on to its end: {}",
            finished.get()
        );
        monoio::spawn(async move {
            let _guard = its_guard;
            sleep(3_600_000).await;
        });
        sleep(5).await;
    });
    println!(
        "block_on has returned: a task in a sleep was dropped: {}",
        asleep.was()
    );
    drop(runtime);
    println!(
        "the runtime is dropped: a task in a sleep was dropped: {}",
        asleep.was()
    );
}
