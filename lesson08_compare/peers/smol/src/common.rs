//! What both modes have in common: smol's channels, timers and pool of threads know
//! nothing of executors. harness/template/ says what each function is for.

use harness::{AlignedBlock, BLOCK_SIZE};
use smol::channel;
use std::future::Future;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

pub type Join<T> = smol::Task<T>;

pub async fn join<T>(handle: Join<T>) -> T {
    handle.await
}

pub async fn yield_now() {
    smol::future::yield_now().await
}

pub async fn sleep(duration: Duration) {
    smol::Timer::after(duration).await;
}

/// smol has no time-out of its own; its documentation races the two futures like this.
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let in_time = async { Some(future.await) };
    let too_late = async {
        smol::Timer::after(limit).await;
        None
    };
    smol::future::or(in_time, too_late).await
}

/// smol has no oneshot; the nearest is a channel with room for one.
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

/// Nobody tells anybody when a thread of smol goes to sleep.
pub const KNOWS_PARKED: bool = false;

pub type File = Arc<std::fs::File>;
pub type Buffer = Box<AlignedBlock>;

pub async fn open(path: &'static str, direct: bool) -> std::io::Result<(File, u64)> {
    let (file, size) = smol::unblock(move || harness::open_file(path, direct)).await?;
    Ok((Arc::new(file), size))
}

pub fn buffer() -> Buffer {
    AlignedBlock::new()
}

/// smol::fs has no read at an offset: its File has one position, and only one operation
/// at a time. smol::unblock, on which it is built, is the way to do it.
pub async fn read_block(
    file: &File,
    block: u64,
    mut buffer: Buffer,
) -> std::io::Result<(u64, Buffer)> {
    let file = file.clone();
    smol::unblock(move || {
        file.read_exact_at(&mut buffer.0, block * BLOCK_SIZE as u64)?;
        Ok((buffer.number(), buffer))
    })
    .await
}
