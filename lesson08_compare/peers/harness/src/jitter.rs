//! How long after a timer's wake a task is polled, and why: was it polled where the wake
//! came, or by another thread, and was that one awake?
//!
//! The clock is looked at inside the wake, before the runtime hears of it, and as the
//! first thing of the poll that follows.

use crate::{now_ns, Percentiles, Report};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::ThreadId;

thread_local! {
    static ASLEEP: Cell<(u64, u64)> = const { Cell::new((0, 0)) }; // from, until
}

/// For a runtime's hook: this thread is about to go to sleep.
pub fn thread_parks() {
    ASLEEP.set((now_ns(), u64::MAX));
}

/// For a runtime's hook: this thread is awake again.
pub fn thread_unparked() {
    ASLEEP.set((ASLEEP.get().0, now_ns()));
}

/// A future that stands between a task and a timer.
pub struct Noted<F> {
    timer: F,
    note: Arc<Note>,
    waker: Waker, // made of `note`, once
}

/// The waker that the timer gets.
struct Note {
    state: Mutex<State>,
}

struct State {
    task: Option<Waker>,
    woken: Option<(u64, ThreadId)>,
}

impl Note {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Note {
    fn wake(self: Arc<Self>) {
        let mut state = self.state();
        state.woken = Some((now_ns(), std::thread::current().id()));
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// What one poll after a wake turned out to be.
pub struct Sample {
    ns: u64,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    WhereWoken,
    Stolen,
    Unparked,
}

impl<F: Future<Output = ()>> Noted<F> {
    pub fn new(timer: F) -> Noted<F> {
        let state = Mutex::new(State {
            task: None,
            woken: None,
        });
        let note = Arc::new(Note { state });
        Noted {
            timer,
            waker: note.clone().into(),
            note,
        }
    }
}

impl<F: Future<Output = ()>> Future for Noted<F> {
    /// None if the timer never had to wake anybody: it was over at the first poll.
    type Output = Option<Sample>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Sample>> {
        let now = now_ns();
        // `timer` is pinned as long as `self` is: it is never moved out of it.
        let this = unsafe { self.get_unchecked_mut() };
        let woken = {
            let mut state = this.note.state();
            state.task = Some(cx.waker().clone());
            state.woken.take()
        };
        let timer = unsafe { Pin::new_unchecked(&mut this.timer) };
        match timer.poll(&mut Context::from_waker(&this.waker)) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(woken.map(|woken| sample(now, woken))),
        }
    }
}

fn sample(now: u64, (woken, by): (u64, ThreadId)) -> Sample {
    let (from, until) = ASLEEP.get();
    let kind = if by == std::thread::current().id() {
        Kind::WhereWoken
    } else if from <= woken && woken < until {
        Kind::Unparked
    } else {
        Kind::Stolen
    };
    Sample {
        ns: now.saturating_sub(woken),
        kind,
    }
}

/// Adds the percentiles of all samples to a report. `knows_parked`: this runtime calls
/// the two functions above; one that does not cannot tell stolen from unparked.
pub fn describe(report: Report, samples: Vec<Sample>, knows_parked: bool) -> Report {
    let mut all = Percentiles::default();
    let (mut here, mut stolen, mut unparked) = Default::default();
    for sample in samples {
        let of_kind: &mut Percentiles = match sample.kind {
            Kind::WhereWoken => &mut here,
            Kind::Unparked if knows_parked => &mut unparked,
            _ => &mut stolen,
        };
        of_kind.add(sample.ns);
        all.add(sample.ns);
    }
    let mut report = report.with("p50_ns", all.at(50)).with("p99_ns", all.at(99));
    let mut put = |name: &str, of_kind: &mut Percentiles| {
        let more = &mut report.more;
        more.push((format!("{name}_count"), of_kind.count()));
        more.push((format!("{name}_p50_ns"), of_kind.at(50)));
        more.push((format!("{name}_p99_ns"), of_kind.at(99)));
    };
    put("where_woken", &mut here);
    if knows_parked {
        put("stolen", &mut stolen);
        put("unparked", &mut unparked);
    } else {
        put("moved", &mut stolen);
    }
    report
}
