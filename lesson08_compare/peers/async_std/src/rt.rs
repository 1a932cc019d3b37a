//! How async-std spawns, yields, sleeps and so on; harness/template/ says what each is
//! for.

use async_std::{channel, task};
use harness::{AlignedBlock, BLOCK_SIZE};
use std::future::Future;
use std::os::unix::fs::FileExt;
use std::sync::{mpsc, Arc};
use std::time::Duration;

/// Has to come before the first spawn, which is when async-std reads it.
fn set_threads(workers: usize) {
    std::env::set_var("ASYNC_STD_THREAD_COUNT", workers.to_string());
}

/// The main thread waits at a channel of the standard library. task::block_on would
/// drive the I/O on it, beside the workers; tasks would not run there in either case.
/// So there are `workers` threads that work, and the "async-io" thread, which only
/// drives the I/O while none of them does.
pub fn run<F>(workers: usize, root: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    set_threads(workers);
    let (done, result) = mpsc::channel();
    task::spawn(async move {
        let _ = done.send(root.await);
    });
    result.recv().expect("the root task panicked")
}

pub fn run_noted<F>(workers: usize, root: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    run(workers, root)
}

/// Nobody tells anybody when a thread of async-std goes to sleep.
pub const KNOWS_PARKED: bool = false;

pub type Join<T> = task::JoinHandle<T>;

pub fn spawn<F>(future: F) -> Join<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    task::spawn(future)
}

pub async fn join<T>(handle: Join<T>) -> T {
    handle.await
}

pub fn detach(future: impl Future<Output = ()> + Send + 'static) {
    task::spawn(future); // a handle that is dropped detaches its task
}

pub async fn yield_now() {
    task::yield_now().await
}

pub async fn sleep(duration: Duration) {
    task::sleep(duration).await
}

pub async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    async_std::future::timeout(limit, future).await.ok()
}

/// async-std has no oneshot; the nearest is a channel with room for one.
pub type OneSender<T> = channel::Sender<T>;
pub type OneReceiver<T> = channel::Receiver<T>;

pub fn oneshot<T>() -> (OneSender<T>, OneReceiver<T>) {
    channel::bounded(1)
}

pub fn one_send<T>(sender: OneSender<T>, value: T) {
    let _ = sender.try_send(value); // there is room; nobody waits any more: so be it
}

pub async fn one_receive<T>(receiver: OneReceiver<T>) -> T {
    receiver.recv().await.expect("the sender is gone")
}

pub type Sender<T> = channel::Sender<T>;
pub type Receiver<T> = channel::Receiver<T>;

pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    channel::bounded(capacity)
}

pub async fn send<T>(sender: &Sender<T>, value: T) {
    let _ = sender.send(value).await;
}

pub async fn receive<T>(receiver: &mut Receiver<T>) -> Option<T> {
    receiver.recv().await.ok()
}

/// task::spawn works from everywhere: there is nothing to hand over.
#[derive(Clone)]
pub struct Remote;

pub fn outside<R: Send>(workers: usize, work: impl FnOnce(Remote) -> R + Send) -> R {
    set_threads(workers);
    work(Remote)
}

pub fn remote_detach(_: &Remote, future: impl Future<Output = ()> + Send + 'static) {
    task::spawn(future);
}

pub type File = Arc<std::fs::File>;
pub type Buffer = Box<AlignedBlock>;

pub async fn open(path: &'static str, direct: bool) -> std::io::Result<(File, u64)> {
    let (file, size) = task::spawn_blocking(move || harness::open_file(path, direct)).await?;
    Ok((Arc::new(file), size))
}

pub fn buffer() -> Buffer {
    AlignedBlock::new()
}

/// async_std::fs has no read at an offset: its File has one position, behind a lock.
/// task::spawn_blocking, on which it is built, is the way to do it; inside, it is a task
/// that waits for the pool, so that each read needs two turns of the executor.
pub async fn read_block(
    file: &File,
    block: u64,
    mut buffer: Buffer,
) -> std::io::Result<(u64, Buffer)> {
    let file = file.clone();
    task::spawn_blocking(move || {
        file.read_exact_at(&mut buffer.0, block * BLOCK_SIZE as u64)?;
        Ok((buffer.number(), buffer))
    })
    .await
}
