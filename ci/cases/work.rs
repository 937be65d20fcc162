// SPDX-License-Identifier: GPL-2.0

//! Work on the driver's data.

use crate::{edu, Data, Test};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kernel::{
    device::{Core, Start},
    io::Io,
    irq::{Flags, Handler, IrqReturn},
    new_pci_work, new_spinlock,
    pci::{self, IrqType, IrqTypes, Work, WorkHandler},
    prelude::*,
    sync::Completion,
    time::{delay::fsleep, msecs_to_jiffies, Delta, Jiffies},
};

/// What is run.
pub(crate) struct Worker<'bound> {
    edu: Option<edu::Edu<'bound>>,
    work: Work<'bound>,
    /// Nobody says what this is for.
    idle: Work<'bound>,
    runs: AtomicUsize,
    running: AtomicBool,
    /// Whether it queues itself.
    again: AtomicBool,
    failed: AtomicBool,
    ran: Pin<KBox<Completion>>,
}

impl WorkHandler for Worker<'_> {
    fn run(&self) {
        self.running.store(true, Ordering::SeqCst);
        self.runs.fetch_add(1, Ordering::SeqCst);
        if self.inside().is_err() {
            self.failed.store(true, Ordering::SeqCst);
        }
        self.ran.complete();
        self.running.store(false, Ordering::SeqCst);
        if self.again.load(Ordering::SeqCst) {
            self.work.enqueue();
        }
    }
}

/// As the handler of an interrupt, it leaves the rest to the work.
impl Handler for Worker<'_> {
    fn handle(&self) -> IrqReturn {
        let Some(edu) = &self.edu else {
            return IrqReturn::None;
        };
        let reasons = edu.0.read32(edu::STATUS);
        if reasons == 0 {
            return IrqReturn::None;
        }
        edu.0.write32(reasons, edu::ACKNOWLEDGE);
        self.work.enqueue();
        IrqReturn::Handled
    }
}

impl<'bound> Worker<'bound> {
    pub(crate) fn new(dev: &'bound pci::Device<Core<'_>>) -> Result<Self> {
        Ok(Self {
            edu: None,
            work: new_pci_work!(dev)?,
            idle: new_pci_work!(dev)?,
            runs: AtomicUsize::new(0),
            running: AtomicBool::new(false),
            again: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            ran: KBox::pin_init(Completion::new(), GFP_KERNEL)?,
        })
    }

    /// In a thread that may sleep, but not wait for itself.
    fn inside(&self) -> Result {
        check!(self.work.cancel() == Err(EBUSY));
        drop(KBox::new([0u8; 64], GFP_KERNEL)?);
        fsleep(Delta::from_millis(1));
        Ok(())
    }

    fn wait(&self) -> Result {
        self.ran
            .wait_for_completion_timeout(msecs_to_jiffies(crate::TIMEOUT as u32))?;
        check!(!self.failed.load(Ordering::SeqCst));
        Ok(())
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    /// Has it run again and again.
    pub(crate) fn go_on<'data>(&'data self, dev: &pci::Device<Start<'data>>) -> Result {
        dev.set_work(&self.work, self)?;
        self.again.store(true, Ordering::SeqCst);
        self.begin()
    }

    /// It is not running, and does when it is queued.
    pub(crate) fn begin(&self) -> Result {
        check!(self.work.enqueue());
        self.is_running()
    }

    /// As [`begin`](Self::begin), or it is running already.
    pub(crate) fn begin_again(&self) -> Result {
        let _ = self.work.enqueue();
        self.is_running()
    }

    pub(crate) fn is_running(&self) -> Result {
        let runs = self.runs();
        while self.runs() < runs + 3 {
            self.wait()?;
        }
        Ok(())
    }

    /// It was not left running, and is not run any more.
    fn is_at_rest(&self) -> Result {
        check!(!self.running.load(Ordering::SeqCst));
        let runs = self.runs();
        fsleep(Delta::from_millis(20));
        check!(self.runs() == runs);
        Ok(())
    }

    /// It is not, nor can it be.
    pub(crate) fn is_stopped(&self) -> Result {
        check!(!self.running.load(Ordering::SeqCst));
        check!(!self.work.enqueue());
        check!(!self.work.enqueue_delayed(1));
        self.is_at_rest()?;
        check!(!self.work.cancel()?);
        Ok(())
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        if self.is_stopped().is_err() {
            pr_err!("FAILED: work when the data is dropped\n");
        }
    }
}

pub(crate) fn worker<'a, 'bound>(data: &'a Data<'bound>) -> Result<&'a Worker<'bound>> {
    data.kept.worker.as_ref().ok_or(EINVAL)
}

/// It is run once each time, and not before it was said what it is.
pub(crate) fn runs(test: &mut Test<'_, '_>) -> Result {
    let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let guard = lock.lock();
    check!(!cfg!(CONFIG_PREEMPT_COUNT) || new_pci_work!(test.dev).err() == Some(EINVAL));
    drop(guard);
    test.kept.worker = Some(Worker::new(test.dev)?);
    Ok(())
}

pub(crate) fn runs_start<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let worker = worker(data)?;
    worker.is_stopped()?;
    dev.set_work(&worker.work, worker)?;
    check!(dev.set_work(&worker.work, worker) == Err(EBUSY));
    check!(!worker.idle.enqueue());
    for _ in 0..3 {
        check!(worker.work.enqueue());
        worker.wait()?;
    }
    check!(worker.work.enqueue_delayed(msecs_to_jiffies(5)));
    worker.wait()?;
    check!(worker.runs() == 4);

    // What is queued can be taken back.
    check!(worker.work.enqueue_delayed(msecs_to_jiffies(1_000_000)));
    check!(!worker.work.enqueue());
    check!(worker.work.cancel()?);
    check!(!worker.work.cancel()?);
    check!(worker.runs() == 4);
    check!(worker.work.enqueue_delayed(Jiffies::MAX));
    worker.is_at_rest()?;
    check!(worker.work.cancel()?);

    // It can be queued anywhere.
    let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let guard = lock.lock();
    check!(worker.work.enqueue());
    check!(!cfg!(CONFIG_PREEMPT_COUNT) || worker.work.cancel() == Err(EINVAL));
    drop(guard);
    worker.wait()?;
    check!(worker.runs() == 5);

    // So can what is running, which is waited for.
    worker.again.store(true, Ordering::SeqCst);
    worker.begin()?;
    worker.work.cancel()?;
    worker.is_at_rest()?;
    worker.again.store(false, Ordering::SeqCst);

    // This is for the bus to take back.
    check!(worker.work.enqueue_delayed(msecs_to_jiffies(1_000_000)));
    Ok(())
}

/// It goes on until the bus stops it.
pub(crate) fn again(test: &mut Test<'_, '_>) -> Result {
    test.kept.worker = Some(Worker::new(test.dev)?);
    Ok(())
}

pub(crate) use self::again as start_fails;

pub(crate) fn again_start<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    worker(data)?.go_on(dev)
}

pub(crate) fn again_unbind(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    worker(data)?.is_running()
}

pub(crate) fn start_fails_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    again_start(dev, data)?;
    Err(EBUSY)
}

/// A handler of interrupts queues it.
pub(crate) fn interrupt(test: &mut Test<'_, '_>) -> Result {
    test.dma()?;
    let edu = edu::Edu::new(test.dev)?;
    let types = IrqTypes::default().with(IrqType::Msi);
    test.kept.vectors = Some(test.dev.alloc_irq_vectors(1, 1, types)?);
    let mut worker = Worker::new(test.dev)?;
    worker.edu = Some(edu);
    test.kept.worker = Some(worker);
    Ok(())
}

pub(crate) fn interrupt_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    let worker = worker(data)?;
    let edu = worker.edu.as_ref().ok_or(EINVAL)?;
    dev.set_work(&worker.work, worker)?;
    dev.request_irq(data.vector(0)?, Flags::SHARED, c"dma_cases", worker)?;
    // A message is a write to memory.
    edu.set_master(dev)?;
    edu.0.write32(1, edu::RAISE);
    worker.wait()?;
    check!(worker.runs() == 1);
    Ok(())
}
