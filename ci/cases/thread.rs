// SPDX-License-Identifier: GPL-2.0

//! Threads on the driver's data.

use crate::{Data, Test};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kernel::{
    device::{Core, Start},
    driver::{ShouldStop, Thread, ThreadHandler},
    new_spinlock, pci,
    prelude::*,
    time::{delay::fsleep, msecs_to_jiffies, Delta, Jiffies},
};

/// What is run.
pub(crate) struct Runner<'bound> {
    thread: Thread<'bound>,
    /// Nobody has this run.
    idle: Thread<'bound>,
    calls: AtomicUsize,
    rounds: AtomicUsize,
    inside: AtomicBool,
    /// Whether it waits for long, and whether it does not go on.
    long: AtomicBool,
    ends: AtomicBool,
    failed: AtomicBool,
    /// Whether it was dropped. Who sees that uses what is gone.
    gone: AtomicBool,
}

impl ThreadHandler for Runner<'_> {
    fn run(&self, stop: &ShouldStop<'_>) {
        if self.gone.load(Ordering::SeqCst) {
            pr_err!("FAILED: a thread runs when the data was dropped\n");
        }
        self.inside.store(true, Ordering::SeqCst);
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.inside(stop).is_err() {
            self.failed.store(true, Ordering::SeqCst);
        }
        self.inside.store(false, Ordering::SeqCst);
    }
}

impl<'bound> Runner<'bound> {
    pub(crate) fn new(dev: &'bound pci::Device<Core<'_>>) -> Result<Self> {
        Ok(Self {
            thread: dev.new_thread()?,
            idle: dev.new_thread()?,
            calls: AtomicUsize::new(0),
            rounds: AtomicUsize::new(0),
            inside: AtomicBool::new(false),
            long: AtomicBool::new(false),
            ends: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        })
    }

    fn inside(&self, stop: &ShouldStop<'_>) -> Result {
        if self.ends.load(Ordering::SeqCst) {
            return Ok(());
        }
        let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
        let guard = lock.lock();
        // It would not come back.
        let _ = cfg!(CONFIG_PREEMPT_COUNT) && stop.wait(msecs_to_jiffies(1_000_000));
        drop(guard);
        loop {
            let delay = match self.long.load(Ordering::SeqCst) {
                true => Jiffies::MAX,
                false => msecs_to_jiffies(1),
            };
            if !stop.wait(delay) {
                break;
            }
            self.rounds.fetch_add(1, Ordering::SeqCst);
        }
        check!(stop.should_stop());
        check!(!stop.wait(msecs_to_jiffies(1_000_000)));
        // This is waited for.
        fsleep(Delta::from_millis(20));
        Ok(())
    }

    fn rounds(&self) -> usize {
        self.rounds.load(Ordering::SeqCst)
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Waits until something is so.
    fn until(&self, condition: impl Fn() -> bool) -> Result {
        for _ in 0..crate::TIMEOUT {
            if condition() {
                return Ok(());
            }
            fsleep(Delta::from_millis(1));
        }
        check!(condition());
        Ok(())
    }

    /// Has it run again and again.
    pub(crate) fn go_on<'data>(&'data self, dev: &pci::Device<Start<'data>>) -> Result {
        self.is_stopped()?;
        dev.run_thread(&self.thread, c"dma_cases", self)?;
        self.is_running()
    }

    pub(crate) fn is_running(&self) -> Result {
        let rounds = self.rounds();
        self.until(|| self.rounds() >= rounds + 3)?;
        check!(self.inside.load(Ordering::SeqCst));
        Ok(())
    }

    /// As [`is_running`](Self::is_running), but that it may never have been.
    pub(crate) fn is_running_if_ever(&self) -> Result {
        match self.calls() {
            0 => Ok(()),
            _ => self.is_running(),
        }
    }

    /// It is not, nor can it be woken up.
    pub(crate) fn is_stopped(&self) -> Result {
        check!(!self.inside.load(Ordering::SeqCst));
        let (calls, rounds) = (self.calls(), self.rounds());
        self.thread.wake();
        fsleep(Delta::from_millis(20));
        check!(!self.inside.load(Ordering::SeqCst));
        check!((self.calls(), self.rounds()) == (calls, rounds));
        check!(!self.failed.load(Ordering::SeqCst));
        Ok(())
    }
}

impl Drop for Runner<'_> {
    fn drop(&mut self) {
        if self.is_stopped().is_err() {
            pr_err!("FAILED: a thread when the data is dropped\n");
        }
        self.gone.store(true, Ordering::SeqCst);
    }
}

pub(crate) fn runner<'a, 'bound>(data: &'a Data<'bound>) -> Result<&'a Runner<'bound>> {
    data.kept.runner.as_ref().ok_or(EINVAL)
}

/// It is woken up, and is called once.
pub(crate) fn runs(test: &mut Test<'_, '_>) -> Result {
    let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let guard = lock.lock();
    check!(!cfg!(CONFIG_PREEMPT_COUNT) || test.dev.new_thread().err() == Some(EINVAL));
    drop(guard);
    test.kept.runner = Some(Runner::new(test.dev)?);
    Ok(())
}

pub(crate) fn runs_start<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let runner = runner(data)?;
    runner.idle.wake();
    let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let guard = lock.lock();
    let result = match cfg!(CONFIG_PREEMPT_COUNT) {
        true => dev.run_thread(&runner.thread, c"dma_cases", runner),
        false => Err(EINVAL),
    };
    drop(guard);
    check!(result == Err(EINVAL));
    runner.go_on(dev)?;
    check!(dev.run_thread(&runner.thread, c"dma_cases", runner) == Err(EBUSY));
    check!(runner.calls() == 1);

    // It sleeps until it is woken up, which it is anywhere.
    runner.long.store(true, Ordering::SeqCst);
    fsleep(Delta::from_millis(50));
    let rounds = runner.rounds();
    fsleep(Delta::from_millis(50));
    check!(runner.rounds() == rounds);
    for round in 1..=3 {
        let guard = lock.lock();
        runner.thread.wake();
        drop(guard);
        runner.until(|| runner.rounds() >= rounds + round)?;
        fsleep(Delta::from_millis(10));
    }
    runner.long.store(false, Ordering::SeqCst);
    runner.thread.wake();
    runner.is_running()?;

    // It sleeps for long when the bus stops it.
    runner.long.store(true, Ordering::SeqCst);
    fsleep(Delta::from_millis(50));
    Ok(())
}

/// It has ended before.
pub(crate) fn ends(test: &mut Test<'_, '_>) -> Result {
    let runner = Runner::new(test.dev)?;
    runner.ends.store(true, Ordering::SeqCst);
    test.kept.runner = Some(runner);
    Ok(())
}

pub(crate) fn ends_start<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let runner = runner(data)?;
    dev.run_thread(&runner.thread, c"dma_cases", runner)?;
    runner.until(|| runner.calls() == 1)?;
    runner.thread.wake();
    fsleep(Delta::from_millis(20));
    check!(runner.calls() == 1);
    Ok(())
}

/// It goes on until the bus stops it.
pub(crate) fn again(test: &mut Test<'_, '_>) -> Result {
    test.kept.runner = Some(Runner::new(test.dev)?);
    Ok(())
}

pub(crate) use self::again as start_fails;

pub(crate) fn again_start<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    runner(data)?.go_on(dev)
}

pub(crate) fn again_unbind(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    runner(data)?.is_running()
}

pub(crate) fn start_fails_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    again_start(dev, data)?;
    Err(EBUSY)
}
