//! What glommio does when something goes wrong. Every line is what this run saw.

use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};
use harness::demo::{in_child, quiet_panics, try_to, Dropped};
use harness::{fail, now_ns, Options};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

pub const DEMOS: &[&str] = &["panic", "cancel", "drop"];

pub fn demo(options: &'static Options) {
    quiet_panics();
    match options.demo {
        Some("panic") => panic(),
        Some("cancel") => executor().run(cancel()),
        Some("drop") => drop_handle(),
        _ => harness::not_offered("there is no such demo"),
    }
}

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn executor() -> LocalExecutor {
    match LocalExecutorBuilder::new(Placement::Unbound).make() {
        Ok(executor) => executor,
        Err(error) => fail(&format!("cannot make an executor: {error}").replace('\n', " ")),
    }
}

fn sleep(n: u32) -> impl std::future::Future<Output = ()> {
    glommio::timer::sleep(n * MS)
}

fn panic() {
    let how = in_child(|| {
        executor().run(async {
            let outcome = try_to(|| drop(glommio::spawn_local(async { panic!("oops") })));
            println!("in a task's first poll: the panic comes out of spawn_local: {outcome:?}");
        });
        let executor = executor();
        let (slept, sets_slept) = flag();
        let (joined, sets_joined) = flag();
        let outcome = try_to(|| {
            executor.run(async move {
                let other = glommio::spawn_local(async move {
                    sleep(20).await;
                    sets_slept.set(true);
                });
                let task = glommio::spawn_local(async {
                    sleep(5).await;
                    panic!("oops")
                });
                let _: () = task.await;
                sets_joined.set(true);
                other.await;
            })
        });
        println!("later, after a sleep: it comes out of the executor's run: {outcome:?}");
        println!("its joiner went on: {}", joined.get());
        let fresh = try_to(|| self::executor().run(async { 42 }));
        println!("a new executor on the same thread returns {fresh:?}");
        give_up_after(
            SECOND,
            "the old executor, run again, has not returned after a second",
        );
        let outcome = try_to(|| executor.run(async { sleep(50).await }));
        println!("the old executor, run again for 50 ms: {outcome:?}");
        println!("another task, asleep meanwhile, finished: {}", slept.get());
    });
    println!("the process {how}");
}

/// For what may never come back.
fn give_up_after(limit: Duration, sentence: &'static str) {
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        println!("{sentence}");
        harness::leave(0)
    });
}

/// One to look at and one to set, in a task.
fn flag() -> (Rc<Cell<bool>>, Rc<Cell<bool>>) {
    let flag = Rc::new(Cell::new(false));
    (flag.clone(), flag)
}

async fn cancel() {
    let (dropped, guard) = Dropped::pair();
    let task = glommio::spawn_local(async move {
        let _guard = guard;
        sleep(3_600_000).await;
    });
    sleep(5).await;
    let start = now_ns();
    let outcome = task.cancel().await;
    let us = (now_ns() - start) / 1_000;
    println!("cancel() is awaited; {us} us later it returned {outcome:?}");
    println!("the future is dropped by then: {}", dropped.was());
    let task = glommio::spawn_local(async { 42 });
    println!(
        "cancel() of a task that has ended: {:?}",
        task.cancel().await
    );
}

fn drop_handle() {
    let executor = executor();
    let (asleep, its_guard) = Dropped::pair();
    executor.run(async move {
        let (dropped, guard) = Dropped::pair();
        let (finished, sets_finished) = flag();
        drop(glommio::spawn_local(async move {
            let _guard = guard;
            sleep(10).await;
            sets_finished.set(true);
        }));
        println!(
            "handle dropped: is the future dropped by then? {}",
            dropped.was()
        );
        sleep(50).await;
        println!(
            "50 ms later: {}; the task went on to its end: {}",
            dropped.was(),
            finished.get()
        );
        let (finished, sets_finished) = flag();
        let task = glommio::spawn_local(async move {
            sleep(10).await;
            sets_finished.set(true);
        });
        drop(task.detach());
        sleep(50).await;
        println!(
            "handle detached: the task went on to its end: {}",
            finished.get()
        );
        let sleeper = glommio::spawn_local(async move {
            let _guard = its_guard;
            sleep(3_600_000).await;
        });
        sleeper.detach();
        sleep(5).await;
    });
    println!(
        "run has returned: a task in a sleep was dropped: {}",
        asleep.was()
    );
    drop(executor);
    println!(
        "the executor is dropped: a task in a sleep was dropped: {}",
        asleep.was()
    );
}
