//! The scheduler workloads, written once; harness/src/lib.rs says how a peer mounts this.
//!
//! It is compiled beside a module `rt` that has
//!
//! ```text
//! fn run<F: Future>(workers: usize, root: F) -> F::Output   starts the runtime, with `root`
//!                                                           as a task on one of its workers
//! type Join<T>;                 a handle: awaited by join
//! fn spawn<F: Future>(future: F) -> Join<F::Output>
//! async fn join<T>(handle: Join<T>) -> T
//! fn detach<F: Future<Output = ()>>(future: F)              spawn, nobody joins
//! async fn yield_now()
//! async fn sleep(duration: Duration)
//! async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output>
//!
//! type OneSender<T>; type OneReceiver<T>;                   one value
//! fn oneshot<T>() -> (OneSender<T>, OneReceiver<T>)
//! fn one_send<T>(sender: OneSender<T>, value: T)
//! async fn one_receive<T>(receiver: OneReceiver<T>) -> T
//!
//! type Sender<T>: Clone; type Receiver<T>;                  a bounded channel
//! fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>)
//! async fn send<T>(sender: &Sender<T>, value: T)
//! async fn receive<T>(receiver: &mut Receiver<T>) -> Option<T>
//! ```
//!
//! with whatever bounds (`Send`, `'static`) the runtime needs.

use super::rt;
use harness::wake::Forever;
use harness::{mix, Meter, Options, Report};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Does one of `harness::TASKS`.
pub fn run(options: &'static Options) -> Report {
    let (w, n) = (options.workers, options.n);
    match options.workload {
        "spawn" => rt::run(w, spawn(n)),
        "yield" => rt::run(w, yields(n)),
        "ping-pong" => rt::run(w, ping_pong(n)),
        "round-trip" => rt::run(w, round_trip(n)),
        "chain" => rt::run(w, chain(n)),
        "mpsc" => rt::run(w, mpsc(n)),
        "mpsc-contended" => rt::run(w, mpsc_contended(n)),
        "fib" => rt::run(w, fib_root(n)),
        "skynet" => rt::run(w, skynet_root(n)),
        "tree" => rt::run(w, tree_root(n)),
        "timers" => rt::run(w, timers(n)),
        "timer-churn" => rt::run(w, timer_churn(n)),
        "parked" => rt::run(w, parked(n)),
        "startup" => rt::run(w, startup(options.since.unwrap_or(0))),
        other => harness::fail(&format!("'{other}' is none of the tasks' workloads")),
    }
}

async fn spawn(n: u64) -> Report {
    let meter = Meter::start();
    let mut handles = Vec::with_capacity(n as usize);
    for i in 0..n {
        handles.push(rt::spawn(async move { i }));
    }
    let mut sum = 0;
    for handle in handles {
        sum += rt::join(handle).await;
    }
    meter.stop(n, sum)
}

async fn yields(n: u64) -> Report {
    const TASKS: u64 = 200;
    let meter = Meter::start();
    let mut handles = Vec::with_capacity(TASKS as usize);
    for _ in 0..TASKS {
        handles.push(rt::spawn(async move {
            for _ in 0..n {
                rt::yield_now().await;
            }
            n
        }));
    }
    let mut sum = 0;
    for handle in handles {
        sum += rt::join(handle).await;
    }
    meter.stop(TASKS * n, sum)
}

async fn ping_pong(n: u64) -> Report {
    const AT_ONCE: u64 = 1_000;
    let meter = Meter::start();
    let mut sum = 0;
    let mut handles = Vec::with_capacity(AT_ONCE as usize);
    for _ in 0..n / AT_ONCE {
        for _ in 0..AT_ONCE {
            handles.push(rt::spawn(ping()));
        }
        for handle in handles.drain(..) {
            sum += rt::join(handle).await;
        }
    }
    meter.stop(n, sum)
}

async fn ping() -> u64 {
    let (there, at_partner) = rt::oneshot::<u64>();
    let (back, here) = rt::oneshot::<u64>();
    let partner = rt::spawn(async move {
        let ball = rt::one_receive(at_partner).await;
        rt::one_send(back, ball + 1);
    });
    rt::one_send(there, 1);
    let ball = rt::one_receive(here).await;
    rt::join(partner).await;
    (ball == 2) as u64
}

async fn round_trip(n: u64) -> Report {
    let meter = Meter::start();
    let (there, mut at_partner) = rt::channel::<u64>(1);
    let (back, mut here) = rt::channel::<u64>(1);
    let partner = rt::spawn(async move {
        while let Some(i) = rt::receive(&mut at_partner).await {
            rt::send(&back, i + 1).await;
        }
    });
    let player = rt::spawn(async move {
        let mut sum = 0;
        for i in 0..n {
            rt::send(&there, i).await;
            sum += rt::receive(&mut here).await.unwrap_or(0);
        }
        sum // `there` is dropped: the partner's channel ends
    });
    let sum = rt::join(player).await;
    rt::join(partner).await;
    meter.stop(n, sum)
}

async fn chain(n: u64) -> Report {
    const IN_A_ROW: u64 = 1_000;
    let meter = Meter::start();
    let mut sum = 0;
    for _ in 0..n / IN_A_ROW {
        let (done, last) = rt::oneshot::<u64>();
        link(IN_A_ROW, 1, done);
        sum += rt::one_receive(last).await;
    }
    meter.stop(n, sum)
}

/// Spawns the task that is number `depth` of the chain. Not an async function: a task
/// that names the type of its own future inside itself would be a cycle.
fn link(left: u64, depth: u64, done: rt::OneSender<u64>) {
    rt::detach(async move {
        if left > 1 {
            link(left - 1, depth + 1, done);
        } else {
            rt::one_send(done, depth);
        }
    });
}

async fn mpsc(n: u64) -> Report {
    const CAPACITY: u64 = 5_000;
    let meter = Meter::start();
    let (sender, mut receiver) = rt::channel::<u64>(CAPACITY as usize);
    let task = rt::spawn(async move {
        let mut sum = 0;
        for round in 0..n / CAPACITY {
            for i in 0..CAPACITY {
                rt::send(&sender, round * CAPACITY + i).await;
            }
            for _ in 0..CAPACITY {
                sum += rt::receive(&mut receiver).await.unwrap_or(0);
            }
        }
        sum
    });
    let sum = rt::join(task).await;
    meter.stop(n, sum)
}

async fn mpsc_contended(n: u64) -> Report {
    const SENDERS: u64 = 5;
    let meter = Meter::start();
    let (sender, mut receiver) = rt::channel::<u64>(1_000);
    for s in 0..SENDERS {
        let sender = sender.clone();
        rt::detach(async move {
            for i in 0..n / SENDERS {
                rt::send(&sender, s + i * SENDERS).await;
            }
        });
    }
    drop(sender); // the channel ends when the last of the five is done
    let (mut messages, mut sum) = (0, 0);
    while let Some(number) = rt::receive(&mut receiver).await {
        messages += 1;
        sum += number;
    }
    meter.stop(messages, sum)
}

async fn fib_root(n: u64) -> Report {
    let meter = Meter::start();
    let task = spawn_fib(n);
    let result = rt::join(task).await;
    // Every call above 1 spawns one task, and there are fib(n + 1) - 1 of them.
    let (mut spawns, mut next) = (0u64, 1u64);
    for _ in 0..n + 1 {
        (spawns, next) = (next, spawns + next);
    }
    meter.stop(spawns.saturating_sub(1), result)
}

/// The box is what recursion in place costs in Rust: a future that contains itself has
/// no size. The spawned half needs none, it lies in its task.
async fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let spawned = spawn_fib(n - 1);
    let here = Box::pin(fib(n - 2)).await;
    rt::join(spawned).await + here
}

fn spawn_fib(n: u64) -> rt::Join<u64> {
    rt::spawn(fib(n))
}

async fn skynet_root(n: u64) -> Report {
    let meter = Meter::start();
    let task = spawn_skynet(0, n);
    let sum = rt::join(task).await;
    let (mut level, mut tasks) = (n, n);
    while level > 1 {
        level /= 10;
        tasks += level;
    }
    meter.stop(tasks, sum)
}

async fn skynet(first: u64, leaves: u64) -> u64 {
    if leaves <= 1 {
        return first;
    }
    let each = leaves / 10;
    let mut children = Vec::with_capacity(10);
    for child in 0..10 {
        children.push(spawn_skynet(first + child * each, each));
    }
    let mut sum = 0;
    for child in children {
        sum += rt::join(child).await;
    }
    sum
}

fn spawn_skynet(first: u64, leaves: u64) -> rt::Join<u64> {
    rt::spawn(skynet(first, leaves))
}

async fn tree_root(n: u64) -> Report {
    let meter = Meter::start();
    let task = spawn_tree(0, n);
    let nodes = rt::join(task).await;
    meter.stop(nodes, nodes)
}

async fn tree(id: u64, children: u64) -> u64 {
    let mut handles = Vec::with_capacity(children as usize);
    for k in 0..children {
        let id = mix(id.wrapping_add(k).wrapping_add(1));
        let has_any = mix(id) % 1_000 < 124;
        handles.push(spawn_tree(id, if has_any { 8 } else { 0 }));
    }
    let mut nodes = 1;
    for handle in handles {
        nodes += rt::join(handle).await;
    }
    nodes
}

fn spawn_tree(id: u64, children: u64) -> rt::Join<u64> {
    rt::spawn(tree(id, children))
}

async fn timers(n: u64) -> Report {
    let meter = Meter::start();
    let mut handles = Vec::with_capacity(n as usize);
    for i in 0..n {
        handles.push(rt::spawn(async move {
            rt::sleep(Duration::from_micros(1_000_000 + mix(i) % 2_000_000)).await;
            1
        }));
    }
    let mut sum = 0;
    for handle in handles {
        sum += rt::join(handle).await;
    }
    meter.stop(n, sum)
}

async fn timer_churn(n: u64) -> Report {
    const TASKS: u64 = 100;
    let meter = Meter::start();
    let mut handles = Vec::with_capacity(TASKS as usize);
    for _ in 0..TASKS {
        handles.push(rt::spawn(async move {
            let mut in_time = 0;
            for _ in 0..n / TASKS {
                let done = rt::timeout(Duration::from_secs(10), rt::yield_now()).await;
                in_time += done.is_some() as u64;
            }
            in_time
        }));
    }
    let mut sum = 0;
    for handle in handles {
        sum += rt::join(handle).await;
    }
    meter.stop(n, sum)
}

async fn parked(n: u64) -> Report {
    static PARKED: AtomicU64 = AtomicU64::new(0);
    harness::private_dirty(); // what looking itself needs is there from now on
    let before = harness::private_dirty();
    let meter = Meter::start();
    for _ in 0..n {
        rt::detach(Forever::new(|| {
            PARKED.fetch_add(1, Ordering::Relaxed);
        }));
    }
    while PARKED.load(Ordering::Relaxed) < n {
        rt::yield_now().await;
    }
    let report = meter.stop(n, n);
    let bytes = harness::private_dirty().saturating_sub(before);
    report.with("bytes", bytes).print_and_exit()
}

async fn startup(since: u64) -> Report {
    Meter::since(since).stop(1, 1)
}
