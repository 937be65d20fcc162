// SPDX-License-Identifier: GPL-2.0

//! In a hard interrupt: what may sleep is refused there, and what is dropped there is parked.

use crate::{
    coherent::pattern,
    config::{COMMAND, MASTER},
    edu,
    edu::Edu,
    streaming::nothing,
    Data, Test,
};
use core::sync::atomic::{AtomicBool, Ordering};
use kernel::{
    device::{Bound, Core, Start},
    dma::{
        Coherent, CoherentBox, CoherentHandle, Dma, DmaAddress, FromDevice, Mapping, NonCoherent,
        PageBox, Pool, PoolBox, PoolCoherent, ToDevice,
    },
    io::Io,
    irq::{Flags, Handler, IrqReturn},
    new_mutex, new_spinlock,
    pci::{self, IrqType, IrqTypes},
    prelude::*,
    scatterlist::{Owned, Pages, SGTable},
    sync::{Arc, Completion, Mutex, SpinLock},
    time::{delay::fsleep, msecs_to_jiffies, Delta},
};

type Table<'bound, M> = SGTable<Owned<'bound, M, FromDevice>>;

/// What the handler drops.
struct Things<'bound> {
    edu: Arc<Edu<'bound>>,
    memory: Coherent<'bound, [u8]>,
    more: Coherent<'bound, [u8]>,
    own: CoherentBox<'bound, [u8]>,
    handle: CoherentHandle<'bound>,
    noncoherent: NonCoherent<'bound, [u8], FromDevice>,
    mapped: Option<(Mapping<'bound, KVec<u8>, FromDevice>, Table<'bound, Pages>)>,
    pool: Arc<Pool<'bound, u64>>,
    whole_pool: Pool<'bound, u64>,
    object: PoolCoherent<Arc<Pool<'bound, u64>>>,
    buffer: KVec<u8>,
    pages: Pages,
    vector: VVec<u8>,
}

pub(crate) struct Hard<'bound> {
    dev: &'bound pci::Device<Bound>,
    dma: Dma<'bound>,
    /// Gone before the handler drops its own.
    edu: Pin<KBox<Mutex<Option<Arc<Edu<'bound>>>>>>,
    released: AtomicBool,
    /// Where the device writes to before it raises the interrupt.
    address: DmaAddress,
    /// Taken by the handler, and by nobody else.
    things: Pin<KBox<SpinLock<Option<Things<'bound>>>>>,
    failed: AtomicBool,
    done: Pin<KBox<Completion>>,
    quiesced: bool,
    can_map: bool,
}

impl<'bound> Hard<'bound> {
    fn inside(&self, things: Things<'bound>) -> Result {
        let (dma, dev) = (self.dma, self.dev);

        // What is asked for where it can't be had.
        type Bytes<'bound> = Coherent<'bound, [u8]>;
        check!(Bytes::zeroed_slice(dma, 64, GFP_KERNEL).err() == Some(EINVAL));
        check!(CoherentBox::new(dma, 1u64, GFP_KERNEL).err() == Some(EINVAL));
        check!(CoherentHandle::alloc(dma, 64, GFP_KERNEL).err() == Some(EINVAL));
        let noncoherent = |flags| NonCoherent::<[u8], FromDevice>::zeroed_slice(dma, 64, flags);
        check!(noncoherent(GFP_KERNEL).err() == Some(EINVAL));
        check!(Pool::<u64>::new(dma, c"inside", 8, 0).err() == Some(EINVAL));
        check!(Pool::<[u64]>::new_slice(dma, c"inside", 8, 8, 0).err() == Some(EINVAL));
        check!(PoolBox::zeroed(things.pool.clone(), GFP_KERNEL).err() == Some(EINVAL));
        check!(Pages::zeroed(1, GFP_KERNEL).err() == Some(EINVAL));
        check!(PageBox::zeroed(GFP_KERNEL).err() == Some(EINVAL));
        for bar in 0..3 {
            check!(dev.iomap_region(bar, c"inside").err() == Some(EINVAL));
            check!(dev.ioport_region(bar, c"inside").err() == Some(EINVAL));
        }

        // Waits that can say so; and one that is busy instead.
        let (done, once) = (&self.done, msecs_to_jiffies(1));
        check!(done.wait_for_completion_timeout(once) == Err(EINVAL));
        check!(done.wait_for_completion_interruptible() == Err(EINVAL));
        check!(done.wait_for_completion_killable() == Err(EINVAL));
        check!(done.wait_for_completion_interruptible_timeout(once) == Err(EINVAL));
        check!(done.wait_for_completion_killable_timeout(once) == Err(EINVAL));
        fsleep(Delta::from_micros(2500));
        check!(self.edu.try_lock().is_none());

        // What can.
        let before = dma.parked().count;
        let mut parked = 0;
        drop(Bytes::zeroed_slice(dma, 5000, GFP_ATOMIC)?);
        drop(CoherentBox::new(dma, 1u64, GFP_ATOMIC)?);
        drop(CoherentHandle::alloc(dma, 5000, GFP_ATOMIC)?);
        drop(noncoherent(GFP_ATOMIC)?);
        parked += 4;
        check!(dma.parked().count == before + parked);
        drop(PoolBox::zeroed(things.pool.clone(), GFP_ATOMIC)?);
        check!(dma.parked().count == before + parked);
        drop(PoolBox::zeroed(things.pool.clone(), GFP_ATOMIC)?.share());
        parked += usize::from(!self.quiesced);
        check!(dma.parked().count == before + parked);
        let (mut pages, mut vector) = (things.pages, things.vector);
        if self.can_map {
            drop(Mapping::<_, ToDevice>::new(dma, things.buffer)?);
            let failed = Table::new(dma, pages, GFP_KERNEL).err().ok_or(ENOTTY)?;
            check!(failed.error() == EINVAL);
            pages = failed.into_buffer();
            let failed = Table::new(dma, vector, GFP_KERNEL).err().ok_or(ENOTTY)?;
            check!(failed.error() == EINVAL);
            vector = failed.into_buffer();
            drop(Table::new(dma, pages, GFP_ATOMIC)?);
            drop(Table::new(dma, vector, GFP_ATOMIC)?);
            parked += 3;
        }
        check!(dma.parked().count == before + parked);

        // What was made elsewhere.
        drop(things.memory);
        // SAFETY: The device was not told of it.
        unsafe { things.more.free() };
        drop(things.own);
        drop(things.handle);
        drop(things.noncoherent);
        parked += 5;
        check!(dma.parked().count == before + parked);
        if let Some((mapping, table)) = things.mapped {
            drop(mapping);
            drop(table);
            parked += 2;
        }
        check!(dma.parked().count == before + parked);
        drop(things.object);
        parked += usize::from(!self.quiesced);
        check!(dma.parked().count == before + parked);
        drop(things.pool);
        drop(things.whole_pool);
        check!(dma.parked().count > before + parked);
        // The registers, if nobody else has them any more.
        let (last, count) = (self.released.load(Ordering::Acquire), dma.parked().count);
        drop(things.edu);
        check!(!last || dma.parked().count == count + 1);
        Ok(())
    }
}

impl Handler for Hard<'_> {
    fn handle(&self) -> IrqReturn {
        let mut guard = self.things.lock();
        let Some(things) = guard.take() else {
            return IrqReturn::None;
        };
        let reasons = things.edu.0.read32(edu::STATUS);
        if reasons == 0 {
            *guard = Some(things);
            return IrqReturn::None;
        }
        things.edu.0.write32(reasons, edu::ACKNOWLEDGE);
        if self.inside(things).is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        self.done.complete();
        IrqReturn::Handled
    }
}

fn prepare(test: &mut Test<'_, '_>, kind: IrqType, quiesced: bool) -> Result {
    let dma = test.dma()?;
    let edu = Arc::new(Edu::new(test.dev)?, GFP_KERNEL)?;
    // What was raised before is not for this handler.
    edu.0.write32(!0, edu::ACKNOWLEDGE);
    let vectors = test
        .dev
        .alloc_irq_vectors(1, 1, IrqTypes::default().with(kind))?;
    test.kept.vectors = Some(vectors);
    let pool = Arc::new(Pool::new(dma, c"handler", 8, 0)?, GFP_KERNEL)?;
    let mut vector = VVec::new();
    vector.extend_from_slice(&pattern(5000, 2)?, GFP_KERNEL)?;
    let mapped = if nothing(dma) {
        None
    } else {
        Some((
            Mapping::new(dma, pattern(5000, 3)?)?,
            Table::new(dma, Pages::zeroed(2, GFP_KERNEL)?, GFP_KERNEL)?,
        ))
    };
    let memory = Coherent::<[u8]>::zeroed_slice(dma, 5000, GFP_KERNEL)?;
    let address = memory.dma_address();
    let things = Things {
        edu: edu.clone(),
        memory,
        more: Coherent::zeroed_slice(dma, 5000, GFP_KERNEL)?,
        own: CoherentBox::zeroed_slice(dma, 5000, GFP_KERNEL)?,
        handle: CoherentHandle::alloc(dma, 5000, GFP_KERNEL)?,
        noncoherent: NonCoherent::<[u8], FromDevice>::zeroed_slice(dma, 5000, GFP_KERNEL)?,
        mapped,
        whole_pool: Pool::new(dma, c"whole", 8, 0)?,
        object: PoolCoherent::zeroed(pool.clone(), GFP_KERNEL)?,
        pool,
        buffer: pattern(5000, 1)?,
        pages: Pages::zeroed(2, GFP_KERNEL)?,
        vector,
    };
    test.kept.hard = Some(Hard {
        dev: test.dev,
        dma,
        edu: KBox::pin_init(new_mutex!(Some(edu)), GFP_KERNEL)?,
        released: AtomicBool::new(false),
        address,
        things: KBox::pin_init(new_spinlock!(Some(things)), GFP_KERNEL)?,
        failed: AtomicBool::new(false),
        done: KBox::pin_init(Completion::new(), GFP_KERNEL)?,
        quiesced,
        can_map: !nothing(dma),
    });
    Ok(())
}

/// Has the device raise its interrupt, and waits for what the handler finds.
fn raise(hard: &Hard<'_>) -> Result {
    {
        let mut edu = hard.edu.lock();
        let edu = edu.take().ok_or(EINVAL)?;
        // At the end of a transfer, which takes 100 ms: time enough to drop this, as a rule.
        edu.begin_store_and_raise(0, hard.address, 64)?;
    }
    hard.released.store(true, Ordering::Release);
    hard.done
        .wait_for_completion_timeout(msecs_to_jiffies(crate::TIMEOUT as u32))?;
    check!(!hard.failed.load(Ordering::Relaxed));
    Ok(())
}

pub(crate) fn running(test: &mut Test<'_, '_>) -> Result {
    prepare(test, IrqType::Msi, false)
}

pub(crate) fn running_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    let hard = data.kept.hard.as_ref().ok_or(EINVAL)?;
    dev.request_irq(data.vector(0)?, Flags::SHARED, c"dma_cases", hard)?;
    hard.edu.lock().as_ref().ok_or(EINVAL)?.set_master(dev)?;
    raise(hard)
}

/// As handlers are called until after `unbind`, but the device may not master the bus any more.
pub(crate) fn quiesced(test: &mut Test<'_, '_>) -> Result {
    prepare(test, IrqType::Intx, true)
}

pub(crate) fn quiesced_start<'data>(
    dev: &pci::Device<Start<'data>>,
    data: &'data Data<'_>,
) -> Result {
    let hard = data.kept.hard.as_ref().ok_or(EINVAL)?;
    dev.request_irq(data.vector(0)?, Flags::SHARED, c"dma_cases", hard)
}

pub(crate) fn quiesced_unbind(dev: &pci::Device<Core<'_>>, data: &Data<'_>) -> Result {
    dev.clear_master(|_| Ok(()))?;
    raise(data.kept.hard.as_ref().ok_or(EINVAL)?)
}

/// So it is with a spinlock, where the kernel can tell.
pub(crate) fn spinlock(dev: &pci::Device<Start<'_>>, data: &Data<'_>) -> Result {
    if !cfg!(CONFIG_PREEMPT_COUNT) {
        pr_info!("a spinlock can't be told from none\n");
        return Ok(());
    }
    let dma = data.dma()?;
    let pool = Pool::<u64>::new(dma, c"spinlock", 8, 0)?;
    let lock = KBox::pin_init(new_spinlock!(()), GFP_KERNEL)?;
    let own = CoherentBox::new(dma, 1u64, GFP_KERNEL)?;
    let before = dma.parked().count;
    let guard = lock.lock();
    check!(Coherent::<u64>::zeroed(dma, GFP_KERNEL).err() == Some(EINVAL));
    check!(CoherentHandle::alloc(dma, 64, GFP_KERNEL).err() == Some(EINVAL));
    check!(NonCoherent::<u64, FromDevice>::zeroed(dma, GFP_KERNEL).err() == Some(EINVAL));
    check!(Pool::<u64>::new(dma, c"inside", 8, 0).err() == Some(EINVAL));
    check!(PoolBox::zeroed(&pool, GFP_KERNEL).err() == Some(EINVAL));
    check!(Pages::zeroed(1, GFP_KERNEL).err() == Some(EINVAL));
    drop(own);
    check!(dma.parked().count == before + 1);
    drop(CoherentBox::new(dma, 1u64, GFP_ATOMIC)?);
    check!(dma.parked().count == before + 2);
    // SAFETY: The device was not told of any memory.
    unsafe { dev.set_master() };
    check!(dev.config_space().read16(COMMAND) & MASTER == 0);
    drop(guard);
    drop(CoherentBox::new(dma, 1u64, GFP_KERNEL)?);
    check!(dma.parked().count == before + 2);
    // SAFETY: As above.
    unsafe { dev.set_master() };
    check!(dev.config_space().read16(COMMAND) & MASTER != 0);
    Ok(())
}
