// SPDX-License-Identifier: GPL-2.0

//! A device that is suspended when it is not in use, while the system runs; `cases.sh` allows it.

use crate::{coherent::bytes, edu::Edu, streaming::nothing, suspend, Data, Test};
use core::{
    mem::forget,
    ptr::NonNull,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};
use kernel::{
    device::{Bound, Core, Start},
    dma::{Backing, Coherent, Dma, Mappable, Mapping, Parked, ToDevice},
    io::{poll::read_poll_timeout, Io},
    new_mutex, new_pci_work, new_spinlock,
    pci::{self, Work, WorkHandler},
    prelude::*,
    sync::Mutex,
    time::{delay::fsleep, msecs_to_jiffies, Delta},
};

/// Milliseconds.
const DELAY: u32 = 10;
const PAUSE: u32 = 100;
const USES: usize = 6;

/// Whether a `Slow` is being dropped; and whether one was.
static DROPPING: AtomicBool = AtomicBool::new(false);
static DROPPED: AtomicBool = AtomicBool::new(false);

/// A buffer that takes its time to be freed.
struct Slow(KBox<[u8; 64]>);

impl Drop for Slow {
    fn drop(&mut self) {
        DROPPING.store(true, Ordering::SeqCst);
        fsleep(Delta::from_millis(i64::from(3 * PAUSE)));
        DROPPING.store(false, Ordering::SeqCst);
        DROPPED.store(true, Ordering::SeqCst);
    }
}

// SAFETY: This leaves `release` as it is.
unsafe impl Backing for Slow {
    type Memory = [u8; 64];
}

// SAFETY: A `Slow` owns the memory by its `KBox`, and nothing else refers to it. It was allocated by
// `kmalloc()`, with this size, and is initialised.
unsafe impl Mappable for Slow {
    const SIZE: Option<usize> = Some(64);

    fn memory(&mut self) -> NonNull<[u8; 64]> {
        NonNull::from(&mut *self.0)
    }

    fn allocated(&self) -> usize {
        64
    }
}

/// Work that drops a mapping while the device is suspended.
struct Dropper<'bound> {
    dma: Dma<'bound>,
    work: Work<'bound>,
    /// Whether it was told to.
    told: AtomicBool,
    mapping: Pin<KBox<Mutex<Option<Mapping<'bound, Slow, ToDevice>>>>>,
}

impl Dropper<'_> {
    /// Waits until it does, if it was told to.
    fn wait(&self) -> Result {
        let told = || self.told.load(Ordering::SeqCst) && !DROPPED.load(Ordering::SeqCst);
        wait_until(|| !told() || DROPPING.load(Ordering::SeqCst))
    }
}

fn wait_until(is_so: impl Fn() -> bool) -> Result {
    let (step, limit) = (Delta::from_millis(1), Delta::from_secs(5));
    read_poll_timeout(|| Ok(is_so()), |so| *so, step, limit).map(drop)
}

impl WorkHandler for Dropper<'_> {
    fn run(&self) {
        // If it never is, that is seen: what is dropped is parked then.
        let _ = wait_until(|| self.dma.is_quiesced());
        let mapping = self.mapping.lock().take();
        drop(mapping);
    }
}

/// Work that uses the device now and then.
pub(crate) struct User<'bound> {
    dev: &'bound pci::Device<Bound>,
    edu: Edu<'bound>,
    memory: Coherent<'bound, [u8]>,
    work: Work<'bound>,
    uses: AtomicUsize,
    suspended: AtomicUsize,
    resumed: AtomicUsize,
    /// How often `suspend` was called because the device was not in use.
    idle: AtomicUsize,
    dropper: Dropper<'bound>,
    failed: AtomicBool,
}

impl WorkHandler for User<'_> {
    fn run(&self) {
        self.note(self.used());
        if self.uses.fetch_add(1, Ordering::SeqCst) + 1 < USES {
            self.work.enqueue_delayed(msecs_to_jiffies(PAUSE));
        } else {
            pr_info!("runtime: it is not used any more\n");
        }
    }
}

impl User<'_> {
    fn note(&self, result: Result) {
        if result.is_err() {
            self.failed.store(true, Ordering::SeqCst);
        }
    }

    fn is_up(&self) -> bool {
        self.suspended.load(Ordering::SeqCst) == self.resumed.load(Ordering::SeqCst)
    }

    /// Whether the device reaches memory.
    fn moves(&self) -> Result<bool> {
        let mut found = [0; 32];
        self.memory.copy_from_slice(&[0x33; 32]);
        self.edu.fetch(self.memory.dma_address(), 0, 32)?;
        self.memory.copy_from_slice(&[0xee; 32]);
        self.edu.store(0, self.memory.dma_address(), 32)?;
        self.memory.copy_to_slice(&mut found);
        Ok(found == [0x33; 32])
    }

    fn used(&self) -> Result {
        // Memory is being freed when the device is brought up.
        self.dropper.wait()?;
        let guard = self.dev.runtime_get()?;
        check!(self.is_up());
        drop(self.dev.runtime_get()?);
        check!(self.moves()?);
        fsleep(Delta::from_millis(i64::from(3 * DELAY)));
        check!(self.is_up());
        check!(self.moves()?);
        drop(guard);
        Ok(())
    }
}

fn user<'a, 'bound>(data: &'a Data<'bound>) -> Result<&'a User<'bound>> {
    data.kept.user.as_ref().ok_or(EINVAL)
}

pub(crate) fn in_use(test: &mut Test<'_, '_>) -> Result {
    let dma = test.dma()?;
    let edu = Edu::new(test.dev)?;
    // Until it was started, it is in use.
    drop(test.dev.runtime_get()?);
    let mapping = if nothing(dma) {
        None
    } else {
        Some(Mapping::new(dma, Slow(KBox::new([0; 64], GFP_KERNEL)?))?)
    };
    DROPPED.store(mapping.is_none(), Ordering::SeqCst);
    test.kept.dma = Some(dma);
    test.kept.user = Some(User {
        dev: test.dev,
        edu,
        memory: bytes(dma, 32)?,
        work: new_pci_work!(test.dev)?,
        uses: AtomicUsize::new(0),
        suspended: AtomicUsize::new(0),
        resumed: AtomicUsize::new(0),
        idle: AtomicUsize::new(0),
        dropper: Dropper {
            dma,
            told: AtomicBool::new(false),
            work: new_pci_work!(test.dev)?,
            mapping: KBox::pin_init(new_mutex!(mapping), GFP_KERNEL)?,
        },
        failed: AtomicBool::new(false),
    });
    Ok(())
}

pub(crate) use self::in_use as not_asked_for;
pub(crate) use self::in_use as start_fails;

pub(crate) fn started<'data>(dev: &pci::Device<Start<'data>>, data: &'data Data<'_>) -> Result {
    let user = user(data)?;
    user.edu.set_master(dev)?;
    let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let guard = lock.lock();
    check!(!cfg!(CONFIG_PREEMPT_COUNT) || dev.use_autosuspend(DELAY) == Err(EINVAL));
    check!(!cfg!(CONFIG_PREEMPT_COUNT) || user.dev.runtime_get().err() == Some(EINVAL));
    drop(guard);
    dev.use_autosuspend(u32::MAX)?;
    dev.use_autosuspend(DELAY)?;
    dev.set_work(&user.dropper.work, &user.dropper)?;
    dev.set_work(&user.work, user)?;
    check!(user.work.enqueue());
    drop(bytes(data.dma()?, 4096)?);
    check!(data.dma()?.parked().count == 1);
    Ok(())
}

/// The first time it refuses, with an error that C would take for the end.
pub(crate) fn suspended(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    let user = user(data)?;
    if user.dev.runtime_get().err() == Some(EBUSY) {
        user.idle.fetch_add(1, Ordering::SeqCst);
    }
    if user.moves() != Ok(true) {
        user.note(Err(EIO));
    }
    match user.idle.load(Ordering::SeqCst) {
        1 => return Err(EIO),
        2 => {
            check!(user.dropper.work.enqueue());
            user.dropper.told.store(true, Ordering::SeqCst);
        }
        _ => (),
    }
    user.suspended.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

/// It reaches nothing, and nothing is parked.
pub(crate) fn resumed(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let user = user(data)?;
    let result = awake(dev, data);
    user.note(result);
    user.resumed.fetch_add(1, Ordering::SeqCst);
    result
}

fn awake(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let user = user(data)?;
    // It was not brought up before that was done.
    check!(!DROPPING.load(Ordering::SeqCst));
    check!(data.dma()?.parked() == Parked::default());
    check!(!user.moves()?);
    suspend::set_master(dev, &user.edu)?;
    dev.use_autosuspend(DELAY)?;
    check!(user.moves()?);
    Ok(())
}

pub(crate) fn unbind(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    let user = user(data)?;
    check!(!user.failed.load(Ordering::SeqCst));
    check!(user.is_up());
    check!(user.moves()?);
    let idle = user.idle.load(Ordering::SeqCst);
    check!(idle < 2 || DROPPED.load(Ordering::SeqCst));
    // But for the first time, it was suspended whenever that was asked for.
    let asleep = user.suspended.load(Ordering::SeqCst) - idle.saturating_sub(1);
    pr_info!(
        "in use {} times, suspended {} times, {asleep} times with the system\n",
        user.uses.load(Ordering::SeqCst),
        if idle > USES / 2 { "enough" } else { "few" },
    );
    // The next driver's device is suspended all the same.
    forget(user.dev.runtime_get()?);
    Ok(())
}

/// Who does not ask for it in `start` can't later.
pub(crate) fn not_asked_for_started(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    user(data)?.edu.set_master(dev)
}

pub(crate) fn not_asked_for_suspended(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    user(data)?.suspended.fetch_add(1, Ordering::SeqCst);
    // This is for the sake of the system.
    drop(user(data)?.dev.runtime_get()?);
    Ok(())
}

pub(crate) fn not_asked_for_resumed(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    let user = user(data)?;
    user.resumed.fetch_add(1, Ordering::SeqCst);
    if dev.use_autosuspend(DELAY) != Err(EINVAL) {
        user.note(Err(EIO));
    }
    user.edu.set_master(dev)
}

pub(crate) fn not_asked_for_unbind(_dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    let user = user(data)?;
    check!(!user.failed.load(Ordering::SeqCst));
    check!(user.is_up());
    pr_info!(
        "suspended with the system {} times\n",
        user.suspended.load(Ordering::SeqCst)
    );
    Ok(())
}

/// What was asked for before `start` failed is taken back.
pub(crate) fn start_fails_start<'data>(
    dev: &pci::Device<Start<'data>>,
    _: &'data Data<'_>,
) -> Result {
    dev.use_autosuspend(DELAY)?;
    Err(EBUSY)
}
