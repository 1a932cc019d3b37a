//! Leaf futures without a runtime, for the workloads about waking.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// One can be told, and wait to be told: an atomic flag and the waiter's stored waker.
#[derive(Default)]
pub struct Bell {
    rung: AtomicBool,
    waiter: Mutex<Option<Waker>>,
}

impl Bell {
    pub fn ring(&self) {
        self.rung.store(true, Ordering::SeqCst);
        let waiter = self
            .waiter
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// Waits for one ring and takes it.
    pub fn wait(&self) -> Wait<'_> {
        Wait { bell: self }
    }
}

pub struct Wait<'a> {
    bell: &'a Bell,
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.bell.rung.swap(false, Ordering::SeqCst) {
            return Poll::Ready(());
        }
        let mut waiter = self
            .bell
            .waiter
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *waiter = Some(cx.waker().clone());
        drop(waiter);
        // It may have been rung between the look and the note: then nobody wakes us.
        if self.bell.rung.swap(false, Ordering::SeqCst) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// Keeps its waker and is never woken. `parked` is called once, when it is stored.
pub struct Forever<F: FnMut() + Unpin> {
    waker: Option<Waker>,
    parked: F,
}

impl<F: FnMut() + Unpin> Forever<F> {
    pub fn new(parked: F) -> Forever<F> {
        Forever {
            waker: None,
            parked,
        }
    }
}

impl<F: FnMut() + Unpin> Future for Forever<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.waker.is_none() {
            self.waker = Some(cx.waker().clone());
            (self.parked)();
        }
        Poll::Pending
    }
}
