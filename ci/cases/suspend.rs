// SPDX-License-Identifier: GPL-2.0

//! Suspending and resuming; `cases.sh` has the system try it, with the devices alone.

use crate::{
    coherent::bytes,
    edu,
    edu::Edu,
    thread::{runner, Runner},
    timer::{ticker, Ticker},
    work::{worker, Worker},
    Data, Test,
};
use core::{
    ptr,
    sync::atomic::{AtomicPtr, AtomicUsize, Ordering},
};
use kernel::{
    device::{Core, Start},
    dma::{Dma, Parked, Pool, PoolCoherent},
    io::Io,
    io_project,
    irq::{Flags, Handler, IrqReturn},
    pci::{self, IrqType, IrqTypes},
    prelude::*,
    sync::Completion,
    time::{delay::fsleep, msecs_to_jiffies, Delta},
};

/// Whose handler must not be called while the device is suspended.
pub(crate) struct Sleeper<'bound> {
    pub(crate) edu: Edu<'bound>,
    done: Pin<KBox<Completion>>,
    /// How often the handler was called, also for others that share the line.
    calls: AtomicUsize,
    /// How often it had been, at the end of `suspend`.
    noted: AtomicUsize,
    suspended: AtomicUsize,
    resumed: AtomicUsize,
}

impl Handler for Sleeper<'_> {
    fn handle(&self) -> IrqReturn {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let reasons = self.edu.0.read32(edu::STATUS);
        if reasons == 0 {
            return IrqReturn::None;
        }
        self.edu.0.write32(reasons, edu::ACKNOWLEDGE);
        self.done.complete();
        IrqReturn::Handled
    }
}

impl Sleeper<'_> {
    pub(crate) fn note(&self) {
        self.noted
            .store(self.calls.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// No handler is called, though the device has a reason to raise its interrupt.
    fn check_muted(&self) -> Result {
        self.edu.0.write32(1, edu::RAISE);
        fsleep(Delta::from_millis(5));
        let calls = self.calls.load(Ordering::SeqCst);
        self.edu.0.write32(!0, edu::ACKNOWLEDGE);
        check!(calls == self.noted.load(Ordering::SeqCst));
        Ok(())
    }

    pub(crate) fn resumed(&self) -> usize {
        self.resumed.load(Ordering::SeqCst)
    }

    fn suspended(&self) -> usize {
        self.suspended.load(Ordering::SeqCst)
    }
}

pub(crate) fn sleeper<'a, 'bound>(data: &'a Data<'bound>) -> Result<&'a Sleeper<'bound>> {
    data.kept.sleeper.as_ref().ok_or(EINVAL)
}

fn prepare(test: &mut Test<'_, '_>, kind: IrqType) -> Result {
    let dma = test.dma()?;
    let edu = Edu::new(test.dev)?;
    let types = IrqTypes::default().with(kind);
    test.kept.vectors = Some(test.dev.alloc_irq_vectors(1, 1, types)?);
    test.kept.dma = Some(dma);
    test.kept.worker = Some(Worker::new(test.dev)?);
    test.kept.ticker = Some(Ticker::new(test.dev)?);
    test.kept.runner = Some(Runner::new(test.dev)?);
    test.kept.bytes = Some(bytes(dma, 64)?);
    test.kept.sleeper = Some(Sleeper {
        edu,
        done: KBox::pin_init(Completion::new(), GFP_KERNEL)?,
        calls: AtomicUsize::new(0),
        noted: AtomicUsize::new(0),
        suspended: AtomicUsize::new(0),
        resumed: AtomicUsize::new(0),
    });
    Ok(())
}

pub(crate) fn message(test: &mut Test<'_, '_>) -> Result {
    prepare(test, IrqType::Msi)
}

pub(crate) fn line(test: &mut Test<'_, '_>) -> Result {
    prepare(test, IrqType::Intx)
}

pub(crate) use self::line as busy;
pub(crate) use self::line as late;
pub(crate) use self::line as resume_fails;
pub(crate) use self::line as shut_down;
pub(crate) use self::line as stopped;

/// The device copies, and raises an interrupt.
pub(crate) fn moves(data: &Data<'_>) -> Result {
    let (sleeper, memory) = (sleeper(data)?, data.bytes()?);
    let mut found = [0; 64];
    memory.copy_from_slice(&[0; 64]);
    io_project!(memory, [try: ..32]).copy_from_slice(&[0x5a; 32]);
    sleeper.edu.fetch(memory.dma_address(), 0, 32)?;
    let half = io_project!(memory, [try: 32]).dma_address();
    sleeper.edu.begin_store_and_raise(0, half, 32)?;
    let timeout = msecs_to_jiffies(crate::TIMEOUT as u32);
    sleeper.done.wait_for_completion_timeout(timeout)?;
    memory.copy_to_slice(&mut found);
    check!(found == [0x5a; 64]);
    Ok(())
}

/// The device does not reach memory, and its handler is not called.
pub(crate) fn is_muted(data: &Data<'_>) -> Result {
    let (sleeper, memory) = (sleeper(data)?, data.bytes()?);
    let mut found = [0; 64];
    memory.copy_from_slice(&[0xee; 64]);
    sleeper.edu.store(0, memory.dma_address(), 32)?;
    memory.copy_to_slice(&mut found);
    check!(found == [0xee; 64]);
    sleeper.check_muted()
}

/// Turns mastering on; by a reset where there is one, for all that there is a handler.
pub(crate) fn set_master(dev: &pci::Device<Start<'_>>, edu: &Edu<'_>) -> Result {
    match dev.reset_and_set_master() {
        Err(error) if error == ENOTTY => edu.set_master(dev),
        result => result,
    }
}

fn request<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    dev.request_irq(
        data.vector(0)?,
        Flags::SHARED,
        &crate::irq::name(dev)?,
        sleeper(data)?,
    )
}

/// Drops memory, and a pool whose object was dropped.
pub(crate) fn park(dma: Dma<'_>) -> Result {
    drop(bytes(dma, 4096)?);
    let pool = Pool::<[u8; 64]>::new(dma, c"suspend", 64, 0)?;
    drop(PoolCoherent::zeroed(&pool, GFP_KERNEL)?);
    drop(pool);
    let parked = dma.parked();
    check!((parked.count, parked.bytes) == (3, 4096 + 64));
    Ok(())
}

pub(crate) fn started<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    request(dev, data)?;
    sleeper(data)?.edu.set_master(dev)?;
    check!(dev.reset_and_set_master() == Err(EBUSY));
    park(data.dma()?)?;
    worker(data)?.go_on(dev)?;
    ticker(data)?.go_on(dev)?;
    runner(data)?.go_on(dev)?;
    moves(data)
}

/// The data of the device that was suspended, shut down, or stopped after an error, before this one,
/// unless it was brought up again.
pub(crate) static BEFORE: AtomicPtr<Data<'static>> = AtomicPtr::new(ptr::null_mut());

/// The device is up, and the one before it is muted.
fn last(data: &Data<'_>) -> Result {
    moves(data)?;
    worker(data)?.is_running()?;
    ticker(data)?.is_running()?;
    runner(data)?.is_running()?;
    sleeper(data)?.note();
    let this = ptr::from_ref(data).cast_mut().cast();
    // SAFETY: It is still there, and shared: devices are resumed before a driver is unbound, and no
    // driver is when the system is shut down. It is this thread that suspends them all.
    match unsafe { BEFORE.swap(this, Ordering::SeqCst).as_ref() } {
        Some(before) => {
            worker(before)?.is_stopped()?;
            ticker(before)?.is_stopped()?;
            runner(before)?.is_stopped()?;
            is_muted(before)
        }
        None => Ok(()),
    }
}

pub(crate) fn suspended(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    sleeper(data)?.suspended.fetch_add(1, Ordering::SeqCst);
    noted(last(data))
}

/// It is quiet, and nothing is parked; then all is as before.
pub(crate) fn resumed(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    sleeper(data)?.resumed.fetch_add(1, Ordering::SeqCst);
    BEFORE.store(ptr::null_mut(), Ordering::SeqCst);
    noted(awake(dev, data))
}

fn awake(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let dma = data.dma()?;
    check!(dma.parked() == Parked::default());
    is_muted(data)?;
    // These go on from here, but for the time of a reset.
    worker(data)?.begin()?;
    ticker(data)?.begin()?;
    // Threads do when this has succeeded.
    runner(data)?.is_stopped()?;
    // What is dropped is kept again, though mastering is off yet.
    park(dma)?;
    set_master(dev, &sleeper(data)?.edu)?;
    check!(dev.reset_and_set_master() == Err(EBUSY));
    worker(data)?.begin_again()?;
    ticker(data)?.begin_again()?;
    runner(data)?.is_stopped()?;
    moves(data)
}

/// The PCI core says which device has failed, but to nobody who can tell.
fn noted(result: Result) -> Result {
    if result.is_err() {
        pr_err!("FAILED: suspend\n");
    }
    result
}

/// It was called as often as `resume`, and the device is up.
pub(crate) fn unbind(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    let sleeper = sleeper(data)?;
    check!(sleeper.suspended() == sleeper.resumed());
    runner(data)?.is_running_if_ever()?;
    pr_info!("suspended {} times\n", sleeper.suspended());
    moves(data)
}

/// Who refuses goes on, and is not resumed.
pub(crate) fn busy_suspended(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    sleeper(data)?.suspended.fetch_add(1, Ordering::SeqCst);
    noted(moves(data))?;
    Err(EBUSY)
}

pub(crate) fn busy_unbind(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    let sleeper = sleeper(data)?;
    check!(sleeper.suspended() <= 1 && sleeper.resumed() == 0);
    pr_info!("suspended {} times\n", sleeper.suspended());
    moves(data)
}

/// Who has turned mastering off before is.
pub(crate) fn stopped_suspended(dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    suspended(dev, data)?;
    dev.clear_master(|_| Ok(()))?;
    Err(EBUSY)
}

/// A device that is not resumed stays as it was. It is resumed the next time, but not suspended.
pub(crate) fn resume_fails_resumed(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    resumed(dev, data)?;
    let sleeper = sleeper(data)?;
    if sleeper.resumed() == 1 {
        sleeper.note();
        return Err(EIO);
    }
    Ok(())
}

pub(crate) fn resume_fails_unbind(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    let sleeper = sleeper(data)?;
    check!(sleeper.suspended() <= 1);
    pr_info!("resumed {} times\n", sleeper.resumed());
    if sleeper.resumed() == 1 {
        check!(data.dma()?.parked() == Parked::default());
        worker(data)?.is_stopped()?;
        ticker(data)?.is_stopped()?;
        runner(data)?.is_stopped()?;
        return is_muted(data);
    }
    moves(data)
}

/// Who requests a handler in `resume` turns mastering on before.
pub(crate) fn late_started(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    sleeper(data)?.edu.set_master(dev)
}

pub(crate) fn late_suspended(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    sleeper(data)?.suspended.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

pub(crate) fn late_resumed<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    sleeper(data)?.resumed.fetch_add(1, Ordering::SeqCst);
    noted(late_awake(dev, data))
}

fn late_awake<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    check!(request(dev, data) == Err(EBUSY));
    set_master(dev, &sleeper(data)?.edu)?;
    request(dev, data)?;
    moves(data)
}

pub(crate) fn late_unbind(dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    // Without a handler, nobody would tell that the device is done.
    if sleeper(data)?.resumed() == 0 {
        return Ok(());
    }
    unbind(dev, data)
}

/// Nobody else is left to tell: a panic is seen.
pub(crate) fn shut_down_at_last(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) {
    match last(data) {
        Ok(()) => pr_info!("shut down: ok\n"),
        Err(error) => panic!("shut down: {error:?}"),
    }
}
