//! How tokio spawns, yields, sleeps and so on; harness/template/ says what each is for.

use harness::jitter::{thread_parks, thread_unparked};
use harness::{fail, AlignedBlock, BLOCK_SIZE};
use std::future::Future;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{mpsc, oneshot as once};

/// Mode `current`, not `multi`. Set once, before anything else.
pub static CURRENT: AtomicBool = AtomicBool::new(false);

fn is_current() -> bool {
    CURRENT.load(Ordering::Relaxed)
}

fn builder(workers: usize) -> Builder {
    let mut builder = if is_current() {
        Builder::new_current_thread()
    } else {
        let mut multi = Builder::new_multi_thread();
        multi.worker_threads(workers);
        multi
    };
    builder.enable_all();
    builder
}

fn build(builder: &mut Builder) -> Runtime {
    builder
        .build()
        .unwrap_or_else(|error| fail(&format!("cannot make the runtime: {error}")))
}

/// The root is spawned: what block_on itself is given runs on the calling thread, which
/// is no worker - its spawns would all go through the queue for strangers.
pub fn run<F>(workers: usize, root: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    run_on(&build(&mut builder(workers)), root)
}

fn run_on<F>(runtime: &Runtime, root: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    runtime.block_on(async { join(spawn(root)).await })
}

/// The hooks are called around every sleep of a worker, in epoll_wait or not.
pub fn run_noted<F>(workers: usize, root: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut builder = builder(workers);
    builder.on_thread_park(thread_parks);
    builder.on_thread_unpark(thread_unparked);
    run_on(&build(&mut builder), root)
}

pub const KNOWS_PARKED: bool = true;

pub type Join<T> = tokio::task::JoinHandle<T>;

pub fn spawn<F>(future: F) -> Join<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(future)
}

pub async fn join<T>(handle: Join<T>) -> T {
    handle.await.expect("a task panicked")
}

pub fn detach(future: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(future); // a handle that is dropped detaches its task
}

pub async fn yield_now() {
    tokio::task::yield_now().await
}

pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await
}

pub async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

pub type OneSender<T> = once::Sender<T>;
pub type OneReceiver<T> = once::Receiver<T>;

pub fn oneshot<T>() -> (OneSender<T>, OneReceiver<T>) {
    once::channel()
}

pub fn one_send<T>(sender: OneSender<T>, value: T) {
    let _ = sender.send(value); // nobody waits any more: so be it
}

pub async fn one_receive<T>(receiver: OneReceiver<T>) -> T {
    receiver.await.expect("the sender is gone")
}

pub type Sender<T> = mpsc::Sender<T>;
pub type Receiver<T> = mpsc::Receiver<T>;

pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    mpsc::channel(capacity)
}

pub async fn send<T>(sender: &Sender<T>, value: T) {
    let _ = sender.send(value).await;
}

pub async fn receive<T>(receiver: &mut Receiver<T>) -> Option<T> {
    receiver.recv().await
}

pub type Remote = Handle;

/// `current` only runs while somebody blocks on it: there the main thread does, and
/// `work` gets a thread of its own.
pub fn outside<R: Send>(workers: usize, work: impl FnOnce(Remote) -> R + Send) -> R {
    let runtime = build(&mut builder(workers));
    let remote = runtime.handle().clone();
    if !is_current() {
        return work(remote);
    }
    std::thread::scope(|scope| {
        let (done, finished) = once::channel();
        let worker = scope.spawn(move || {
            let result = work(remote);
            let _ = done.send(());
            result
        });
        let _ = runtime.block_on(finished);
        worker.join().expect("the work panicked")
    })
}

pub fn remote_detach(remote: &Remote, future: impl Future<Output = ()> + Send + 'static) {
    remote.spawn(future);
}

/// Always a runtime of one thread, in either mode.
pub fn alone<T>(future: impl Future<Output = T>) -> T {
    build(Builder::new_current_thread().enable_all()).block_on(future)
}

pub type File = Arc<std::fs::File>;
pub type Buffer = Box<AlignedBlock>;

pub async fn open(path: &'static str, direct: bool) -> std::io::Result<(File, u64)> {
    let opened = tokio::task::spawn_blocking(move || harness::open_file(path, direct));
    let (file, size) = opened.await??;
    Ok((Arc::new(file), size))
}

pub fn buffer() -> Buffer {
    AlignedBlock::new()
}

/// tokio::fs has no read at an offset; its documentation sends us to spawn_blocking with
/// the standard library's file. tokio::fs::File would do the same, after a seek of its
/// own that also goes there.
pub async fn read_block(
    file: &File,
    block: u64,
    mut buffer: Buffer,
) -> std::io::Result<(u64, Buffer)> {
    let file = file.clone();
    tokio::task::spawn_blocking(move || {
        file.read_exact_at(&mut buffer.0, block * BLOCK_SIZE as u64)?;
        Ok((buffer.number(), buffer))
    })
    .await?
}
